"""Events that happened while nobody listened: ``Subscribe(since=...)`` tells them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.messages import Failure, FailureCode
from supervisor import EventsLostError, ExternalSystemManager, SupervisorOptions
from supervisor.client.connection import SupervisorConnection
from supervisor.errors import error_of
from supervisor.host.dialog import Dialog
from supervisor.messages import (
    EventKind,
    LifecycleEvent,
    Ping,
    Subscribe,
    Subscribed,
    SystemState,
)
from supervisor.messages.record import EVENTS_KEPT
from tests.helpers.support import PATIENCE, mock, until, until_state, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")


class Listener:
    """A client of its own, with the events that it was told."""

    def __init__(self, connection: SupervisorConnection, heard: list[LifecycleEvent]) -> None:
        self.connection = connection
        self.heard = heard

    @classmethod
    async def open(cls, manager: ExternalSystemManager) -> Listener:
        heard: list[Any] = []
        path = manager._dialog.session._recovery.path
        connection = await SupervisorConnection.open(path, heard.append, lambda *_: None)
        return cls(connection, heard)

    async def subscribe(self, since: int | None = None) -> Any:
        return await self.connection.ask(Subscribe(since=since))

    async def hear_all(self) -> None:
        """Until all is heard that has happened by now: events come before later answers."""
        await self.connection.ask(Ping())

    async def until_heard(self, sequence: int) -> None:
        async def heard() -> bool:
            return bool(self.heard) and self.heard[-1].sequence >= sequence

        await until(heard)

    @property
    def numbers(self) -> list[int]:
        return [event.sequence for event in self.heard]


def with_listeners(
    work: Callable[[ExternalSystemManager, Listener, Listener], Awaitable[None]],
) -> None:
    """One listener that hears everything from the start, and one that does not listen yet."""

    async def main(manager: ExternalSystemManager) -> None:
        first, second = await Listener.open(manager), await Listener.open(manager)
        try:
            assert isinstance(await first.subscribe(since=0), Subscribed)
            await work(manager, first, second)
        finally:
            await first.connection.close()
            await second.connection.close()

    with_manager(main, mock("a"), mock("b"))


def test_all_events_since_the_first_are_replayed_to_whoever_comes_later() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        await until_state(manager, "a", SystemState.CONNECTED)
        await manager.restart_system("a")
        answer = await second.subscribe(since=0)
        assert answer.next_sequence == 1
        await manager.restart_system("b")
        await manager.terminate_child("a")
        await first.hear_all()
        await second.hear_all()
        assert second.numbers == list(range(1, len(second.numbers) + 1))
        assert second.heard[: len(first.heard)] == first.heard
        kinds = [event.kind for event in second.heard if event.system_name == "a"]
        assert kinds[:3] == [EventKind.REGISTERED, EventKind.STARTING, EventKind.STARTED]
        assert kinds[-1] is EventKind.STOPPED

    with_listeners(work)


def test_who_was_away_goes_on_after_the_last_event_it_has() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        await second.subscribe(since=0)
        await second.until_heard(2)
        await second.connection.close()
        await manager.restart_system("a")
        await manager.restart_system("b")
        again = await Listener.open(manager)
        last = second.numbers[-1]
        answer = await again.subscribe(since=last)
        assert answer.next_sequence == last + 1
        await manager.restart_system("a")
        await again.hear_all()
        assert again.numbers
        both = second.numbers + again.numbers
        assert both == list(range(1, len(both) + 1))
        await again.connection.close()

    with_listeners(work)


def test_without_since_a_subscription_begins_now() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        await until_state(manager, "a", SystemState.CONNECTED)
        await until_state(manager, "b", SystemState.CONNECTED)
        answer = await second.subscribe()
        await manager.restart_system("a")
        await second.until_heard(answer.next_sequence)
        assert second.numbers[0] == answer.next_sequence > 1
        assert second.numbers == list(range(second.numbers[0], second.numbers[-1] + 1))

    with_listeners(work)


def test_events_that_are_not_kept_any_more_are_said_to_be_lost() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        await until_state(manager, "a", SystemState.CONNECTED)
        while not first.numbers or first.numbers[-1] <= EVENTS_KEPT + 10:
            await asyncio.gather(
                *(manager.connect_all() for _ in range(20)),
                *(manager.disconnect_all() for _ in range(20)),
            )
        async with asyncio.timeout(PATIENCE):
            answer = await second.subscribe(since=1)
        assert isinstance(answer, Failure)
        assert answer.code is FailureCode.EVENTS_LOST
        assert isinstance(error_of(answer), EventsLostError)
        # Nor are there events that have not happened.
        last = first.numbers[-1]
        answer = await second.subscribe(since=last + 1000)
        assert answer.code is FailureCode.EVENTS_LOST
        # A refusal subscribes to nothing; those that are kept come.
        answer = await second.subscribe(since=last - 100)
        assert isinstance(answer, Subscribed)
        await second.until_heard(last)
        assert second.numbers[0] == last - 99
        assert first.numbers == list(range(1, len(first.numbers) + 1))

    with_listeners(work)


def test_a_manager_hears_what_happened_before_it_asked() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        await until_state(manager, "a", SystemState.CONNECTED)
        early = manager.events(since=0)
        heard = [await anext(early)]
        await manager.restart_system("a")
        late = manager.events(since=5)
        heard_late = [await anext(late)]
        await manager.restart_system("b")
        while (
            heard[-1].system_name,
            heard[-1].kind,
            heard[-1].incarnation,
        ) != ("b", EventKind.STARTED, 2):
            heard.append(await anext(early))
        while heard_late[-1] != heard[-1]:
            heard_late.append(await anext(late))
        assert [event.sequence for event in heard] == list(range(1, heard[-1].sequence + 1))
        assert heard_late == heard[5:]

    with_listeners(work)


def test_a_manager_is_told_when_events_are_lost() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        with pytest.raises(EventsLostError):
            await anext(manager.events(since=10_000))

    with_listeners(work)


def test_a_stream_has_each_event_once_though_the_supervisor_is_killed() -> None:
    async def work(manager: ExternalSystemManager, first: Listener, second: Listener) -> None:
        stream = manager.events(since=0)
        heard: list[LifecycleEvent] = []

        async def hear_until(name: str, kind: EventKind, incarnation: int) -> None:
            while not heard or (
                (heard[-1].system_name, heard[-1].kind) != (name, kind)
                or heard[-1].incarnation < incarnation
            ):
                heard.append(await anext(stream))

        async def connected() -> bool:
            return manager.supervisor_pid is not None

        await hear_until("b", EventKind.CONNECTED, 1)
        for life in (2, 3):
            await until(connected)
            assert manager.supervisor_pid is not None
            os.kill(manager.supervisor_pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                await hear_until("b", EventKind.CONNECTED, life)
        assert [event.sequence for event in heard] == list(range(1, heard[-1].sequence + 1))

    with_listeners(work)


def test_what_is_heard_again_is_not_taken_for_the_present() -> None:
    dialog = Dialog(SupervisorOptions(), strict=True)
    kinds = [EventKind.REGISTERED, EventKind.CONNECTED, EventKind.UNREGISTERED]
    past = [
        LifecycleEvent(sequence=number, time=0.0, kind=kind, system_name="a", incarnation=1)
        for number, kind in enumerate(kinds, 1)
    ]
    for event in past:
        dialog._hear(event)
    for event in past[:2]:
        dialog._hear(event)
    assert (dialog.names, dialog.connected) == (set(), set())
