"""The watch over leaks sees them: a test that trusts it must be able to fail."""

import os
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from tests.helpers.leaks import no_leaks

SLEEP = "import time; time.sleep(3600)"


def test_nothing_left_is_fine():
    with no_leaks():
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_process_left_is_told_and_ended():
    with pytest.raises(AssertionError, match="left behind"), no_leaks(cap=0.05):
        child = subprocess.Popen([sys.executable, "-c", SLEEP])
    assert child.wait(10) == -9


def test_so_is_one_whose_parent_has_ended():
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid)"
    with pytest.raises(AssertionError, match="left behind"), no_leaks(cap=0.05):
        orphan = _run_and_leave(code)
    psutil.Process(orphan).wait(10)


def _run_and_leave(code):
    """Run code that leaves a process, without waiting for that one's end of the pipe."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE
    ) as process:
        return int(process.stdout.readline())


def test_so_are_a_thread_a_port_and_a_pipe():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    with pytest.raises(AssertionError, match="Thread"), no_leaks(cap=0.05):
        thread.start()
    done.set()
    thread.join()
    with pytest.raises(AssertionError, match="socket"), no_leaks(cap=0.05):
        listener = socket.create_server(("127.0.0.1", 0))
    listener.close()
    with pytest.raises(AssertionError, match="pipe"), no_leaks(cap=0.05):
        ends = os.pipe()
    for end in ends:
        os.close(end)
