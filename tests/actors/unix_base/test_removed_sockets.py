"""Others may clear away the files of sockets that are in use: nobody is lost for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from actors.unix_base.kernel import path_claim
from actors.unix_base.kernel.credentials import peer_pid
from tests.helpers import hosting
from tests.helpers.deaths import children_of, introduce_yourself
from tests.helpers.hosting import Do, is_running, tell, wait_until


def pid_at(path):
    """The process that listens at a path; None if nobody does."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            return None
        return peer_pid(asking)


def remove_directory(directory):
    shutil.rmtree(directory)


def remove_all_above(directory):
    shutil.rmtree(directory.parent)


def remove_sockets(directory):
    for each in directory.iterdir():
        each.unlink()


@pytest.mark.parametrize("harm", [remove_directory, remove_all_above, remove_sockets])
def test_a_system_whose_files_were_removed_goes_on_and_new_hosts_find_it(own_host, sockets, harm):
    parent = own_host.create()
    admin = pid_at(own_host.directory / "admin")

    harm(own_host.directory)

    assert len(children_of(own_host, parent, 3)) == 3  # a child finds its parent at once
    with hosting.host(sockets) as other:
        other.wait_until_attached()
        assert pid_at(own_host.directory / "admin") == admin
        assert other.pid_of(other.create()) != own_host.pid_of(parent)


def test_actors_are_found_by_others_again(own_host, sockets):
    first, second = own_host.create(), own_host.create()

    remove_directory(own_host.directory)
    names = {os.path.basename(str(each).split("|")[-1]) for each in (first, second)}
    wait_until(lambda: names <= names_in(own_host.directory), "the return of the sockets")

    own_host.do(tell, first, Do(send_your_name_to, (second,)))
    assert own_host.heard_by(second, 1) == [str(first)]


def names_in(directory):
    try:
        return {*os.listdir(directory)}
    except FileNotFoundError:
        return set()


def send_your_name_to(actor, whom):
    actor.send(whom, str(actor.myAddress))


def make_no_claims():
    vars(path_claim)["HAS_CLAIMS"] = False


def test_an_admin_that_was_replaced_ends_with_its_actors(sockets):
    with hosting.host(sockets, before=make_no_claims) as first:
        first.wait_until_attached()
        old = pid_at(first.directory / "admin"), first.pid_of(first.create())
        os.kill(old[0], signal.SIGSTOP)
        remove_directory(first.directory)
        with hosting.host(sockets, before=make_no_claims) as second:
            second.wait_until_attached()
            new = pid_at(first.directory / "admin"), second.pid_of(second.create())
            os.kill(old[0], signal.SIGCONT)
            wait_until(lambda: not any(map(is_running, old)), "the end of the first")
            assert all(map(is_running, new))
            assert second.pid_of(second.create())


def test_the_sockets_of_those_that_ended_with_their_parent_are_cleared_away(own_host):
    parent = own_host.create()
    child, *_ = children_of(own_host, parent, 1).values()
    before = names_in(own_host.directory)
    own_host.do(tell, parent, Do(have_child_create, (5,)))
    grandchildren = dict(own_host.do(hosting.listen) for _ in range(5))
    left = {os.path.basename(each) for each in grandchildren}
    assert left <= names_in(own_host.directory)

    os.kill(child, signal.SIGSTOP)  # it hears of none of their ends
    for each in (*grandchildren.values(), child):
        os.kill(each, signal.SIGKILL)

    wait_until(lambda: not left & names_in(own_host.directory), "the end of their files")
    assert len(before - names_in(own_host.directory)) == 1
    assert own_host.pid_of(parent)


def have_child_create(actor, count):
    for each in actor._myRef._children:
        actor.send(each, Do(create_for_somebody, (count, actor.sender)))


def create_for_somebody(actor, count, whom):
    for _ in range(count):
        actor.send(actor.createActor(hosting.Doer), Do(introduce_yourself, (whom,)))


def test_what_is_no_socket_stays(own_host):
    parent = own_host.create()
    precious = Path(own_host.directory, "0123456789")
    precious.write_text("precious")
    child, *_ = children_of(own_host, parent, 1).values()
    os.kill(child, signal.SIGKILL)
    own_host.heard_by(parent, 1)
    own_host.ask(parent, hosting.pid)
    assert precious.read_text() == "precious"
    precious.unlink()
