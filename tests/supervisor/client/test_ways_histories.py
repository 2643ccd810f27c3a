"""Which way a request goes: what random histories once found."""

from __future__ import annotations

from actors.messages import Fence, FencePassed, Request, SendData
from supervisor.client.way_actions import Route, Tell
from supervisor.client.ways import Ways
from supervisor.messages import SystemResolved


def ask(ways: Ways) -> list[Request]:
    """Send an item; what goes through the supervisor for it."""
    ways.ask(SendData("plc", b"x"), lambda reply: None, 0.0)
    actions = ways.flush(0.0)
    assert len(actions) == 1
    return [action.request for action in actions if isinstance(action, Route)]


def straight() -> Ways:
    """With a link, and nothing on the supervisor's way that could be overtaken."""
    ways = Ways("plc")
    found = SystemResolved(
        request_id=0,
        system_name="plc",
        incarnation=1,
        door="",
        mailbox_size=100,
        max_payload_bytes=1000,
        request_timeout=30.0,
        connect_timeout=60.0,
    )
    ways.opened(found, 1)
    [fence] = ask(ways)
    assert isinstance(fence, Fence)
    ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), 0.0)
    assert [type(action) for action in ways.flush(0.0)] == [Tell]
    assert ask(ways) == []
    return ways


def test_what_is_asked_behind_an_order_that_goes_unseen_does_not_overtake_it() -> None:
    ways = straight()
    ways.asked_unseen()
    [fence] = ask(ways)
    assert isinstance(fence, Fence)
