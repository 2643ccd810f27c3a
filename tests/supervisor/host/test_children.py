"""Children that come and go at run time: OTP's functions of a supervisor, each way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.messages import Failure, FailureCode
from supervisor import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ConnectorFailedError,
    DuplicateSystemError,
    ExternalSystemManager,
    GroupSpec,
    InvalidRequestError,
    InvalidSpecError,
    RestartPolicy,
    SystemSpec,
    UnavailableError,
)
from supervisor.messages import (
    ChangeSpecs,
    ChildDeleted,
    ChildrenCounted,
    ChildrenGiven,
    ChildSpecGiven,
    ChildStarted,
    ChildTerminated,
    CountChildren,
    DeleteChild,
    EventKind,
    GetChildSpec,
    GetTree,
    RestartChild,
    SpecsChanged,
    StartChild,
    StopSupervisor,
    SupervisorStopped,
    SystemState,
    TerminateChild,
    TreeGiven,
    WhichChildren,
)
from supervisor.messages.checks import mistake_in
from tests.helpers.actor_host import ActorHost
from tests.helpers.ends import kill, raise_system_exit, scripted
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import PATIENCE, mock, pid_of, until_state, with_manager
from tests.helpers.watch import Watch, lives, states, walk

pytestmark = pytest.mark.usefixtures("shared_runtime")

SLOW = RestartPolicy(max_restarts=2, period=1_000.0, backoff_min=300.0, backoff_max=300.0)
"""The second restart takes its time."""


async def make_it_restart(manager: ExternalSystemManager, watch: Watch, name: str) -> None:
    """A system whose next restart takes longer than any test."""
    assert await manager.start_child(scripted(name, restart=SLOW))
    await kill(manager, name)
    await watch.until(EventKind.STARTED, name, incarnation=2)
    watch.forget()
    await kill(manager, name)
    await watch.until(EventKind.RESTARTING, name)


# ---- by the manager ------------------------------------------------------------------------


def test_a_child_may_be_started_terminated_restarted_and_deleted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(GroupSpec("group"))
        assert await manager.start_child(mock("a"), "group")
        assert (await manager.which_children("group"))[0].pid == await pid_of(manager, "a")
        assert await manager.terminate_child("a")
        assert await manager.terminate_child("a")  # it is so already
        [info] = await manager.which_children("group")
        assert (info.state, info.pid) == (SystemState.TERMINATED, None)
        assert await manager.get_child_spec("a") is not None
        assert await manager.restart_child("a")
        assert await lives(manager) == {"root": 1, "group": 1, "a": 2}
        await until_state(manager, "a", SystemState.CONNECTED)
        assert await manager.terminate_child("a")
        assert await manager.delete_child("a")
        assert await manager.which_children("group") == ()

    with_shared_manager(work)


def test_a_name_that_is_taken_is_refused_as_what_it_is() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(GroupSpec("group", (mock("a"), mock("b"))))
        before = await lives(manager)
        for spec in (mock("a"), GroupSpec("a"), GroupSpec("new", (mock("b"),)), mock("group")):
            with pytest.raises(AlreadyStartedError):
                await manager.start_child(spec)
        assert await lives(manager) == before
        assert await manager.terminate_child("a")
        with pytest.raises(AlreadyPresentError, match="restart it, or"):
            await manager.start_child(mock("a"))
        await make_it_restart(manager, watch, "r")
        with pytest.raises(AlreadyPresentError, match="terminate and delete it first"):
            await manager.start_child(mock("r"))
        assert issubclass(AlreadyStartedError, DuplicateSystemError)
        assert issubclass(AlreadyPresentError, DuplicateSystemError)

    with_shared_manager(work)


def test_what_is_not_there_is_not_found() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(mock("plc-1"))
        for call in (
            manager.terminate_child,
            manager.restart_child,
            manager.delete_child,
            manager.get_child_spec,
            manager.which_children,
            manager.count_children,
        ):
            with pytest.raises(ChildNotFoundError, match="did you mean 'plc-1'"):
                await call("plc-2")
        with pytest.raises(ChildNotFoundError, match="no group"):
            await manager.start_child(mock("a"), "plc-1")
        with pytest.raises(ChildNotFoundError):
            await manager.change_specs(GroupSpec("plant"))

    with_shared_manager(work)


def test_a_child_that_runs_or_is_being_restarted_is_neither_restarted_nor_deleted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(mock("a"))
        await make_it_restart(manager, watch, "r")
        before = await lives(manager)
        for call in (manager.restart_child, manager.delete_child):
            with pytest.raises(ChildRunningError):
                await call("a")
            with pytest.raises(ChildRestartingError):
                await call("r")
        assert await lives(manager) == before
        assert await manager.terminate_child("r")  # the restart that was to come is cancelled
        assert (await states(manager))["r"] == SystemState.TERMINATED
        assert await manager.restart_child("r")
        await until_state(manager, "r", SystemState.CONNECTED, incarnation=3)

    with_shared_manager(work)


def test_a_spec_that_does_not_fit_is_refused() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        spec = scripted("a", restart_type="transient", significant=True)
        with pytest.raises(InvalidSpecError, match="auto_shutdown"):
            await manager.start_child(spec)
        assert issubclass(InvalidSpecError, InvalidRequestError)
        assert await lives(manager) == {"root": 1}

    with_shared_manager(work)


def test_the_root_itself_is_no_child() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        for call in (manager.terminate_child, manager.restart_child, manager.delete_child):
            with pytest.raises(InvalidRequestError, match="the whole supervisor"):
                await call("root")

    with_shared_manager(work)


def test_a_group_that_does_not_run_takes_no_child() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(GroupSpec("group", (mock("a"),)))
        assert await manager.terminate_child("group")
        with pytest.raises(UnavailableError, match="group does not run; restart that first"):
            await manager.start_child(mock("b"), "group")
        with pytest.raises(UnavailableError, match="group does not run; restart that first"):
            await manager.restart_child("a")
        with pytest.raises(UnavailableError) as caught:
            await manager.restart_system("a")
        failure = caught.value.failure
        assert failure.system_name == "a"  # else it were the supervisor that is not there
        assert failure.text == "a: its group group does not run; restart that first"
        assert await manager.restart_child("group")
        assert await lives(manager) == {"root": 1, "group": 2, "a": 2}

    with_shared_manager(work)


@pytest.mark.usefixtures("nothing_left")
def test_a_child_that_cannot_be_started_leaves_nothing_and_a_kept_one_its_spec() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        broken = mock("a", faults=[{"operation": "construct", "action": "bug"}])
        with pytest.raises(ConnectorFailedError, match="InjectedBug"):
            await manager.start_child(broken)
        assert await lives(manager) == {"root": 1}
        assert watch.order([EventKind.UNREGISTERED], ["a"]) == ["unregistered a"]
        assert await manager.start_child(mock("a"))
        assert await manager.terminate_child("a")
        spec = GroupSpec("root", (broken,))
        assert await manager.change_specs(spec)
        with pytest.raises(ConnectorFailedError, match="InjectedBug"):
            await manager.restart_child("a")
        assert (await states(manager))["a"] == SystemState.TERMINATED
        assert await manager.change_specs(GroupSpec("root", (mock("a"),)))
        assert await manager.restart_child("a")

    with_manager(work)


def test_a_terminated_temporary_child_is_forgotten_and_a_transient_one_is_kept() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(scripted("t", restart_type="temporary"))
        assert await manager.start_child(scripted("n", restart_type="transient"))
        assert await manager.terminate_child("t")
        assert await manager.terminate_child("n")
        assert await lives(manager) == {"root": 1, "n": 1}
        assert await manager.start_child(scripted("t", restart_type="temporary"))

    with_shared_manager(work)


def test_a_transient_child_that_ended_may_be_restarted_or_deleted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(scripted("a", restart_type="transient"))
        await raise_system_exit(manager, "a")
        await watch.until(EventKind.STOPPED, "a")
        with pytest.raises(AlreadyPresentError):
            await manager.start_child(mock("a"))
        assert await manager.restart_child("a")
        await until_state(manager, "a", SystemState.CONNECTED, incarnation=2)
        await raise_system_exit(manager, "a")
        await until_state(manager, "a", SystemState.TERMINATED)
        assert await manager.delete_child("a")
        assert await lives(manager) == {"root": 1}

    with_shared_manager(work)


def test_a_group_is_terminated_restarted_and_deleted_with_all_that_is_in_it() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        inner = GroupSpec("inner", (mock("a"), mock("b")))
        assert await manager.start_child(GroupSpec("outer", (inner, mock("c"))))
        assert await manager.terminate_child("outer")
        stopped = watch.order([EventKind.STOPPED], ["outer", "inner", "a", "b", "c"])
        assert stopped == [f"stopped {each}" for each in ("c", "b", "a", "inner", "outer")]
        assert await manager.restart_child("outer")
        assert set((await lives(manager)).values()) == {1, 2}
        assert await manager.terminate_child("outer")
        assert await manager.delete_child("outer")
        assert await lives(manager) == {"root": 1}

    with_shared_manager(work)


def test_the_children_are_counted_as_otp_counts_them() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(GroupSpec("group", (mock("inner"),)))
        assert await manager.start_child(mock("a"))
        assert await manager.start_child(mock("b"))
        assert await manager.terminate_child("b")
        counts = await manager.count_children()
        assert counts is not None
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (3, 2, 1, 2)
        children = await manager.which_children()
        assert [(each.name, each.type) for each in children] == [
            ("group", "supervisor"),
            ("a", "worker"),
            ("b", "worker"),
        ]

    with_shared_manager(work)


def test_changed_specs_hold_from_the_next_start() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        group = GroupSpec("group", (mock("a"), mock("b"), mock("c")))
        assert await manager.start_child(group)
        changed = GroupSpec(
            "group", (mock("new"), mock("b", echo=True), mock("a")), strategy="one_for_all"
        )
        assert await manager.change_specs(changed)
        names = [each.name for each in await manager.which_children("group")]
        assert names == ["new", "b", "a", "c"]  # what it does not name is kept, at the end
        assert await lives(manager) == {"root": 1, "group": 1, "new": 0, "b": 1, "a": 1, "c": 1}
        await manager.send_data_to_system("b", 1)
        assert await manager.receive_data_from_system("b", timeout=0.0) is None
        watch.forget()
        await kill(manager, "a")  # the strategy holds at once
        await watch.until(EventKind.STARTED, "c", incarnation=2)
        await until_state(manager, "b", SystemState.CONNECTED, incarnation=2)
        await manager.send_data_to_system("b", 1)
        assert await manager.receive_data_from_system("b", timeout=1.0) == 1

    with_shared_manager(work)


def test_a_change_that_is_refused_changes_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(GroupSpec("one", (mock("a"),)))
        assert await manager.start_child(GroupSpec("two", (mock("b"),)))
        before = str(await manager.get_child_spec("two"))
        for wrong in (
            GroupSpec("two", (mock("new"), mock("a"))),  # of another group
            GroupSpec("two", (mock("new"), GroupSpec("b"))),  # a system becomes a group
        ):
            with pytest.raises(InvalidSpecError):
                await manager.change_specs(wrong)
            assert [each.name for each in await manager.which_children("two")] == ["b"]
            assert str(await manager.get_child_spec("two")) == before

    with_shared_manager(work)


# ---- by message ----------------------------------------------------------------------------

Ask = Callable[[Any], Any]


@pytest.fixture
def ask(nothing_left: None) -> Iterator[Ask]:
    """Ask a supervisor that is an actor of one's own actor system."""
    host = ActorHost()

    def ask_one(request: Any) -> Any:
        reply = host.ask(request, PATIENCE)
        assert reply is not None, f"no answer to {request}"
        assert reply.request_id == request.request_id
        return reply

    yield ask_one
    host.close()


def code_of(reply: Any) -> FailureCode:
    assert isinstance(reply, Failure), reply
    return reply.code


def test_each_function_has_its_message_its_reply_and_its_failures(ask: Ask) -> None:
    plain = SystemSpec("a", "mock")
    assert isinstance(ask(StartChild(GroupSpec("group"))), ChildStarted)
    started = ask(StartChild(plain, "group"))
    assert started == ChildStarted(request_id=started.request_id, name="a", incarnation=1)
    assert code_of(ask(StartChild(plain))) is FailureCode.ALREADY_STARTED
    assert code_of(ask(RestartChild("a"))) is FailureCode.RUNNING
    assert code_of(ask(DeleteChild("a"))) is FailureCode.RUNNING
    assert code_of(ask(StartChild(SystemSpec("b", "mock"), "nowhere"))) is FailureCode.NOT_FOUND
    assert code_of(ask(TerminateChild("nobody"))) is FailureCode.NOT_FOUND
    assert isinstance(ask(TerminateChild("a")), ChildTerminated)
    assert code_of(ask(StartChild(plain))) is FailureCode.ALREADY_PRESENT
    assert ask(RestartChild("a")).incarnation == 2
    given = ask(GetChildSpec("group"))
    assert isinstance(given, ChildSpecGiven)
    assert (given.group, [child.name for child in given.spec.children]) == ("root", ["a"])
    children = ask(WhichChildren("group"))
    assert isinstance(children, ChildrenGiven)
    assert [(each.name, each.state) for each in children.children] == [("a", "disconnected")]
    counted = ask(CountChildren())
    assert isinstance(counted, ChildrenCounted)
    assert (counted.specs, counted.active, counted.supervisors, counted.workers) == (1, 1, 1, 0)
    significant = SystemSpec("s", "mock", restart_type="transient", significant=True)
    assert code_of(ask(StartChild(significant))) is FailureCode.INVALID_SPEC
    changed = ask(ChangeSpecs(GroupSpec("group", (plain, SystemSpec("b", "mock")))))
    assert isinstance(changed, SpecsChanged)
    tree = ask(GetTree())
    assert isinstance(tree, TreeGiven)
    assert [node.name for node in walk(tree.root)] == ["root", "group", "a", "b"]
    assert isinstance(ask(DeleteChild("b")), ChildDeleted)
    assert isinstance(ask(StopSupervisor()), SupervisorStopped)


@pytest.mark.parametrize(
    "request_",
    [
        lambda: StartChild(7),
        lambda: StartChild(SystemSpec("a", "mock"), 7),
        lambda: TerminateChild(None),
        lambda: RestartChild(7),
        lambda: DeleteChild([]),
        lambda: GetChildSpec(7),
        lambda: WhichChildren(7),
        lambda: CountChildren({}),
        lambda: ChangeSpecs(SystemSpec("a", "mock")),
    ],
)
def test_a_request_that_makes_no_sense_is_invalid(request_: Callable[[], Any]) -> None:
    assert mistake_in(request_(), 1) is not None
