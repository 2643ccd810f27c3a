"""``extsys broadcast``, as somebody at a shell uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor import SynchronousManager
from tests.helpers.commands import extsys, running

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_an_item_goes_to_all_systems_of_a_pattern_and_each_has_a_line(plant: Path) -> None:
    done = extsys(plant, "broadcast", "plc-*", "go")
    assert (done.returncode, done.stdout) == (1, "plc-1: sent\n")
    assert done.stderr.startswith("extsys: plc-2: not connected")
    assert done.stderr.endswith("[not_connected, not sent]\n")
    extsys(plant, "connect", "plc-2")
    done = extsys(plant, "broadcast", "plc-*", "--as", "json", "-", stdin='{"speed": 3}\n4\n')
    assert (done.returncode, done.stdout, done.stderr) == (0, "plc-1: sent\nplc-2: sent\n" * 2, "")
    got = extsys(plant, "receive", "plc-1", "--count", "9", "--json")
    assert [json.loads(line) for line in got.stdout.splitlines()] == ["go", {"speed": 3}, 4]


def test_a_question_goes_to_all_and_each_answer_has_a_line(plant: Path) -> None:
    done = extsys(plant, "broadcast", "plc-1", "--query", "*IDN?", "a")
    assert (done.returncode, done.stdout) == (0, "plc-1: *IDN?\nplc-1: a\n")
    done = extsys(plant, "broadcast", "plc-1", "--also", "plc-?", "--query", "--json", "x")
    assert done.returncode == 1
    answer, failed = map(json.loads, done.stdout.splitlines())
    assert answer == {"system_name": "plc-1", "data": "x"}
    assert failed["system_name"] == "plc-2"
    assert (failed["failure"]["code"], failed["failure"]["outcome"]) == (
        "not_connected",
        "not_sent",
    )


def test_what_no_system_is_called_is_told_and_the_others_have_it(plant: Path) -> None:
    done = extsys(plant, "broadcast", "tank-*", "--also", "plc-3", "--also", "plc-1", "go", "on")
    assert (done.returncode, done.stdout) == (1, "plc-1: sent\n")
    assert done.stderr.splitlines() == [
        "extsys: plc-3: no such system; did you mean 'plc-2'? [unknown_system, not sent]",
        "extsys: tank-*: no system's name matches this pattern [unknown_system, not sent]",
    ]
    assert extsys(plant, "receive", "plc-1", "--count", "9").stdout == "go\n"
    done = extsys(plant, "broadcast", "plc-[3-9]", "--json", "go")
    assert json.loads(done.stdout) == {
        "system_name": "plc-[3-9]",
        "sent": False,
        "failure": {
            "code": "unknown_system",
            "text": "plc-[3-9]: no system's name matches this pattern",
            "outcome": "not_sent",
        },
    }


def test_wrong_usage_is_told(plant: Path) -> None:
    assert extsys(plant, "broadcast", "plc-*").returncode == 2
    done = extsys(plant, "broadcast", "plc-*", "--wait", "1", "go")
    assert done.returncode == 2
    assert "--wait is for --query" in done.stderr
    assert extsys(plant / "nowhere", "broadcast", "plc-*", "go").returncode == 3


DURABLE = """
    [supervisor]
    state_dir = "{state}"

    [[system]]
    name = "off"
    kind = "mock"
    durable = true

    [[system]]
    name = "on"
    kind = "mock"
    connect = true
"""


def test_what_an_outbox_has_accepted_counts_as_sent(runtime_dir: Path) -> None:
    runtime_dir.parent.mkdir(exist_ok=True)
    with running(runtime_dir, DURABLE.format(state=runtime_dir.parent / "state")):
        done = extsys(runtime_dir, "broadcast", "o*", "go")
        assert (done.returncode, done.stdout) == (0, "off: sent\non: sent\n"), done.stderr
        with SynchronousManager.attach(runtime_dir) as manager:
            assert manager.broadcast("*", "go") == {"off": True, "on": True}
            assert manager.broadcast("*", "go", durable=False) == {"off": False, "on": True}
            assert manager.connect_system("off")
            assert manager.broadcast("*", "last", durable=True, wait=True) == {
                "off": True,
                "on": True,
            }
            assert manager.call_command("off", "sent_items") == ["go", "go", "last"]
