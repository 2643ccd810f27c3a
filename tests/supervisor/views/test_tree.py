"""How the tree is shown."""

from __future__ import annotations

import json

import pytest

from actors import Policy, Timeouts
from supervisor import GroupSpec, SystemSpec
from supervisor.messages import ChildInfo, ChildrenCounted, ChildType, SystemState
from supervisor.views import tree as fmt
from tests.helpers.shown import TREE, group, system


def test_branches_show_what_is_in_what() -> None:
    text = fmt.tree_as_text(TREE, colour=False)
    assert [line[:8].rstrip() for line in text.splitlines()] == [
        *("root", "├─ a", "├─ g", "│  ├─ b", "│  └─ c", "└─ h", "   └─ d"),
    ]


def test_a_line_tells_state_incarnation_uptime_restarts_and_kind() -> None:
    lines = fmt.tree_as_text(TREE, colour=False).splitlines()
    b, h = lines[3], lines[5]
    assert b.split() == [*["│", "├─", "b", "connected", "#3", "5.0", "s", "restarts", "2", "mock"]]
    assert h.split() == [*["└─", "h", "up", "#1", "1m00s", "one_for_all"]]


def test_columns_stand_below_each_other() -> None:
    lines = fmt.tree_as_text(TREE, colour=False).splitlines()
    assert len({line.index("#") for line in lines}) == 1


def test_the_cause_of_a_quarantine_is_told() -> None:
    node = system("a", SystemState.QUARANTINED, cause="killed by SIGKILL", uptime=0.0)
    assert fmt.tree_as_text(node, colour=False).endswith("mock  killed by SIGKILL")


@pytest.mark.parametrize("state", SystemState)
def test_each_state_has_a_colour_that_ends_and_takes_no_room(state: SystemState) -> None:
    node = group("g", system("a", state), system("b"))
    plain = fmt.tree_as_text(node, colour=False)
    coloured = fmt.tree_as_text(node, colour=True)
    assert "\x1b[" not in plain
    line = coloured.splitlines()[1]
    assert line.count("\x1b[") == 2 * line.count("\x1b[0m") > 0
    for code in ("\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_as_json_the_tree_is_what_it_is() -> None:
    tree = json.loads(fmt.tree_as_json(TREE))
    assert tree["children"][1]["children"][0] == {
        "name": "b",
        "type": "worker",
        "state": "connected",
        "incarnation": 3,
        "uptime": 5.0,
        "restarts": 2,
        "pid": None,
        "kind": "mock",
        "strategy": None,
        "cause": None,
        "children": [],
    }


def test_children_and_counts_have_lines_and_json() -> None:
    children = [
        ChildInfo(name="a", type=ChildType.WORKER, state=SystemState.CONNECTED, pid=7),
        ChildInfo(name="group", type=ChildType.SUPERVISOR, state=SystemState.UP, pid=None),
    ]
    assert [line.split() for line in fmt.children_as_text(children).splitlines()] == [
        ["NAME", "TYPE", "STATE", "PID"],
        ["a", "worker", "connected", "7"],
        ["group", "supervisor", "up", "-"],
    ]
    assert json.loads(fmt.children_as_json(children))[0]["pid"] == 7
    assert fmt.children_as_text([]) == "no children"
    counts = ChildrenCounted(request_id=1, specs=3, active=2, supervisors=1, workers=2)
    assert fmt.counts_as_text(counts) == "specs 3, active 2, supervisors 1, workers 2"
    assert json.loads(fmt.counts_as_json(counts)) == {
        "specs": 3,
        "active": 2,
        "supervisors": 1,
        "workers": 2,
    }


def test_a_spec_is_shown_without_connection_details() -> None:
    spec = GroupSpec("g", (SystemSpec("a", "mock", {"password": "hunter2"}),))
    for text in (fmt.spec_as_text(spec), fmt.spec_as_json(spec)):
        assert "hunter2" not in text
        assert "password" not in text
        assert "one_for_one" in text
        assert "permanent" in text
    shown = json.loads(fmt.spec_as_json(spec))
    assert shown["children"][0]["restart"]["max_restarts"] == 3


def test_what_a_policy_asks_for_is_shown_by_the_keys_of_a_configuration() -> None:
    policy = Policy(timeouts=Timeouts(send=2.0, query=0.5))
    spec = SystemSpec("a", "mock", policy=policy)
    assert "timeouts: send 2, query 0.5" in fmt.spec_as_text(spec).splitlines()
    assert json.loads(fmt.spec_as_json(spec))["timeouts"]["query"] == 0.5
    plain = SystemSpec("a", "mock")
    assert "policy" not in fmt.spec_as_text(plain)
    assert "timeouts" not in json.loads(fmt.spec_as_json(plain))


def test_a_tree_is_a_table() -> None:
    node = group("g", system("a", restarts=2), system("long", SystemState.QUARANTINED))
    assert fmt.tree_as_text(node, colour=False).splitlines() == [
        "g        up           #1       1m00s                one_for_all",
        "├─ a     connected    #1       5.0 s  restarts 2    mock",
        "└─ long  quarantined  #1       5.0 s                mock",
    ]


def test_a_state_is_coloured_and_what_a_child_is_is_dim() -> None:
    line = fmt.tree_as_text(system("a"), colour=True)
    assert "\x1b[32mconnected\x1b[0m" in line
    assert line.endswith("\x1b[2mmock\x1b[0m")


def test_a_spec_is_shown_with_its_children_below_it_and_its_policies_on_a_line() -> None:
    lines = fmt.spec_as_text(GroupSpec("g", (SystemSpec("a", "mock"),))).splitlines()
    policy = "backoff_min 0.1, backoff_max 1, stable_after 5, jitter 0.25, max_restarts 3, period 5"
    assert f"restart: {policy}" in lines
    child = lines.index("child:")
    assert lines[child + 1 : child + 3] == ["  name: a", "  kind: mock"]
    assert f"  restart: {policy}" in lines[child:]
