"""Which errors of a connector are an answer, and which are a crash."""

from __future__ import annotations

from typing import Final


class ConnectorError(Exception):
    """The external system refused or failed; the connector's user can do something about it.

    Raise it from a connector for every failure that is no bug of the connector.
    """


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


def describe(error: BaseException) -> str:
    """One line for a person: the exception's type and what it says."""
    try:
        text = str(error)
    except Exception as failure:  # the exception's own code; a crash must be told all the same
        text = f"(its text cannot be read: {type(failure).__name__})"
    return f"{type(error).__name__}: {shorten(text)}" if text else type(error).__name__


def shorten(text: str, most: int = 2000) -> str:
    """The begin and the end of a text that is too long to be passed on."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} ... ({len(text) - most:,} characters left out) ... {text[-half:]}"
