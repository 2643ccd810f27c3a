"""Nothing that a test started may outlive it."""

import contextlib
import ctypes
import sys
import threading
import time
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_EVERY = 0.01


def _adopt_orphans():
    """Have grandchildren whose parent ended become our children, so that they are found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants():
    """The processes below this one that still run."""
    running = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                running.add(process)
    return running


def listening_ports(processes):
    """The TCP ports that any of the processes listens on."""
    ports = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            connections = process.net_connections(kind="tcp")
            ports |= {each.laddr.port for each in connections if each.status == "LISTEN"}
    return ports


def open_channels():
    """The sockets and pipes that this process holds; none where /proc does not tell."""
    channels = set()
    for link in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = str(link.readlink())
            if target.startswith(("socket:", "pipe:")):
                channels.add(target)
    return channels


class Leftovers:
    """What is there now and was not there before."""

    def __init__(self):
        self._processes = descendants()
        self._threads = set(threading.enumerate())
        self._channels = open_channels()
        self._ports = listening_ports([psutil.Process(), *self._processes])

    def processes(self):
        return descendants() - self._processes

    def threads(self):
        new = {each for each in threading.enumerate() if each not in self._threads}
        # The watch that pytest keeps over each test is a thread, too.
        return {each for each in new if not each.name.startswith("pytest_timeout")}

    def ports(self):
        return listening_ports([psutil.Process(), *descendants()]) - self._ports

    def all(self):
        channels = open_channels() - self._channels
        return [*self.processes(), *self.threads(), *self.ports(), *channels]


@contextlib.contextmanager
def no_leaks(cap=10.0):
    """Fail if a process, thread, socket, pipe or port that the body began is left after it.

    Args:
        cap: seconds that they get to end by themselves.
    """
    _adopt_orphans()
    leftovers = Leftovers()
    try:
        yield
        deadline = time.monotonic() + cap
        while (left := leftovers.all()) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)  # an orphan's end cannot be waited for
        assert not left, f"left behind after {cap:g} s: {left}"
    finally:
        for process in leftovers.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
