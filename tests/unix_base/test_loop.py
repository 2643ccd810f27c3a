"""An event loop in the thread of an actor's messages: each gets its turn."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import ActorExitRequest, WakeupMessage
from thespian.system.transport import Thespian__Run_Terminated, TransmitIntent

from actors.unix_base.address import name_of
from actors.unix_base.directory import make_private
from actors.unix_base.endpoint import External
from actors.unix_base.link import Posted
from actors.unix_base.transport import UnixTransport

CAP = 20.0


class Pair:
    """An actor's transport, which runs an event loop, and somebody who writes to it."""

    def __init__(self, directory: str) -> None:
        self.actor = UnixTransport(External(directory))
        self.other = UnixTransport(External(directory))
        self.escaped: list[BaseException] = []
        self.loop = self.actor.event_loop(self.escaped.append)
        self.heard: list[tuple[Any, bool]] = []
        """Messages, and whether they came on the loop."""

    def tell(self, message: Any) -> None:
        body = pickle.dumps(message)
        self.other.post(name_of(self.actor.myAddress), body, Posted(message, None))
        self.other.send_all_to(name_of(self.actor.myAddress), float("inf"))

    def hear(self, envelope: Any) -> bool:
        self.heard.append((envelope.message, self.loop.is_running()))
        return envelope.message != "end" and not isinstance(envelope.message, ActorExitRequest)

    def run(self, handler: Callable[[Any], Any] | None = None) -> Any:
        return self.actor.run(handler or self.hear)

    def in_the_end(self, message: Any = "end") -> Callable[[], None]:
        """For a coroutine: have the run end."""
        return lambda: self.actor.scheduleTransmit(
            None, TransmitIntent(self.actor.myAddress, message)
        )

    def close(self) -> None:
        self.other.close()
        self.actor.close()


@pytest.fixture
def pair(tmp_path: Any) -> Iterator[Pair]:
    directory = str(tmp_path / "s")
    make_private(directory)
    pair = Pair(directory)
    hung = threading.Event()

    def end() -> None:
        hung.set()
        pair.actor.abort_run()

    timer = threading.Timer(CAP, end)  # no test is to hang
    timer.start()
    yield pair
    timer.cancel()
    timer.join()
    pair.close()
    assert not hung.is_set(), f"it did not end within {CAP:g} s"


def test_a_coroutine_goes_on_while_no_message_comes(pair: Pair) -> None:
    steps = []

    async def work() -> None:
        for step in range(3):
            await asyncio.sleep(0)
            steps.append(step)
        pair.in_the_end()()

    task = pair.loop.create_task(work())
    pair.run()
    assert steps == [0, 1, 2]
    assert task.done()
    assert [message for message, _ in pair.heard] == ["end"]


def test_messages_come_on_the_loop_and_an_exit_request_beside_it(pair: Pair) -> None:
    for message in ("one", "two", ActorExitRequest()):
        pair.tell(message)
    pair.run()
    assert [(type(message), on_loop) for message, on_loop in pair.heard] == [
        (str, True),
        (str, True),
        (ActorExitRequest, False),
    ]


def test_a_coroutine_can_be_run_to_its_end_at_an_exit_request_while_others_write(
    pair: Pair,
) -> None:
    async def last_work() -> str:
        await asyncio.sleep(0.01)
        return "done"

    def handler(envelope: Any) -> bool:
        pair.tell("too late")
        pair.heard.append((pair.loop.run_until_complete(last_work()), False))
        return False

    pair.tell(ActorExitRequest())
    pair.run(handler)
    assert pair.heard == [("done", False)]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_breaks_out_of_the_loop_is_told_and_messages_go_on(
    pair: Pair, error: BaseException
) -> None:
    async def escape() -> None:
        raise error

    task = pair.loop.create_task(escape())
    pair.loop.call_later(0.01, pair.in_the_end())
    pair.run()
    assert pair.escaped == [error]
    assert task.exception() is error
    assert pair.heard[-1][0] == "end"


def test_a_wakeup_comes_while_coroutines_wait_for_something_else(pair: Pair) -> None:
    waiting = pair.loop.create_task(asyncio.sleep(3600))
    pair.actor.addWakeup(timedelta(milliseconds=5), "payload")

    def handler(envelope: Any) -> bool:
        assert isinstance(envelope.message, WakeupMessage)
        pair.heard.append((envelope.message.payload, pair.loop.is_running()))
        return False

    pair.run(handler)
    assert pair.heard == [("payload", True)]
    waiting.cancel()
    pair.loop.run_until_complete(asyncio.wait([waiting]))


def test_a_coroutine_and_another_thread_can_end_the_run(pair: Pair) -> None:
    pair.loop.call_soon(pair.actor.abort_run)
    assert isinstance(pair.run(), Thespian__Run_Terminated)
    thread = threading.Thread(target=pair.actor.abort_run)
    pair.loop.call_soon(thread.start)
    assert isinstance(pair.run(), Thespian__Run_Terminated)
    thread.join()


def test_who_writes_to_itself_for_ever_hears_of_others(pair: Pair) -> None:
    def handler(envelope: Any) -> bool:
        if envelope.message == "again":
            pair.in_the_end("again")()
            if pair.loop.is_running():
                pair.tell("end")
        return bool(envelope.message != "end")

    pair.in_the_end("again")()
    pair.run(handler)
