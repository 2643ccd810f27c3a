"""OTP's restart rules, in real processes."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor import (
    ExternalSystemManager,
    GiveUp,
    GroupSpec,
    RestartPolicy,
    RestartType,
    Strategy,
    UnavailableError,
)
from supervisor.messages import EventKind, SystemState
from tests.helpers.ends import (
    ABNORMAL,
    BRISK,
    NORMAL,
    STOPS_AND_STARTS,
    kill,
    scripted,
)
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import until_state, with_manager
from tests.helpers.watch import Watch, lives, states

pytestmark = pytest.mark.usefixtures("shared_runtime")

# ---- who is restarted ----------------------------------------------------------------------


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("restart_type", RestartType)
def test_who_is_restarted_follows_from_strategy_restart_type_and_end(
    strategy: Strategy, restart_type: RestartType
) -> None:
    """Of each group the second of three ends, each in another way, all in one runtime."""

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        for way in ABNORMAL | NORMAL:
            assert await manager.start_child(group(way))
        for way, end in (ABNORMAL | NORMAL).items():
            watch.forget()
            await end(manager, f"{way}-b")
            if restart_type is RestartType.PERMANENT or (
                restart_type is RestartType.TRANSIENT and way in ABNORMAL
            ):
                await is_restarted(watch, manager, way)
            else:
                await is_not_restarted(watch, manager, way)

    def group(way: str) -> GroupSpec:
        children = (
            scripted(f"{way}-a"),
            scripted(f"{way}-b", restart_type=restart_type),
            scripted(f"{way}-c"),
        )
        return GroupSpec(way, children, strategy=strategy)

    async def is_restarted(watch: Watch, manager: ExternalSystemManager, way: str) -> None:
        a, b, c = names = [f"{way}-{each}" for each in "abc"]
        last = b if strategy is Strategy.ONE_FOR_ONE else c
        await watch.until(EventKind.STARTED, last, incarnation=2)
        now = await lives(manager)
        stops_and_starts = watch.order(STOPS_AND_STARTS, names)
        end = EventKind.CRASHED if way in ABNORMAL else EventKind.STOPPED
        assert watch.order([end], [b]) == [f"{end} {b}"]
        if end is EventKind.STOPPED:
            assert stops_and_starts.pop(0) == f"stopped {b}"
        starts = {each: [f"starting {each}", f"started {each}"] for each in names}
        stops = {each: [f"stopping {each}", f"stopped {each}"] for each in names}
        match strategy:
            case Strategy.ONE_FOR_ONE:
                assert stops_and_starts == starts[b]
                assert [now[each] for each in names] == [1, 2, 1]
            case Strategy.ONE_FOR_ALL:
                expected = stops[c] + stops[a] + starts[a] + starts[b] + starts[c]
                assert stops_and_starts == expected
                assert [now[each] for each in names] == [2, 2, 2]
            case Strategy.REST_FOR_ONE:
                assert stops_and_starts == stops[c] + starts[b] + starts[c]
                assert [now[each] for each in names] == [1, 2, 2]
        assert now[way] == 1  # the group itself
        for name in names:
            await until_state(manager, name, SystemState.CONNECTED)

    async def is_not_restarted(watch: Watch, manager: ExternalSystemManager, way: str) -> None:
        a, b, c = names = [f"{way}-{each}" for each in "abc"]
        end = EventKind.CRASHED if way in ABNORMAL else EventKind.STOPPED
        await watch.until(end, b)
        now = await lives(manager)
        gone = restart_type is RestartType.TEMPORARY
        assert {each: now.get(each) for each in names} == {a: 1, b: None if gone else 1, c: 1}
        # Whatever follows from an end is decided at once: it would be among the events.
        last = [f"unregistered {b}"] if gone else []
        kinds = STOPS_AND_STARTS | {EventKind.RESTARTING, EventKind.UNREGISTERED}
        first = [f"stopped {b}"] if end is EventKind.STOPPED else []
        assert watch.order(kinds, names) == first + last
        if not gone:
            assert (await states(manager))[b] == SystemState.TERMINATED

    with_shared_manager(work)


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_a_temporary_sibling_that_is_stopped_for_others_does_not_come_back(
    strategy: Strategy,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        children = (scripted("a"), scripted("b", restart_type="temporary"), scripted("c"))
        assert await manager.start_child(GroupSpec("group", children, strategy=strategy))
        await kill(manager, "a")
        await watch.until(EventKind.STARTED, "c", incarnation=2)
        now = await lives(manager)
        assert now == {"root": 1, "group": 1, "a": 2, "c": 2}
        assert watch.order([EventKind.UNREGISTERED], ["b"]) == ["unregistered b"]

    with_shared_manager(work)


def test_a_terminated_sibling_stays_so_when_all_are_restarted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        children = (scripted("a"), scripted("b"), scripted("c"))
        assert await manager.start_child(GroupSpec("group", children, strategy="one_for_all"))
        assert await manager.terminate_child("b")
        await kill(manager, "a")
        await watch.until(EventKind.STARTED, "c", incarnation=2)
        assert (await states(manager))["b"] == SystemState.TERMINATED
        assert await manager.restart_child("b")
        assert (await lives(manager))["b"] == 2

    with_shared_manager(work)


# ---- groups in groups ----------------------------------------------------------------------


def nested(inner: GroupSpec, **options: Any) -> GroupSpec:
    """A group of a system, the inner group, and another system."""
    return GroupSpec("outer", (scripted("before"), inner, scripted("after")), **options)


def weak(**options: Any) -> GroupSpec:
    """A group of two that gives up at the second restart."""
    return GroupSpec(
        "inner",
        (scripted("a"), scripted("b")),
        give_up=GiveUp.ESCALATE,
        max_restarts=1,
        period=60.0,
        **{"restart": BRISK, **options},
    )


@pytest.mark.parametrize("strategy", Strategy)
def test_a_group_that_gives_up_is_restarted_by_the_group_it_is_in(strategy: Strategy) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(nested(weak(), strategy=strategy))
        await kill(manager, "a")
        await watch.until(EventKind.STARTED, "a", incarnation=2)
        assert watch.order([EventKind.GAVE_UP], ["inner"]) == []
        watch.forget()
        await kill(manager, "b")  # the budget is that of both
        last = "inner" if strategy is Strategy.ONE_FOR_ONE else "after"
        await watch.until(EventKind.STARTED, last, incarnation=2)
        now = await lives(manager)
        assert (now["inner"], now["a"], now["b"]) == (2, 3, 2)
        assert watch.order([EventKind.GAVE_UP], now) == ["gave_up inner"]
        others = {
            Strategy.ONE_FOR_ONE: (1, 1),
            Strategy.ONE_FOR_ALL: (2, 2),
            Strategy.REST_FOR_ONE: (1, 2),
        }
        assert (now["before"], now["after"]) == others[strategy]
        assert now["outer"] == 1
        # The budget of a group that was restarted is a new one.
        watch.forget()
        await kill(manager, "a")
        await watch.until(EventKind.STARTED, "a", incarnation=4)
        assert watch.order([EventKind.GAVE_UP], now) == []

    with_shared_manager(work)


@pytest.mark.parametrize("restart_type", [RestartType.TRANSIENT, RestartType.TEMPORARY])
def test_a_group_that_gives_up_and_is_not_permanent_stays_down(restart_type: RestartType) -> None:
    """OTP: it ends with the reason shutdown, which is a normal one."""

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(nested(weak(restart_type=restart_type)))
        await kill(manager, "a")
        await watch.until(EventKind.STARTED, "a", incarnation=2)
        await kill(manager, "a")
        await watch.until(EventKind.STOPPED, "inner")
        state = await states(manager)
        if restart_type is RestartType.TEMPORARY:
            assert set(state) == {"root", "outer", "before", "after"}
        else:
            assert {state[each] for each in ("inner", "a", "b")} == {SystemState.TERMINATED}
            assert await manager.restart_child("inner")
            assert (await lives(manager))["b"] == 2
        assert {(await lives(manager))[each] for each in ("outer", "before", "after")} == {1}

    with_shared_manager(work)


def test_giving_up_goes_from_group_to_group_up_to_one_that_can_restart() -> None:
    inner = weak()
    middle = GroupSpec(
        "middle", (scripted("m"), inner), give_up="escalate", max_restarts=0, restart=BRISK
    )

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(GroupSpec("outer", (middle, scripted("o"))))
        for incarnation in (1, 2):
            await watch.until(EventKind.STARTED, "a", incarnation)
            await kill(manager, "a")
        await watch.until(EventKind.STARTED, "middle", incarnation=2)
        assert watch.order([EventKind.GAVE_UP], await lives(manager)) == [
            "gave_up inner",
            "gave_up middle",
        ]
        assert await lives(manager) == {
            "root": 1,
            "outer": 1,
            "middle": 2,
            "m": 2,
            "inner": 2,
            "a": 3,
            "b": 2,
            "o": 1,
        }

    with_shared_manager(work)


@pytest.mark.usefixtures("nothing_left")
def test_when_the_root_gives_up_the_supervisor_ends_and_says_why() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(scripted("a"))
        assert await manager.change_specs(GroupSpec("root", give_up="escalate", max_restarts=0))
        await kill(manager, "a")
        await watch.until_over()
        assert watch.order([EventKind.GAVE_UP], ["root"]) == ["gave_up root"]
        assert manager.ended is not None
        assert "gave up" in manager.ended
        assert "SIGKILL" in manager.ended

    with_manager(work)


# ---- quarantine ----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", Strategy)
def test_quarantine_leaves_the_others_alone_and_a_restart_brings_a_clean_count(
    strategy: Strategy,
) -> None:
    frail = RestartPolicy(max_restarts=1, period=60.0, backoff_min=0.01, backoff_max=0.02)

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        children = (scripted("a"), scripted("b", restart=frail), scripted("c"))
        group = GroupSpec("group", children, strategy=strategy, give_up=GiveUp.QUARANTINE)
        assert await manager.start_child(group)
        last = "b" if strategy is Strategy.ONE_FOR_ONE else "c"
        await kill(manager, "b")
        await watch.until(EventKind.STARTED, last, incarnation=2)
        before = await lives(manager)
        for by_hand in (manager.restart_system, manager.restart_child):
            watch.forget()
            await kill(manager, "b")
            await watch.until(EventKind.QUARANTINED, "b")
            assert await lives(manager) == before
            assert (await states(manager))["b"] == SystemState.QUARANTINED
            assert watch.order(STOPS_AND_STARTS, before) == []
            assert await by_hand("b")
            assert await lives(manager) == before | {"b": before["b"] + 1}
            watch.forget()
            await kill(manager, "b")  # with what it had before, that were one too many
            now = before["b"] + 2
            await watch.until(EventKind.STARTED, "b", incarnation=now)
            if last == "c":
                await watch.until(EventKind.STARTED, "c")
            before = await lives(manager)
            assert before["b"] == now

    with_shared_manager(work)


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_children_that_need_one_another_are_set_aside_as_one_and_come_back_as_one(
    strategy: Strategy,
) -> None:
    frail = RestartPolicy(max_restarts=0, period=60.0)

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        children = (scripted("a"), scripted("b", restart=frail), scripted("c"))
        assert await manager.start_child(GroupSpec("group", children, strategy=strategy))
        watch.forget()
        await kill(manager, "b")
        await watch.until(EventKind.QUARANTINED, "group")
        assert watch.order([EventKind.STOPPED], ["a", "c"]) == ["stopped c", "stopped a"]
        now = await states(manager)
        assert {now[name] for name in ("group", "a", "b", "c")} == {SystemState.QUARANTINED}
        with pytest.raises(UnavailableError, match="its group group is quarantined"):
            await manager.send_data_to_system("a", "nobody takes this")
        assert await manager.restart_child("group")
        assert await lives(manager) == {"root": 1, "group": 2, "a": 2, "b": 2, "c": 2}

    with_shared_manager(work)
