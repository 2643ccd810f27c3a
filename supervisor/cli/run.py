"""A supervisor as a process of its own, in the foreground: what ``extsys run`` does.

This process becomes the runtime's root.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from actors import loggers
from actors.processes.logs import log_to_stderr
from supervisor.config.file import Config
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.runtime.limits import EXIT_OK, EXIT_SUPERVISOR_DIED
from supervisor.runtime.processes import signals_as_descriptor
from supervisor.runtime.root import Root
from supervisor.views.status import count


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
    root = Root(held, config.options, tree=config.tree)
    try:
        root.start()
        with signals_as_descriptor(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as wake_fd:
            _say(f"supervising {count(len(config.systems))} in {directory} (pid {os.getpid()})")
            code = _serve(root, wake_fd)
    finally:
        root.end()
        held.release(remove=not existed)
    _say("stopped" if code == EXIT_OK else f"ended (exit code {code})")
    return code


def _serve(root: Root, wake_fd: int) -> int:
    """Wait for the end; the exit code."""
    try:
        closing = root.wait([wake_fd])
    except RuntimeError as error:
        logging.getLogger(loggers.RUN).error("%s; its systems ended with it", error)
        return EXIT_SUPERVISOR_DIED
    if closing is not None:
        if closing.reason is not None:
            _say(closing.reason)
        return closing.exit_code
    os.read(wake_fd, 1)
    _say("stopping; once more to stop at once")
    root.stop(None, wake_fd)
    return EXIT_OK


def _say(text: str) -> None:
    print(f"extsys: {text}", file=sys.stderr, flush=True)
