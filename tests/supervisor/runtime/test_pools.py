"""A pool of real connections to a real server, which counts them, ends them and refuses them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors import MockExternalSystem, Policy, PoolPolicy, TcpSystem
from actors.messages import Outcome
from actors.resilience.pool_actions import PoolState
from supervisor import ExternalSystemManager, OverloadedError, SystemSpec
from supervisor.config.file import load_config
from supervisor.messages import EventKind, LifecycleEvent, SystemState
from supervisor.specs.policies import ReconnectPolicy
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import (
    QUIET,
    pid_of,
    status_of,
    until,
    until_linked,
    until_state,
    with_manager,
)

pytestmark = pytest.mark.usefixtures("shared_runtime")

BOTH_WAYS = pytest.mark.usefixtures("way")
OFTEN = ReconnectPolicy(backoff_min=0.01, backoff_max=0.05)


class Server:
    """Answers each line with the same, when a test says so; knows its connections."""

    def __init__(self) -> None:
        self.port = 0
        self.open: list[asyncio.StreamWriter] = []
        self.accepted = 0
        self.asked: list[tuple[asyncio.StreamWriter, bytes]] = []
        """Questions that wait for the test."""
        self.most_asked = 0
        """Of them, at once."""
        self.by_itself = True
        self._listening: asyncio.Server | None = None

    async def listen(self) -> None:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Nobody can connect any more; who is connected stays."""
        assert self._listening is not None
        self._listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open.append(writer)
        try:
            while line := await reader.readline():
                self.asked.append((writer, line))
                self.most_asked = max(self.most_asked, len(self.asked))
                if self.by_itself:
                    self.answer()
        except ConnectionError:
            pass
        finally:
            self.open.remove(writer)
            self.asked = [each for each in self.asked if each[0] is not writer]
            writer.close()

    def answer(self) -> None:
        """Answer all that was asked."""
        asked, self.asked = self.asked, []
        for writer, line in asked:
            writer.write(b"answer to " + line)

    def end(self, writer: asyncio.StreamWriter) -> None:
        """End one connection at once."""
        writer.transport.abort()

    async def has(self, connections: int) -> None:
        await eventually(lambda: len(self.open) == connections)


async def eventually(condition: Any) -> None:
    async def holds() -> bool:
        return bool(condition())

    await until(holds)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    await server.listen()
    try:
        yield server
    finally:
        await server.refuse()
        for writer in list(server.open):
            server.end(writer)
        await server.has(0)


def pooled(server: Server, size: int = 4, **policy: Any) -> SystemSpec:
    return SystemSpec(
        "dut",
        "tcp",
        {"host": "127.0.0.1", "port": server.port},
        connect=True,
        reconnect=OFTEN,
        policy=Policy(pool=PoolPolicy(size=size, **policy)),
    )


async def begin(manager: ExternalSystemManager, spec: SystemSpec) -> None:
    manager.register_system(spec)
    await manager.start()
    await until_state(manager, "dut", SystemState.CONNECTED)
    await until_linked(manager)


async def ask_at_once(
    manager: ExternalSystemManager, server: Server, count: int
) -> list[asyncio.Task[Any]]:
    """So many questions that wait for the server."""
    server.by_itself = False
    asked = [asyncio.create_task(manager.query_system("dut", f"q{n}")) for n in range(count)]
    await eventually(lambda: len(server.asked) == count)
    return asked


async def pool_of(manager: ExternalSystemManager) -> PoolState:
    pool = (await status_of(manager, "dut")).pool
    assert pool is not None
    return pool


async def disconnects_without_a_loss(
    manager: ExternalSystemManager, happening: AsyncIterator[LifecycleEvent]
) -> None:
    """That the first thing told of its connection is that it was ordered to disconnect."""
    await manager.disconnect_system("dut")
    async for event in happening:
        if event.kind is EventKind.DISCONNECTED:
            assert event.reason is None
            return


@BOTH_WAYS
def test_four_questions_are_under_way_at_once_and_each_has_its_own_answer() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server))
            assert server.accepted == 1
            asked = await ask_at_once(manager, server, 4)
            assert len(server.open) == 4
            server.answer()
            assert await asyncio.gather(*asked) == [f"answer to q{n}" for n in range(4)]
            assert server.most_asked == 4
            status = await status_of(manager, "dut")
            assert (status.sent, status.received, status.waiting) == (4, 4, 0)

    with_shared_manager(work)


def test_its_status_says_what_a_pool_has() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, size=2))
            asked = await ask_at_once(manager, server, 2)
            more = asyncio.create_task(manager.query_system("dut", "q2"))

            async def is_told() -> bool:
                has = await pool_of(manager)
                return (has.open, has.idle, has.borrowed, has.waiting) == (2, 0, 2, 1)

            await until(is_told)
            server.by_itself = True
            server.answer()
            await asyncio.gather(*asked, more)

            async def is_idle() -> bool:
                has = await pool_of(manager)
                return (has.open, has.idle, has.borrowed, has.waiting) == (2, 2, 0, 0)

            await until(is_idle)

    with_shared_manager(work)


@BOTH_WAYS
def test_who_waits_too_long_for_a_connection_is_refused_and_told_when_to_come_again() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, size=1, overflow_wait=0.2))
            [asked] = await ask_at_once(manager, server, 1)
            with pytest.raises(OverloadedError, match="no connection came free within") as raised:
                await manager.query_system("dut", "one too many")
            assert raised.value.failure.outcome is Outcome.NOT_SENT
            assert raised.value.failure.retry_after is not None
            server.answer()
            assert await asked == "answer to q0"
            assert server.most_asked == 1

    with_shared_manager(work)


@BOTH_WAYS
def test_a_connection_that_is_lost_costs_its_own_question_and_is_replaced_without_a_word() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            happening = manager.events()
            await begin(manager, pooled(server, size=3))
            asked = await ask_at_once(manager, server, 3)
            victim, line = server.asked[1]
            server.end(victim)
            await server.has(2)
            server.answer()
            results = await asyncio.gather(*asked, return_exceptions=True)
            failed = line.decode().strip()
            for number, result in enumerate(results):
                if f"q{number}" == failed:
                    assert isinstance(result, Exception)
                else:
                    assert result == f"answer to q{number}"
            asked = await ask_at_once(manager, server, 3)
            server.answer()
            await asyncio.gather(*asked)
            status = await status_of(manager, "dut")
            assert status.pool is not None
            assert (status.incarnation, status.restarts) == (1, 0)

            async def is_counted() -> bool:
                return (await pool_of(manager)).lost == 1

            await until(is_counted)
            await disconnects_without_a_loss(manager, happening)

    with_shared_manager(work)


def test_the_last_connection_is_replaced_at_once_and_the_system_stays_connected() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            happening = manager.events()
            await begin(manager, pooled(server, size=1))
            server.end(server.open[0])
            await eventually(lambda: server.accepted == 2)
            assert await manager.query_system("dut", "q") == "answer to q"
            await disconnects_without_a_loss(manager, happening)

    with_shared_manager(work)


def test_a_server_that_ends_all_and_refuses_for_a_while_is_a_loss_and_comes_back() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            happening = manager.events()
            await begin(manager, pooled(server, size=2))
            asked = await ask_at_once(manager, server, 2)
            server.answer()
            await asyncio.gather(*asked)
            await server.refuse()
            for writer in list(server.open):
                server.end(writer)
            async for event in happening:
                if event.kind is EventKind.DISCONNECTED:
                    assert event.reason is not None
                    assert f"127.0.0.1:{server.port}" in event.reason.text
                    break
            server.by_itself = True
            await server.listen()
            await until_state(manager, "dut", SystemState.CONNECTED)
            assert await manager.query_system("dut", "q") == "answer to q"
            assert (await status_of(manager, "dut")).incarnation == 1

    with_shared_manager(work)


@BOTH_WAYS
def test_data_is_received_from_all_connections() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, size=3))
            asked = await ask_at_once(manager, server, 3)
            server.answer()
            await asyncio.gather(*asked)
            for number, writer in enumerate(server.open):
                writer.write(f"news {number}\n".encode())
            got = {await manager.receive_data_from_system("dut", timeout=20.0) for _ in range(3)}
            assert got == {"news 0", "news 1", "news 2"}

    with_shared_manager(work)


@BOTH_WAYS
def test_sends_of_one_call_arrive_on_one_connection_in_order() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            server.by_itself = False
            await begin(manager, pooled(server))
            results = await manager.send_many_to_system("dut", [f"item {n}" for n in range(50)])
            assert results == [True] * 50
            await eventually(lambda: len(server.asked) == 50)
            assert [line for _, line in server.asked] == [b"item %d\n" % n for n in range(50)]
            assert len({writer for writer, _ in server.asked}) == 1

    with_shared_manager(work)


def test_a_pool_shrinks_to_one_connection_when_the_others_are_not_needed() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, max_idle=0.2))
            asked = await ask_at_once(manager, server, 4)
            server.answer()
            await asyncio.gather(*asked)
            await server.has(1)
            assert (await status_of(manager, "dut")).state is SystemState.CONNECTED

    with_shared_manager(work)


def test_connections_are_made_anew_after_their_lifetime_and_none_in_the_middle_of_a_call() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, size=1, max_lifetime=0.5))
            [asked] = await ask_at_once(manager, server, 1)
            writer, _ = server.asked[0]
            await asyncio.sleep(1.0)  # longer than its lifetime
            assert not writer.is_closing()
            server.by_itself = True
            server.answer()
            assert await asked == "answer to q0"
            await eventually(lambda: server.accepted >= 3)
            assert await manager.query_system("dut", "q") == "answer to q"

    with_shared_manager(work)


@BOTH_WAYS
def test_a_killed_process_takes_all_connections_with_it_and_the_next_one_has_its_own() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            await begin(manager, pooled(server, size=3))
            asked = await ask_at_once(manager, server, 3)
            os.kill(await pid_of(manager, "dut"), signal.SIGKILL)
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(result, Exception) for result in results)
            await until_state(manager, "dut", SystemState.CONNECTED, incarnation=2)
            await server.has(1)
            asked = await ask_at_once(manager, server, 3)
            server.answer()
            assert await asyncio.gather(*asked) == ["answer to q0", "answer to q1", "answer to q2"]

    with_shared_manager(work)


def test_what_is_sent_durably_goes_out_in_order(tmp_path: Path) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            server.by_itself = False
            await begin(manager, attrs.evolve(pooled(server), durable=True))
            items = [f"item {number}" for number in range(200)]
            await asyncio.gather(*(manager.send_data_to_system("dut", item) for item in items))
            await eventually(lambda: len(server.asked) == len(items))
            assert [line.decode().strip() for _, line in server.asked] == items

    options = attrs.evolve(QUIET, state_dir=str(tmp_path / "state"))
    with_manager(work, options=options)


def test_an_object_that_is_registered_has_a_copy_of_itself_for_each_connection() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            spec = pooled(server, size=2)
            system = TcpSystem("dut", {"host": "127.0.0.1", "port": server.port})
            copied = SystemSpec.of(system, connect=True, policy=spec.policy)
            await begin(manager, copied)
            asked = await ask_at_once(manager, server, 2)
            assert len(server.open) == 2
            server.answer()
            assert await asyncio.gather(*asked) == ["answer to q0", "answer to q1"]

    with_shared_manager(work)


def test_a_named_policy_of_a_file_makes_a_pool(tmp_path: Path) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async with serving() as server:
            file = tmp_path / "plant.toml"
            file.write_text(
                f"""
                [policy.busy]
                pool = {{ size = 3 }}

                [[system]]
                name = "dut"
                kind = "tcp"
                connection_details = {{ host = "127.0.0.1", port = {server.port} }}
                connect = true
                policy = "busy"
                """
            )
            [spec] = load_config(file).systems
            await begin(manager, spec)
            asked = await ask_at_once(manager, server, 3)
            assert (await pool_of(manager)).size == 3
            server.answer()
            await asyncio.gather(*asked)

    with_shared_manager(work)


@BOTH_WAYS
def test_a_mock_has_connections_that_share_what_was_sent_and_what_goes_wrong() -> None:
    mock = MockExternalSystem("mock", {"answers": {"ping": "pong"}, "latency": 0.05})

    async def work(manager: ExternalSystemManager) -> None:
        spec = SystemSpec.of(mock, connect=True, policy=Policy(pool=PoolPolicy(size=4)))
        manager.register_system(spec)
        await manager.start()
        await until_state(manager, "mock", SystemState.CONNECTED)
        answers = await asyncio.gather(*(manager.query_system("mock", "ping") for _ in range(8)))
        assert answers == ["pong"] * 8
        assert await manager.call_command("mock", "sent_count") == 8
        await manager.call_command("mock", "inject_fault", "send", "refuse")
        sent = await asyncio.gather(
            *(manager.send_data_to_system("mock", n) for n in range(4)), return_exceptions=True
        )
        assert sum(isinstance(each, Exception) for each in sent) == 1
        await manager.call_command("mock", "mock_incoming_data", "news")
        assert await manager.receive_data_from_system("mock", timeout=20.0) == "news"

    with_shared_manager(work)
