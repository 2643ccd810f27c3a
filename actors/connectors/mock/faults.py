"""Faults on purpose: which call of a mock system goes wrong, and how.

:class:`FaultScript` decides, and does nothing else; :func:`carry_out` and
:func:`carry_out_in_constructor` do it, and decide nothing.
"""

from __future__ import annotations

import enum
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from typing import Any, Final, Literal

import attrs

from actors.errors import ConnectorError, FatalError
from actors.settings import (
    Allowed,
    Mistake,
    MistakesError,
    number,
    one_of,
    read_table,
    seconds,
    text,
    whole_number,
)

Sleep = Callable[[float], Awaitable[Any]]
"""Waits for some seconds, like ``asyncio.sleep``."""

Times = int | Literal["always"]


class Operation(enum.StrEnum):
    """Which calls a fault looks at."""

    CONSTRUCT = "construct"
    """The constructor; where it runs, faults can only block, raise and end the process."""
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SEND = "send"
    RECEIVE = "receive"
    HEALTH = "health"
    ANSWER = "answer"
    """The answer to an item that was sent: a delay makes it late, ``refuse`` loses it."""
    ANY = "any"
    """All of them but the constructor and the answer."""


class FaultAction(enum.StrEnum):
    """What a fault does to a call."""

    FAIL = "fail"
    """Raise ConnectorError: an answer, not a crash."""
    FATAL = "fatal"
    """Raise FatalError: the system is failed until somebody connects or restarts it."""
    LOSE_CONNECTION = "lose_connection"
    """Raise ConnectionResetError; the system is disconnected from then on."""
    REFUSE = "refuse"
    """Return False, or None from a receive."""
    DELAY = "delay"
    """Wait ``seconds`` and up to ``jitter`` more, then go on with the call."""
    BUG = "bug"
    """Raise :class:`InjectedBug`, which no caller expects: a crash."""
    EXIT = "exit"
    """End the process at once with ``exit_code``."""
    KILL = "kill"
    """Send ``signal`` to the own process."""
    HANG_LOOP = "hang_loop"
    """Block the thread of the event loop for ``seconds``; forever without them."""
    STOP_PROCESS = "stop_process"
    """SIGSTOP the own process: all its threads hang, until somebody sends SIGCONT."""


class InjectedBug(RuntimeError):
    """A bug that a fault script asked for. Nobody's fault."""


_WAIT: Final = seconds(zero=True)


@attrs.frozen(kw_only=True)
class Fault:
    """One entry of a fault script.

    Raises:
        ValueError: a field is wrong, or fields do not go together.
    """

    operation: Operation = attrs.field(validator=one_of(*Operation))
    action: FaultAction = attrs.field(validator=one_of(*FaultAction))
    times: Times = attrs.field(
        default=1,
        validator=Allowed(
            text='a whole number, 1 or greater, or "always"',
            types=(int, str),
            check=lambda value: value == "always" or (isinstance(value, int) and value >= 1),
            words=("always",),
        ),
    )
    """How many calls it strikes; ``always`` for every one until the faults are cleared."""
    after: int = attrs.field(default=0, validator=whole_number(0))
    """How many calls it lets pass before the first that it may strike."""
    rate: float = attrs.field(default=1.0, validator=number(0, 1))
    """The share of the calls that it strikes, once it may."""
    seconds: float | None = attrs.field(default=None, validator=_WAIT.or_none())
    """How long a delay or a hang takes. A delay needs it; a hang without it never ends."""
    jitter: float = attrs.field(default=0.0, validator=_WAIT)
    """Seconds that a delay takes longer at most."""
    exit_code: int = attrs.field(default=1, validator=whole_number(0, 255))
    signal: str = attrs.field(
        default="SIGKILL",
        validator=text(
            "a signal's name, such as SIGKILL or SIGSEGV", signal.Signals.__members__.__contains__
        ),
    )
    """The name of the signal that ``kill`` sends."""

    def __attrs_post_init__(self) -> None:
        if self.action is FaultAction.DELAY and self.seconds is None:
            raise MistakesError([Mistake(("seconds",), "is missing; a delay needs it")])
        if self.operation is Operation.CONSTRUCT and self.action is FaultAction.REFUSE:
            raise MistakesError(
                [Mistake(("action",), "must not be refuse, as a constructor returns nothing")]
            )
        if self.operation is Operation.ANSWER and self.action in (
            FaultAction.FAIL,
            FaultAction.FATAL,
        ):
            text = f"must not be {self.action}, as nobody calls for an answer"
            raise MistakesError([Mistake(("action",), text)])

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Fault:
        """The fault that a table of its fields describes.

        Raises:
            MistakesError: every mistake in the table.
        """
        return read_table(cls, table)

    def looks_at(self, operation: Operation) -> bool:
        """Whether calls of ``operation`` are its business."""
        if self.operation is Operation.ANY:
            return operation not in (Operation.CONSTRUCT, Operation.ANSWER)
        return self.operation is operation


@attrs.define
class _Armed:
    """A fault, and what is left of it."""

    fault: Fault
    to_pass: int
    to_strike: Times


class FaultScript:
    """The faults still to come, and the chance behind them. Pure: no I/O, no clock.

    Faults are asked in their order, and the first that strikes has the call to itself:
    those behind it do not count that call. So "fail twice, then exit" is two faults, one
    after the other. Two scripts with the same faults and the same seed decide alike.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int | str = 0) -> None:
        self._random = Random(seed)
        self._armed: list[_Armed] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Put a fault behind those that are still to come."""
        self._armed.append(_Armed(fault, fault.after, fault.times))

    def clear(self) -> None:
        """Forget all faults."""
        self._armed.clear()

    def next(self, operation: Operation) -> Fault | None:
        """What goes wrong with the call that is beginning; None when nothing does.

        Of a delay, ``seconds`` is how long this one takes, jitter included.
        """
        for armed in self._armed:
            if armed.fault.looks_at(operation) and self._strikes(armed):
                if armed.to_strike != "always":
                    armed.to_strike -= 1
                    if not armed.to_strike:
                        self._armed.remove(armed)
                return self._with_jitter(armed.fault)
        return None

    def _strikes(self, armed: _Armed) -> bool:
        if armed.to_pass:
            armed.to_pass -= 1
            return False
        return armed.fault.rate >= 1 or self._random.random() < armed.fault.rate

    def _with_jitter(self, fault: Fault) -> Fault:
        if not fault.jitter or fault.seconds is None:
            return fault
        seconds = fault.seconds + self._random.uniform(0, fault.jitter)
        return attrs.evolve(fault, seconds=seconds, jitter=0.0)


async def carry_out(
    fault: Fault,
    operation: Operation,
    system_name: str,
    *,
    sleep: Sleep,
    block: Callable[[float], object] = time.sleep,
) -> bool:
    """Let a fault strike a call; True when the call goes on, False when it is refused.

    Runs in the process and on the event loop of the call, and may end or block either.

    Args:
        sleep: waits without blocking the event loop.
        block: waits and blocks it.

    Raises:
        ConnectorError, ConnectionResetError, InjectedBug: as the fault's action says.
    """
    if fault.action is FaultAction.REFUSE:
        return False
    if fault.action is FaultAction.DELAY:
        await sleep(fault.seconds or 0.0)
    else:
        _strike(fault, operation, system_name, block)
    return True


def carry_out_in_constructor(
    fault: Fault, system_name: str, *, block: Callable[[float], object] = time.sleep
) -> None:
    """Let a fault strike a constructor, where even a delay blocks.

    Raises:
        ConnectorError, ConnectionResetError, InjectedBug: as the fault's action says.
    """
    if fault.action is FaultAction.DELAY:
        block(fault.seconds or 0.0)
    else:
        _strike(fault, Operation.CONSTRUCT, system_name, block)


_LONG: Final = 3600.0


def _strike(
    fault: Fault, operation: Operation, system_name: str, block: Callable[[float], object]
) -> None:
    where = f"in {operation.value} of {system_name!r}, as its fault script says"
    match fault.action:
        case FaultAction.FAIL:
            raise ConnectorError(f"failure {where}")
        case FaultAction.FATAL:
            raise FatalError(f"fatal failure {where}")
        case FaultAction.LOSE_CONNECTION:
            raise ConnectionResetError(f"connection lost {where}")
        case FaultAction.BUG:
            raise InjectedBug(f"bug {where}")
        case FaultAction.EXIT:
            os._exit(fault.exit_code)
        case FaultAction.KILL:
            # To the calling thread: it then runs no further instruction of the call.
            signal.raise_signal(signal.Signals[fault.signal])
        case FaultAction.STOP_PROCESS:
            signal.raise_signal(signal.SIGSTOP)
        case FaultAction.HANG_LOOP if fault.seconds is not None:
            block(fault.seconds)
        case FaultAction.HANG_LOOP:
            while True:
                block(_LONG)
