"""The asyncio way in: a manager of external systems, each in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from actors.interface import ExternalSystemInterface
from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    Failure,
    FailureCode,
    HealthChecked,
    ManyReceived,
    ReceiveData,
    ReceiveMany,
    Reply,
    Request,
    SystemConnected,
    SystemDisconnected,
)
from actors.payload import PayloadError, payload_size, wrap
from supervisor.batching import SendBatcher
from supervisor.bound import bind, is_bound
from supervisor.connection import Event, SupervisorConnection
from supervisor.directory import RuntimeDirectory, default_directory
from supervisor.embedded import EmbeddedRuntime
from supervisor.errors import error_of
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    AllStatusGiven,
    ConnectAll,
    DataArrived,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    LifecycleEvent,
    RegisterSystem,
    RestartSystem,
    StatusGiven,
    StopSupervisor,
    Subscribe,
    SupervisorRequest,
    SystemRestarted,
    SystemStatus,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.options import SupervisorOptions
from supervisor.spec import SystemSpec

T = TypeVar("T")

_log = logging.getLogger(__name__)


class ExternalSystemManager:
    """Registers external systems and talks to them by name.

    The systems live in processes of their own, under a supervisor that restarts what
    crashes. The first call that needs it starts this runtime beside the host; it ends
    with :meth:`close`, at the end of ``async with``, with the event loop, or with the
    host, whichever comes first. :meth:`attach` uses a running standalone supervisor.

    All methods run on one event loop, the first that one was awaited on. Many tasks may
    call at once. Without ``strict``, a request that fails logs a warning and gives False,
    None or an empty list; with it, an :class:`~supervisor.ExternalSystemError` is raised.
    """

    def __init__(self, *, strict: bool = False, options: SupervisorOptions | None = None) -> None:
        self._strict = strict
        self._options = options or SupervisorOptions()
        self._attach_to: str | None = None
        self._runtime: EmbeddedRuntime | None = None
        self._connection: SupervisorConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closed: str | None = None
        self._names: set[str] = set()
        self._unsaid: list[SystemSpec] = []
        """Registered, and not told to the supervisor yet."""
        self._batchers: dict[str, SendBatcher] = {}
        self._connected: set[str] = set()
        self._watchers: list[_Watcher] = []

    @classmethod
    def attach(
        cls, directory: str | Path | None = None, *, strict: bool = False
    ) -> ExternalSystemManager:
        """A manager of the systems of a running standalone supervisor.

        Args:
            directory: its runtime directory; None takes the default one.

        :meth:`close` leaves the supervisor running. A supervisor that is not there is an
        ``OSError`` of the first call.
        """
        manager = cls(strict=strict)
        path = default_directory() if directory is None else Path(directory)
        manager._attach_to = RuntimeDirectory(path).socket_path
        return manager

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # ---- registering ---------------------------------------------------------------------

    def register_system(self, system: ExternalSystemInterface | SystemSpec, **options: Any) -> bool:
        """Register a system; it is started by the next call that is awaited.

        Args:
            system: an object, which becomes a handle for its actor: from now on its
                methods act there. Each incarnation starts as the object is now. Or a spec.
            options: fields of :class:`~supervisor.SystemSpec` for an object, such as
                ``restart=RestartPolicy(max_restarts=10)``.

        Returns:
            False if the name is taken, or the object cannot be registered.
        """
        if isinstance(system, SystemSpec):
            name = system.name
        elif not isinstance(system, ExternalSystemInterface):
            return self._refuse_registration(
                None,
                FailureCode.INVALID_REQUEST,
                f"{type(system).__name__} is no ExternalSystemInterface and no SystemSpec",
            )
        else:
            name = system.system_name
        if self._closed is not None:
            return self._refuse_registration(name, FailureCode.UNAVAILABLE, self._closed)
        if isinstance(name, str) and name in self._names:
            text = "there is a system of this name; unregister it first"
            return self._refuse_registration(name, FailureCode.DUPLICATE_SYSTEM, text)
        try:
            if isinstance(system, SystemSpec):
                spec = system
            elif is_bound(system):
                text = "the object is registered already"
                return self._refuse_registration(name, FailureCode.INVALID_REQUEST, text)
            else:
                spec = SystemSpec.of(system, **options)
                bind(system, self)
        except (ValueError, TypeError) as error:
            return self._refuse_registration(name, FailureCode.INVALID_REQUEST, str(error))
        self._names.add(spec.name)
        self._unsaid.append(spec)
        return True

    async def unregister_system(self, name: str) -> bool:
        """Disconnect a system, end its process and forget it."""
        done = await self._order(UnregisterSystem(name), SystemUnregistered)
        if done:
            self._names.discard(name)
            self._connected.discard(name)
        return done

    async def start(self) -> None:
        """Start or attach to the runtime, and start what was registered; other calls do
        this when they need it.

        Raises:
            RuntimeError: the runtime did not start.
            OSError: there is no supervisor to attach to.
        """
        self._check_loop()
        while self._unsaid or self._connection is None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
            await asyncio.shield(self._starting)

    # ---- connecting, sending, receiving --------------------------------------------------

    async def connect_all(self) -> bool:
        """Connect all systems at once; True when all are connected."""
        return await self._order_all(ConnectAll())

    async def disconnect_all(self) -> bool:
        """Disconnect all systems at once; True when all are disconnected."""
        return await self._order_all(DisconnectAll())

    async def connect_system(self, name: str) -> bool:
        """Connect a system. From then on it is reconnected after a crash."""
        return await self._order(ConnectSystem(name), SystemConnected)

    async def disconnect_system(self, name: str) -> bool:
        """Disconnect a system."""
        return await self._order(DisconnectSystem(name), SystemDisconnected)

    async def send_data_to_system(self, name: str, data: Any) -> bool:
        """Send an item; True when the system took it. Sends of one task keep their order."""
        if self._unsaid or self._connection is None:
            await self.start()
        result = await self._send(name, data)
        return self._give_up(result, False) if isinstance(result, Failure) else result

    async def send_many_to_system(self, name: str, items: Sequence[Any]) -> list[bool]:
        """Send items in order; for each whether the system took it.

        With ``strict``, the failures are raised together as an ExceptionGroup.
        """
        await self.start()
        results = await asyncio.gather(*(self._send(name, item) for item in items))
        failures = [result for result in results if isinstance(result, Failure)]
        if failures and self._strict:
            raise ExceptionGroup(
                f"{len(failures)} of {len(results)} items were not sent to {name!r}",
                [error_of(failure) for failure in failures],
            )
        if failures:
            _log.warning("%s (%d items in all)", failures[0].text, len(failures))
        return [result is True for result in results]

    async def receive_data_from_system(self, name: str, timeout: float | None = None) -> Any | None:
        """Take an item; None when none comes.

        Args:
            timeout: seconds to wait for one; None waits as long as the system's own
                ``receive_data`` does. A call that is cancelled takes nothing.
        """
        reply = await self._ask(ReceiveData(name, timeout))
        if isinstance(reply, DataReceived):
            return self._load(reply)
        return self._give_up(reply, None) if isinstance(reply, Failure) else None

    async def receive_many_from_system(
        self, name: str, max_items: int, timeout: float | None = None
    ) -> list[Any]:
        """Take up to ``max_items`` items, waiting ``timeout`` seconds for the first."""
        reply = await self._ask(ReceiveMany(name, max_items, timeout))
        if isinstance(reply, ManyReceived):
            return self._load(reply) or []
        return self._give_up(reply, list[Any]())

    async def call_command(self, name: str, command: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a system that is marked with ``@command``."""
        try:
            request = CallCommand(name, command, args, kwargs)
            payload_size(request.args), payload_size(request.kwargs)
        except PayloadError as error:
            return self._give_up(_invalid(name, f"{command}: {error}"), None)
        reply = await self._ask(request)
        if isinstance(reply, CommandCalled):
            return self._load(reply)
        return self._give_up(reply, None)

    # ---- looking after -------------------------------------------------------------------

    async def check_health(self, name: str) -> bool:
        """What the system's own ``check_health`` says; False also when it cannot answer."""
        reply = await self._ask(CheckHealth(name))
        if isinstance(reply, HealthChecked):
            return reply.healthy
        return self._give_up(reply, False)

    async def restart_system(self, name: str) -> bool:
        """End a system's process and start the next, also from quarantine."""
        return await self._order(RestartSystem(name), SystemRestarted)

    async def status(self, name: str) -> SystemStatus | None:
        """How a system fares."""
        reply = await self._ask(GetStatus(name))
        return reply.status if isinstance(reply, StatusGiven) else self._give_up(reply, None)

    async def status_all(self) -> tuple[SystemStatus, ...]:
        """How all systems fare, in the order of their registration."""
        reply = await self._ask(GetAllStatus())
        if isinstance(reply, AllStatusGiven):
            return reply.systems
        return self._give_up(reply, ())

    def is_connected(self, name: str) -> bool:
        """Whether a system is connected, as far as this process has heard."""
        return name in self._connected

    async def events(self) -> AsyncIterator[LifecycleEvent]:
        """What happens to systems, from now on, until the manager closes."""
        with _Watcher(self._watchers, None) as watcher:
            await self.start()
            async for event in watcher:
                assert isinstance(event, LifecycleEvent)
                yield event

    async def data_from(self, *names: str) -> AsyncIterator[tuple[str, Any]]:
        """``(name, item)`` for each item that comes from these systems, or from all.

        While this is iterated the systems are received from all the time.
        """
        with _Watcher(self._watchers, names) as watcher:
            await self.start()
            await self._subscribe()
            try:
                async for event in watcher:
                    assert isinstance(event, DataArrived)
                    for item in event.load():
                        yield event.system_name, item
            finally:
                self._watchers.remove(watcher)
                if self._connection is not None and self._connection.is_open:
                    await self._subscribe()

    # ---- ending --------------------------------------------------------------------------

    async def stop_supervisor(self) -> None:
        """Disconnect and end all systems, and the supervisor with them, also an attached
        one; then the manager is closed."""
        await self.start()
        self._closed = "the supervisor was stopped"
        assert self._connection is not None
        await self._connection.ask(StopSupervisor())
        await self._leave()

    async def close(self) -> None:
        """Disconnect all systems and end the runtime; an attached supervisor runs on."""
        if self._closed is None:
            self._closed = "the manager is closed"
            if self._connection is not None and self._runtime is not None:
                await self._connection.ask(StopSupervisor())
        await self._leave()

    async def _leave(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        if self._keeper is not None:
            self._keeper.cancel()
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await asyncio.to_thread(runtime.stop)

    # ---- details -------------------------------------------------------------------------

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("an ExternalSystemManager belongs to the event loop it started on")

    async def _start(self) -> None:
        try:
            if self._connection is None:
                await self._open()
            specs, self._unsaid = self._unsaid, []
            assert self._connection is not None
            replies = await asyncio.gather(
                *(self._connection.ask(RegisterSystem(spec)) for spec in specs)
            )
        finally:
            self._starting = None
        for spec, reply in zip(specs, replies, strict=True):
            if isinstance(reply, Failure):
                self._names.discard(spec.name)
                _log.warning("cannot register: %s", reply.text)
        failures = [reply for reply in replies if isinstance(reply, Failure)]
        if failures and self._strict:
            raise error_of(failures[0])

    async def _open(self) -> None:
        if self._closed is not None:
            raise RuntimeError(self._closed)
        path = self._attach_to
        if path is None:
            self._runtime = await asyncio.to_thread(EmbeddedRuntime.start, self._options)
            path = self._runtime.socket_path
        try:
            self._connection = await SupervisorConnection.open(path, self._hear, self._lose)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ConnectionError(
                f"no supervisor runs at {path}; start one with 'extsys run'"
            ) from error
        self._keeper = asyncio.create_task(self._keep(), name="extsys-keeper")
        await self._subscribe()
        if self._attach_to is not None:
            reply = await self._connection.ask(GetAllStatus())
            if isinstance(reply, AllStatusGiven):
                self._names.update(status.name for status in reply.systems)
                self._connected.update(s.name for s in reply.systems if s.is_connected)

    async def _keep(self) -> None:
        """Lives as long as the event loop, whose end cancels it: a clean end for a host
        that never calls close."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._connection is not None:
                self._connection.abort()
            if self._closed is None:
                self._closed = "the manager's event loop has ended"
                if self._runtime is not None:
                    self._runtime.let_go()

    async def _subscribe(self) -> None:
        assert self._connection is not None
        wanted = [watcher.names for watcher in self._watchers if watcher.names is not None]
        everything = any(not names for names in wanted)
        names = None if everything else {name for names in wanted for name in names}
        await self._connection.ask(Subscribe(lifecycle=True, data_from=names))

    async def _ask(self, request: Request | SupervisorRequest) -> Reply:
        self._check_loop()
        if self._closed is not None:
            return request.failure(FailureCode.UNAVAILABLE, self._closed)
        if self._unsaid or self._connection is None:
            await self.start()
        name = getattr(request, "system_name", None)
        if isinstance(name, str) and name in self._batchers:
            self._batchers[name].flush()  # what this task sent before must not be overtaken
        assert self._connection is not None
        reply = await self._connection.ask(request)
        self._note(reply)
        return reply

    async def _send(self, name: str, data: Any) -> bool | Failure:
        self._check_loop()
        if self._closed is not None:
            return _invalid(name, self._closed, FailureCode.UNAVAILABLE)
        if not isinstance(name, str):
            return _invalid(name, f"a system name is a string, not {type(name).__name__}")
        try:
            wrapped = wrap(data)
            size = payload_size(wrapped)
        except PayloadError as error:
            return _invalid(name, str(error))
        limit = self._options.max_payload_bytes
        if size > limit:
            text = f"the data has {size:,} bytes, more than max_payload_bytes ({limit:,})"
            return _invalid(name, text)
        batcher = self._batchers.get(name)
        if batcher is None:
            assert self._connection is not None
            batcher = self._batchers[name] = SendBatcher(name, self._connection.ask_stream)
        return await batcher.send(wrapped, size)

    async def _order(self, request: Request, done: type[Reply]) -> bool:
        reply = await self._ask(request)
        return True if isinstance(reply, done) else self._give_up(reply, False)

    async def _order_all(self, request: ConnectAll | DisconnectAll) -> bool:
        reply = await self._ask(request)
        if not isinstance(reply, AllConnected | AllDisconnected):
            return self._give_up(reply, False)
        failures = [each for each in reply.results.values() if isinstance(each, Failure)]
        if failures and self._strict:
            raise ExceptionGroup(
                f"{len(failures)} of {len(reply.results)} systems failed",
                [error_of(failure) for failure in failures],
            )
        for failure in failures:
            _log.warning("%s", failure.text)
        return not failures

    def _load(self, reply: DataReceived | ManyReceived | CommandCalled) -> Any:
        try:
            return reply.load()
        except PayloadError as error:
            return self._give_up(_invalid(reply.system_name, str(error)), None)

    def _give_up(self, reply: Reply, value: T) -> T:
        """What a failed request gives, in this manager's manner."""
        if not isinstance(reply, Failure):
            raise TypeError(f"unexpected reply: {reply}")
        if self._strict:
            raise error_of(reply)
        _log.warning("%s", reply.text)
        return value

    def _refuse_registration(self, name: object, code: FailureCode, text: str) -> bool:
        return self._give_up(_invalid(name, f"cannot register: {text}", code), False)

    def _note(self, reply: Reply) -> None:
        """Keep what the answer to an order says of connections: its event may come later."""
        match reply:
            case SystemConnected(system_name=str(name)):
                self._connected.add(name)
            case SystemDisconnected(system_name=str(name)):
                self._connected.discard(name)
            case AllConnected():
                self._connected.update(n for n, done in reply.results.items() if done is True)
            case AllDisconnected():
                self._connected.difference_update(
                    n for n, done in reply.results.items() if done is True
                )

    def _hear(self, event: Event) -> None:
        if isinstance(event, LifecycleEvent):
            self._note_event(event)
        for watcher in self._watchers:
            watcher.hear(event)

    def _note_event(self, event: LifecycleEvent) -> None:
        name = event.system_name
        match event.kind:
            case EventKind.REGISTERED:
                self._names.add(name)
            case EventKind.CONNECTED:
                self._connected.add(name)
            case EventKind.DISCONNECTED | EventKind.CRASHED | EventKind.STOPPED:
                self._connected.discard(name)
            case EventKind.UNREGISTERED:
                self._connected.discard(name)
                self._names.discard(name)

    def _lose(self, why: str) -> None:
        self._connected.clear()
        if self._closed is None:
            self._closed = why
            _log.warning("%s; its systems cannot be reached any more", why)
        for watcher in self._watchers:
            watcher.end()


class _Watcher:
    """One consumer of events, with a queue of its own."""

    def __init__(self, among: list[_Watcher], names: Sequence[str] | None) -> None:
        self.names = names
        """Of the systems whose data is wanted, none for all; None for lifecycle events."""
        self._among = among
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def __enter__(self) -> Self:
        self._among.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self in self._among:
            self._among.remove(self)

    def hear(self, event: Event) -> None:
        if isinstance(event, LifecycleEvent):
            wanted = self.names is None
        else:
            wanted = self.names is not None and (not self.names or event.system_name in self.names)
        if wanted:
            self._queue.put_nowait(event)

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event


def _invalid(name: object, text: str, code: FailureCode = FailureCode.INVALID_REQUEST) -> Failure:
    known = name if isinstance(name, str) else None
    who = f"{known[:40]}: " if known else ""
    return Failure(request_id=0, system_name=known, code=code, text=f"{who}{text}")
