"""Who is told of what happens. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from actors.messages import Reason, TapData
from supervisor.core.actions import Client, CoreAction, TellActor, TellClient
from supervisor.core.child import Child
from supervisor.messages import DataArrived, EventKind, LifecycleEvent, Subscribe
from supervisor.messages.crashes import CrashReport
from supervisor.messages.record import EVENTS_KEPT


class Events:
    """Subscriptions, and the events they are for."""

    def __init__(
        self,
        children: Mapping[str, Child],
        act: Callable[[CoreAction], None],
        wall_clock: Callable[[], float],
        keep: Callable[[LifecycleEvent], None],
        past: Iterable[LifecycleEvent] = (),
    ) -> None:
        """
        Args:
            keep: told of every event, for what outlives this supervisor.
            past: the last events of the supervisor before this one.
        """
        self._children = children
        self._act = act
        self.wall_clock = wall_clock
        self._keep = keep
        self._by_client: dict[Client, Subscribe] = {}
        self.kept: deque[LifecycleEvent] = deque(past, maxlen=EVENTS_KEPT)
        self._sequence = self.kept[-1].sequence if self.kept else 0

    def subscribe(self, client: Client, request: Subscribe) -> int | None:
        """In place of what the client subscribed to before.

        Returns:
            the sequence number of the event that comes first; None, and nothing is
            changed, if not all events are kept that were asked for.
        """
        first = self._sequence + 1 if request.since is None else request.since + 1
        kept = self.kept[0].sequence if self.kept else self._sequence + 1
        if not kept <= first <= self._sequence + 1:
            return None
        self._by_client[client] = request
        self._adjust_taps()
        return first

    def why_lost(self, request: Subscribe) -> str:
        """Why it does not get the events that it asked for, and what to do."""
        if request.since is not None and request.since > self._sequence:
            last = f"the last event of this supervisor is {self._sequence}"
            return f"{last}: the {request.since} was another supervisor's; begin anew"
        return f"not all events since {request.since} are kept any more; begin anew"

    def replay(self, client: Client, first: int) -> None:
        """Tell a client the events from a sequence number on."""
        if self._by_client[client].lifecycle:
            for event in self.kept:
                if event.sequence >= first:
                    self._act(TellClient(client, event))

    def unsubscribe(self, client: Client) -> None:
        self._by_client.pop(client, None)
        self._adjust_taps()

    def publish(
        self,
        name: str,
        incarnation: int,
        kind: EventKind,
        reason: Reason | None = None,
        *,
        delay: float | None = None,
        report: CrashReport | None = None,
    ) -> None:
        self._sequence += 1
        event = LifecycleEvent(
            sequence=self._sequence,
            time=report.time if report is not None else self.wall_clock(),
            kind=kind,
            system_name=name,
            incarnation=incarnation,
            reason=reason,
            delay=delay,
            report=report,
        )
        self.kept.append(event)
        self._keep(event)
        for client, request in self._by_client.items():
            if request.lifecycle:
                self._act(TellClient(client, event))

    def _adjust_taps(self) -> None:
        for child in self._children.values():
            self.adjust_tap(child)

    def adjust_tap(self, child: Child) -> None:
        """See that the system receives on its own account if there are subscribers."""
        wanted = next(self._for_data(child.name), None) is not None
        if child.is_running and wanted != child.tapped:
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
