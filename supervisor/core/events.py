"""Who is told of what happens and of what arrives. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from actors.messages import FailureCode, TapData
from supervisor.core.actions import Client, TellActor
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.messages import DataArrived, DataLost, LifecycleEvent, Subscribe, Subscribed
from supervisor.messages.record import EVENTS_KEPT

FOLLOWER_BYTES: Final = 64 << 20
"""What a subscriber may leave unread before no more data is said to it."""


class Events:
    """Subscriptions, and the events they are for."""

    def __init__(self, context: Context, past: Iterable[LifecycleEvent]) -> None:
        """
        Args:
            past: the last events of the supervisor before this one.
        """
        self._context = context
        self._by_client: dict[Client, Subscribe] = {}
        self.kept: deque[LifecycleEvent] = deque(past, maxlen=EVENTS_KEPT)
        """The last of them, for subscribers that were away."""
        self.also_wanted: Callable[[Child], bool] = lambda child: False
        """Whether a system is to be received from for anything else."""

    def hear(self, event: LifecycleEvent) -> None:
        self.kept.append(event)
        for client, request in self._by_client.items():
            if request.lifecycle:
                self._context.tell(client, event)

    # ---- subscriptions ----------------------------------------------------------------------

    def subscribe(self, client: Client, request: Subscribe) -> bool:
        """In place of what the client subscribed to before; False, and nothing is changed, if not
        all events are kept that it asks for."""
        last = self.kept[-1].sequence if self.kept else 0
        first = last + 1 if request.since is None else request.since + 1
        oldest = self.kept[0].sequence if self.kept else last + 1
        if not oldest <= first <= last + 1:
            text = _why_lost(first - 1, last)
            self._context.tell(client, request.failure(FailureCode.EVENTS_LOST, text))
            return False
        self._by_client[client] = request
        self._adjust_taps()
        subscribed = Subscribed(
            request_id=request.request_id,
            next_sequence=first,
            max_payload_bytes=self._context.options.max_payload_bytes,
            state_dir=self._context.options.state_dir,
        )
        self._context.tell(client, subscribed)
        if request.lifecycle:
            for event in self.kept:
                if event.sequence >= first:
                    self._context.tell(client, event)
        return True

    def unsubscribe(self, client: Client) -> None:
        self._by_client.pop(client, None)
        self._adjust_taps()

    # ---- data -------------------------------------------------------------------------------

    def _adjust_taps(self) -> None:
        for child in self._context.children.values():
            self.adjust_tap(child)

    def adjust_tap(self, child: Child) -> None:
        """See that the system receives on its own account if there are subscribers."""
        wanted = next(self._for_data(child.name), None) is not None or self.also_wanted(child)
        if child.is_running and wanted != child.tapped:
            child.tapped = wanted
            self._context.act(TellActor(child.name, child.incarnation, TapData(wanted)))

    def data_arrived(self, child: Child, items: tuple[object, ...]) -> None:
        """Pass items on to the subscribers; one who leaves too much unread gets no more."""
        for client in list(self._for_data(child.name)):
            if self._context.unread(client) > FOLLOWER_BYTES:
                self._leave_behind(client)
            else:
                self._context.tell(client, DataArrived(child.name, items))

    def _leave_behind(self, client: Client) -> None:
        """A slow follower loses the data, and neither its connection nor what else it asks."""
        self._by_client[client] = attrs.evolve(self._by_client[client], data_from=())
        self._adjust_taps()
        text = f"more than {FOLLOWER_BYTES >> 20} MiB of data waited to be read"
        self._context.tell(client, DataLost(text))

    def _for_data(self, name: str) -> Iterator[Client]:
        for client, request in self._by_client.items():
            if request.data_from is None or name in request.data_from:
                yield client


def _why_lost(since: int, last: int) -> str:
    """Why somebody does not get all events after one, and what to do."""
    if since > last:
        text = f"the last event of this supervisor is {last}"
        return f"{text}: the {since} was another supervisor's; begin anew"
    return f"not all events since {since} are kept any more; begin anew"
