"""The memory of one more system, on both sides.

Both sides fork their actors, so much of an actor's memory is shared with its relatives.
The proportional set size (PSS) counts each shared page by its fair share. Each side is
forked from a fresh process of its own that imported only what it needs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.report import Result, compare
from benchmarks.runtime import ManagedRuntime

_ITEM = b"x" * 32


def compare_memory(count: int) -> Result:
    """Of ``count`` system actors, each with a connected mock system, and as many leaf
    actors, measured while both sides run."""
    command = [sys.executable, "-m", "benchmarks.bare_host", str(count)]
    names = [f"system-{number}" for number in range(count)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare,
        ManagedRuntime() as runtime,
    ):
        assert bare.stdin is not None
        assert bare.stdout is not None
        leaves = list(map(int, bare.stdout.readline().split()))
        if len(leaves) != count:
            raise RuntimeError("the bare actors did not start")
        runtime.start(*names)
        for name in names:
            runtime.send_each(_ITEM, 10, name)
        ours, theirs = [], []
        for name, leaf in zip(names, leaves, strict=True):
            ours.append(_pss(runtime.pids_of(name)[0]))
            theirs.append(_pss(leaf))
    return compare("memory per system (PSS)", "MiB", ours, theirs)


def _pss(pid: int) -> float:
    """MiB of a process, as Linux counts them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no PSS for process {pid}")
