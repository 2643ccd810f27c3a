"""How many items a request is, and what of it there is room for."""

import pytest

from actors.messages import (
    CallCommand,
    ConnectSystem,
    Failure,
    Fence,
    ReceiveMany,
    SendData,
    SendMany,
)
from actors.messages.limits import MAILBOX_BYTES, Admitted, admit, weight_of


@pytest.mark.parametrize(
    ("request_", "weight"),
    [
        (SendMany("plc", (b"1", b"2", b"3")), 3),
        (SendMany("plc", ()), 1),
        (SendData("plc", b"1"), 1),
        (ReceiveMany("plc", 5), 1),
        (ConnectSystem("plc"), 1),
        (Fence("plc"), 0),
    ],
)
def test_a_request_stands_for_its_items_and_a_fence_for_none(request_, weight):
    assert weight_of(request_) == weight


def test_of_many_items_those_are_taken_that_there_is_room_for():
    many = SendMany("plc", (b"1", b"22", b"333"))
    for waiting, taken, size in ((9, 1, 1), (8, 2, 3), (7, 3, 6), (0, 3, 6)):
        admitted = admit(many, waiting, 0, 10, size=6)
        assert isinstance(admitted, Admitted)
        assert isinstance(admitted.request, SendMany)
        assert admitted.request.items == many.items[:taken]
        assert (admitted.weight, admitted.size, len(admitted.refused)) == (taken, size, 3 - taken)
    for waiting in (10, 11):
        answer = admit(many, waiting, 0, 10)
        assert isinstance(answer, Failure)
        assert answer.code == "overloaded"


def test_what_is_asked_beside_items_needs_room_too_and_a_fence_none():
    assert isinstance(admit(CallCommand("plc", "reset"), 10, 0, 10), Failure)
    assert isinstance(admit(CallCommand("plc", "reset"), 9, 0, 10), Admitted)
    assert isinstance(admit(Fence("plc"), 10, 0, 10), Admitted)


def test_bytes_are_limited_too():
    assert isinstance(admit(SendData("plc", b"12"), 0, MAILBOX_BYTES - 2, 10), Admitted)
    assert isinstance(admit(SendData("plc", b"12"), 0, MAILBOX_BYTES - 1, 10), Failure)
