"""The manager's calls about what is sent durably."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from actors.messages import Failure, Reply
from supervisor.client.batching import Manner
from supervisor.host.dialog import Dialog

R = TypeVar("R", list[Any], dict[str, Any])
T = TypeVar("T")

_ACCEPTED = Manner(durable=True)


class _Asks(Protocol):
    _dialog: Dialog

    def _settle(self, results: R, what: str) -> R: ...

    def _give_up(self, reply: Reply, value: T) -> T: ...


class Durably:
    """Mixed into :class:`~supervisor.ExternalSystemManager`."""

    async def accept_data(self: _Asks, name: str, data: Any) -> str | None:
        """Have an item sent by way of its system's outbox, whatever its spec says.

        Returns:
            its idempotency id, once it is on the disk: it is then delivered in order, at least
            once, whatever ends before. A connector sees the same id in
            :func:`actors.current_delivery`. None if it was not accepted.
        """
        result = await self._dialog.send(name, data, _ACCEPTED)
        return self._give_up(result, None) if isinstance(result, Failure) else str(result)

    async def accept_many(self: _Asks, name: str, items: Sequence[Any]) -> list[str | None]:
        """The same for each of several, in order."""
        results = await self._dialog.send_many(name, tuple(items), _ACCEPTED)
        return self._settle(results, f"items were not accepted for {name!r}")
