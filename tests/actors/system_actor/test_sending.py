"""What became of an item, as the answer to its send says."""

from __future__ import annotations

import asyncio

import pytest

from actors import ConnectorError, ItemRefusedError, MockExternalSystem, NotSentError
from actors.messages import Outcome, SendData, SendMany
from actors.system_actor.reports import Origin, Reports
from actors.system_actor.sending import send_many, send_one


class Picky(MockExternalSystem):
    """Refuses "bad", fails at "worse", and finds itself disconnected at "gone"."""

    async def send_data(self, data):
        if data == "bad":
            raise ItemRefusedError("it has the delimiter in it")
        if data == "worse":
            raise ConnectorError("lost on the way")
        if data == "gone":
            raise NotSentError("it closed the connection")
        return await super().send_data(data)


def answers_to(request, system_class=Picky):
    async def main():
        system = system_class("plc", {})
        await system.connect()
        said = []
        reports = Reports("plc", 1, lambda: system.is_connected, said.append)
        origin = Origin(reports, 7)
        if isinstance(request, SendData):
            origin.reply(await send_one(system, request, lambda error: None))
        else:
            await send_many(system, origin, request, lambda: False, lambda error: None, None)
        reports.flush()
        return [reply for report in said for _, reply in report.replies]

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("item", "code", "outcome", "text"),
    [
        ("bad", "item_refused", "not_sent", "plc: ItemRefusedError: it has the delimiter in it"),
        ("gone", "connector_error", "not_sent", "plc: NotSentError: it closed the connection"),
        ("worse", "connector_error", "unknown", "plc: ConnectorError: lost on the way"),
    ],
)
def test_only_an_item_of_which_nothing_went_out_is_known_not_to_be_sent(item, code, outcome, text):
    [failure] = answers_to(SendData("plc", item))
    assert (failure.code, failure.outcome) == (code, outcome)
    assert failure.text == text


def test_an_item_that_was_refused_does_not_hold_up_those_behind_it():
    [answer] = answers_to(SendMany("plc", ("one", "bad", "two")))
    first, refused, last = answer.results
    assert (first, last) == (True, True)
    assert refused.outcome is Outcome.NOT_SENT


class Bulk(MockExternalSystem):
    """Takes what is no string."""

    async def send_many(self, items):
        refused = ItemRefusedError("no strings")
        return [refused if isinstance(item, str) else True for item in items]


def test_a_bulk_operation_may_say_what_is_wrong_with_an_item():
    [answer] = answers_to(SendMany("plc", [1, "two", 3]), Bulk)
    first, refused, last = answer.results
    assert (first, last) == (True, True)
    assert refused.text == "plc: ItemRefusedError: no strings"
    assert refused.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotSentError("it closed the connection"), Outcome.NOT_SENT),
        (ItemRefusedError("one has the delimiter in it"), Outcome.UNKNOWN),
        (ConnectorError("lost on the way"), Outcome.UNKNOWN),
    ],
)
def test_of_a_bulk_send_all_is_known_not_to_be_sent_if_nothing_went_out(error, outcome):
    class Bulk(MockExternalSystem):
        async def send_many(self, items):
            raise error

    [answer] = answers_to(SendMany("plc", ("one", "two")), Bulk)
    assert [result.outcome for result in answer.results] == [outcome, outcome]
