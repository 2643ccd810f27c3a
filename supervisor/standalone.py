"""A supervisor as a process of its own, in the foreground: what ``extsys run`` does.

This process becomes the runtime's root.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from actors.logs import log_to_stderr
from actors.messages import Failure, FailureCode
from supervisor.cli_format import count
from supervisor.config import Config
from supervisor.directory import RuntimeDirectory
from supervisor.messages import RegisterSystem, SystemRegistered
from supervisor.root import EXIT_OK, EXIT_SUPERVISOR_DIED, Root, signals_as_descriptor


def run_standalone(config: Config, directory: Path) -> int:
    """Run a supervisor with the systems of a configuration, until a SIGTERM, a Ctrl-C or
    ``extsys stop``.

    Returns:
        the exit code.

    Raises:
        DirectoryError: the runtime directory cannot be used.
        RuntimeError: the supervisor did not start.
    """
    log_to_stderr(config.options.log_level.value)
    held = RuntimeDirectory(directory)
    existed = directory.exists()
    held.take()
    root = Root(held, config.options)
    orderly = False
    try:
        root.start()
        # Only now: what is forked by start would inherit the handlers.
        with signals_as_descriptor(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as wake_fd:
            _register(root, config)
            # Said only now: whoever attaches because of it finds the systems registered.
            _say(f"supervising {count(len(config.systems))} in {directory} (pid {os.getpid()})")
            orderly = _serve(root, wake_fd)
    finally:
        root.end()
        held.release(remove=not existed)
    if not orderly:
        logging.getLogger(__name__).error("the supervisor died; its systems ended with it")
        return EXIT_SUPERVISOR_DIED
    _say("stopped")
    return EXIT_OK


def _register(root: Root, config: Config) -> None:
    assert root.connection is not None
    root.connection.send(*(RegisterSystem(spec) for spec in config.systems))


def _serve(root: Root, wake_fd: int) -> bool:
    """Wait for the end; False if the supervisor died."""
    assert root.connection is not None
    if not root.wait([wake_fd], on_message=_report):
        return root.connection.closing
    os.read(wake_fd, 1)
    _say("stopping; once more to stop at once")
    root.stop(None, wake_fd)
    return True


def _report(message: object) -> None:
    """Say how the registrations went."""
    if isinstance(message, Failure) and message.code is not FailureCode.UNAVAILABLE:
        # An unavailable one is quarantined, and the supervisor said so.
        logging.getLogger(__name__).error("%s", message.text)
    elif isinstance(message, SystemRegistered):
        logging.getLogger(__name__).info("%s is up", message.system_name)


def _say(text: str) -> None:
    print(f"extsys: {text}", file=sys.stderr, flush=True)
