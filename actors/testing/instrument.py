"""A small TCP instrument that is not there: something real to connect to in demos and tests.

It speaks lines like SCPI: ``*IDN?``, ``MEAS:VOLT?``, ``SET name value``, ``GET name``,
``ECHO text``; the answer to anything else begins with ``ERR``. In a program::

    async with InstrumentSimulator() as simulator:
        print(simulator.port)

or as a process, ``python -m actors.testing.instrument --port 0``, which prints its port on its
first line and ends when its standard input closes, so that it never outlives its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import ssl
import sys
from collections.abc import Sequence
from typing import Final, Self, cast

from actors.connectors.framing.delimited import LineFraming
from actors.errors import ConnectorError

MAX_SETTINGS: Final = 1000
"""How many names ``SET`` takes, so that a client cannot fill the memory."""


class Instrument:
    """What the instrument answers. Pure: the same seed and the same commands give the
    same answers.

    Args:
        seed: of the readings.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._noise = random.Random(seed)
        self._settings: dict[str, str] = {}

    def answer(self, line: str) -> str:
        """The answer to one command, of which the words in capitals may be in any case."""
        name, _, rest = line.lstrip(" \t").partition(" ")
        match name.strip().upper():
            case "*IDN?":
                return f"EXTSYS,Simulated Instrument,{self._seed},1.0"
            case "MEAS:VOLT?":
                return f"{self._noise.gauss(5.0, 0.01):.6f}"
            case "SET":
                return self._set(rest)
            case "GET":
                return self._settings.get(rest.strip(), f"ERR no setting {rest.strip()!r}")
            case "ECHO":
                return rest
            case _:
                return f"ERR unknown command {name.strip()!r}"

    def _set(self, rest: str) -> str:
        name, _, value = rest.strip().partition(" ")
        if not name or not value:
            return "ERR expected SET name value"
        if name not in self._settings and len(self._settings) >= MAX_SETTINGS:
            return f"ERR no room for more than {MAX_SETTINGS} settings"
        self._settings[name] = value.strip()
        return "OK"


class InstrumentSimulator:
    """An :class:`Instrument` behind a TCP port, for any number of connections at once.

    Runs on the event loop that enters it.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        seed: of the readings.
        tls: a server-side context, for TLS.
        drop_after: break each connection after this many commands, without an answer to
            the last; None never does.
        mute: take commands and answer none.

    Attributes:
        commands: how many commands came, on all connections.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: int = 1,
        tls: ssl.SSLContext | None = None,
        drop_after: int | None = None,
        mute: bool = False,
    ) -> None:
        self.instrument = Instrument(seed)
        self.host = host
        self.commands = 0
        self.drop_after = drop_after
        self.mute = mute
        self._asked_port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: it has not started, or has stopped.
        """
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the instrument simulator does not run: use 'async with'")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return len(self._sessions)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or the address is none of this machine's.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Session(self), self.host, self._asked_port, ssl=self._tls
        )

    async def stop(self) -> None:
        """Break all connections, and stop listening; every socket is closed after it."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        sessions = list(self._sessions)
        self.drop_connections()
        for session in sessions:
            await session.closed.wait()
        await server.wait_closed()

    def drop_connections(self) -> None:
        """Break all connections, as a power cut would; new ones are welcome."""
        for session in list(self._sessions):
            session.drop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()


class _Session(asyncio.Protocol):
    """One connection to the simulator."""

    _framing: Final = LineFraming(max_frame_size=64 * 1024)

    def __init__(self, simulator: InstrumentSimulator) -> None:
        self.closed = asyncio.Event()
        self._simulator = simulator
        self._decoder = self._framing.decoder()
        self._commands = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of uvloop it is one in all but its class.
        self._transport = cast(asyncio.Transport, transport)
        self._simulator._sessions.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._simulator._sessions.discard(self)
        self._transport = None
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._decoder.feed(data)
        except ConnectorError:
            frames = []
        for frame in frames:
            self._command(frame)
        if self._decoder.error is not None and self._transport is not None:
            self._transport.write(b"ERR line too long\n")
            self._transport.close()

    def pause_writing(self) -> None:
        # Who does not read the answers may not ask more.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _command(self, frame: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._commands += 1
        self._simulator.commands += 1
        drop_after = self._simulator.drop_after
        if drop_after is not None and self._commands >= drop_after:
            self.drop()
            return
        try:
            answer = self._simulator.instrument.answer(str(self._framing.item(frame)))
        except ConnectorError:
            answer = "ERR not utf-8"
        if not self._simulator.mute:
            self._transport.write(self._framing.encode(answer))


# ---- as a process ---------------------------------------------------------------------


async def _serve(simulator: InstrumentSimulator) -> None:
    """Run until standard input closes, or SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    stdin = sys.stdin.fileno()

    def read_stdin() -> None:
        if not os.read(stdin, 65536):
            loop.remove_reader(stdin)
            ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with simulator:
        print(simulator.port, flush=True)
        try:
            loop.add_reader(stdin, read_stdin)
        except PermissionError:
            # A file or /dev/null cannot be waited for; it ends at once.
            return
        await ended.wait()
        loop.remove_reader(stdin)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator as a process; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m actors.testing.instrument",
        description="A simulated instrument. Prints its port, and ends when stdin closes.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=1, help="of the readings")
    parser.add_argument("--drop-after", type=int, help="break connections after N commands")
    parser.add_argument("--mute", action="store_true", help="take commands, answer none")
    options = parser.parse_args(argv)
    simulator = InstrumentSimulator(
        options.host,
        options.port,
        seed=options.seed,
        drop_after=options.drop_after,
        mute=options.mute,
    )
    try:
        asyncio.run(_serve(simulator))
    except BrokenPipeError:
        # Nobody is there to read the port.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
