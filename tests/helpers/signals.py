"""What a host does to processes; to be called in it."""

from __future__ import annotations

import os
import signal


def stop(system, process):
    os.kill(process, signal.SIGSTOP)


def kill(system, process):
    os.kill(process, signal.SIGKILL)
