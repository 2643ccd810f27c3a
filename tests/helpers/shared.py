"""A runtime that the tests of a module use one after the other.

Starting one takes most of the time of a test that has it to itself. So where no test ends a
supervisor or changes its options, each has a manager of its own, attached to the module's
runtime, and finds it empty: :func:`with_shared_manager`, in a module that uses the fixture
``shared_runtime``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from actors import ExternalSystemInterface
from supervisor import ExternalSystemManager, SupervisorOptions, SystemSpec
from supervisor.runtime.embedded import EmbeddedRuntime
from tests.conftest import (
    check_threads_and_descriptors,
    open_descriptors,
    running_threads,
    wait_until_none,
)
from tests.helpers.processes import actors_of
from tests.helpers.support import PATIENCE, QUIET, until_linked

T = TypeVar("T")


class SharedRuntimes:
    """One for each set of options, as the tests need them."""

    def __init__(self) -> None:
        self._runtimes: dict[SupervisorOptions, EmbeddedRuntime] = {}

    def directory(self, options: SupervisorOptions) -> Path:
        """Of a runtime that serves, with nothing on it."""
        if options not in self._runtimes:
            self._runtimes[options] = EmbeddedRuntime.start(options)
        return Path(self._runtimes[options].socket_path).parent

    def end(self, options: SupervisorOptions) -> None:
        self._runtimes.pop(options).stop()

    def close(self) -> None:
        for options in list(self._runtimes):
            self.end(options)


_of_module: SharedRuntimes | None = None


@contextmanager
def shared_runtimes() -> Iterator[None]:
    """Within it, :func:`with_shared_manager` works."""
    global _of_module
    _of_module = SharedRuntimes()
    try:
        _of_module.directory(QUIET)
        yield
    finally:
        _of_module.close()
        _of_module = None


def with_shared_manager(
    work: Callable[[ExternalSystemManager], Coroutine[Any, Any, T]],
    *systems: SystemSpec | ExternalSystemInterface,
    options: SupervisorOptions = QUIET,
    strict: bool = True,
    patience: float = PATIENCE * 2,
) -> T:
    """Run a coroutine with a manager on the module's runtime, with these systems; nothing of
    them is left afterwards.

    Args:
        patience: seconds that it may take.
    """
    assert _of_module is not None, "the module does not use the fixture shared_runtime"
    directory = _of_module.directory(options)
    threads, descriptors = running_threads(), open_descriptors()

    async def main() -> T:
        async with ExternalSystemManager.attach(directory, strict=strict) as manager:
            for system in systems:
                assert manager.register_system(system)
            await manager.start()
            await until_linked(manager)
            return await asyncio.wait_for(work(manager), patience)

    try:
        try:
            return asyncio.run(main())
        finally:
            asyncio.run(clear(directory))
            check_threads_and_descriptors(threads, descriptors)
    except BaseException:
        _of_module.end(options)  # the next test shall not suffer from this one
        raise


async def clear(directory: Path) -> None:
    """Take everything off a runtime, and see that no process of it is left."""
    async with ExternalSystemManager.attach(directory, strict=True, direct=False) as manager:
        for child in await manager.which_children():
            await manager.terminate_child(child.name)
        for child in await manager.which_children():  # the temporary ones are gone
            await manager.delete_child(child.name)
        assert await manager.status_all() == ()
        assert manager.supervisor_pid is not None
        supervisor = psutil.Process(manager.supervisor_pid)
    left = wait_until_none(lambda: actors_of(supervisor))
    assert not left, f"processes of systems left behind: {left}"
