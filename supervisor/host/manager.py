"""The asyncio way in: a manager of external systems, each in a process of its own."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from actors import loggers
from actors.interface import ExternalSystemInterface
from actors.messages import (
    CacheInvalidated,
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    Failure,
    FailureCode,
    HealthChecked,
    InvalidateCache,
    ManyReceived,
    QueryData,
    ReceiveData,
    ReceiveMany,
    Reply,
    Request,
    SystemConnected,
    SystemDisconnected,
)
from supervisor.client.batching import Manner
from supervisor.errors import error_of
from supervisor.host.answers import answer_to, loaded
from supervisor.host.bulk import Bulk
from supervisor.host.children import Family
from supervisor.host.dead_letters import KeepsDeadLetters
from supervisor.host.dialog import Dialog, host_failure
from supervisor.host.durably import Durably
from supervisor.host.following import Follower
from supervisor.host.handles import bind
from supervisor.host.listening import Listens
from supervisor.host.new_systems import is_object, spec_of
from supervisor.host.taking import Takes
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    AllStatusGiven,
    ConnectAll,
    DisconnectAll,
    GetAllStatus,
    GetStatus,
    RestartSystem,
    StatusGiven,
    SupervisorRequest,
    SystemRestarted,
    SystemStatus,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.runtime.directory import RuntimeDirectory, default_directory
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import SystemSpec
from supervisor.specs.system_options import SystemOptions

T = TypeVar("T")

_log = logging.getLogger(loggers.MANAGER)


class ExternalSystemManager(Bulk, Durably, Family, Follower, KeepsDeadLetters, Listens, Takes):
    """Registers external systems and talks to them by name.

    The systems live in processes of their own, under a supervisor that restarts what
    crashes. The first call that needs it starts this runtime beside the host; it ends
    with :meth:`close`, at the end of ``async with``, with the event loop, or with the
    host, whichever comes first. :meth:`attach` uses a running standalone supervisor.

    All methods run on one event loop, the first that one was awaited on. Many tasks may
    call at once. Without ``strict``, a request that fails logs a warning and gives False,
    None or an empty list; with it, an :class:`~supervisor.ExternalSystemError` is raised.
    So does every call, with :class:`~supervisor.UnavailableError`, once the manager is closed or
    its runtime is over for good; streams end.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        options: SupervisorOptions | None = None,
        direct: bool = True,
    ) -> None:
        """
        Args:
            direct: whether sends, receives, commands and health checks go straight to a
                system's process while it is up; without it all go through the supervisor.
        """
        self._strict = strict
        self._options = options or SupervisorOptions()
        self._dialog = Dialog(self._options, strict, direct)

    @classmethod
    def attach(
        cls, directory: str | Path | None = None, *, strict: bool = False, direct: bool = True
    ) -> ExternalSystemManager:
        """A manager of the systems of a running standalone supervisor.

        Args:
            directory: its runtime directory; None takes the default one.
            direct: as of a manager with a runtime of its own.

        :meth:`close` leaves the supervisor running. A supervisor that is not there is an
        ``OSError`` of the first call.
        """
        manager = cls(strict=strict)
        path = default_directory() if directory is None else Path(directory)
        manager._dialog.attach_to(RuntimeDirectory(path).socket_path, direct)
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
        if not self._dialog.session.is_in_fork:  # else it is not this process's to close
            await self.close()

    # ---- registering ---------------------------------------------------------------------

    def register_system(
        self,
        system: ExternalSystemInterface | SystemSpec,
        *,
        group: str | None = None,
        **options: Unpack[SystemOptions],
    ) -> bool:
        """Register a system; it is started by the next call that is awaited.

        Args:
            system: an object, which becomes a handle for its actor: from now on its
                methods act there. Each incarnation starts as the object is now. Or a spec.
            group: the group it is to be in; None is the root group.
            options: fields of :class:`~supervisor.SystemSpec` for an object, such as
                ``restart=RestartPolicy(max_restarts=10, period=60)``.

        Returns:
            False if the name is taken, or it cannot be registered: the spec of an unknown
            kind, or with wrong ``connection_details``, an object that cannot be pickled. What only
            the system's process can tell, or another program's supervisor, is told by the call
            that starts it; a refused object is then what it was before.
        """
        self._dialog.session.check_process()
        name = getattr(system, "system_name" if is_object(system) else "name", None)
        over = self._dialog.session.over
        if over is not None:
            return self._refuse_registration(name, FailureCode.UNAVAILABLE, over)
        if isinstance(name, str) and name in self._dialog.names:
            text = "there is a system of this name; unregister it first"
            return self._refuse_registration(name, FailureCode.ALREADY_STARTED, text)
        try:
            is_attached = self._dialog.session.is_attached
            spec = spec_of(system, options, is_attached=is_attached)
            unbind = bind(system, self) if is_object(system) else _nothing
        except (ValueError, TypeError) as error:
            return self._refuse_registration(name, FailureCode.INVALID_REQUEST, str(error))
        self._dialog.register(spec, group, unbind)
        return True

    async def unregister_system(self, name: str) -> bool:
        """Disconnect a system, end its process and forget it."""
        done = await self._order(UnregisterSystem(name), SystemUnregistered)
        if done:
            self._dialog.forget(name)
        return done

    async def start(self) -> None:
        """Start or attach to the runtime, and start what was registered; other calls do
        this when they need it.

        Raises:
            RuntimeError: the runtime did not start.
            OSError: there is no supervisor to attach to.
            UnavailableError: with ``strict``, if the manager is closed.
        """
        await self._is_ready()

    # ---- connecting, sending, receiving --------------------------------------------------

    async def connect_all(self, *, keep_trying: bool = True) -> bool:
        """Connect all systems at once; True when all are connected.

        Args:
            keep_trying: as of :meth:`connect_system`, for those that fail.
        """
        return await self._order_all(ConnectAll(keep_trying=keep_trying))

    async def disconnect_all(self) -> bool:
        """Disconnect all systems at once; True when all are disconnected."""
        return await self._order_all(DisconnectAll())

    async def connect_system(self, name: str, *, keep_trying: bool = True) -> bool:
        """Connect a system; True when it is connected. From now on it is meant to be: whenever
        it is not, it is connected again.

        Args:
            keep_trying: whether it is meant to be connected also if this fails, and is tried
                again, with the waits of its ``reconnect``, until it works or
                :meth:`disconnect_system` ends that.
        """
        return await self._order(ConnectSystem(name, keep_trying=keep_trying), SystemConnected)

    async def disconnect_system(self, name: str) -> bool:
        """Disconnect a system, and end all attempts to connect it."""
        return await self._order(DisconnectSystem(name), SystemDisconnected)

    async def send_data_to_system(
        self, name: str, data: Any, *, durable: bool | None = None, wait: bool = False
    ) -> bool:
        """Send an item; True when the system took it. Sends of one task keep their order.

        Args:
            durable: whether it goes by way of the system's outbox: True then comes as soon as it
                is on the disk, or, with ``wait``, when it is delivered. None does as the system's
                spec says.
        """
        result = await self._dialog.send(name, data, Manner(durable, wait))
        return self._give_up(result, False) if isinstance(result, Failure) else True

    async def receive_data_from_system(self, name: str, timeout: float | None = None) -> Any | None:
        """Take an item; None when none comes.

        Args:
            timeout: seconds to wait for one; None waits as long as the system's own
                ``receive_data`` does. A call that is cancelled takes nothing.
        """
        reply = await self._dialog.ask(ReceiveData(name, timeout))
        if isinstance(reply, DataReceived):
            return self._or_give_up(loaded(reply))
        return self._give_up(reply, None) if isinstance(reply, Failure) else None

    async def receive_many_from_system(
        self, name: str, max_items: int, timeout: float | None = None
    ) -> list[Any]:
        """Take up to ``max_items`` items, waiting ``timeout`` seconds for the first."""
        reply = await self._dialog.ask(ReceiveMany(name, max_items, timeout))
        if isinstance(reply, ManyReceived):
            return self._or_give_up(loaded(reply)) or []
        return self._give_up(reply, list[Any]())

    async def query_system(self, name: str, data: Any, timeout: float | None = None) -> Any:
        """Ask a system a question; its own answer, or None.

        Questions and sends go out in the order of asking. A question is never asked twice, and
        an answer that comes too late is never taken for another's: see
        :meth:`~actors.ExternalSystemInterface.query_data`.

        Args:
            timeout: seconds to wait for the answer, from when the question has gone out; None
                waits as long as the system's own ``query_timeout`` says.
        """
        return await self._answer_to(QueryData(name, data, timeout))

    async def call_command(self, name: str, command: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a system that is marked with ``@command``."""
        request = CallCommand(name, command, args, kwargs)
        return await self._answer_to(request, f"{command}: ")

    # ---- looking after -------------------------------------------------------------------

    async def check_health(self, name: str) -> bool:
        """What the system's own ``check_health`` says; False also when it cannot answer."""
        reply = await self._dialog.ask(CheckHealth(name))
        if isinstance(reply, HealthChecked):
            return reply.healthy
        return self._give_up(reply, False)

    async def invalidate_cache(self, name: str, command: str | None = None) -> int | None:
        """Have a system's ``cache`` give no answer again that it has. A question that is asked
        after this is put to the system.

        Args:
            command: only answers of this command; None forgets all.

        Returns:
            how many answers were forgotten.
        """
        reply = await self._ask_for(InvalidateCache(name, command), CacheInvalidated)
        return None if reply is None else int(reply.answers)

    async def restart_system(self, name: str) -> bool:
        """End a system's process and start the next, also from quarantine."""
        return await self._order(RestartSystem(name), SystemRestarted)

    async def status(self, name: str) -> SystemStatus | None:
        """How a system fares."""
        reply = await self._dialog.ask(GetStatus(name))
        return reply.status if isinstance(reply, StatusGiven) else self._give_up(reply, None)

    async def status_all(self) -> tuple[SystemStatus, ...]:
        """How all systems fare, in the order of their registration."""
        reply = await self._dialog.ask(GetAllStatus())
        if isinstance(reply, AllStatusGiven):
            return reply.systems
        return self._give_up(reply, ())

    @property
    def ended(self) -> str | None:
        """Why nothing can be asked any more; None while it can."""
        return self._dialog.session.over

    @property
    def supervisor_pid(self) -> int | None:
        """The supervisor's process; None while there is none, and where the operating
        system does not tell."""
        return self._dialog.session.supervisor_pid

    @property
    def state_dir(self) -> str | None:
        """Where the supervisor's journal is, or would be; None while there is no supervisor."""
        return self._dialog.session.state_dir

    def is_connected(self, name: str) -> bool:
        """Whether a system is connected, as far as this process has heard."""
        self._dialog.session.check_process()
        return name in self._dialog.connected

    # ---- ending --------------------------------------------------------------------------

    async def stop_supervisor(self) -> None:
        """Disconnect and end all systems, and the supervisor with them, also an attached
        one; then the manager is closed."""
        if not await self._is_ready():
            return
        await self._dialog.session.stop_supervisor()
        self._dialog.streams.end()

    async def close(self) -> None:
        """Disconnect all systems and end the runtime; an attached supervisor runs on."""
        await self._dialog.session.close()
        self._dialog.streams.end()

    # ---- details -------------------------------------------------------------------------

    async def _is_ready(self) -> bool:
        """Whether anything can be asked, once the runtime is started or attached to; what is
        over is a failure like any other."""
        failure = await self._dialog.until_ready()
        return failure is None or self._give_up(failure, False)

    async def _order(self, request: Request, done: type[Reply]) -> bool:
        return await self._ask_for(request, done) is not None

    async def _ask_for(self, request: Request | SupervisorRequest, wanted: type[Reply]) -> Any:
        """The reply, if it is the one wanted; else what this manager gives for a failure."""
        reply = await self._dialog.ask(request)
        return reply if isinstance(reply, wanted) else self._give_up(reply, None)

    async def _order_all(self, request: ConnectAll | DisconnectAll) -> bool:
        reply = await self._dialog.ask(request)
        if not isinstance(reply, AllConnected | AllDisconnected):
            return self._give_up(reply, False)
        settled = self._settle(dict(reply.results), "systems failed")
        return all(settled.values())

    async def _answer_to(self, request: QueryData | CallCommand, what: str = "") -> Any:
        """As of :func:`answer_to`, in this manager's manner."""
        return self._or_give_up(await answer_to(self._dialog, request, what))

    def _or_give_up(self, result: Any | Failure) -> Any:
        return self._give_up(result, None) if isinstance(result, Failure) else result

    def _give_up(self, reply: Reply, value: T) -> T:
        """What a failed request gives, in this manager's manner."""
        if not isinstance(reply, Failure):
            raise TypeError(f"unexpected reply: {reply}")
        if self._strict:
            raise error_of(reply)
        _log.warning("%s", reply.text)
        return value

    def _refuse_registration(self, name: object, code: FailureCode, text: str) -> bool:
        return self._give_up(host_failure(name, f"cannot register: {text}", code), False)


def _nothing() -> None:
    """A spec is none the worse for being refused."""
