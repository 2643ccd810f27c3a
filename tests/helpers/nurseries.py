"""Actors whose children a nursery forks, and what is seen of it."""

from __future__ import annotations

import psutil

from actors.unix_base import prepare_children, use_nursery
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
    return wait_until(lambda: spares_of(host, parent), "a spare")


def kinds_of_children(actor):
    return [type(each.childProc).__name__ for each in actor._myRef._child_procs]


def prepare(actor, module):
    for _ in range(2):
        prepare_children(actor, __import__, module)
    return "prepared"
