"""Who is told of what happens. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from actors.messages import Reason, TapData
from supervisor.actions import Action, Client, TellActor, TellClient
from supervisor.child import Child, Phase
from supervisor.crashes import CrashReport
from supervisor.messages import DataArrived, EventKind, LifecycleEvent, Subscribe


class Announcer:
    """Subscriptions, and the events they are for."""

    def __init__(
        self,
        children: Mapping[str, Child],
        act: Callable[[Action], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._children = children
        self._act = act
        self.wall_clock = wall_clock
        self._by_client: dict[Client, Subscribe] = {}
        self._sequence = 0

    @property
    def next_sequence(self) -> int:
        return self._sequence + 1

    def subscribe(self, client: Client, request: Subscribe) -> None:
        """In place of what the client subscribed to before."""
        self._by_client[client] = request
        self._adjust_taps()

    def unsubscribe(self, client: Client) -> None:
        self._by_client.pop(client, None)
        self._adjust_taps()

    def publish(
        self,
        child: Child,
        kind: EventKind,
        reason: Reason | None = None,
        delay: float | None = None,
        report: CrashReport | None = None,
    ) -> None:
        self._sequence += 1
        event = LifecycleEvent(
            sequence=self._sequence,
            time=report.time if report is not None else self.wall_clock(),
            kind=kind,
            system_name=child.name,
            incarnation=child.incarnation,
            reason=reason,
            delay=delay,
            report=report,
        )
        for client, request in self._by_client.items():
            if request.lifecycle:
                self._act(TellClient(client, event))

    def _adjust_taps(self) -> None:
        for child in self._children.values():
            self.adjust_tap(child)

    def adjust_tap(self, child: Child) -> None:
        """See that the system receives on its own account if there are subscribers."""
        wanted = next(self._for_data(child.name), None) is not None
        if child.phase is Phase.RUNNING and wanted != child.tapped:
            child.tapped = wanted
            self._act(TellActor(child.name, child.incarnation, TapData(wanted)))

    def data_arrived(self, child: Child, items: tuple[object, ...]) -> None:
        """Pass items on to the subscribers."""
        for client in self._for_data(child.name):
            self._act(TellClient(client, DataArrived(child.name, items)))

    def _for_data(self, name: str) -> Iterator[Client]:
        for client, request in self._by_client.items():
            if request.data_from is None or name in request.data_from:
                yield client
