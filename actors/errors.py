"""The three kinds of a connector's failures: what is tried again, what somebody must mend first,
and what is a bug."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final


class ConnectorError(Exception):
    """The external system refused or failed, or cannot be reached: it is worth to try again.

    Raise it from a connector for every failure that is no bug of the connector.
    """


class FatalError(ConnectorError):
    """Trying again is of no use until somebody has mended something: what the system was asked
    to connect with, or the system itself.

    Raise it, or better one of the kinds below, only where that is certain: the connection is
    given up, and the system is not connected again before somebody asks for it.
    """


class AuthenticationRefusedError(FatalError):
    """The system does not let this user in: a password, a token or a certificate of ours."""


class CertificateInvalidError(FatalError):
    """The system cannot prove who it is: its certificate is not to be trusted."""


class BadConfigurationError(FatalError):
    """What the connector was told cannot work: a file that is not there, a database that the
    server does not have, a version of the protocol that it does not speak."""


class NotSentError(ConnectorError):
    """Nothing went out of what was to be sent, such as when the connection is found to be gone
    before the first byte.

    Raise it from ``send_data``, or from ``send_many`` if it is true of all its items; the sender
    is then told so, where any other error leaves open what became of them.
    """


class ItemRefusedError(NotSentError):
    """An item cannot be sent: of the wrong type, too long, with the delimiter in it.
    The fault of who sent it.
    """


class NoAnswerError(ConnectorError):
    """The answer to a question did not come in time. It may still come; the question may have
    been carried out."""


class ActorSetupError(Exception):
    """A system could not be built from its definition: its kind or class cannot be found,
    an optional dependency is missing, or the constructor refused. The fault of whoever
    wrote the definition."""


EXPECTED_ERRORS: Final[tuple[type[Exception], ...]] = (ConnectorError, OSError, EOFError)
"""An exception of one of these types is an answer. ``OSError`` has ``ConnectionError``,
``TimeoutError``, ``socket.gaierror`` and ``ssl.SSLError`` below it; ``EOFError`` has
``asyncio.IncompleteReadError``."""


class ErrorKind(enum.StrEnum):
    """What is done about an error."""

    RETRY = "retry"
    """It is the answer to what was asked. Should the connection be gone, it is made again."""
    FATAL = "fatal"
    """It is the answer, and the system is not connected again before somebody asks for it."""
    BUG = "bug"
    """A crash: the process is ended and restarted."""


def kind_of(error: BaseException) -> ErrorKind:
    """Of which kind what a connector raised is."""
    if isinstance(error, FatalError):
        return ErrorKind.FATAL
    return ErrorKind.RETRY if isinstance(error, EXPECTED_ERRORS) else ErrorKind.BUG


ErrorMap = Mapping[type[Exception], Callable[[Any], Exception | None]]
"""By a driver's class of errors, what to raise in its place: a class of ours, which is given the
error's description, or a function that is given the error and returns what to raise; None leaves
it as it is."""


@contextlib.contextmanager
def map_exceptions(errors: ErrorMap, what: str = "") -> Iterator[None]:
    """Raise what a driver raises as an error of ours; to be put right around the call.

    The first class of ``errors`` that fits counts, so name a class before those it is derived
    from. What fits none is raised as it is, and so is what is an error of ours already::

        with map_exceptions({AuthFailed: AuthenticationRefusedError, DriverError: ConnectorError}):
            await self._client.connect()

    Args:
        what: a class's text begins with it, such as ``"cannot connect to db.example.com"``; without
            secrets, as it prints.

    Raises:
        ConnectorError: or whatever else ``errors`` says; the driver's error is its cause.
    """
    try:
        yield
    except ConnectorError:
        raise
    except Exception as error:
        ours = _mapped(errors, error, what)
        if ours is None:
            raise
        raise ours from error


def _mapped(errors: ErrorMap, error: Exception, what: str) -> Exception | None:
    make = next((make for kind, make in errors.items() if isinstance(error, kind)), None)
    if make is None:
        return None
    if not isinstance(make, type):
        return make(error)
    text = describe(error)
    ours: Exception = make(f"{what}: {text}" if what else text)
    return ours


def describe(error: BaseException) -> str:
    """One line for a person: the exception's type and what it says."""
    try:
        text = str(error)
    except Exception as failure:  # the exception's own code; a crash must be told all the same
        text = f"(its text cannot be read: {type(failure).__name__})"
    return f"{type(error).__name__}: {shorten(text)}" if text else type(error).__name__


def with_remedy(text: str) -> str:
    """Why a system has failed, with what is to be done."""
    return f"{text}; it is not tried again: mend the cause, then restart or connect it"


def shorten(text: str, most: int = 2000) -> str:
    """The begin and the end of a text that is too long to be passed on."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} ... ({len(text) - most:,} characters left out) ... {text[-half:]}"
