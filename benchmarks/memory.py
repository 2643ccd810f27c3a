"""The memory of one more system, on both sides.

Both sides fork their actors, so much of an actor's memory is shared with its relatives.
The proportional set size (PSS) counts each shared page by its fair share. Each side is
forked from a fresh process of its own that imported only what it needs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.report import Result, compare
from benchmarks.runtime import ITEM, ManagedRuntime

_MIB: Final = 1024 * 1024


def compare_memory(count: int) -> Result:
    """Of ``count`` system actors, each with a connected mock system, and as many leaf
    actors, measured while both sides run."""
    command = [sys.executable, "-m", "benchmarks.bare_host", str(count)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare,
        ManagedRuntime() as runtime,
    ):
        assert bare.stdin is not None
        assert bare.stdout is not None
        leaves = list(map(int, bare.stdout.readline().split()))
        if len(leaves) != count:
            raise RuntimeError("the bare actors did not start")
        ours = [size / _MIB for size in _sizes(runtime, count)]
        theirs = [_pss(leaf) / _MIB for leaf in leaves]
    return compare("memory per system (PSS)", "MiB", ours, theirs)


def memory_of_systems(count: int) -> list[int]:
    """Bytes of each of ``count`` system actors that have been sent something."""
    with ManagedRuntime() as runtime:
        return _sizes(runtime, count)


def _sizes(runtime: ManagedRuntime, count: int) -> list[int]:
    names = [f"system-{number}" for number in range(count)]
    runtime.start(*names)
    for name in names:
        runtime.send_each(ITEM, 10, name)
    return [_pss(pid) for pid in runtime.pids_of(*names)]


def _pss(pid: int) -> int:
    """Bytes of a process, as Linux counts them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no PSS for process {pid}")
