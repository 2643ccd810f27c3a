"""A process that does nothing but fork, for an actor that creates many others.

Memory that nobody writes to is shared with what is forked, but to read an object is to write to
its reference count. What an actor forks by itself keeps an old copy of all that the actor touches
later. A nursery touches little.

It forks one process more than was needed so far, the spare, which then waits for its order: who
needs a process need not wait for a fork.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from thespian.system.multiprocCommon import detach_child

from actors.unix_base.kernel.descriptors import let_go, open_descriptors
from actors.unix_base.kernel.prctl import HAS_PRCTL, adopt_orphans, set_death_signal
from actors.unix_base.processes.adoption import AdoptedProcess, fork_for

PATIENCE: Final = 2.0
"""Seconds that a nursery, or what it forked, may take for one step."""
_SAYS: Final = 0.05
"""Seconds that what it forks may take to tell its number to somebody who can do without."""
_NUMBER: Final = 8
"""Bytes of a number: a process id, or the length of what follows."""
_DEFAULT: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT)
_IGNORED: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that an actor survives."""


class NurseryError(Exception):
    """There is no new process."""


class Nursery:
    """The nursery of this process, its owner, with whom it ends.

    A killed one is replaced at the next need. What it forks has a line to the owner, tells its
    process id there, and begins at nothing before it has its order.
    """

    def __init__(
        self,
        context: Any,
        keep: Iterable[int],
        leave: Callable[[], None],
        begin: Callable[[bytes], None],
    ) -> None:
        """Start it. The owner adopts orphans from now on.

        Args:
            context: of ``multiprocessing``; one that forks.
            keep: descriptors that are left open in the nursery, and so in what it forks.
            leave: called in the nursery, to close the copies that it has of the owner's things.
            begin: called with its order in what was forked, which ends with that call.
        """
        self._context = context
        self._setup = (frozenset(keep), leave, begin)
        self._line: socket.socket | None = None
        self._process: Any = None
        self._spare: socket.socket | None = None
        """The line of what was forked, or is about to be, and has no order."""
        self._prepared: set[bytes] = set()
        adopt_orphans()
        self._ask_for_spare()

    @staticmethod
    def is_possible(context: Any) -> bool:
        """Whether there can be one here."""
        return HAS_PRCTL and context.get_start_method() == "fork"

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none."""
        return None if self._process is None else self._process.pid

    def pids(self) -> set[int] | None:
        """Its process id, and that of what it forked and nobody has ordered yet; None if that
        is being forked, and has not told its number."""
        known = set() if self.pid is None else {self.pid}
        if self._spare is None:
            return known
        try:
            self._spare.settimeout(_SAYS)
            number = self._spare.recv(_NUMBER, socket.MSG_PEEK | socket.MSG_WAITALL)
        except OSError:
            return None
        finally:
            self._spare.settimeout(PATIENCE)
        return known | {int.from_bytes(number)}

    def has_ended(self) -> bool:
        """Whether there is none, because it was killed; it is waited for then."""
        return self._process is None or not self._process.is_alive()

    def fork(self, name: str, order: bytes) -> AdoptedProcess:
        """A new child of this process, which begins with an order.

        Raises:
            NurseryError: there is none, and nothing was begun.
        """
        if self._spare is None:
            self._ask_for_spare()
        spare, self._spare = self._spare, None
        if spare is None:
            raise NurseryError("no nursery can be started")
        with spare:
            try:
                # The end comes when none is left that could still say something.
                pid = int.from_bytes(spare.recv(_NUMBER))
            except OSError as error:
                self.end()  # it stands still, perhaps
                raise NurseryError(f"the nursery: {error}") from error
            if pid == 0:
                raise NurseryError("the nursery could not fork, or was killed")
            try:
                spare.sendall(len(order).to_bytes(_NUMBER) + order)
            except OSError as error:
                raise NurseryError(f"process {pid} of the nursery: {error}") from error
        self._ask_for_spare()
        return AdoptedProcess(name, pid)

    def prepare(self, function: Callable[..., object], *args: Any) -> None:
        """Have it call a function before it forks the next; once for the same arguments.

        Args:
            function: to be pickled by reference. It must neither start threads nor open
                anything that is not to be shared.
        """
        call = pickle.dumps((function, args))
        if call in self._prepared:
            return
        self._prepared.add(call)
        if self._line is not None and not self.has_ended():
            self._drop_spare()  # it is as the nursery was
            try:
                self._line.sendall(len(call).to_bytes(_NUMBER) + call)
            except OSError:
                self.end()

    def end(self) -> None:
        """Kill it. The next is started when it is needed."""
        self._drop_spare()
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()  # at which it ends
            self._spare = None

    def _ask_for_spare(self) -> None:
        """Have a nursery, and it begin to fork. If that cannot be, there is no spare."""
        try:
            if self.has_ended():
                self._start()
            ours, theirs = socket.socketpair()
        except OSError:  # no descriptor, process or memory is left
            return
        assert self._line is not None
        with theirs:
            ours.settimeout(PATIENCE)
            self._spare = ours
            try:
                socket.send_fds(self._line, [bytes(_NUMBER)], [theirs.fileno()])
            except OSError:
                self.end()

    def _start(self) -> None:
        """
        Raises:
            OSError: it could not be forked.
        """
        self.end()
        self._line, theirs = socket.socketpair()
        with theirs:
            self._line.settimeout(PATIENCE)
            process = self._context.Process(
                target=_serve, name="Nursery", args=(theirs, *self._setup)
            )
            process.start()
        detach_child(process)
        self._process = process


# ---- in the nursery, and in what it forks ----------------------------------------------


def _serve(
    line: socket.socket,
    keep: frozenset[int],
    leave: Callable[[], None],
    begin: Callable[[bytes], None],
) -> None:
    """The life of a nursery. Returns in what it forked, at the end of that."""
    owner: Any = multiprocessing.parent_process()
    collects = gc.isenabled()
    gc.disable()
    gc.freeze()
    # To replace an entry of its cache of types is to write to the name that was in it.
    clear = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
    clear()
    for number in _DEFAULT:
        signal.signal(number, signal.SIG_DFL)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    set_death_signal(signal.SIGKILL)
    leave()
    let_go(open_descriptors(), {*keep, line.fileno(), owner._sentinel})
    while True:
        fd = _next_to_fork(line)
        try:
            if fork_for(owner.pid):
                break
        except OSError:  # no process, or no memory, is left: the owner sees the line's end
            pass
        os.close(fd)
    line.close()
    order = _own_order(fd)
    if collects:
        gc.enable()
    begin(order)


def _next_to_fork(line: socket.socket) -> int:
    """Do what the owner wants until that is a fork; the line of what is to be forked.

    Ends the process at the owner's end.
    """
    while True:
        head, fds, _, _ = socket.recv_fds(line, _NUMBER, 1)
        if fds:
            return fds[0]
        call = _read(line, int.from_bytes(head))
        if not call:
            os._exit(0)
        try:
            function, args = pickle.loads(call)
            function(*args)
        except (Exception, SystemExit):
            pass  # who needs it will find out


def _own_order(fd: int) -> bytes:
    """In what was forked: ask the owner. Ends the process if there is no order."""
    with socket.socket(fileno=fd) as line:
        try:
            line.sendall(os.getpid().to_bytes(_NUMBER))
            order = _read(line, int.from_bytes(_read(line, _NUMBER)))
        except OSError:
            order = b""
    if not order:
        os._exit(0)
    return order


def _read(line: socket.socket, count: int) -> bytes:
    """So many bytes; none if the other end is closed before."""
    parts = []
    while count:
        part = line.recv(count)
        if not part:
            return b""
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
