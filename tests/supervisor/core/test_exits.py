"""How a process ended, and whether the kernel ended it for want of memory."""

import pytest

from actors.messages import Reason
from supervisor.core.exits import ProcessExit
from supervisor.runtime.oom import RECENT, OomCounter

V2 = "/sys/fs/cgroup/plant/a/memory.events"
V1 = "/sys/fs/cgroup/memory/memory.oom_control"


@pytest.mark.parametrize(
    ("exitcode", "how", "reason"),
    [
        (None, ProcessExit(), None),
        (
            3,
            ProcessExit(code=3, out_of_memory=False),
            Reason("exit", "its process ended with exit code 3"),
        ),
        (
            -11,
            ProcessExit(signal="SIGSEGV", out_of_memory=False),
            Reason("killed", "its process was killed by SIGSEGV"),
        ),
        (
            -99,
            ProcessExit(signal="signal 99", out_of_memory=False),
            Reason("killed", "its process was killed by signal 99"),
        ),
        (-9, ProcessExit(signal="SIGKILL"), Reason("killed", "its process was killed by SIGKILL")),
    ],
)
def test_an_exit_code_says_how_a_process_ended(exitcode, how, reason):
    assert ProcessExit.of(exitcode) == how
    assert how.reason() == reason
    assert not how.is_normal


def test_exit_code_0_is_normal():
    assert ProcessExit.of(0).is_normal


def test_want_of_memory_is_said_to_be_probable_and_of_a_sigkill_only():
    text = "its process was killed by SIGKILL, probably by the kernel, for want of memory"
    assert ProcessExit.of(-9, out_of_memory=True).reason() == Reason("killed", text)
    assert ProcessExit.of(-11, out_of_memory=True).out_of_memory is False


class Files(dict):
    def read(self, path):
        if path not in self:
            raise FileNotFoundError(path)
        return self[path]


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ("0::/plant/a\n", V2),
        ("0::/plant/a/inner\n", V2),
        ("4:cpu,memory:/docker/0123\n0::/\n", V1),
        ("0::/\n", "/proc/vmstat"),
        (None, "/proc/vmstat"),
    ],
)
def test_kills_are_counted_where_the_kernel_counts_those_of_this_process(groups, path):
    files = Files({path: "oom 9\noom_kill 5\noom_group_kill 7\n"})
    if groups is not None:
        files["/proc/self/cgroup"] = groups
    counter = OomCounter(files.read)
    assert counter.kills_since_last_look() == 0
    files[path] = "oom 9\noom_kill 7\n"
    assert counter.kills_since_last_look() == 2
    assert counter.kills_since_last_look() == 0


def test_a_count_that_cannot_be_read_or_is_another_one_than_before_tells_nothing():
    files = Files({"/proc/vmstat": "nr_free 1\n"})
    counter = OomCounter(files.read)
    assert counter.kills_since_last_look() is None
    assert counter.claim(0.0) is None
    files |= {"/proc/self/cgroup": "0::/plant/a\n", V2: "oom_kill 5"}
    assert counter.kills_since_last_look() is None
    assert counter.kills_since_last_look() == 0


def test_each_kill_counted_explains_one_exit():
    files = Files({"/proc/vmstat": "oom_kill 0"})
    counter = OomCounter(files.read)
    files["/proc/vmstat"] = "oom_kill 2"
    assert [counter.claim(1.0), counter.claim(1.1), counter.claim(1.2)] == [True, True, False]


def test_a_kill_seen_long_before_an_exit_does_not_explain_it():
    files = Files({"/proc/vmstat": "oom_kill 0"})
    counter = OomCounter(files.read)
    files["/proc/vmstat"] = "oom_kill 1"
    counter.watch(100.0)
    assert counter.claim(100.0 + RECENT + 0.1) is False


def test_who_was_told_to_exit_says_that_it_was_not_by_its_supervisor():
    told = ProcessExit(told_to=True)
    assert told.how == "was told to exit from outside, as by a SIGTERM"
