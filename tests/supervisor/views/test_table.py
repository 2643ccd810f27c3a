"""Tables fit the terminal, and never cut a name."""

from __future__ import annotations

import pytest

from supervisor.messages import ChildInfo, ChildType, SystemState
from supervisor.views.status import status_as_text, statuses_as_table
from supervisor.views.table import table, wrap
from supervisor.views.tree import children_as_text, tree_as_text
from tests.helpers.shown import CRASH, TREE, group, status, system

LONG = "a-system-whose-name-has-38-characters-"
CAUSE = "cannot connect to 192.0.2.17:502: connection refused; check that it runs"


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_columns_are_left_out_until_a_table_fits() -> None:
    rows = [("NAME", "STATE", "PID"), ("pump", "connected", "17")]
    assert table(rows, 19, spare=("PID",)).splitlines() == ["NAME  STATE", "pump  connected"]
    assert table(rows, 20, spare=("PID",)) == table(rows)


def test_what_still_does_not_fit_stands_below_the_name() -> None:
    rows = [("NAME", "STATE"), ("pump-1", "connected")]
    assert table(rows, 12).splitlines() == ["NAME", "  STATE", "pump-1", "  connected"]


def test_a_text_at_the_end_goes_on_below() -> None:
    rows = [("TIME", "CAUSE"), ("12:30", "its process was killed by SIGKILL")]
    assert table(rows, 25, wraps=True).splitlines() == [
        *("TIME   CAUSE", "12:30  its process was", "       killed by SIGKILL"),
    ]
    assert wrap("a\nb c", 3) == ["a", "b c"]


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", ["plc", LONG])
def test_all_tables_fit_and_have_names_and_states_in_whole(name: str, columns: int) -> None:
    one = status(name=name, state=SystemState.QUARANTINED, last_error=CAUSE, crashes=(CRASH,))
    child = ChildInfo(
        name=name, type=ChildType.SUPERVISOR, state=SystemState.QUARANTINED, pid=1234567
    )
    for shown in (
        statuses_as_table([one], columns),
        status_as_text(one, columns),
        children_as_text([child], columns),
        tree_as_text(
            system(name, SystemState.QUARANTINED, cause=CAUSE), colour=False, width=columns
        ),
    ):
        assert widest(shown) <= max(columns, len(name) + 15 if "desired" in shown else 0)
        assert name in shown
        assert "quarantined" in shown


@pytest.mark.parametrize("colour", [False, True])
def test_a_tree_that_fits_is_as_it_is_without_a_width(colour: bool) -> None:
    assert tree_as_text(TREE, colour=colour, width=200) == tree_as_text(TREE, colour=colour)


def test_a_narrow_tree_has_its_causes_below_its_branches() -> None:
    node = group("g", system("a", SystemState.QUARANTINED, cause=CAUSE), system("b"))
    assert tree_as_text(node, colour=False, width=40).splitlines()[:3] == [
        "g     up           #1       1m00s",
        "├─ a  quarantined  #1       5.0 s",
        "│     cannot connect to 192.0.2.17:502:",
    ]
