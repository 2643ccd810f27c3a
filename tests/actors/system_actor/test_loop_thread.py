"""Objects cross from the event loop's thread to the message thread, in order."""

import asyncio
import os
import select
import threading

import pytest

from actors.system_actor.loop_thread import LoopThread, Mailslot

CAP = 10.0
COUNT = 20_000


@pytest.fixture
def slot():
    slot = Mailslot()
    yield slot
    for descriptor in (slot._read_fd, slot._write_fd):
        os.close(descriptor)


@pytest.fixture
def start():
    loops = []

    def start_loop(on_escape=lambda error: None):
        loops.append(LoopThread(on_escape))
        return loops[-1]

    yield start_loop
    for loop in loops:
        if loop._thread.is_alive():
            loop.call(loop._loop.stop)
        loop._thread.join(CAP)
        loop._loop.close()


def is_readable(slot):
    return bool(select.select([slot], [], [], 0)[0])


def test_a_mailslot_is_readable_while_objects_wait(slot):
    assert not is_readable(slot)
    slot.put("a")
    slot.put("b")
    assert is_readable(slot)
    assert slot.take() == ["a", "b"]
    assert not is_readable(slot)
    assert slot.take() == []


def test_order_is_kept_and_nothing_lost_while_both_sides_are_at_work(slot):
    def put_all():
        for n in range(COUNT):
            slot.put(n)

    putter = threading.Thread(target=put_all)
    putter.start()
    taken = []
    while len(taken) < COUNT:
        assert select.select([slot], [], [], CAP)[0], "objects wait, and nothing wakes the reader"
        taken.extend(slot.take())
    putter.join()
    assert taken == list(range(COUNT))


def test_more_objects_than_the_wake_up_pipe_holds_are_no_trouble(slot):
    for n in range(100_000):
        slot.put(n)
    taken = []
    while is_readable(slot):
        taken.extend(slot.take())
    assert taken == list(range(100_000))


def test_calls_run_in_the_loop_s_thread_in_their_order(start):
    loop = start()
    done, seen = threading.Event(), []

    def note(n):
        asyncio.get_running_loop()  # fails outside of the loop
        seen.append((n, threading.current_thread() is threading.main_thread()))

    for n in range(100):
        loop.call(note, n)
    loop.call(done.set)
    assert done.wait(CAP)
    assert seen == [(n, False) for n in range(100)]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_breaks_out_of_the_loop_is_told(start, error):
    escaped, told = [], threading.Event()

    def on_escape(what):
        escaped.append((what, threading.current_thread().name))
        told.set()

    loop = start(on_escape)

    async def escape():
        raise error

    def begin():
        tasks.append(asyncio.get_running_loop().create_task(escape()))

    tasks = []
    loop.call(begin)
    assert told.wait(CAP)
    assert escaped == [(error, "event-loop")]
    assert tasks[0].exception() is error


def test_an_ordinary_exception_of_a_call_does_not_end_the_loop(start, caplog):
    loop = start()
    done = threading.Event()

    def fail():
        raise ValueError("no")

    loop.call(fail)
    loop.call(done.set)
    assert done.wait(CAP)
    assert "ValueError: no" in caplog.text
