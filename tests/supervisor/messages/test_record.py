"""Who keeps a record takes it whole at first, then what changes."""

from supervisor.messages.record import (
    ChildForgotten,
    ChildKept,
    Record,
    RecordChanged,
    RecordGiven,
    RecordKeeper,
)
from supervisor.specs.spec import GroupSpec, SystemSpec


def names(keeper):
    assert keeper.record is not None
    return list(keeper.record.children)


def test_what_changes_is_noted_in_the_record_that_was_given():
    record = Record()
    record.apply(ChildKept(GroupSpec("root"), None))
    keeper = RecordKeeper()
    assert keeper.hear(RecordGiven(request_id=1, record=record))
    assert names(keeper) == ["root"]
    kept = ChildKept(SystemSpec("plc", "mock"), "root")
    assert keeper.hear(RecordChanged((kept, ChildKept(SystemSpec("pump", "mock"), "root"))))
    assert keeper.hear(RecordChanged((ChildForgotten("plc"),)))
    assert names(keeper) == ["root", "pump"]


def test_nothing_is_noted_before_a_record_was_given():
    keeper = RecordKeeper()
    assert keeper.hear(RecordChanged((ChildForgotten("plc"),)))
    assert keeper.record is None


def test_what_is_not_about_the_record_is_for_others():
    assert not RecordKeeper().hear("hello")


def test_a_child_that_is_kept_anew_is_the_last_of_its_group():
    record = Record()
    for name in ("a", "b", "a"):
        record.apply(ChildKept(SystemSpec(name, "mock"), "root"))
    assert list(record.children) == ["b", "a"]
