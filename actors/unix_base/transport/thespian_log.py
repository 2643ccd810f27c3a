"""The file that Thespian itself logs to."""

from __future__ import annotations

import logging
import tempfile

from thespian.system.utilis import thesplog_control


def find_place_of_log() -> None:
    """Thespian's log finds its place at its first line, which may be just that no descriptor,
    or no room on the disk, is left: it raises then."""
    if tempfile.tempdir is not None:
        return  # found before the fork
    try:
        tempfile.gettempdir()
    except OSError:
        thesplog_control(logging.CRITICAL, False, 0)
