"""What is said of a tree that has ended."""

import pytest

from supervisor.tree.decisions import RefusedError, RootEnded
from supervisor.tree.nodes import Ending
from tests.helpers.grove import BUG

CAUSE = "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("ending", "end", "why", "exit_code"),
    [
        (Ending.ASKED, None, None, 0),
        (Ending.ASKED, BUG, None, 0),
        (Ending.START_FAILED, BUG, f"the systems could not be started: {CAUSE}", 70),
        (Ending.AUTO_SHUTDOWN, BUG, f"the significant systems have ended: {CAUSE}", 0),
        (Ending.AUTO_SHUTDOWN, None, "the significant systems have ended", 0),
        (
            Ending.GAVE_UP,
            BUG,
            "the supervisor gave up: more restarts than its root group allows; the last cause: "
            f"{CAUSE}",
            70,
        ),
    ],
)
def test_why_a_tree_ended_and_whether_that_is_a_failure(ending, end, why, exit_code):
    ended = RootEnded(ending, end)
    assert ended.why == why
    assert ended.exit_code == exit_code


def test_a_refusal_says_why():
    assert str(RefusedError("not_found", "no such child")) == "no such child"
