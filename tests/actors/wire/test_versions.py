"""Asking who hung up without a word."""

from __future__ import annotations

import asyncio
import pickle
import socket
from pathlib import Path

import pytest

from actors.wire import versions
from actors.wire.frames import encode_frame
from actors.wire.versions import silent_frame, silent_peer
from tests.helpers.doors import door_that_hangs_up


def asked(path: Path, to_ours: bytes, to_2: bytes) -> tuple[list[bytes], str | None]:
    """What somebody at the path is asked, and what is told the user once they answer so to a
    frame of this version, and of version 2."""
    with door_that_hangs_up(
        path, lambda words: to_2 if words.startswith(b"XSY2") else to_ours
    ) as heard:
        error = asyncio.run(silent_peer(str(path)))
    return heard, None if error is None else str(error)


def test_whoever_hangs_up_on_this_version_and_answers_version_2_is_of_that(tmp_path: Path) -> None:
    [_, heard], text = asked(tmp_path / "door", b"", silent_frame(b"]."))

    assert heard[:4] == b"XSY2"
    assert pickle.loads(heard[12:]) == [None]  # no message of any version, so it is refused
    assert text is not None
    assert "speaks version 2 " in text


@pytest.mark.parametrize("answer", [b"", b"XSY", encode_frame([]), b"HTTP/1.1 400 Bad Request"])
def test_whoever_answers_otherwise_is_not(tmp_path: Path, answer: bytes) -> None:
    assert asked(tmp_path / "door", b"", answer)[1] is None


def test_one_of_this_version_which_came_meanwhile_is_asked_in_no_other(tmp_path: Path) -> None:
    heard, text = asked(tmp_path / "door", encode_frame(["refused"]), b"")

    assert heard == [encode_frame([None])]
    assert text is None


def test_nobody_is_of_no_version(tmp_path: Path) -> None:
    assert asyncio.run(silent_peer(str(tmp_path / "door"))) is None


def test_one_who_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_PATIENCE", 0.01)

    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(tmp_path / "door"))
        busy.listen()
        assert asyncio.run(silent_peer(str(tmp_path / "door"))) is None
