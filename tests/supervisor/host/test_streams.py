"""What a host is told unasked, and how much of it may wait."""

from __future__ import annotations

import asyncio

import pytest

from supervisor import FellBehindError
from supervisor.host import streams
from supervisor.host.streams import DataStream, EventStream, Streams
from supervisor.messages import DataArrived, DataLost, EventKind, LifecycleEvent


def event(sequence: int) -> LifecycleEvent:
    return LifecycleEvent(
        sequence=sequence, time=0.0, kind=EventKind.STARTED, system_name="a", incarnation=1
    )


def test_each_stream_gets_all_events_from_its_beginning_to_the_end() -> None:
    async def main() -> None:
        all_streams = Streams()
        first = all_streams.events()
        all_streams.hear(event(1))
        second = all_streams.events()
        all_streams.hear(event(2))
        all_streams.end()
        assert [each.sequence async for each in first] == [1, 2]
        assert [each.sequence async for each in second] == [2]
        assert [each async for each in first] == []

    asyncio.run(main())


def test_a_stream_that_still_asks_for_past_events_asks_for_the_ones_it_was_made_for() -> None:
    async def main() -> None:
        all_streams = Streams()
        asked: list[int] = []

        async def catch_up(stream: EventStream) -> None:
            asked.append(stream.last)
            stream.caught_up()

        running, asking = all_streams.events(), all_streams.events(catch_up, since=5)
        all_streams.count_anew(7)  # by a supervisor that does not know those before
        all_streams.hear(event(8))
        assert (await anext(running)).sequence == 8
        all_streams.end()
        assert [each async for each in asking] == []
        assert asked == [5]

    asyncio.run(main())


def test_data_goes_to_the_streams_that_are_for_its_system() -> None:
    async def main() -> None:
        all_streams = Streams()
        everything = all_streams.add(DataStream([]))
        some = all_streams.add(DataStream(["b"]))
        for name in "ab":
            all_streams.hear(DataArrived(name, ("item",)))
        all_streams.end()
        assert [(await everything.take()).system_name for _ in range(2)] == ["a", "b"]
        assert (await some.take()).system_name == "b"
        assert await some.take() is None

    asyncio.run(main())


def test_a_stream_whose_consumer_is_too_slow_ends_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "MAX_BACKLOG", 3)

    async def main() -> None:
        all_streams = Streams()
        slow = all_streams.events()
        for sequence in range(1, 10):
            all_streams.hear(event(sequence))
        assert [(await anext(slow)).sequence for _ in range(3)] == [1, 2, 3]
        for _ in range(2):
            with pytest.raises(FellBehindError, match="more than 3"):
                await anext(slow)

    asyncio.run(main())


def test_data_that_waits_is_bounded_by_its_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BACKLOG_BYTES", 1000)

    async def follow() -> None:
        all_streams = Streams()
        slow, other = all_streams.add(DataStream(("plc",))), all_streams.add(DataStream(("pump",)))
        for _ in range(3):
            all_streams.hear(DataArrived("plc", (bytes(400),)))
        assert await slow.take() == await slow.take() == DataArrived("plc", (bytes(400),))
        with pytest.raises(FellBehindError, match="MiB waited to be taken"):
            await slow.take()
        all_streams.hear(DataArrived("pump", (bytes(4000),)))  # one is never too many
        assert await other.take() == DataArrived("pump", (bytes(4000),))
        for _ in range(10):
            all_streams.hear(DataArrived("pump", (bytes(900),)))
            assert await other.take() is not None

    asyncio.run(follow())


def test_a_supervisor_that_was_read_too_slowly_ends_the_data_and_not_the_events() -> None:
    async def follow() -> None:
        all_streams = Streams()
        events, data = all_streams.events(), all_streams.add(DataStream(()))
        all_streams.hear(DataArrived("plc", (1,)))
        all_streams.hear(DataLost("more than so much waited"))
        assert await data.take() == DataArrived("plc", (1,))
        with pytest.raises(FellBehindError, match="more than so much waited"):
            await data.take()
        assert events.queue.empty()

    asyncio.run(follow())
