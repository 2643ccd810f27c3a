"""What whoever asked for a SendMany is answered, as its parts come in."""

import pytest

from actors.messages import DataSent, Failure, ManySent, Outcome, SendMany
from actors.messages.results import Results


def many(count=3, *, stream):
    return SendMany("plc", range(count), stream=stream)


def part(request, *results, final=False):
    return ManySent(request_id=request.request_id, system_name="plc", results=results, final=final)


def failed(request, outcome=Outcome.UNKNOWN):
    return request.failure("system_crashed", "crashed", outcome)


@pytest.fixture
def refused():
    request = SendMany("plc", [1])
    return (failed(request, Outcome.NOT_SENT),) * 2


def test_only_a_send_many_has_results():
    assert Results.of(many(stream=True)) is not None
    assert Results.of(DataSent(request_id=1)) is None


def test_parts_are_put_together_for_whoever_asked_for_one_answer(refused):
    request = many(stream=False)
    results = Results.of(request, refused)
    assert results.pass_on(part(request, True)) is None
    assert results.pass_on(part(request)) is None
    answer = results.pass_on(part(request, False, True, final=True))
    assert answer == part(request, True, False, True, *refused, final=True)


def test_parts_are_passed_on_as_they_come_and_what_was_refused_is_behind_the_last(refused):
    request = many(stream=True)
    results = Results.of(request, refused)
    first = part(request, True)
    assert results.pass_on(first) is first
    assert results.pass_on(part(request, True, True, final=True)) == part(
        request, True, True, *refused, final=True
    )


def test_a_client_that_puts_them_together_itself_gets_each_part():
    request = many(stream=False)
    first = part(request, True)
    assert Results(request, in_parts=True).pass_on(first) is first


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_any_result_is_the_answer(stream):
    request = many(stream=stream)
    assert Results.of(request).pass_on(failed(request)) == failed(request)


def test_a_failure_behind_parts_that_were_passed_on_is_that_of_the_rest():
    request = many(stream=True)
    results = Results.of(request)
    results.pass_on(part(request, True))
    assert isinstance(results.pass_on(failed(request)), Failure)


def test_a_failure_behind_parts_that_were_kept_leaves_them_their_results():
    request = many(stream=False)
    results = Results.of(request)
    results.pass_on(part(request, True))
    failure = failed(request)
    assert results.pass_on(failure) == part(request, True, failure, failure, final=True)


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_refused_stays_so_whatever_became_of_the_others(stream, refused):
    request = many(stream=stream)
    results = Results.of(request, refused)
    passed_on = results.pass_on(part(request, True))
    failure = failed(request)
    rest = (failure, failure, *refused)
    known = () if passed_on else (True,)
    assert results.pass_on(failure) == part(request, *known, *rest, final=True)
