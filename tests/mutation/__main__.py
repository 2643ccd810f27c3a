"""``python -m tests.mutation ROOM...``: see the package."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest

from tests.mutation import trials
from tests.mutation.mutants import Mutant, mutants_of

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
Key = tuple[str, str, str, str]


@attrs.define
class Chosen:
    """Which mutants of a module are tried."""

    share: float
    functions: bool
    """Not what is run on import."""
    keys: set[Key] | None = None

    def mutants_of(self, path: str) -> list[Mutant]:
        return [each for each in mutants_of(path) if self._has(each)]

    def _has(self, mutant: Mutant) -> bool:
        if self.keys is not None and mutant.key not in self.keys:
            return False
        return mutant.is_in_share(self.share) and bool(mutant.where or not self.functions)


@attrs.frozen
class Verdict:
    """What has become of a mutant in place of the function that is imported."""

    survived: bool
    anew: bool = False
    """It is to be tried again in a process that imports it."""
    tests: tuple[str, ...] = ()
    """The files of the tests, for that."""
    seconds: float = 0.0


class InPlace(trials.Watcher):
    """Tries the mutants of some modules when all tests are known."""

    def __init__(self, paths: list[str], chosen: Chosen) -> None:
        super().__init__(str(Path(path).resolve()) for path in paths)
        self._paths = paths
        self._chosen = chosen
        self.verdicts: list[list[Verdict]] = []
        self._out = os.fdopen(os.dup(2), "w")  # not what pytest captures

    def after(self, session: pytest.Session) -> None:
        for path in self._paths:
            begin = time.monotonic()
            mutants = self._chosen.mutants_of(path)
            verdicts = [self._try(mutant) for mutant in mutants]
            self.verdicts.append(verdicts)
            for mutant, verdict in zip(mutants, verdicts, strict=True):
                if verdict.survived and not verdict.anew:
                    print(mutant.as_text(), file=self._out, flush=True)
            seconds = time.monotonic() - begin
            print(f"{path}: {len(mutants)} in {seconds:.0f} s", file=self._out, flush=True)

    def _try(self, mutant: Mutant) -> Verdict:
        file = str(Path(mutant.path).resolve())
        tests = self.that_see(mutant)
        on_import = not self.at_import.isdisjoint((file, line) for line in mutant.lines)
        if mutant.where and trials.fits_in_place(mutant):
            if tests and not trials.survives_in_place(mutant, tests):
                return Verdict(survived=False)
            if not on_import:
                return Verdict(survived=True)
        room = f"/{Path(mutant.path).parent}/"
        seeing = [test for test in self.tests if any(f == file for f, _ in test[2])]
        seeing.sort(key=lambda test: room not in str(test[1].path))
        files = dict.fromkeys(str(item.path) for _, item, _ in seeing)
        return Verdict(True, True, tuple(files), sum(cost for cost, _, _ in seeing))


def main() -> int:
    parser = argparse.ArgumentParser(description="Sees whether tests notice a change.")
    parser.add_argument("rooms", nargs="+", metavar="ROOM", help="a folder, or a module")
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants; 1 is all")
    parser.add_argument(
        "--functions", action="store_true", help="not what is run on import, which takes seconds"
    )
    parser.add_argument("--examples", default="10", help="of hypothesis, at most, for a test")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="where they are")
    parser.add_argument(
        "--again",
        type=Path,
        help="a file: the survivors in it, if it is there; what survives is written to it",
    )
    options = parser.parse_args()
    trials.OPTIONS += ["--examples", options.examples]
    paths = sorted({str(path) for room in options.rooms for path in _modules(Path(room))})
    chosen = Chosen(options.share, options.functions)
    if options.again and options.again.exists():
        chosen.keys = {tuple(key) for key in json.loads(options.again.read_text())}
    verdicts = _in_place(paths, chosen, options.tests)
    mutants: list[Mutant] = []
    survivors: list[Mutant] = []
    for path, of_module in zip(paths, verdicts, strict=True):
        begin = time.monotonic()
        all_of_it = chosen.mutants_of(path)
        mutants += all_of_it
        for mutant, verdict in zip(all_of_it, of_module, strict=True):
            survived = verdict.survived
            if verdict.anew and verdict.tests:
                survived = trials.survives_anew(mutant, list(verdict.tests), verdict.seconds)
            if survived:
                survivors.append(mutant)
        anew = sum(each.anew for each in of_module)
        seconds = time.monotonic() - begin
        print(f"{path}: {anew} anew in {seconds:.0f} s", file=sys.stderr, flush=True)
    if options.again:
        options.again.write_text(json.dumps([each.key for each in survivors]))
    complete = chosen.share >= 1.0 and not chosen.functions and chosen.keys is None
    return _report(mutants, survivors, complete)


def _modules(room: Path) -> Iterable[Path]:
    return room.rglob("*.py") if room.is_dir() else [room]


def _in_place(paths: list[str], chosen: Chosen, tests: list[str]) -> list[list[Verdict]]:
    """In a process of its own, so that this one imports nothing of the project."""
    with tempfile.TemporaryFile() as file:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                plugin = InPlace(paths, chosen)
                lines = trials.Lines(plugin.files)
                plugin.at_import = lines.seen
                with lines:
                    status = int(pytest.main([*trials.OPTIONS, *tests], [plugin]))
                pickle.dump(plugin.verdicts, file)
                if plugin.failed:
                    print("These fail anyhow, and are not run:", *plugin.failed, file=sys.stderr)
                file.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        if os.waitpid(pid, 0)[1] != 0:
            raise SystemExit("The tests could not be run; see above.")
        file.seek(0)
        return pickle.load(file)  # type: ignore[no-any-return]


def _report(mutants: list[Mutant], survivors: list[Mutant], complete: bool) -> int:
    listed: set[Key] = set()
    for entry in tomllib.loads(EQUIVALENT.read_text()).get("mutant", []):
        for change in entry["changes"]:
            listed.add((entry["module"], entry["where"], entry["line"], change))
    left = [mutant for mutant in survivors if mutant.key not in listed]
    total = Counter(mutant.path for mutant in mutants)
    alive = Counter(mutant.path for mutant in survivors)
    open_ = Counter(mutant.path for mutant in left)
    print(f"\n{'module':50} mutants  killed  equivalent  left")
    for path, count in total.items():
        numbers = (count, count - alive[path], alive[path] - open_[path], open_[path])
        print(f"{path:50} {numbers[0]:7} {numbers[1]:7} {numbers[2]:11} {numbers[3]:5}")
    for mutant in left:
        print(f"\n{mutant.as_text()}")
    tried, alive_keys = {mutant.key for mutant in mutants}, {mutant.key for mutant in survivors}
    noticed = sorted(listed & tried - alive_keys)
    gone = sorted(key for key in listed - tried if key[0] in total) if complete else []
    for text, keys in (("noticed by a test", noticed), ("there no more", gone)):
        for key in keys:
            print(f"\nListed as equivalent, and {text}:", *key, sep="\n    ")
    return 1 if left or noticed or gone else 0


if __name__ == "__main__":
    sys.exit(main())
