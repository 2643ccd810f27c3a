"""Tries mutants: which tests see them, and whether one of these fails."""

from __future__ import annotations

import gc
import importlib.util
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant

MEMORY = 2 * 2**30
"""Bytes of address space for each process that tries a mutant."""
OPTIONS = ["-q", "-x", "-m", "pure", "-o", "timeout=0"]
OPTIONS += ["-p", "no:cacheprovider", "-p", "tests.mutation.few_examples"]


class Lines:
    """Which lines of some files are run, as long as they are watched."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = set(files)
        self.seen: set[tuple[str, int]] = set()

    def __enter__(self) -> None:
        sys.settrace(self._call)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


class Watcher:
    """A plugin that runs every test once, and knows then which lines each of them runs."""

    def __init__(self, files: Iterable[str]) -> None:
        self.files = list(files)
        self.at_import: set[tuple[str, int]] = set()
        self.tests: list[tuple[float, pytest.Item, set[tuple[str, int]]]] = []
        """The quick ones first: how long it takes, and what it runs."""
        self.failed: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item in session.items:
            lines = Lines(self.files)
            begin = time.process_time()
            with lines:
                good = passes(item)
            if good:
                self.tests.append((time.process_time() - begin, item, lines.seen))
            else:
                self.failed.append(item.nodeid)
        self.tests.sort(key=lambda test: test[0])
        self.after(session)
        return True

    def after(self, session: pytest.Session) -> None:
        """What is to be done with the tests; to be overridden."""

    def that_see(self, mutant: Mutant) -> list[tuple[float, pytest.Item]]:
        """The tests that run a mutant's lines, those of its own room first."""
        file = str(Path(mutant.path).resolve())
        spots = {(file, line) for line in mutant.lines}
        seeing = [(cost, item) for cost, item, seen in self.tests if not spots.isdisjoint(seen)]
        room = f"/{Path(mutant.path).parent}/"
        return sorted(seeing, key=lambda test: room not in str(test[1].path))


def passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=None)
    return not any(report.failed for report in reports)


# ---- in place ------------------------------------------------------------------------------


def fits_in_place(mutant: Mutant) -> bool:
    """Whether the function that it is in can be changed where it is."""
    new = [each for each in _codes_in(mutant.code) if each.co_qualname == mutant.where]
    functions = _functions_of(mutant.code.co_filename)
    old = [each.__code__ for each in functions if each.__code__.co_qualname == mutant.where]
    return bool(old) and {each.co_freevars for each in old} == {each.co_freevars for each in new}


def survives_in_place(mutant: Mutant, tests: list[tuple[float, pytest.Item]]) -> bool:
    """Change the functions of a module that is imported already, and see whether the tests
    pass still."""

    def passing() -> bool:
        _put_in_place(mutant.code)
        for cost, item in tests:
            # By default its signal ends the process. Watched it took several times as long.
            signal.setitimer(signal.ITIMER_PROF, 0.5 + cost)
            if not passes(item):
                return False
        return True

    return in_a_fork(passing, 2 + sum(cost for cost, _ in tests))


def _put_in_place(code: CodeType) -> None:
    changed: dict[tuple[str, int], list[CodeType]] = defaultdict(list)
    for each in _codes_in(code):
        changed[each.co_qualname, each.co_firstlineno].append(each)
    for function in _functions_of(code.co_filename):
        old = function.__code__
        new = changed.get((old.co_qualname, old.co_firstlineno), [])
        # Of two lambdas on a line it is not known which is which.
        if len(new) == 1 and new[0].co_freevars == old.co_freevars:
            function.__code__ = new[0]
    for kept in _caches():
        kept.cache_clear()


@cache
def _functions_of(file: str) -> list[FunctionType]:
    """All that live, also those that are methods, decorated, or have another name elsewhere."""
    gc.unfreeze()
    _caches()
    functions = [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]
    return [function for function in functions if function.__code__.co_filename == file]


@cache
def _caches() -> list[Any]:
    """What keeps results of functions of ours, which may be those of before."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, type(_functions_of))]
    return [each for each in found if each.__module__.startswith(("actors", "supervisor"))]


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes_in(each)


# ---- anew ----------------------------------------------------------------------------------


def survives_anew(mutant: Mutant, tests: list[str], cost: float) -> bool:
    """Import everything with the module changed, and see whether the tests pass still. Only
    for a process that has imported nothing of the project yet."""

    def passing() -> bool:
        sys.meta_path.insert(0, _Changed(mutant))
        return pytest.main([*OPTIONS, *tests]) in (0, 5)

    return in_a_fork(passing, 10 + cost)


class _Changed(MetaPathFinder, Loader):
    """Imports a mutant in place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        path = self._mutant.path
        inside = [str(Path(path).parent)] if path.endswith("__init__.py") else None
        return importlib.util.spec_from_file_location(
            name, path, loader=self, submodule_search_locations=inside
        )

    def exec_module(self, module: ModuleType) -> None:
        exec(self._mutant.code, module.__dict__)


# ---- in a process of its own ---------------------------------------------------------------


def in_a_fork(passing: Any, seconds: float) -> bool:
    """Whether something is true in a child process; if it takes too long it is not.

    Args:
        seconds: of processor time.
    """
    gc.freeze()  # or else each child copies what its collector touches
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            limit = int(seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(30 + 4 * limit)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            good = passing()
        finally:
            os._exit(0 if good else 1)
    return os.waitpid(pid, 0)[1] == 0
