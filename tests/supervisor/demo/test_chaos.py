"""What the chaos demo decides, and how it keeps its books and shows them."""

import re
from collections import Counter
from random import Random

import attrs

from actors.messages import Outcome
from supervisor.demo.chaos import (
    ALL_SYSTEMS,
    INSTRUMENT,
    Deed,
    Healed,
    Ledger,
    Mischief,
    Plan,
    all_is_well,
    plant,
    ready_systems,
    report,
)
from supervisor.demo.chaos_view import (
    counters,
    deed_as_text,
    frame,
    healed_as_text,
    redrawn,
    report_as_text,
)
from supervisor.messages import (
    ChildType,
    DesiredState,
    EventKind,
    LifecycleEvent,
    SystemState,
    SystemStatus,
    TreeNode,
)
from supervisor.specs.policies import Strategy
from supervisor.specs.spec import GroupSpec

NAMES = {"a", "b", INSTRUMENT}


def status(name: str, **fields) -> SystemStatus:
    given = {
        "kind": "mock",
        "state": SystemState.CONNECTED,
        "desired": DesiredState.CONNECTED,
        "is_connected": True,
        "incarnation": 1,
        "pid": 4711,
        "uptime": 1.0,
        "restarts": 0,
        "sent": 0,
        "received": 0,
        "waiting": 0,
        "commands": (),
        "last_crash": None,
        "last_error": None,
    }
    return SystemStatus(name=name, **given | fields)


# ---- what is done --------------------------------------------------------------------------


def test_the_plant_has_a_group_for_each_strategy_and_one_real_instrument() -> None:
    specs = plant("127.0.0.1", 5025)
    groups = [spec for spec in specs if isinstance(spec, GroupSpec)]
    assert {group.strategy for group in groups} == set(Strategy)
    kinds = Counter(
        system.kind
        for spec in specs
        for system in (spec.systems if isinstance(spec, GroupSpec) else (spec,))
    )
    assert kinds == {"mock": 12, "tcp": 1}


def test_the_same_seed_does_the_same_and_every_kind_of_deed_is_done() -> None:
    def plans(seed: int) -> list[Plan | None]:
        mischief = Mischief(Random(seed))
        return [mischief.next(NAMES, calm=True) for _ in range(10)]

    assert plans(1) == plans(1) != plans(2)
    deeds = [plan.deed for plan in plans(1) if plan]
    assert set(deeds) == set(Deed)
    assert deeds != [plan.deed for plan in plans(2) if plan]


def test_the_supervisor_is_killed_only_when_all_is_calm() -> None:
    mischief = Mischief(Random(0), [Deed.SUPERVISOR])
    assert mischief.next({"a"}, calm=False) is None
    assert mischief.next(NAMES, calm=True) == Plan(Deed.SUPERVISOR, None)


def test_a_real_instrument_is_not_told_to_fail() -> None:
    for deed in (Deed.EXCEPTION, Deed.EXIT):
        mischief = Mischief(Random(0), [deed])
        assert mischief.next({INSTRUMENT}, calm=False) is None
        assert mischief.next({INSTRUMENT, "a"}, calm=False) == Plan(deed, "a")


def test_nothing_is_done_in_a_group_with_somebody_hurt() -> None:
    systems = [
        status("a", group="line"),
        status("b", group="line"),
        status("c", group="press"),
        status("d", group="press", is_connected=False),
    ]
    assert ready_systems(systems, {"a"}) == {"c"}


# ---- the books -----------------------------------------------------------------------------


def test_only_a_request_that_began_after_a_kill_shows_that_its_system_is_back() -> None:
    ledger = Ledger()
    ledger.strike(Deed.KILL, {"a"}, 10.0)
    assert ledger.answer("a", 9.9, 10.1) == []
    assert ledger.answer("b", 10.2, 10.3) == []
    assert ledger.hurt == {"a"}
    assert ledger.answer("a", 10.2, 10.5) == [Healed(Deed.KILL, "a", 0.5)]
    assert ledger.hurt == set()


def test_a_killed_supervisor_is_back_with_the_last_of_its_systems() -> None:
    ledger = Ledger()
    ledger.strike(Deed.SUPERVISOR, {"a", "b"}, 10.0)
    assert ledger.answer("a", 10.1, 10.2) == []
    assert ledger.answer("b", 10.1, 11.0) == [Healed(Deed.SUPERVISOR, ALL_SYSTEMS, 1.0)]


def test_a_fault_counts_from_the_failure_that_shows_it() -> None:
    ledger = Ledger()
    ledger.strike(Deed.EXIT, {"a"}, None)
    assert ledger.answer("a", 1.0, 1.1) == []
    ledger.fail("b", Outcome.UNKNOWN, 1.5)
    ledger.fail("a", Outcome.UNKNOWN, 2.0)
    ledger.fail("a", Outcome.NOT_SENT, 2.5)
    assert ledger.answer("a", 2.6, 3.0) == [Healed(Deed.EXIT, "a", 1.0)]


def test_a_fault_that_went_with_its_process_counts_for_nothing() -> None:
    ledger = Ledger()
    wound = ledger.strike(Deed.EXIT, {"a"}, None)
    ledger.call_off(wound)
    assert ledger.wounds == []
    struck = ledger.strike(Deed.EXIT, {"a"}, None)
    ledger.fail("a", Outcome.UNKNOWN, 2.0)
    ledger.call_off(struck)
    assert ledger.wounds == [struck]


def test_a_request_without_an_answer_is_lost() -> None:
    ledger = Ledger()
    for _ in range(4):
        ledger.begin()
    ledger.answer("a", 0.0, 1.0)
    ledger.fail("a", Outcome.NOT_SENT, 1.0)
    ledger.give_up()
    assert (ledger.open, ledger.lost) == (1, 2)
    assert counters(ledger) == (
        "4 requests: 1 answered; failed: 1 not sent, 0 of unknown outcome; 1 lost"
    )


# ---- the report ----------------------------------------------------------------------------


def finished(*systems: SystemStatus) -> dict:
    ledger = Ledger()
    ledger.begin()
    ledger.strike(Deed.KILL, {"a"}, 0.0)
    ledger.answer("a", 0.1, 0.2)
    return report(ledger, systems or (status("a"),), 7, 20.0)


def test_a_report_tells_how_long_each_kind_of_deed_took() -> None:
    found = finished()
    assert found["deeds"]["kill"] == {"times": 1, "median_ms": 200.0, "max_ms": 200.0}
    assert found["deeds"]["hang"] == {"times": 0, "median_ms": None, "max_ms": None}
    assert all_is_well(found)
    text = report_as_text(found)
    assert re.search(r"kill +1 +200 ms +200 ms", text)
    assert text.endswith("Nothing was lost; all 1 systems are in their desired state.")


def test_all_is_not_well_if_somebody_did_not_come_back() -> None:
    astray = status("a", state=SystemState.QUARANTINED, is_connected=False)
    found = finished(astray)
    assert not all_is_well(found)
    assert "not in the desired state: a (seed 7)" in report_as_text(found)
    assert not all_is_well(finished() | {"systems": {}})


def test_all_is_not_well_if_somebody_never_answered_again_or_something_was_lost() -> None:
    ledger = Ledger()
    ledger.strike(Deed.HANG, {"a"}, 0.0)
    ledger.begin()
    found = report(ledger, [status("a")], 7, 20.0)
    assert found["deeds"]["hang"]["times"] == 1
    assert not all_is_well(found)
    assert "requests were lost; never answered again: a" in report_as_text(found)
    assert not all_is_well(found | {"never_answered_again": []})
    nothing_lost = found | {"requests": found["requests"] | {"lost": 0}}
    assert not all_is_well(nothing_lost)
    assert all_is_well(nothing_lost | {"never_answered_again": []})


# ---- the picture ---------------------------------------------------------------------------

TREE = TreeNode(
    name="root",
    type=ChildType.SUPERVISOR,
    state=SystemState.UP,
    incarnation=1,
    uptime=1.0,
    restarts=0,
    strategy="one_for_one",
    children=(
        TreeNode(
            name="a",
            type=ChildType.WORKER,
            state=SystemState.CONNECTED,
            incarnation=1,
            uptime=1.0,
            restarts=0,
            kind="mock",
        ),
    ),
)
CRASH = LifecycleEvent(sequence=1, time=0.0, kind=EventKind.CRASHED, system_name="a", incarnation=1)
START = attrs.evolve(CRASH, sequence=2, kind=EventKind.STARTED)


def test_a_frame_has_as_many_events_as_there_is_room_for() -> None:
    for rows, events in ((7, 1), (8, 2), (5, 0)):
        lines = frame(TREE, [CRASH, START], Ledger(), "head", rows=rows, colour=False)
        assert len(lines) < rows or rows == 5
        told = [line for line in lines if "incarnation" in line]
        assert len(told) == events
        assert not told or "started" in told[-1]


def test_a_frame_keeps_its_height_while_events_come() -> None:
    heights = {
        len(frame(TREE, events, Ledger(), "head", rows=24, colour=True))
        for events in ([], [CRASH], [CRASH, START])
    }
    assert len(heights) == 1


def test_a_frame_without_colour_has_no_escape_codes_and_with_it_crashes_are_red() -> None:
    plain = frame(TREE, [CRASH], Ledger(), "head", rows=24, colour=False)
    assert not any("\x1b" in line for line in plain)
    coloured = frame(TREE, [CRASH, START], Ledger(), "head", rows=24, colour=True)
    assert [line[:5] for line in coloured if "crashed" in line] == ["\x1b[31m"]


def test_a_frame_is_drawn_over_the_one_before() -> None:
    assert redrawn(["a", "b"]) == "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J"


def test_deeds_and_recoveries_are_told_in_a_line() -> None:
    assert deed_as_text(Plan(Deed.KILL, "pump"), 17) == "kill -9 pump (pid 17)"
    assert deed_as_text(Plan(Deed.SUPERVISOR, None), 17) == (
        "kill -9 of the supervisor, and so of all systems (pid 17)"
    )
    assert healed_as_text(Healed(Deed.EXIT, "pump", 0.05)) == "pump answers again after 50 ms"
    back = Healed(Deed.SUPERVISOR, ALL_SYSTEMS, 1.0)
    assert healed_as_text(back) == "all systems answer again after 1.0 s"
