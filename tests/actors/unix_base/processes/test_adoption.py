"""Who forks a process need not be its parent."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from actors.unix_base.kernel.prctl import HAS_PRCTL
from tests.helpers.hosting import CAP, ROOT

pytestmark = pytest.mark.skipif(not HAS_PRCTL, reason="only Linux has processes adopted")

BEGINNING = """
import os, signal
from actors.unix_base.kernel import prctl
from actors.unix_base.processes.adoption import AdoptedProcess, end_strays, fork_for

def forked(parent, life=lambda: None):
    "Fork a forker, that forks one for a parent; the pids of both, once it is there."
    reads, writes = os.pipe()
    forker = os.fork()
    if forker == 0:
        prctl.set_death_signal(signal.SIGKILL)
        if fork_for(parent):
            os.write(writes, os.getpid().to_bytes(8, "big"))
            life()
            os._exit(7)
        os.close(writes)
        signal.pause()
    os.close(writes)
    said = os.read(reads, 8)
    os.close(reads)
    return forker, int.from_bytes(said, "big")

def end(forker):
    os.kill(forker, signal.SIGKILL)
    os.waitpid(forker, 0)

prctl.adopt_orphans()
me = os.getpid()
"""


def run(text):
    """In a process of its own, which may adopt and wait for all that it has."""
    program = BEGINNING + textwrap.dedent(text)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, timeout=CAP, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_is_forked_for_a_process_is_its_child_and_can_be_waited_for():
    run("""
        forker, pid = forked(me)
        child = AdoptedProcess("ann", pid)
        child.join()
        assert (child.exitcode, child.is_alive()) == (7, False)
        end(forker)
    """)


def test_what_is_forked_goes_on_when_its_forker_ends():
    run("""
        forker, pid = forked(me, signal.pause)
        child = AdoptedProcess("ann", pid)
        end(forker)
        assert child.is_alive() and child.exitcode is None
        child.terminate()
        child.join(10)
        assert child.exitcode == -signal.SIGTERM
        child.kill()  # does nothing: its number may be another's by now
    """)


def test_a_signal_at_the_parents_end_does_not_come_at_the_end_of_what_was_between():
    run("""
        def die_with_parent():
            prctl.set_death_signal(signal.SIGUSR1)

        os.register_at_fork(after_in_child=die_with_parent)
        reads, writes = os.pipe()

        def tell():
            os.write(writes, bytes([prctl.death_signal(), os.getppid() == me]))

        forker, pid = forked(me, tell)
        assert os.read(reads, 2) == bytes([signal.SIGUSR1, True])
        end(forker)
    """)


def test_there_is_none_for_a_process_that_does_not_adopt():
    run("""
        forker, pid = forked(os.getppid())
        assert pid == 0
        end(forker)
    """)


def test_a_forker_that_cannot_fork_says_so_and_goes_on():
    run("""
        import resource
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setuid(65534) if os.getuid() == 0 else None
        try:
            fork_for(me)
        except OSError:
            pass
        else:
            raise AssertionError("it could")
    """)


def test_strays_are_ended_and_waited_for():
    run("""
        forker, living = forked(me, signal.pause)
        end(forker)
        forker, ended = forked(me)
        end(forker)
        os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)  # until it has ended

        while not end_strays({living, ended}):
            os.waitid(os.P_PID, living, os.WEXITED | os.WNOWAIT)

        for pid in (living, ended):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                pass
            else:
                raise AssertionError("a zombie is left")
        assert end_strays({living})  # which somebody else has waited for
    """)


def test_a_child_that_somebody_else_waited_for_has_ended_nobody_knows_how():
    run("""
        forker, pid = forked(me)
        os.waitpid(pid, 0)
        child = AdoptedProcess("ann", pid)
        assert (child.is_alive(), child.exitcode) == (False, None)
        child.kill()
        end(forker)
    """)


def test_a_wait_for_a_child_ends_in_time():
    run("""
        forker, pid = forked(me, signal.pause)
        child = AdoptedProcess("ann", pid)
        child.join(0.01)
        assert child.is_alive()
        child.kill()
        child.join()
        end(forker)
    """)


def test_signals_at_a_parents_end_are_as_asked_for():
    run("""
        assert prctl.death_signal() == 0
        prctl.set_death_signal(signal.SIGHUP)
        assert prctl.death_signal() == signal.SIGHUP
        prctl.set_death_signal(0)
        assert prctl.death_signal() == 0
    """)
