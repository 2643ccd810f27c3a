"""``extsys invalidate`` as somebody at a shell uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.commands import extsys

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_answers_are_forgotten_and_it_is_said_how_many(plant: Path) -> None:
    for args in (["plc-1"], ["plc-1", "mock_incoming_data"]):
        done = extsys(plant, "invalidate", *args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "0 answers forgotten\n", "")
    done = extsys(plant, "invalidate", "plc-3")
    assert done.returncode == 1
    assert "plc-3: no such system" in done.stderr
