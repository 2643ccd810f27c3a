"""A forked process holds nothing of the one it was forked from."""

from __future__ import annotations

import io
import os
import socket
import tempfile

from actors.unix_base.kernel.descriptors import let_go, logged_to, open_descriptors
from tests.helpers import hosting
from tests.helpers.descriptors import KEPT, held_by, hold_much
from tests.helpers.hosting import create, wait_until


def test_all_open_descriptors_are_found_but_the_standard_ones():
    before = open_descriptors()
    with tempfile.TemporaryFile() as file:
        assert open_descriptors() - before == {file.fileno()}
    assert open_descriptors() == before
    assert not before & {0, 1, 2}


def test_descriptors_are_let_go_of_and_their_numbers_are_not_free():
    given = os.open("/", os.O_RDONLY), os.open("/", os.O_RDONLY)
    other = os.open("/", os.O_RDONLY)
    pid = os.fork()
    if pid == 0:
        let_go(given, keep={given[1]})
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in (*given, other)]
        os._exit(0 if links == ["/dev/null", "/", "/"] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    for fd in (*given, other):
        assert os.readlink(f"/proc/self/fd/{fd}") == "/"
        os.close(fd)


def test_a_descriptor_that_was_closed_meanwhile_is_left_alone():
    fd = os.open("/", os.O_RDONLY)
    os.close(fd)
    before = open_descriptors()

    let_go({fd}, keep=())

    assert open_descriptors() == before


def test_the_files_of_a_logging_configuration_are_kept(tmp_path):
    with open(tmp_path / "log", "w") as file:
        definitions = {"handlers": {"one": {"stream": file}, "two": [{"x": (file,)}, None, "f"]}}
        assert logged_to(definitions) == {file.fileno()}
    assert logged_to(definitions) == frozenset()
    assert logged_to(None) == logged_to({"stream": io.StringIO()}) == frozenset()


# ---- in real actors --------------------------------------------------------------------


def hold_and_create(actor):
    hold_much()
    create(actor)


def pid_of_admin(system):
    import struct

    name = system._systemBase.adminAddr.addressDetails.name
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(name)
        return struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def test_actors_hold_nothing_of_their_host_their_parent_or_their_siblings(sockets):
    with hosting.host(sockets, before=hold_much) as host:
        parent = host.create()
        sibling = host.ask(parent, create)
        child = host.ask(parent, hold_and_create)
        grandchild = host.ask(child, create)
        actors = [parent, sibling, child, grandchild]
        host.ask(parent, talk_to_all, actors)
        pids = [host.process.pid, host.do(pid_of_admin), *map(host.pid_of, actors)]

        held = {each: held_by(each) for each in pids}

        def is_watch(link, *both):
            """Parent and child have one end each of the pipes that tell of each other's end."""
            return link.startswith("pipe:") and all(held[each][link] == 1 for each in both)

        assert len(held[host.process.pid]) >= 6
        for one in pids[1:]:
            for other in pids:
                shared = {
                    link for link in held[one] & held[other] if not is_watch(link, one, other)
                }
                assert one == other or not shared, f"shared: {shared}"


def talk_to_all(actor, others):
    for each in others:
        actor.send(each, "hello")
    return "sent"


def test_a_connection_of_a_host_ends_with_the_host_and_not_with_its_actors(sockets):
    with hosting.host(sockets) as host, hosting.host(sockets) as second:
        second.wait_until_attached()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            host.do(connect, listener.getsockname())
            connection, _ = listener.accept()
        with connection:
            actor = host.create()
            assert host.pid_of(actor)
            host.process.kill()
            connection.settimeout(hosting.CAP)
            assert connection.recv(1) == b""
        assert second.pid_of(actor)
    wait_until(lambda: not host.directory.exists())


def connect(system, address):
    KEPT.append(socket.create_connection(address))
