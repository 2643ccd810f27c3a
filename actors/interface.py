"""The one thing a user implements: a connection to one external system."""

from __future__ import annotations

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Literal, TypeVar, overload

from actors.errors import ConnectorError, NoAnswerError, NotSentError

MAX_NAME_LENGTH: Final = 200

_COMMAND_MARK = "__extsys_command__"
_CACHEABLE_MARK = "__extsys_cacheable__"
_LOCAL_MARK = "__extsys_local_check__"
_STALE_ITEMS: Final = 1000
_STALE_WAIT: Final = 0.001
"""Of an object outside a runtime: how many items, for how many seconds, are taken away before a
question, which they cannot answer."""

F = TypeVar("F", bound=Callable[..., Any])


@overload
def command(method: F) -> F: ...


@overload
def command(*, cacheable: bool = False) -> Callable[[F], F]: ...


def command(method: Any = None, *, cacheable: bool = False) -> Any:
    """Mark a coroutine method of an :class:`ExternalSystemInterface` as a command, as ``@command``
    or ``@command(cacheable=True)``.

    A command may be called by name through the runtime, and on the registered object
    from the host. Its arguments and its result cross processes, so they must pickle.

    Args:
        cacheable: whether it is a question that changes nothing: its answer may be given again
            to who calls it with equal arguments, if its system has a ``cache``.

    Raises:
        TypeError: ``method`` is not a coroutine function.
    """
    if method is None:
        return functools.partial(command, cacheable=cacheable)
    if not inspect.iscoroutinefunction(method):
        name = getattr(method, "__qualname__", repr(method))
        raise TypeError(f"@command needs a coroutine method; make it 'async def {name}(...)'")
    setattr(method, _COMMAND_MARK, True)
    setattr(method, _CACHEABLE_MARK, cacheable)
    return method


@functools.cache
def command_names(system_class: type) -> tuple[str, ...]:
    """The names of the commands of a class, its own and inherited ones, sorted."""
    return tuple(
        name
        for name in dir(system_class)
        if getattr(inspect.getattr_static(system_class, name), _COMMAND_MARK, False)
    )


def cacheable_commands(system_class: type) -> frozenset[str]:
    """Those of them that are questions whose answers may be given again."""
    return frozenset(
        name
        for name in command_names(system_class)
        if getattr(inspect.getattr_static(system_class, name), _CACHEABLE_MARK, False)
    )


def tells_answers_apart(system_class: type[ExternalSystemInterface]) -> bool:
    """Whether a class can see which item answers which question."""
    return system_class.answers is not ExternalSystemInterface.answers


def local_check(check_health: F) -> F:
    """Mark a ``check_health`` that does not ask the system: what it says is no sign of its life."""
    setattr(check_health, _LOCAL_MARK, True)
    return check_health


def asks_nobody(check_health: Callable[..., Any]) -> bool:
    """Whether a ``check_health`` is marked so."""
    return getattr(check_health, _LOCAL_MARK, False)


def sends_many_at_once(system_class: type[ExternalSystemInterface]) -> bool:
    """Whether a class has a bulk operation of its own."""
    return system_class.send_many is not ExternalSystemInterface.send_many


def check_system_name(name: object) -> str:
    """Return ``name`` if it can name a system.

    Raises:
        ValueError: it is no string, empty, longer than 200 characters, or has spaces
            around it or characters that do not print.
    """
    if not isinstance(name, str):
        raise ValueError(f"a system name is a string, not {type(name).__name__}")
    if not name:
        raise ValueError("a system name must not be empty")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"a system name has at most {MAX_NAME_LENGTH} characters; "
            f"{name[:20]!r}... has {len(name)}"
        )
    if name != name.strip() or not name.isprintable():
        raise ValueError(
            f"a system name has no surrounding spaces and only printable characters: {name!r}"
        )
    return name


class _Turn(asyncio.Lock):
    """To ask an object that is in no runtime."""

    tainted = False
    """Whether an answer may come that is nobody's."""

    def __reduce__(self) -> tuple[type[_Turn], tuple[()]]:
        return type(self), ()  # with the object, for another process


class ExternalSystemInterface(ABC):
    """A connection to one external system: a device, a broker, a database, an API.

    Subclass it and implement the four abstract coroutines. Once registered, an instance
    lives in a system actor's process, and all its coroutines run on that process's event
    loop. That is not the process's main thread, and ``__init__`` runs there, too:
    ``signal.signal`` raises. The runtime never runs two of ``connect`` and ``disconnect`` at
    once, never two ``send_data`` at once, and never two ``receive_data`` at once; but a send,
    a receive and a command may be in progress together.

    How an error is taken:

    - An expected one (``OSError`` with all its kinds such as ``ConnectionRefusedError``,
      ``TimeoutError`` and ``ssl.SSLError``; ``EOFError``; :class:`~actors.ConnectorError`)
      is an answer: the caller gets a ``Failure`` with the code ``connector_error``. Set
      ``is_connected`` to False if the connection is gone.
    - Of them, :class:`~actors.NotSentError` from ``send_data`` says that the item did
      not go out: the ``Failure`` then has the outcome ``not_sent``, and else ``unknown``.
    - Of them, :class:`~actors.FatalError` says that trying again is of no use: the connection is
      closed, if there is one, and the system is ``failed`` until somebody connects or restarts it.
    - If ``is_connected`` is False after an expected error, and was True before, the error is
      the reason why the connection was lost. Whoever loses it between two calls says the
      reason with :meth:`report_loss`.
    - Any other exception is a bug: the actor reports it, exits, and is restarted.

    Questions (:meth:`query_data`) and their answers are paired by the runtime, from sends and
    receives: while one is asked, nothing else is sent, and what comes is its answer, or came
    unasked. A class for a protocol that numbers its questions overrides :meth:`query_data`.

    Attributes:
        system_name: the name the runtime routes by.
        connection_details: whatever the subclass needs in order to connect.
        is_connected: kept by the subclass.
        check_timeout: seconds that :meth:`check_health` may take after a connect.
        check_on_connect: of a class with a :meth:`check_health` of its own: whether that proves a
            connect, which fails if it does.
        query_timeout: seconds that an answer may take, unless a question says otherwise.
        connected_to: of a system with several addresses, the one it is connected to, such as
            ``host:port``; set by ``connect``. It is printed, so no secret may be in it.
        unasked: what becomes of items that come while a question is asked and are not its
            answer, or came before it: ``receive`` keeps them for who receives, ``drop`` drops
            and counts them.
        quiet_time: seconds for which ``receive_data`` waits in vain before a question is sent, so
            that what came before it is not taken for its answer. None need be spent by a class
            that reads on the event loop; one that reads in a thread must have the time to.
        concurrent_queries: of a class whose own :meth:`query_data` pairs answers by itself:
            the runtime begins questions in the order of asking, and waits for none of them.
    """

    connected_to: str | None = None
    check_timeout: float = 5.0
    check_on_connect: ClassVar[bool] = True
    query_timeout: float = 5.0
    unasked: Literal["receive", "drop"] = "receive"
    quiet_time: float = 0.01
    concurrent_queries: ClassVar[bool] = False

    _extsys_on_loss: Callable[[str | BaseException], None] | None = None
    """Whom :meth:`report_loss` tells; set by the system actor. No subclass has this name."""
    _extsys_ask: Callable[[Any, float], Awaitable[Any]] | None = None
    """What the default :meth:`query_data` does in a system actor, which sets it."""
    _extsys_failed: str | None = None
    """Why it is not connected and not connected again by itself, and what to do; None if that is
    not so. Set by the system actor."""
    _extsys_on_invalidate: Callable[[str | None], None] | None = None
    """Whom :meth:`invalidate_cache` tells; set by the system actor."""
    _extsys_turn: _Turn | None = None
    """Of an object in no runtime: whose turn it is to ask."""

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        self.system_name = system_name
        self.connection_details = connection_details
        self.is_connected = False

    def __repr__(self) -> str:
        # Never the details: they may hold a password.
        state = "connected" if self.is_connected else "disconnected"
        return f"<{type(self).__name__} {self.system_name!r} {state}>"

    def report_loss(self, why: str | BaseException) -> None:
        """Say that the connection is lost, and why; ``is_connected`` becomes False.

        For a connector that learns of it between two calls: in a reader of its own, in a
        callback, also in another thread. The supervisor is told at once, and the reason is in
        the log, in the ``disconnected`` event and in the status.

        Args:
            why: the error, or one line that names the system's address. It is printed.
        """
        self.is_connected = False
        if self._extsys_on_loss is not None:
            self._extsys_on_loss(why)

    def invalidate_cache(self, command: str | None = None) -> None:
        """Say that answers given so far are not true any more: they are not given again.

        For a command or a reader of the connector's own that learns of a change. Without a
        ``cache`` it does nothing. May be called in any thread.

        Args:
            command: only answers of this command; None forgets all.
        """
        if self._extsys_on_invalidate is not None:
            self._extsys_on_invalidate(command)

    @abstractmethod
    async def connect(self) -> bool:
        """Connect; True when connected."""

    @abstractmethod
    async def disconnect(self) -> bool:
        """Disconnect; True when disconnected."""

    @abstractmethod
    async def send_data(self, data: Any) -> bool:
        """Send one item; True when the system took it, False when it did not."""

    @abstractmethod
    async def receive_data(self) -> Any | None:
        """Wait for one item; None when none came in the system's own time."""

    async def query_data(self, data: Any, timeout: float) -> Any:
        """Ask a question; its own answer.

        The default sends ``data`` and waits for what comes next, if :meth:`answers` takes it for
        the answer. What came before is no answer to it. When the answer has not come in time,
        nobody knows whether the next item is that answer, late: unless the class has an
        :meth:`answers` of its own, the connection is closed, and made anew.

        Override it for a protocol that numbers its questions, and then set
        ``concurrent_queries``. One without that may speak with its connection in its own way or
        call ``super().query_data``; ``receive_data`` may be in progress meanwhile, so it must
        not call that.

        Args:
            timeout: seconds to wait for the answer, once the question is sent.

        Raises:
            NotSentError: the question did not go out.
            NoAnswerError: its answer did not come in time.
            ConnectorError: anything else; the question may have been carried out.
        """
        if self._extsys_ask is not None:
            return await self._extsys_ask(data, timeout)
        turn = self._extsys_turn = self._extsys_turn or _Turn()
        async with turn:
            if turn.tainted and not tells_answers_apart(type(self)):
                await self.disconnect()
                await self.connect()
            turn.tainted = False
            await self.receive_many(_STALE_ITEMS, max(_STALE_WAIT, self.quiet_time))
            if not await self.send_data(data):
                raise NotSentError("the system did not take the question")
            turn.tainted = True  # until its answer has come
            try:
                async with asyncio.timeout(timeout):
                    while (item := await self.receive_data()) is None or not self.answers(
                        data, item
                    ):
                        await asyncio.sleep(0)
            except TimeoutError:
                raise NoAnswerError(f"no answer within {timeout:g} s") from None
            turn.tainted = False
            return item

    async def query_many(
        self, questions: Sequence[Any], timeout: float | None = None
    ) -> Sequence[Any | ConnectorError]:
        """Ask questions in order; for each its answer, or why there is none.

        Asks one by one. The runtime does not call it; of a registered object it is the
        manager's ``query_many``.

        Args:
            timeout: seconds to wait for each answer; None for ``query_timeout``.
        """
        results: list[Any] = []
        for question in questions:
            try:
                wait = self.query_timeout if timeout is None else timeout
                results.append(await self.query_data(question, wait))
            except ConnectorError as error:
                results.append(error)
        return results

    def answers(self, question: Any, item: Any) -> bool:
        """Whether ``item`` answers ``question``.

        Override it where that can be seen, from a number, an address or a name in both: late
        answers and what comes unasked are then told apart, and a late answer does not cost the
        connection. The default says True: what comes next is the answer.
        """
        return True

    def another_connection(self) -> ExternalSystemInterface | None:
        """An object for one more connection to the same system, for a pool, not connected; None
        has it built as this one was. It is asked of the first one, whenever one is needed.

        Override it where the connections of a system have something in common.
        """
        return None

    @local_check
    async def check_health(self) -> bool:
        """Whether the connection works. The default only says whether it is connected.

        Override it with a round trip, if the protocol has one. It is then made after each
        connect, too, with ``is_connected`` True and before anything is sent: what accepts
        connections may not be what answers.
        """
        return self.is_connected

    async def send_many(self, items: Sequence[Any]) -> Sequence[bool | ConnectorError]:
        """Send items in order; for each whether the system took it, or why it did not.

        Override it where the system has a bulk operation. The default sends one by one.
        """
        return [await self.send_data(item) for item in items]

    async def receive_many(self, max_items: int, timeout: float) -> list[Any]:
        """Up to ``max_items`` items, waiting at most ``timeout`` seconds for the first.

        Override it where the system has a bulk operation. The default takes one item,
        and then what comes without waiting for more than 10 milliseconds.
        """
        items: list[Any] = []
        wait = timeout
        while len(items) < max_items:
            try:
                item = await asyncio.wait_for(self.receive_data(), wait)
            except TimeoutError:
                break
            if item is None:
                break
            items.append(item)
            wait = 0.01
        return items
