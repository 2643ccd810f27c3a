"""Drives a Tree by hand: a fake clock, fake processes, and watchful eyes.

On every action it checks what always holds: one process for each name at a time, no word
to a process that is not there, every order settled once, the end of the root once.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from actors.messages import FailureCode, Reason
from supervisor.messages import EventKind
from supervisor.specs.spec import GroupSpec
from supervisor.timing.timers import Timers
from supervisor.tree.by_hand import ByHand
from supervisor.tree.decisions import (
    Happened,
    RefusedError,
    Removed,
    RootEnded,
    Settled,
    StartProcess,
    StopProcess,
    TreeAction,
)
from supervisor.tree.nodes import Down, End, Group, Node, Status
from supervisor.tree.tree import Tree

NO_JITTER = type("NoJitter", (Random,), {"random": lambda self: 0.0})()
BUG = End(Reason("ZeroDivisionError", "ZeroDivisionError: division by zero"))
IN_ORDER = End(Reason("exit", "exit with code 0"), normal=True)
REFUSED = End(Reason("ConnectionError", "connection refused"), unreachable=True)


class Outcome(enum.Enum):
    """What becomes of a start."""

    WORKS = "works"
    FAILS = "fails"
    UNREACHABLE = "unreachable"
    IGNORED = "ignored"
    """Its constructor ends in order."""


@attrs.define(eq=False)
class Process:
    name: str
    incarnation: int
    up: bool = False
    told: str = ""
    """``stop`` or ``kill``, once it was."""


class Grove:
    def __init__(self, spec: GroupSpec) -> None:
        self.timers = Timers()
        self.processes: dict[str, Process] = {}
        self.newest: dict[str, int] = {}
        self.told: list[str] = []
        """Every start and stop of a system, as soon as the tree asks for it."""
        self.done: list[str] = []
        """Every start that worked or failed, and every stop of what was up."""
        self.events: list[Happened] = []
        self.settled: dict[Any, FailureCode | None] = {}
        self.removed: list[str] = []
        self.ended: RootEnded | None = None
        self.turns: dict[str, int] = {}
        """When somebody got in line to be started outside a round."""
        self.watch: Callable[[TreeAction], None] = lambda action: None
        self.tree = Tree(spec, self.timers, NO_JITTER, self.act)
        self.hand = ByHand(self.tree)

    @property
    def now(self) -> float:
        return self.timers.now

    # ---- what the tree decides --------------------------------------------------------------

    def act(self, action: TreeAction) -> None:
        match action:
            case StartProcess(name, incarnation):
                assert name not in self.processes, f"a second process of {name}"
                assert incarnation > self.newest.get(name, 0)
                self.newest[name] = incarnation
                self.processes[name] = Process(name, incarnation)
                self.told.append(f"start {name}")
            case StopProcess(name, incarnation, brutal):
                process = self.processes.get(name)
                assert process, f"{name} is to be stopped, and does not run"
                assert process.incarnation == incarnation
                assert brutal or not process.told, f"{name} is told to stop twice"
                if not process.told:
                    self.told.append(f"stop {name}")
                process.told = "kill" if brutal else "stop"
            case Happened(kind, name):
                last = next((e.kind for e in reversed(self.events) if e.system_name == name), None)
                if kind is EventKind.RESTARTING or (
                    kind is EventKind.STARTING and last is not EventKind.RESTARTING
                ):
                    self.turns[name] = len(self.events)
                self.events.append(action)
            case Settled(order, _, _, failure):
                assert order not in self.settled, f"{order} is settled twice"
                self.settled[order] = failure[0] if failure else None
            case Removed(node):
                assert node.name not in self.processes
                self.newest.pop(node.name, None)
                self.removed.append(node.name)
            case RootEnded():
                assert self.ended is None, "the root ends twice"
                assert not self.processes, "the root has ended, and processes are left"
                self.ended = action
        self.watch(action)

    # ---- what the processes do --------------------------------------------------------------

    def built(self, name: str) -> None:
        process = self.processes[name]
        process.up = True
        self.done.append(f"start {name}")
        self.tree.started(name, process.incarnation)

    def fails(self, name: str, end: End = BUG) -> None:
        """It cannot be started."""
        process = self.processes.pop(name)
        self.done.append(f"start {name}")
        self.tree.exited(name, process.incarnation, end)

    def exits(self, name: str, end: End = BUG) -> None:
        """By itself, or as it was told to."""
        process = self.processes.pop(name)
        if process.told and process.up:
            self.done.append(f"stop {name}")
        self.tree.exited(name, process.incarnation, end)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (due := self.timers.next_due()) is not None and due <= end:
            self.timers.now = max(self.now, due)
            for call in self.timers.due():
                call()
        self.timers.now = end

    def by_hand(self, order: Callable[[], None]) -> FailureCode | None:
        """Give an order; with what code it is refused."""
        try:
            order()
        except RefusedError as refused:
            return refused.code
        return None

    # ---- one thing after the other ----------------------------------------------------------

    def settle(self, outcome: Callable[[str], Outcome], patience: float = 1.0) -> None:
        """Go on until nothing happens any more: what is told to stop stops, what is started
        does as ``outcome`` says, and nobody waits longer than ``patience`` seconds.

        Of several starts at the same time those come first for which others wait; this is
        the order in which OTP, which does one thing at a time, would go on.
        """
        for _ in range(10_000):
            if told := [each for each in self.processes.values() if each.told]:
                self.exits(told[0].name, IN_ORDER)
                continue
            building = [each for each in self.processes.values() if not each.up]
            expected = [each for each in building if self._free(each.name) is None]
            due = self.timers.next_due()
            can_wait = due is not None and due <= self.now + patience
            if expected:
                self._start(expected[0].name, outcome)
            elif can_wait and any(self._is_waiting(group) for group in self.groups()):
                self.advance(max(0.0, due - self.now))
            elif building or can_wait:
                line = {self.turns[self._free(each.name).name]: each.name for each in building}
                waiting = [
                    self.turns[n.name] for n in self.nodes() if n.status.name == "RESTARTING"
                ]
                if not line or (can_wait and waiting and min(waiting) < min(line)):
                    self.advance(max(0.0, due - self.now))
                else:
                    self._start(line[min(line)], outcome)
            else:
                return
        raise AssertionError("it never comes to rest")

    def _start(self, name: str, outcome: Callable[[str], Outcome]) -> None:
        match outcome(name):
            case Outcome.WORKS:
                self.built(name)
            case Outcome.FAILS:
                self.fails(name)
            case Outcome.UNREACHABLE:
                self.fails(name, REFUSED)
            case Outcome.IGNORED:
                self.fails(name, IN_ORDER)

    def _free(self, name: str) -> Node | None:
        """The system, or the group it is in, whose start nobody waits for."""
        node: Node = self.tree.nodes[name]
        while (group := node.parent) is not None:
            if group.round is None or node not in group.round.start:
                return node
            if group.status is not Status.STARTING:
                return None
            node = group
        return None

    def _is_waiting(self, group: Group) -> bool:
        round_ = group.round
        return round_ is not None and not round_.stop and round_.not_before > self.now

    # ---- how things stand -------------------------------------------------------------------

    def nodes(self) -> list[Node]:
        return list(self.tree.nodes.values())

    def groups(self) -> list[Group]:
        return [node for node in self.nodes() if isinstance(node, Group)]

    def story(self) -> str:
        return ", ".join(f"{e.kind} {e.system_name}.{e.incarnation}" for e in self.events)

    @property
    def up(self) -> str:
        """The systems that are up, in the order of their start."""
        names = [node.name for node in self.tree.root.walk()]
        return " ".join(n for n in names if n in self.processes and self.processes[n].up)

    def standing(self, name: str) -> str:
        """One word for how a child stands."""
        node = self.tree.nodes.get(name)
        if node is None:
            return "removed"
        if node.status is not Status.DOWN:
            return node.status.name.lower()
        return "down" if node.down is Down.WAITING else node.down.name.lower()
