"""The benchmarks run, measure everything, and leave nothing. How fast is no matter here."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from benchmarks.grid import Absence, Comparison, Line, Target
from benchmarks.rounds import Samples, interleave, order, told
from benchmarks.worker import NoWorker, WorkerError

ROOT = Path(__file__).parent.parent
MARK = "EXTSYS_BENCHMARK_TEST"
SIDES = ["Unix", "TCP", "UDP", "limit"]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture
def directory():
    """Short: a socket's path in it must not be too long."""
    with tempfile.TemporaryDirectory(prefix="bm-") as path:
        yield Path(path)


def start(directory, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.run", "--quick", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory), MARK: str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(directory):
    """All that a run started, and itself, by the environment that they inherit."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(directory):
                found.append(process)
        except psutil.Error:
            pass  # it has ended, or is not ours
    return found


@on_linux
@pytest.mark.timeout(240)
def test_a_quick_run_measures_everything_and_leaves_nothing(directory, tmp_path):
    file = tmp_path / "results.json"
    run = start(directory, "--json", str(file))
    output, errors = run.communicate(timeout=220)
    assert run.returncode == 0, errors
    assert errors == ""
    assert processes_of(directory) == []
    assert list(directory.iterdir()) == []
    results = json.loads(file.read_text())
    assert results["machine"]["python"]
    assert set(results) == {
        "machine",
        "settings",
        "bases",
        "durable",
        "flatness",
        "manager",
        "policies",
        "runtime",
    }
    for part in ("bases", "durable", "flatness", "manager", "policies", "runtime"):
        for found in (*results[part]["measures"], *results[part].get("comparisons", ())):
            assert found["name"] in output
    check_bases(results["bases"])
    check_flatness(results["flatness"])
    check_manager(results["manager"])
    check_runtime(results["runtime"])


def check_bases(part):
    payloads = [
        (f"{size} there and back, {way}", unit)
        for size in ("100 kB", "1 MB")
        for way in ("direct", "routed")
        for unit in ("ms", "MB/s")
    ]
    assert [(line["name"], line["unit"]) for line in part["measures"]] == [
        ("direct request", "ms"),
        ("routed request", "ms"),
        ("routed, pipelined, 64 outstanding", "items/s"),
        ("routed, pipelined, 20 outstanding", "items/s"),
        *payloads,
        ("create an actor, to its first answer", "ms"),
    ]
    check_sides(part["measures"])
    assert targets(part) == {
        "routed request: Unix / TCP": "at most 0.35",
        "routed request: Unix / limit": "at most 2",
        "routed, pipelined, 64 outstanding: Unix / TCP": "at least 8",
    }


def check_flatness(part):
    assert [line["name"] for line in part["measures"]] == [
        f"routed, {leaves} leaves, {asked}"
        for asked in ("one leaf", "leaves in turns")
        for leaves in (2, 8)
    ]
    check_sides(part["measures"])
    assert targets(part) == {
        "Unix, one leaf: 8 / 2 leaves": "at most 1.3",
        "Unix, leaves in turns: 8 / 2 leaves": "at most 1.3",
    }


def check_sides(lines):
    for line in lines:
        assert list(line["sides"]) == SIDES
        for side, cell in line["sides"].items():
            if side in measured():
                assert_positive(cell, (line["name"], side))
    # On a busy machine Thespian's own bases repeat or lose a message now and then.
    assert any("why" not in line["sides"]["TCP"] for line in lines)


def check_manager(part):
    assert targets(part) == {
        "send, manager, one at a time / bare direct request on Unix": "at most 1.6",
        "send, manager, 1,000 tasks / bare routed request on TCP": "at least 50",
        "memory per system actor (PSS), 3 systems": "at most 6",
    }
    for comparison in part["comparisons"]:
        sides = [side for side in SIDES if side in comparison["name"]]
        if set(sides) <= set(measured()):
            assert_positive(comparison["value"], comparison["name"])


def check_runtime(part):
    assert [measure["name"] for measure in part["measures"]] == [
        "request, ActorSystem.ask, one at a time",
        "send, manager, one at a time",
        "send, pipelined from one task",
        "receive, pipelined from one task",
        "send, 1,000 tasks at once, vs one at a time",
        "restart: kill -9 to first answer",
        "restart: 5 killed at once, all answer",
        "memory per system (PSS)",
    ]
    for measure in part["measures"]:
        sides = ("ours",) if "at once, all answer" in measure["name"] else ("ours", "bare", "ratio")
        for side in sides:
            assert_positive(measure[side], (measure["name"], side))
    assert_positive(part["orientation"]["bare direct ask (ms)"], "direct")


def measured():
    """The sides that have every number."""
    return ("Unix", "limit")


def targets(part):
    return {found["name"]: found["target"] for found in part["comparisons"] if found["target"]}


def assert_positive(summary, what):
    assert "why" not in summary, (what, summary)
    assert all(value > 0 for value in summary.values()), what


@on_linux
def test_an_interrupted_run_leaves_nothing(directory):
    run = start(directory)  # all of it, so that it is not over before it is interrupted
    try:
        end = time.monotonic() + 60
        while len(processes_of(directory)) < 5:
            assert time.monotonic() < end, "it starts no actors"
            time.sleep(0.05)
    finally:
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert errors == ""
    assert processes_of(directory) == []
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("ways", [2, 3, 4, 5, 8])
def test_no_way_always_follows_the_same_other_one(ways):
    rounds = ways * 2 if ways % 2 else ways
    orders = [order(ways, number) for number in range(rounds)]
    assert all(sorted(places) == list(range(ways)) for places in orders)
    follows = Counter(pair for places in orders for pair in pairwise(places))
    assert len(follows) == ways * (ways - 1)
    assert len(set(follows.values())) == 1


def test_every_round_but_the_first_counts():
    clock = iter(range(100))
    samples = interleave([{"a": lambda: next(clock), "b": lambda: next(clock)}], 3)
    assert sum(len(found.values) for found in samples.values()) == 6
    assert min(min(found.values) for found in samples.values()) == 2


def test_a_way_that_fails_is_left_out_and_tells_why():
    missing = NoWorker("there is none", "skipped")
    samples = interleave([{"a": told(missing, "direct", 1), "b": lambda: 1.0}], 2)
    assert samples["b"].values == [1.0, 1.0]
    line = Line.of("direct", "s", samples, float)
    assert line.sides["a"] == Absence("skipped", "there is none")
    comparison = Comparison.of("a / b", samples["a"], samples["b"], Target(1))
    assert comparison.value == Absence("skipped", "there is none")
    assert comparison.met is None


@pytest.mark.parametrize(
    ("target", "met"),
    [(Target(2), True), (Target(1.9), False), (Target(2.1, at_least=True), False)],
)
def test_a_ratio_is_taken_within_rounds_and_judged_by_its_median(target, met):
    over, under = Samples([2.0, 40.0, 3.0]), Samples([1.0, 20.0, 1.0])
    comparison = Comparison.of("over / under", over, under, target)
    assert comparison.value.median == 2
    assert comparison.met is met


def test_no_ratio_is_taken_of_a_way_that_failed_later():
    over = Samples([2.0], WorkerError("no answer"))
    comparison = Comparison.of("over / under", over, Samples([1.0, 1.0]))
    assert comparison.value == Absence("failed", "no answer")
