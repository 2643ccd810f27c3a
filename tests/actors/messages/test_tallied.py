"""How many items a system took, by its answers."""

import pytest

from actors.messages import DataSent, ManySent, SendData, SystemConnected
from actors.messages.tallied import taken_items

NAMES = {"request_id": 1, "system_name": "plc"}
FAILED = SendData("plc", b"").failure("timeout", "late")


@pytest.mark.parametrize(
    ("reply", "items"),
    [
        (DataSent(**NAMES), 1),
        (ManySent(**NAMES, results=(True, FAILED, True, True)), 3),
        (ManySent(**NAMES, results=()), 0),
        (SystemConnected(**NAMES), 0),
        (FAILED, 0),
    ],
)
def test_an_item_was_taken_if_its_answer_says_so(reply, items):
    assert taken_items(reply) == items
