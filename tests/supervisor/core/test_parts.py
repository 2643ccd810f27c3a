"""A SendMany is answered in parts by its system, and its asker sees all or each."""

import pytest

from actors.messages import Failure, Forget, ManySent, SendMany
from supervisor.messages import CancelRequest, GetStatus, UnregisterSystem
from tests.helpers.harness import Harness, failed


@pytest.fixture
def plant():
    return Harness(request_timeout=30)


def ask(plant, stream=False, **options):
    request = SendMany("plc", (1, 2, 3, 4), stream=stream, **options)
    plant.tell(request)
    return request


def part(plant, request, *results, final=False):
    plant.actor().answer(request, ManySent, results=results, final=final)


def test_parts_are_gathered_into_one_answer(plant):
    plant.register()
    request = ask(plant)
    refused = request.failure("connector_error", "queue full")
    part(plant, request, True, refused)
    assert plant.replies(request) == []
    part(plant, request, True, True, final=True)
    assert plant.reply(request) == ManySent(
        request_id=request.request_id, system_name="plc", results=(True, refused, True, True)
    )
    assert plant.ask(GetStatus("plc")).status.sent == 3
    plant.assert_nothing_open()


def test_parts_of_a_stream_are_passed_on_as_they_come(plant):
    plant.register()
    request = ask(plant, stream=True)
    part(plant, request, True)
    part(plant, request, True, True)
    assert [reply.final for reply in plant.replies(request)] == [False, False]
    part(plant, request, True, final=True)
    assert [reply.results for reply in plant.replies(request)] == [(True,), (True, True), (True,)]
    assert plant.replies(request)[-1].final
    plant.assert_nothing_open()


@pytest.mark.parametrize("stream", [False, True])
def test_each_part_renews_the_time_of_the_request(plant, stream):
    plant.register()
    request = ask(plant, stream, timeout=5)
    for _ in range(3):
        plant.advance(4)
        part(plant, request, True)
    plant.advance(4.99)
    assert not any(isinstance(reply, Failure) for reply in plant.replies(request))
    plant.advance(0.02)
    assert plant.actor().told_of(Forget) == [Forget((plant.actor().ref_of(request),))]
    plant.assert_nothing_open()


def test_a_crash_keeps_the_results_there_are_and_owns_up_for_the_rest(plant):
    plant.register()
    request = ask(plant)
    part(plant, request, True)
    plant.actor().crash_and_exit()
    first, *rest = plant.reply(request).results
    assert first is True
    assert [failed(each) for each in rest] == [("system_crashed", "unknown")] * 3
    assert plant.reply(request).final


def test_time_that_runs_out_keeps_the_results_there_are(plant):
    plant.register()
    request = ask(plant)
    part(plant, request, True, True, True)
    plant.advance(31)
    results = plant.reply(request).results
    assert results[:3] == (True,) * 3
    assert failed(results[3]) == ("timeout", "unknown")


def test_an_end_of_the_system_keeps_the_results_there_are(plant):
    actor = plant.register()
    request = ask(plant)
    part(plant, request, True)
    plant.tell(UnregisterSystem("plc"))
    actor.exit()
    results = plant.reply(request).results
    assert [failed(each) for each in results[1:]] == [("unavailable", "unknown")] * 3


def test_a_failure_of_the_whole_after_some_parts_is_the_result_of_the_rest(plant):
    actor = plant.register()
    request = ask(plant)
    part(plant, request, True)
    actor.answer(request, request.failure("not_connected", "cut off", "unknown"))
    assert [each if each is True else each.code for each in plant.reply(request).results] == [
        True,
        *["not_connected"] * 3,
    ]


def test_a_crash_ends_a_stream_with_a_failure(plant):
    plant.register()
    request = ask(plant, stream=True)
    part(plant, request, True)
    plant.actor().crash_and_exit()
    first, last = plant.replies(request)
    assert first.results == (True,)
    assert failed(last) == ("system_crashed", "unknown")


def test_without_any_part_the_whole_fails(plant):
    plant.register()
    request = ask(plant)
    plant.actor().crash_and_exit()
    assert failed(plant.reply(request)) == ("system_crashed", "unknown")


@pytest.mark.parametrize("stream", [False, True])
def test_parts_for_nobody_are_dropped(plant, stream):
    plant.register()
    request = ask(plant, stream)
    plant.tell(CancelRequest((request.request_id,)))
    part(plant, request, True)
    part(plant, request, True, final=True)
    left = ask(plant, stream)
    plant.leave()
    part(plant, left, True)
    part(plant, left, True, True, True, final=True)
    assert plant.replies(request) == []
    assert plant.replies(left) == []
    plant.assert_nothing_open()


def test_a_part_may_have_no_results(plant):
    plant.register()
    request = ask(plant)
    part(plant, request)
    part(plant, request, True, True, True, True, final=True)
    assert plant.reply(request).results == (True,) * 4


def test_to_send_no_items_is_a_request_like_any_other(plant):
    plant.register(mailbox_size=1)
    request = SendMany("plc", ())
    plant.tell(request)
    part(plant, request, final=True)
    assert plant.reply(request).results == ()


# ---- what fits only in part ----------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_of_items_that_fit_only_in_part_the_first_are_sent_and_the_rest_is_refused(plant, stream):
    actor = plant.register(mailbox_size=3)
    request = SendMany("plc", (1, 2, 3, 4, 5), stream=stream)
    plant.tell(request)
    [taken] = actor.requests
    assert taken.items == (1, 2, 3)
    actor.answer(taken, ManySent, results=(True, True, True))
    [reply] = plant.replies(request)
    assert reply.results[:3] == (True, True, True)
    assert [each.code for each in reply.results[3:]] == ["overloaded", "overloaded"]
    assert [each.outcome for each in reply.results[3:]] == ["not_sent", "not_sent"]
    plant.assert_nothing_open()


@pytest.mark.parametrize("stream", [False, True])
def test_a_crash_leaves_what_was_refused_refused(plant, stream):
    actor = plant.register(mailbox_size=2)
    request = SendMany("plc", (1, 2, 3), stream=stream)
    plant.tell(request)
    actor.exit()
    [reply] = plant.replies(request)
    assert [(each.code, each.outcome) for each in reply.results] == [
        ("system_crashed", "unknown"),
        ("system_crashed", "unknown"),
        ("overloaded", "not_sent"),
    ]
