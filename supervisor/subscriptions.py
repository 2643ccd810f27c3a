"""Who is told of what happens. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.actions import Client
from supervisor.messages import Subscribe


class Subscriptions:
    def __init__(self) -> None:
        self._by_client: dict[Client, Subscribe] = {}

    def add(self, client: Client, request: Subscribe) -> None:
        """In place of what the client subscribed to before."""
        self._by_client[client] = request

    def remove(self, client: Client) -> None:
        self._by_client.pop(client, None)

    def for_lifecycle(self) -> list[Client]:
        return [client for client, request in self._by_client.items() if request.lifecycle]

    def for_data(self, name: str) -> list[Client]:
        return list(self._for_data(name))

    def wants_data(self, name: str) -> bool:
        return next(self._for_data(name), None) is not None

    def _for_data(self, name: str) -> Iterator[Client]:
        for client, request in self._by_client.items():
            if request.data_from is None or name in request.data_from:
                yield client
