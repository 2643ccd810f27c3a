"""What a supervisor says to clients of earlier versions, in their own."""

from __future__ import annotations

from actors.wire.frames import VERSION, WHAT_TO_DO, WireVersionError
from actors.wire.versions import SILENT_VERSION, silent_frame


def farewell(error: WireVersionError) -> bytes | None:
    """Tells a client of the silent version that this supervisor is none for it. One that only
    saw a frame of another version would come again and again, and then hang.

    Returns:
        None for any other version: from what it is shown, it knows by itself.
    """
    if error.theirs != str(SILENT_VERSION):
        return None
    text = (
        f"the supervisor speaks version {VERSION} of extsys's wire, this program version "
        f"{error.theirs}: {WHAT_TO_DO}"
    )
    # A list with one message, whose class has its name of then.
    return silent_frame(b"](csupervisor.messages\nSupervisorClosing\nV%b\noa." % text.encode())
