"""A supervisor as a process of its own, in the foreground: what ``extsys run`` does.

This process becomes the reaper of the runtime, and forks its root.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import attrs

from actors import loggers
from actors.processes.logs import log_to_stderr
from actors.processes.outlet import never_wait_for_readers
from supervisor.cli.client import EXIT_BUSY, EXIT_INTERRUPTED, fail
from supervisor.config.file import Config
from supervisor.durable.store.files import default_state_directory
from supervisor.runtime.directory import DirectoryError, ReplacedError, RuntimeDirectory
from supervisor.runtime.limits import EXIT_OK, EXIT_REPLACED, EXIT_SUPERVISOR_DIED
from supervisor.runtime.processes import signals_as_descriptor
from supervisor.runtime.reaper import run_with_reaper
from supervisor.runtime.root import Interrupted, Root
from supervisor.runtime.scribe import scribe_of
from supervisor.runtime.shortages import raise_descriptor_limit, too_many
from supervisor.specs.options import SupervisorOptions
from supervisor.views.status import count


def run_standalone(config: Config, directory: Path) -> int:
    """Run a supervisor with the systems of a configuration, until a SIGTERM, a Ctrl-C or
    ``extsys stop``. Says on standard error what becomes of it.

    Returns:
        the exit code.
    """
    never_wait_for_readers()
    return run_with_reaper(lambda reaper: _run(config, directory, reaper), passes_on=True)


def _run(config: Config, directory: Path, reaper: int | None) -> int:
    """What the root does.

    Args:
        reaper: gives the signals that the reaper passes on, and ends with it.
    """
    try:
        # With a reaper those that come here come there, too: they are heard once.
        with signals_as_descriptor(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as own:
            return _hold_and_serve(config, directory, own if reaper is None else reaper, reaper)
    except DirectoryError as error:
        fail(EXIT_BUSY, str(error))
    except RuntimeError as error:
        fail(EXIT_SUPERVISOR_DIED, str(error))


def _hold_and_serve(config: Config, directory: Path, asked: int, reaper: int | None) -> int:
    raise_descriptor_limit()
    if (short := too_many(len(config.systems))) is not None:
        _say(short)
    held = RuntimeDirectory(directory)
    existed = os.path.lexists(directory)
    pid = os.getpid() if reaper is None else os.getppid()
    held.take(pid)
    try:
        with scribe_of(held.socket_path, config.options.log_level.number) as scribe:
            log_to_stderr(config.options.log_level.value)
            what = f"{count(len(config.systems))} in {directory} (pid {pid})"
            root = Root(
                *(held, _with_state_dir(config.options)),
                tree=config.tree,
                scribe=scribe,
                on_up=lambda: _say(f"supervising {what}"),
            )
            try:
                root.start([] if reaper is None else [reaper], [asked])
                code, why = _serve(root, asked)
            except Interrupted:
                return _stopped_early(asked)
            finally:
                root.end()
            # The last line says it all: it may be the only one that anybody is shown.
            how = "stopped" if code == EXIT_OK else f"ended (exit code {code})"
            _say(f"{how}: {why}" if why is not None else how)
            return code
    finally:
        held.release(remove=not existed)


def _with_state_dir(options: SupervisorOptions) -> SupervisorOptions:
    """The same options, with the usual place for what outlives the runtime unless there is one."""
    if options.state_dir is not None:
        return options
    return attrs.evolve(options, state_dir=os.path.abspath(default_state_directory()))


def _serve(root: Root, asked: int) -> tuple[int, str | None]:
    """Wait for the end; the exit code, and why the supervisor ended by itself."""
    try:
        closing = root.wait([asked])
    except ReplacedError as error:
        _say(f"{error}; stopping")
        root.stop(None, [asked])
        return EXIT_REPLACED, None
    except RuntimeError as error:
        logging.getLogger(loggers.RUN).error("%s; its systems ended with it", error)
        return EXIT_SUPERVISOR_DIED, None
    if closing is not None:
        return closing.exit_code, closing.reason
    if not os.read(asked, 1):
        return EXIT_SUPERVISOR_DIED, None  # the reaper was killed, and all is to end at once
    _say("stopping; once more to stop at once")
    root.stop(None, [asked])
    return EXIT_OK, None


def _stopped_early(asked: int) -> int:
    if os.read(asked, 1) == bytes([signal.SIGINT]):
        fail(EXIT_INTERRUPTED, "interrupted before the supervisor was up")
    _say("stopped before the supervisor was up")
    return EXIT_OK


def _say(text: str) -> None:
    print(f"extsys: {text}", file=sys.stderr, flush=True)
