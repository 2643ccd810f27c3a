"""Peers of other versions of extsys, each of which is told of the other's.

From version 3 on a door shows its version to a client of another one, see
:class:`~actors.wire.front_door.FrontDoor`. Those of version 2 hang up without a word, as one
does that is killed: they are known by their answer to a frame of their own version.
"""

from __future__ import annotations

import asyncio
from typing import Final

from actors.wire.frames import HEADER, NAME, WireVersionError, encode_frame

SILENT_VERSION: Final = 2
"""The last one that does not say its own to others."""
SILENT_MAGIC: Final = NAME + b"%d" % SILENT_VERSION
_NOTHING: Final = b"]Na."
"""A pickled list with None in it: no message, but answered in any version, with a refusal."""
_PATIENCE: Final = 1.0
"""Seconds that it may take to hang up, and to refuse."""


def silent_frame(body: bytes) -> bytes:
    """One frame of the silent version.

    Args:
        body: pickled, with names of classes as they were in that version.
    """
    return HEADER.pack(SILENT_MAGIC, len(body)) + body


async def silent_peer(path: str) -> WireVersionError | None:
    """Ask who hung up without a word.

    Args:
        path: of its socket file.

    Returns:
        what to tell the user if it is of the silent version; None if it is not, or gone.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            # First in this version: the next supervisor may be there by now, and is not to note
            # that an old client came.
            if await _magic_of_answer(path, encode_frame([None])):
                return None
            answer = await _magic_of_answer(path, silent_frame(_NOTHING))
    except (OSError, TimeoutError):
        return None
    return WireVersionError(str(SILENT_VERSION)) if answer == SILENT_MAGIC else None


async def _magic_of_answer(path: str, frame: bytes) -> bytes:
    """How the answer to a frame begins; nothing if it is a hang-up."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(frame)
        return await reader.readexactly(len(SILENT_MAGIC))
    except (EOFError, ConnectionError):
        return b""
    finally:
        writer.transport.abort()
