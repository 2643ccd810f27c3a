"""What a system actor notes of its direct clients, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.messages import CheckHealth
from actors.messages.tallied import NOTHING, Tallied
from actors.wire.tally import Tally, read_tally


def test_a_tally_whose_file_was_removed_is_made_again_with_all_that_was_noted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tally"
    tally = Tally(str(path))
    tally.count_sent(3)
    tally.count_waiting(2)
    path.unlink()
    tally.note_busy(CheckHealth("plc"))
    assert read_tally(str(path)) == NOTHING
    tally.look()
    assert read_tally(str(path)) == Tallied(3, 0, 2, CheckHealth, False)
    tally.count_sent(1)
    tally.look()
    assert read_tally(str(path)) == Tallied(4, 0, 2, CheckHealth, False)
    tally.close()


def test_a_tally_that_cannot_be_made_again_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "d" / "tally"
    path.parent.mkdir()
    tally = Tally(str(path))
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        tally.look()
    tally.count_sent(1)
    path.parent.mkdir()
    tally.look()
    assert read_tally(str(path)).sent == 1
    tally.close()


def test_a_link_in_the_place_of_a_tally_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "tally").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        Tally(str(tmp_path / "tally"))
    assert victim.read_text() == "precious"
