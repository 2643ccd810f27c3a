"""What tests see of lifecycle events, and waiting for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from supervisor import ExternalSystemManager
from supervisor.messages import EventKind, LifecycleEvent, TreeNode
from tests.helpers.support import PATIENCE


class Watch:
    """All events of a manager from now on, in order."""

    def __init__(self, manager: ExternalSystemManager) -> None:
        self._stream = manager.events()
        self.events: list[LifecycleEvent] = []

    async def until(
        self, kind: EventKind, name: str, incarnation: int | None = None
    ) -> LifecycleEvent:
        """Wait, with a cap, for an event, unless it was there already since :meth:`forget`."""

        def is_it(event: LifecycleEvent) -> bool:
            return (
                event.kind is kind
                and event.system_name == name
                and incarnation in (None, event.incarnation)
            )

        return await self.until_one(is_it)

    async def until_one(self, is_it: Callable[[LifecycleEvent], bool]) -> LifecycleEvent:
        self.catch_up()
        for event in self.events:
            if is_it(event):
                return event
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await anext(self._stream)
                self.events.append(event)
                if is_it(event):
                    return event

    async def until_over(self) -> None:
        """Wait, with a cap, until nothing can happen any more."""
        async with asyncio.timeout(PATIENCE):
            self.events += [event async for event in self._stream]

    def catch_up(self) -> None:
        """Take what is there already. Events come before the answer to whatever is asked
        after them, so after any answer all that happened until then is there."""
        while not self._stream.queue.empty():
            event = self._stream.queue.get_nowait()
            if event is None:
                self._stream.queue.put_nowait(None)
                return
            self.events.append(event)

    def forget(self) -> None:
        """Forget what has happened so far."""
        self.catch_up()
        self.events.clear()

    def order(self, kinds: Iterable[EventKind], names: Iterable[str]) -> list[str]:
        """What of these kinds happened to these, such as ``"started a"``."""
        self.catch_up()
        kinds, names = set(kinds), set(names)
        return [
            f"{event.kind} {event.system_name}"
            for event in self.events
            if event.kind in kinds and event.system_name in names
        ]


async def lives(manager: ExternalSystemManager) -> dict[str, int]:
    """The incarnation of each child in the tree, by name."""
    root = await manager.tree()
    assert root is not None
    return {node.name: node.incarnation for node in walk(root)}


async def states(manager: ExternalSystemManager) -> dict[str, str]:
    """The state of each child in the tree, by name."""
    root = await manager.tree()
    assert root is not None
    return {node.name: node.state.value for node in walk(root)}


def walk(node: TreeNode) -> list[TreeNode]:
    return [node, *(each for child in node.children for each in walk(child))]
