"""Actors whose children a nursery forks, and what is seen of it."""

from __future__ import annotations

import psutil

from actors.unix_base import prepare_children, use_nursery
from tests.helpers.descriptors import held_by
from tests.helpers.hosting import is_running, wait_until


def begin_to_use(actor):
    use_nursery(actor)
    return actor._myRef._nursery.pid


def pid_of_nursery(actor):
    return actor._myRef._nursery.pid or "none"


def parent_of(process):
    return psutil.Process(process).ppid()


def spares_of(host, parent):
    """The processes that wait for an order."""
    mine = psutil.Process(host.pid_of(parent)).children()
    known = {host.ask(parent, pid_of_nursery), *host.ask(parent, pids_of_children)}
    return [each.pid for each in mine if each.pid not in known and is_running(each.pid)]


def pids_of_children(actor):
    return [each.childProc.pid for each in getattr(actor._myRef, "_child_procs", [])]


def wait_for_spare(host, parent):
    """Those that are parted from their nursery. Just forked, a spare still has the nursery's line,
    and the nursery the spare's, into which an order to a spare that is killed then would go."""

    def parted():
        nursery, spares = host.ask(parent, pid_of_nursery), spares_of(host, parent)
        return spares and not any(sockets_shared_by(nursery, each) for each in spares) and spares

    return wait_until(parted, "a spare")


def sockets_shared_by(one, other):
    try:
        both = held_by(one) & held_by(other)
    except FileNotFoundError:  # one has ended
        return []
    return [link for link in both if link.startswith("socket:")]


def kinds_of_children(actor):
    return [type(each.childProc).__name__ for each in actor._myRef._child_procs]


def prepare(actor, module):
    for _ in range(2):
        prepare_children(actor, __import__, module)
    return "prepared"
