"""Failures as exceptions, for hosts that ask for them with ``strict=True``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

from actors.messages import Failure, FailureCode, Outcome


class ExternalSystemError(Exception):
    """A request to a supervised system failed.

    Attributes:
        failure: the code, the text, and what happened to the data.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        outcome = self.failure.outcome
        fate = "not sent" if outcome is Outcome.NOT_SENT else "unknown whether it was done"
        return f"{self.failure.text} [{self.failure.code}, {fate}]"


class UnknownSystemError(ExternalSystemError):
    """No system of this name is registered. The caller's fault."""


class DuplicateSystemError(ExternalSystemError):
    """A child of this name is there already. The caller's fault."""


class AlreadyStartedError(DuplicateSystemError):
    """It runs."""


class AlreadyPresentError(DuplicateSystemError):
    """It does not run, but its spec is kept: restart it, or delete it first."""


class ChildNotFoundError(ExternalSystemError):
    """There is no child, or no group, of this name. The caller's fault."""


class ChildRunningError(ExternalSystemError):
    """The child must not run for this, and does: terminate it first."""


class ChildRestartingError(ExternalSystemError):
    """The child must not run for this, and is being restarted: terminate it first."""


class NotConnectedError(ExternalSystemError):
    """The system is not connected."""


class SystemFailedError(NotConnectedError):
    """The system cannot be connected for a reason that somebody must mend first; it is not tried
    again by itself: restart or connect it then."""


class SystemCrashedError(ExternalSystemError):
    """The system's process ended while it had the request."""


class RequestTimeoutError(ExternalSystemError):
    """Nothing came back in time."""


class OverloadedError(ExternalSystemError):
    """Too much waits for the system already; nothing was taken."""


class RateLimitedError(ExternalSystemError):
    """The system's rate limit lets no more through just now; nothing was sent."""


class InvalidRequestError(ExternalSystemError):
    """The request makes no sense. The caller's fault."""


class InvalidSpecError(InvalidRequestError):
    """A spec does not fit where it was to be added. The caller's fault."""


class EventsLostError(ExternalSystemError):
    """Events were asked for that are not kept any more: begin anew with the present state."""


class UnknownCommandError(ExternalSystemError):
    """The system has no such command. The caller's fault."""


class ConnectorFailedError(ExternalSystemError):
    """The external system refused or failed, says its connector."""


class RefusedItemError(ConnectorFailedError):
    """The connector says that this item cannot be sent: of the wrong type, too long, with the
    delimiter in it. The caller's fault."""


class CircuitOpenError(ExternalSystemError):
    """Too many of the last calls failed: the circuit breaker lets none through for a while, as
    ``failure.retry_after`` says. Nothing was sent."""


class UnavailableError(ExternalSystemError):
    """The system is restarting, quarantined or being stopped, or the supervisor is gone."""


class NotTriedError(ExternalSystemError):
    """An item before it failed, and it was to wait for that one."""


class DeadLetterError(ExternalSystemError):
    """It was accepted, and is not tried any more: it failed too often."""


class PartlyFailedError(ExceptionGroup[ExternalSystemError]):
    """Some of several requests failed, perhaps all; the exceptions in it say which, and why.

    Attributes:
        results: of each request, in the list or dict that the call would have given, with the
            :class:`~actors.messages.Failure` in the place of what failed.
    """

    results: Any

    def __new__(cls, text: str, errors: Sequence[ExternalSystemError], results: Any) -> Self:
        made = super().__new__(cls, text, errors)
        made.results = results
        return made

    def __init__(self, text: str, errors: Sequence[ExternalSystemError], results: Any) -> None:
        super().__init__(text, errors)  # not the results: they would be printed
        self.results = results

    def derive(self, errors: Sequence[ExternalSystemError]) -> PartlyFailedError:  # type: ignore[override]
        return PartlyFailedError(self.message, errors, self.results)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.exceptions, self.results)


_ERRORS: Final[dict[FailureCode, type[ExternalSystemError]]] = {
    FailureCode.UNKNOWN_SYSTEM: UnknownSystemError,
    FailureCode.ALREADY_STARTED: AlreadyStartedError,
    FailureCode.ALREADY_PRESENT: AlreadyPresentError,
    FailureCode.NOT_FOUND: ChildNotFoundError,
    FailureCode.RUNNING: ChildRunningError,
    FailureCode.RESTARTING: ChildRestartingError,
    FailureCode.INVALID_SPEC: InvalidSpecError,
    FailureCode.EVENTS_LOST: EventsLostError,
    FailureCode.NOT_CONNECTED: NotConnectedError,
    FailureCode.FAILED: SystemFailedError,
    FailureCode.SYSTEM_CRASHED: SystemCrashedError,
    FailureCode.TIMEOUT: RequestTimeoutError,
    FailureCode.OVERLOADED: OverloadedError,
    FailureCode.RATE_LIMITED: RateLimitedError,
    FailureCode.INVALID_REQUEST: InvalidRequestError,
    FailureCode.UNKNOWN_COMMAND: UnknownCommandError,
    FailureCode.CONNECTOR_ERROR: ConnectorFailedError,
    FailureCode.ITEM_REFUSED: RefusedItemError,
    FailureCode.CIRCUIT_OPEN: CircuitOpenError,
    FailureCode.UNAVAILABLE: UnavailableError,
    FailureCode.NOT_TRIED: NotTriedError,
    FailureCode.DEAD_LETTER: DeadLetterError,
}


def error_of(failure: Failure) -> ExternalSystemError:
    """The exception for a failure."""
    return _ERRORS[failure.code](failure)
