"""What errors of the kernel mean for somebody who can try again."""

from __future__ import annotations

import errno
import sys
from typing import Final

NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a process, or machine, that has no descriptor or memory left for now."""
BUSY: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}) | NO_ROOM
"""Errors after which to try again later."""
LEFT: Final = frozenset({errno.ECONNABORTED, errno.EINTR, errno.EPROTO})
"""Errors of accept(2) that are about one caller: the next may be waiting."""
REFUSES_WHEN_FULL: Final = sys.platform != "linux"
"""Whether a listener whose queue is full refuses a call just as if nobody listened. Linux says that
it is to be tried again."""
