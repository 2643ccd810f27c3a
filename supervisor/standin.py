"""STAND-IN, to be thrown away with the lines marked so in core.py: keeps a record, and comes
back from one, as far as the core can without its tree."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from supervisor.actions import Action, Client, TellClient
from supervisor.child import Child
from supervisor.lifecycle import Lifecycle
from supervisor.messages import DesiredState, RegisterSystem
from supervisor.record import (
    ChildForgotten,
    ChildKept,
    KeepRecord,
    Record,
    RecordChange,
    RecordChanged,
    RecordGiven,
    StateKept,
)
from supervisor.spec import ROOT, GroupSpec


class StandIn:
    def __init__(
        self,
        children: dict[str, Child],
        lifecycle: Lifecycle,
        act: Callable[[Action], None],
        tree: GroupSpec | None,
        record: Record | None,
    ) -> None:
        self._children = children
        self._lifecycle = lifecycle
        self._act = act
        self._begin_with: list[tuple[RegisterSystem, int]] = []
        self.keepers: set[Client] = set()
        self._record = Record()
        self._record.apply(ChildKept(GroupSpec(ROOT), None))
        if record is not None:
            for spec in record.tree().systems:
                state = record.states.get(spec.name)
                if state is not None:
                    connect = state.desired is DesiredState.CONNECTED
                    spec = attrs.evolve(spec, connect=connect)
                lives = 0 if state is None else state.incarnation
                self._begin_with.append((RegisterSystem(spec, keep=True), lives))
        elif tree is not None:
            self._begin_with = [(RegisterSystem(spec, keep=True), 0) for spec in tree.systems]

    def begin(self, now: float) -> None:
        requests, self._begin_with = self._begin_with, []
        for request, _ in requests:
            self._lifecycle.register("stand-in", request, now)

    def keep(self, client: Client, request: KeepRecord) -> None:
        self.note()
        self.keepers.add(client)
        given = RecordGiven(request_id=request.request_id, record=self._record)
        self._act(TellClient(client, given))

    def note(self) -> None:
        changes: list[RecordChange] = []
        for name in [name for name in self._record.children if name != ROOT]:
            if name not in self._children:
                changes.append(ChildForgotten(name))
        for name, child in self._children.items():
            if name not in self._record.children:
                changes.append(ChildKept(child.spec, ROOT))
            desired = DesiredState.CONNECTED if child.wanted else DesiredState.DISCONNECTED
            state = StateKept(name, desired, child.incarnation, child.restarts)
            if self._record.states.get(name) != state:
                changes.append(state)
        for change in changes:
            self._record.apply(change)
        if changes:
            for keeper in self.keepers:
                self._act(TellClient(keeper, RecordChanged(tuple(changes))))
