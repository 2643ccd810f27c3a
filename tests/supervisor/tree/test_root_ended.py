"""What is said when the whole tree is down."""

from __future__ import annotations

import os

import pytest

from actors.messages import Reason
from supervisor.tree.decisions import RootEnded
from supervisor.tree.nodes import End, Ending

BUG = End(Reason("Bug", "a bug", ""))


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending.START_FAILED, "the systems could not be started: a bug"),
        (Ending.GAVE_UP, "the supervisor gave up: more restarts than are allowed; "),
        (Ending.GAVE_UP, "the last cause: a bug"),
        (Ending.AUTO_SHUTDOWN, "the significant systems have ended: a bug"),
    ],
)
def test_a_tree_that_ends_by_itself_says_why(ending: Ending, text: str) -> None:
    assert text in str(RootEnded(ending, BUG).why)


def test_a_tree_that_ends_without_a_cause_names_none() -> None:
    why = RootEnded(Ending.AUTO_SHUTDOWN, None).why
    assert why == "the significant systems have ended"


def test_a_tree_that_was_asked_to_end_has_nothing_to_explain() -> None:
    assert RootEnded(Ending.ASKED, None).why is None


@pytest.mark.parametrize("ending", Ending)
def test_only_a_tree_that_could_not_do_its_work_ends_with_an_error(ending: Ending) -> None:
    failed = ending in (Ending.START_FAILED, Ending.GAVE_UP)
    assert RootEnded(ending, BUG).exit_code == (os.EX_SOFTWARE if failed else 0)
