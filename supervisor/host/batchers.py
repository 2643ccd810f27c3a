"""The sends of one manager, put together for each system, and for each manner of sending."""

from __future__ import annotations

from supervisor.client.batching import PLAIN, Ask, Manner, SendBatcher


class Batchers:
    """Of one manager; lives on its event loop."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._by_system: dict[str, dict[Manner, SendBatcher]] = {}

    def of(self, name: str, manner: Manner = PLAIN) -> SendBatcher:
        """The one for a system."""
        batchers = self._by_system.get(name)
        if batchers is None:
            batchers = self._by_system[name] = {}
        batcher = batchers.get(manner)
        if batcher is None:
            batcher = batchers[manner] = SendBatcher(name, self._ask, manner)
        return batcher

    def flush(self, name: object = None) -> None:
        """Send what was added so far, to one system or to all."""
        if name is None:
            for batchers in self._by_system.values():
                _flush(batchers)
        elif isinstance(name, str) and name in self._by_system:
            _flush(self._by_system[name])

    def forget(self, name: str) -> None:
        """There is no such system any more."""
        self._by_system.pop(name, None)


def _flush(batchers: dict[Manner, SendBatcher]) -> None:
    for batcher in batchers.values():
        batcher.flush()
