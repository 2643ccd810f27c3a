"""Processes that hold many descriptors, or all that they may: those can import nothing more, so
all that they are to do is here."""

from __future__ import annotations

import errno
import os
import resource
import socket
import tempfile
from collections import Counter
from pathlib import Path

from tests.helpers import hosting

KEPT = []
HELD = []


def held_by(process):
    """What a process holds, as /proc shows it; the standard ones are everybody's."""
    links = {}
    for entry in Path(f"/proc/{process}/fd").iterdir():
        try:
            links[int(entry.name)] = os.readlink(entry)
        except FileNotFoundError:
            continue
    return Counter(
        link
        for fd, link in links.items()
        if fd > 2 and link != "/dev/null" and not link.startswith("anon_inode")
    )


def hold_much():
    """Have a host hold a file, both ends of a pipe and of a socket pair, and a listener."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    KEPT.extend([tempfile.TemporaryFile(), *socket.socketpair(), listener])  # noqa: SIM115
    KEPT.extend(os.pipe())


def use_up(actor):
    """Have a process hold all the descriptors that it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))
    while True:
        try:
            HELD.append(socket.socket())
        except OSError as error:
            return errno.errorcode[error.errno or 0]


def set_free():
    for each in HELD:
        each.close()
    HELD.clear()


def let_in(actor):
    set_free()
    return "free"


def create_in_vain(actor):
    actor.createActor(hosting.Doer)
    return "tried"


def call(actor, whom, message):
    actor.send(whom, message)
    return "called"
