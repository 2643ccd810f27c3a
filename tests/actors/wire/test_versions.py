"""Asking who hung up without a word."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import pytest

from actors.wire import versions
from actors.wire.frames import encode_frame
from actors.wire.versions import silent_frame, silent_peer


async def answer_of(path: Path, answer: bytes) -> tuple[bytes, str | None]:
    """What somebody at the path is asked, and what is told the user once they answer so."""
    asked = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = await reader.read(1 << 10)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        error = await silent_peer(str(path))
    return asked, None if error is None else str(error)


def test_whoever_answers_in_version_2_is_of_version_2(tmp_path: Path) -> None:
    asked, text = asyncio.run(answer_of(tmp_path / "door", silent_frame(b"].")))

    assert asked[:4] == b"XSY2"
    assert pickle.loads(asked[12:]) == [None]  # no message of any version, so it is refused
    assert text is not None
    assert "speaks version 2 " in text


@pytest.mark.parametrize("answer", [b"", b"XSY2", encode_frame([]), b"HTTP/1.1 400 Bad Request"])
def test_whoever_answers_otherwise_is_not(tmp_path: Path, answer: bytes) -> None:
    assert asyncio.run(answer_of(tmp_path / "door", answer))[1] is None


def test_nobody_is_of_no_version(tmp_path: Path) -> None:
    assert asyncio.run(silent_peer(str(tmp_path / "door"))) is None


def test_one_who_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_PATIENCE", 0.01)

    async def main() -> None:
        silent = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            silent.set()

        async with await asyncio.start_unix_server(serve, tmp_path / "door"):
            assert await silent_peer(str(tmp_path / "door")) is None
            await silent.wait()

    asyncio.run(main())
