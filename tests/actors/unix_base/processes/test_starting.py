"""Of one system there is one, whoever starts it and whatever was there before."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import struct
import time

import pytest

from actors.unix_base.kernel.prctl import HAS_PRCTL, set_death_signal
from tests.helpers import hosting
from tests.helpers.deaths import pid_of_logger
from tests.helpers.hosting import is_running, kinds_heard, listen, pid, wait_until


def admin_of(system):
    name = system._systemBase.adminAddr.addressDetails.name
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(name)
        return struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def test_hosts_that_start_a_system_at_the_same_time_are_all_attached_to_one(sockets):
    with contextlib.ExitStack() as all_of_them:
        hosts = [all_of_them.enter_context(hosting.host(sockets)) for _ in range(4)]
        for each in hosts:
            each.write((admin_of, ()))

        assert len({each.read() for each in hosts}) == 1
        assert len({str(each.create("the one")) for each in hosts}) == 1


def test_what_a_killed_admin_left_is_taken_over(sockets):
    with hosting.host(sockets) as first:
        actor, admin = first.create("the one"), first.do(admin_of)
        orphans = [first.pid_of(actor), first.do(pid_of_logger)]
        os.kill(admin, signal.SIGKILL)
        wait_until(lambda: not is_running(admin))
        assert "admin" in os.listdir(first.directory)

        with hosting.host(sockets) as second:
            assert second.do(admin_of) != admin
            assert second.create("the one") != actor
            assert second.ask(second.create(), pid)
        for each in orphans:
            os.kill(each, signal.SIGKILL)
        first.process.kill()
    with hosting.host(sockets) as third:
        third.wait_until_attached()


def test_a_live_system_is_not_taken_over(sockets):
    with hosting.host(sockets) as first, hosting.host(sockets) as second:
        assert first.do(admin_of) == second.do(admin_of)


def test_a_system_can_be_started_again_right_after_its_end(sockets):
    for _ in range(3):
        with hosting.host(sockets) as one:
            assert one.ask(one.create(), pid)


def test_nothing_of_a_system_is_there_any_more_when_its_shutdown_returns(sockets):
    with hosting.host(sockets) as one:
        one.create()
        assert one.do(shut_down, str(one.directory)) == []


@pytest.mark.skipif(not HAS_PRCTL, reason="a process can end with its parent on Linux only")
def test_a_shutdown_waits_for_actors_that_would_end_with_their_parent(sockets):
    with hosting.host(sockets) as one:
        one.ask(one.create(), end_slowly_and_with_parent)
        assert one.do(shut_down, str(one.directory)) == []


def end_slowly_and_with_parent(actor):
    set_death_signal(signal.SIGKILL)
    transport = actor._myRef.transport
    close = transport.close

    def close_later():
        time.sleep(0.2)
        close()

    transport.close = close_later
    return "it will"


def shut_down(system, directory):
    system.shutdown()
    return os.listdir(directory) if os.path.exists(directory) else []


def fill_disk():
    """No socket can be made by this process, nor by those that it starts."""

    def no_room(self, name):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    from actors.unix_base.transport.sockets import UnixSockets

    UnixSockets.listen = no_room  # type: ignore[method-assign]


def test_a_host_says_that_the_disk_is_full(sockets):
    one = hosting.host(sockets, before=fill_disk)
    with one as host, pytest.raises(RuntimeError, match="No space left on device"):
        host.wait_until_attached()


def test_an_actor_is_told_that_its_child_found_the_disk_full(host):
    parent = host.create()

    assert host.ask(parent, create_on_full_disk) == "tried"

    wait_until(lambda: host.ask(parent, kinds_heard) == ["ChildActorExited"])
    assert host.do(listen, 0.0) is None


def create_on_full_disk(actor):
    fill_disk()
    actor.createActor(hosting.Doer)
    return "tried"
