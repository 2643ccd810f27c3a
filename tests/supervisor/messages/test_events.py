"""What subscribers get."""

from actors.payload import wrap
from supervisor.messages import DataArrived


def test_items_are_given_as_they_were_received():
    assert DataArrived("plc", (b"1", wrap({"speed": 3}))).load() == [b"1", {"speed": 3}]
