"""``extsys tree`` and ``extsys child`` as somebody at a shell uses them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.helpers.commands import extsys, program, running
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

LINE = """
    [[group]]
    name = "line"
    strategy = "one_for_all"

    [[group.system]]
    name = "pump"
    kind = "mock"
    connect = true
    connection_details = {password = "hunter2"}

    [[system]]
    name = "gauge"
    kind = "mock"
"""


def write(directory: Path, text: str) -> str:
    path = directory.parent / "more.toml"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_children_are_started_shown_terminated_restarted_and_deleted(plant: Path) -> None:
    def child(*args: str) -> str:
        done = extsys(plant, "child", *args)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    started = child("start", write(plant, LINE))
    assert sorted(started.splitlines()) == ["gauge: started", "line: started"]
    listed = json.loads(child("list", "--json"))
    assert {each["name"] for each in listed} == {"plc-1", "plc-2", "line", "gauge"}
    assert child("list", "line").splitlines()[1].split()[:3] == ["pump", "worker", "connected"]
    assert child("count") == "specs 4, active 4, supervisors 1, workers 3\n"
    child("terminate", "line")
    assert child("list", "line").splitlines()[1].split()[:3] == ["pump", "worker", "terminated"]
    assert json.loads(child("count", "--json"))["active"] == 3
    child("restart", "line")
    tree = json.loads(extsys(plant, "tree", "--json").stdout)
    line = next(each for each in tree["children"] if each["name"] == "line")
    assert (line["incarnation"], line["children"][0]["incarnation"]) == (2, 2)
    spec = child("spec", "line")
    assert "strategy: one_for_all" in spec
    assert "hunter2" not in spec
    child("terminate", "line")
    child("delete", "line")
    assert "line" not in extsys(plant, "tree").stdout


def test_refusals_are_one_line_and_exit_code_1(plant: Path) -> None:
    extsys(plant, "child", "start", write(plant, LINE))
    for args, text in [
        (("start", write(plant, LINE)), "choose another, or unregister it first"),
        (("restart", "pump"), "pump: it runs; terminate it first"),
        (("delete", "pump"), "pump: it runs; terminate it first"),
        (("terminate", "pumpe"), "pumpe: no such child; did you mean 'pump'?"),
        (("list", "pump"), "pump: it is a system, and no group"),
        (("terminate", "root"), "root is the whole supervisor"),
    ]:
        done = extsys(plant, "child", *args)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
    extsys(plant, "child", "terminate", "line")
    done = extsys(plant, "child", "restart", "pump")
    assert "its group line does not run; restart that first" in done.stderr
    assert done.returncode == 1  # and not 3: the supervisor is there


def test_the_tree_is_coloured_on_a_terminal_and_not_in_a_pipe(plant: Path) -> None:
    piped = extsys(plant, "tree")
    assert piped.returncode == 0
    assert "\x1b[" not in piped.stdout
    assert [line[:9].rstrip() for line in piped.stdout.splitlines()] == [
        *("root", "├─ plc-1", "└─ plc-2"),
    ]
    assert "\x1b[32m" in on_terminal(plant, "tree")
    assert "\x1b[" not in on_terminal(plant, "tree", NO_COLOR="1")
    assert "\x1b[" not in on_terminal(plant, "tree", "--json")


def on_terminal(directory: Path, *args: str, **environ: str) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            program(directory, *args),
            stdout=theirs,
            env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **environ},
        )
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the end of a terminal whose last writer has gone
            pass
        assert process.wait(PATIENCE) == 0
        return shown.decode()
    finally:
        os.close(ours)


def test_a_watched_tree_is_shown_again_when_something_happens(runtime_dir: Path) -> None:
    with running(runtime_dir):
        watch = subprocess.Popen(
            program(runtime_dir, "tree", "--watch", "--json"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watch.stdout is not None
        with watch.stdout:
            first = json.loads(watch.stdout.readline())
            assert [each["incarnation"] for each in first["children"]] == [1, 1]
            extsys(runtime_dir, "restart", "plc-2")
            while True:
                tree = json.loads(watch.stdout.readline())
                if [each["incarnation"] for each in tree["children"]] == [1, 2]:
                    break
            extsys(runtime_dir, "stop")
            for _ in watch.stdout:
                pass
            assert watch.wait(PATIENCE) == 0
