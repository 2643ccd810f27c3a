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
from supervisor.connection import Event
from supervisor.directory import RuntimeDirectory, default_directory
from supervisor.errors import error_of
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    AllStatusGiven,
    ConnectAll,
    DisconnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    LifecycleEvent,
    RegisterSystem,
    RestartSystem,
    StatusGiven,
    Subscribe,
    SupervisorRequest,
    SystemRestarted,
    SystemStatus,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.options import SupervisorOptions
from supervisor.session import Session
from supervisor.spec import SystemSpec
from supervisor.streams import EventStream, Streams

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
        self._session = Session(self._options, None, self._hear, self._lose)
        self._starting: asyncio.Task[None] | None = None
        self._names: set[str] = set()
        self._unsaid: list[SystemSpec] = []
        """Registered, and not told to the supervisor yet."""
        self._batchers: dict[str, SendBatcher] = {}
        self._connected: set[str] = set()
        self._streams = Streams()

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
        socket_path = RuntimeDirectory(path).socket_path
        manager._session = Session(manager._options, socket_path, manager._hear, manager._lose)
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
        if self._session.over is not None:
            return self._refuse_registration(name, FailureCode.UNAVAILABLE, self._session.over)
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
        self._session.check_loop()
        while not self._is_ready:
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

    def events(self) -> EventStream:
        """What happens to systems, from now on, until the manager closes."""
        return self._streams.events()

    async def data_from(self, *names: str) -> AsyncIterator[tuple[str, Any]]:
        """``(name, item)`` for each item that comes from these systems, or from all.

        While this is iterated the systems are received from all the time.
        """
        await self.start()
        stream = self._streams.add_data(names)
        try:
            await self._subscribe()
            while (event := await stream.queue.get()) is not None:
                for item in event.load():
                    yield event.system_name, item
        finally:
            self._streams.remove_data(stream)
            await self._subscribe()

    # ---- ending --------------------------------------------------------------------------

    async def stop_supervisor(self) -> None:
        """Disconnect and end all systems, and the supervisor with them, also an attached
        one; then the manager is closed."""
        await self.start()
        await self._session.stop_supervisor()
        self._streams.end()

    async def close(self) -> None:
        """Disconnect all systems and end the runtime; an attached supervisor runs on."""
        await self._session.close()
        self._streams.end()

    # ---- details -------------------------------------------------------------------------

    @property
    def _is_ready(self) -> bool:
        return self._session.is_open and not self._unsaid and self._starting is None

    async def _start(self) -> None:
        try:
            if not self._session.is_open:
                await self._session.open()
                await self._subscribe()
                if self._session.is_attached:
                    await self._learn_systems()
            specs, self._unsaid = self._unsaid, []
            replies = await asyncio.gather(
                *(self._session.ask(RegisterSystem(spec)) for spec in specs)
            )
        finally:
            self._starting = None
        failures = [reply for reply in replies if isinstance(reply, Failure)]
        for failure in failures:
            _log.warning("cannot register: %s", failure.text)
        for spec, reply in zip(specs, replies, strict=True):
            if isinstance(reply, Failure) and reply.code is not FailureCode.DUPLICATE_SYSTEM:
                self._names.discard(spec.name)
        if failures and self._strict:
            raise error_of(failures[0])

    async def _learn_systems(self) -> None:
        reply = await self._session.ask(GetAllStatus())
        if isinstance(reply, AllStatusGiven):
            self._names.update(status.name for status in reply.systems)
            self._connected.update(s.name for s in reply.systems if s.is_connected)

    async def _subscribe(self) -> None:
        request = Subscribe(lifecycle=True, data_from=self._streams.data_names)
        await self._session.ask(request)

    async def _ask(self, request: Request | SupervisorRequest) -> Reply:
        if self._session.over is not None:
            return request.failure(FailureCode.UNAVAILABLE, self._session.over)
        if not self._is_ready:
            await self.start()
        self._session.check_loop()
        name = getattr(request, "system_name", None)
        if isinstance(name, str) and name in self._batchers:
            self._batchers[name].flush()  # what this task sent before must not be overtaken
        reply = await self._session.ask(request)
        self._note(reply)
        return reply

    async def _send(self, name: str, data: Any) -> bool | Failure:
        if self._session.over is not None:
            return _invalid(name, self._session.over, FailureCode.UNAVAILABLE)
        if not self._is_ready:
            await self.start()
        self._session.check_loop()
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
            batcher = self._batchers[name] = SendBatcher(name, self._session.ask_stream)
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
        self._streams.hear(event)

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
        self._streams.end()
        _log.warning("%s; its systems cannot be reached any more", why)


def _invalid(name: object, text: str, code: FailureCode = FailureCode.INVALID_REQUEST) -> Failure:
    known = name if isinstance(name, str) else None
    who = f"{known[:40]}: " if known else ""
    return Failure(request_id=0, system_name=known, code=code, text=f"{who}{text}")
