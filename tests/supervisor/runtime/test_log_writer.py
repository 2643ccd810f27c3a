"""A log that somebody reads slowly, or not at all."""

from __future__ import annotations

import os

import pytest

from supervisor.runtime.log_writer import LogWriter
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.process


def test_all_is_written_in_order(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    log = LogWriter(writes)
    for n in range(100):
        log.put(b"%d\n" % n)
    log.finish(PATIENCE)
    assert os.read(reads, 1 << 16) == b"".join(b"%d\n" % n for n in range(100))


def test_what_nobody_reads_is_dropped_and_said_once_somebody_does(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    log = LogWriter(writes, most=100_000)
    for _ in range(1000):
        log.put(b"x" * 999 + b"\n")
    log.finish(0.0)
    with os.fdopen(os.dup(reads), "rb") as reader:
        lines = [reader.readline() for _ in range(50)]  # so there is room
        log.put(b"")
        while not (line := reader.readline()).endswith(b"too slow\n"):
            lines.append(line)
    count = int(line.split(b"extsys.log: ")[1].split()[0])
    assert len(lines) + count == 1000
    assert set(lines) == {b"x" * 999 + b"\n"}


def test_a_reader_that_has_left_ends_nothing(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    os.close(reads)
    log = LogWriter(writes)
    log.put(b"to nobody\n")
    log.finish(PATIENCE)
    log.put(b"to nobody\n")
    log.finish(PATIENCE)
