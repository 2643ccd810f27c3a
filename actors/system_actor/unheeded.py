"""Exceptions of a connector that nobody takes: in a task of its own, a callback, a thread.

Whoever has a reader in the background, which dies of an exception, has a system that looks well
and does nothing. Python says a word of it when the task is collected, if ever.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from actors import loggers
from actors.errors import EXPECTED_ERRORS, FatalError, describe

GRACE: Final = 1.0
"""Seconds in which whoever made a task may take its exception."""


class Unheeded:
    """Finds them, in a system actor's process."""

    def __init__(
        self,
        on_crash: Callable[[BaseException], None],
        may_have_lost: Callable[[], bool],
        on_loss: Callable[[Exception], None],
    ) -> None:
        """
        Args:
            on_crash: called with an exception that is a crash, in whatever thread.
            may_have_lost: whether the system says that it is not connected, or has lost one of
                its connections; called on the event loop.
            on_loss: called with what may have cost the system its connection, there too.
        """
        self._on_crash = on_crash
        self._may_have_lost = may_have_lost
        self._on_loss = on_loss

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look after a loop, from its own thread, and after all threads."""
        make: Any = self._make_task
        loop.set_task_factory(make)
        loop.set_exception_handler(self._of_loop)
        threading.excepthook = self._of_thread

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        # Those who wait for the task take its exception after this, in the same turn or later.
        if _is_untaken(task):
            task.get_loop().call_later(GRACE, self._judge, task)

    def _judge(self, task: asyncio.Task[Any]) -> None:
        if not _is_untaken(task):
            return
        error = task.exception()
        assert error is not None
        # Of a connector that knows of its loss: it is connected again, like after any other.
        knows = isinstance(error, FatalError) or self._may_have_lost()
        if isinstance(error, EXPECTED_ERRORS) and knows:
            _log().warning("the task %s ended: %s", task.get_name(), describe(error))
            self._on_loss(error)
        else:
            self._on_crash(error)

    def _of_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the loop itself has caught, such as in a callback, or in a future that was
        collected before anybody took its exception."""
        error = context.get("exception")
        if not isinstance(error, BaseException):
            loop.default_exception_handler(context)
        elif isinstance(error, EXPECTED_ERRORS):
            _log().warning("%s: %s", context.get("message", "in the event loop"), describe(error))
        else:
            self._on_crash(error)

    def _of_thread(self, args: threading.ExceptHookArgs, /) -> None:
        threading.__excepthook__(args)
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self._on_crash(args.exc_value)


def _is_untaken(task: asyncio.Task[Any]) -> bool:
    # There is no public way to know; by this asyncio decides whether to say a word of it.
    return bool(getattr(task, "_log_traceback", False))


def _log() -> logging.Logger:
    return logging.getLogger(loggers.SYSTEM_ACTOR)
