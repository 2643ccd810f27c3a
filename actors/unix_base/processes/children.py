"""How a process starts actors, by itself or by its nursery, and notices their ends."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from functools import partial
from typing import Any, Final

from thespian.actors import (
    ActorAddress,
    ActorSystemFailure,
    ChildActorExited,
    NoCompatibleSystemForActor,
)
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.multiprocCommon import ChildInfo, detach_child
from thespian.system.sourceLoader import loadModuleFromHashSource
from thespian.system.transport import TransmitIntent
from thespian.system.utilis import checkActorCapabilities, thesplog

from actors.unix_base.kernel.descriptors import open_descriptors
from actors.unix_base.kernel.kinship import child_pids
from actors.unix_base.processes.adoption import end_strays
from actors.unix_base.processes.nursery import Nursery
from actors.unix_base.processes.starting import become_nursery, run_actor, run_ordered_actor
from actors.unix_base.transport.pickling import dumps

_ENDS_WITHIN: Final = 1.0
"""Seconds that a child's process may take to end after it said so."""
_STRAYS_END: Final = 0.05
"""Seconds for which what a child has left is waited for,"""
_LOOK_EVERY: Final = 0.001
"""and between two looks at it."""


class StartsChildren:
    """Before Thespian's own classes."""

    transport: Any
    myAddress: ActorAddress
    capabilities: dict[str, Any]
    mpcontext: Any
    asLogger: Any
    logdefs: Any
    _adminAddr: ActorAddress
    _sourceHash: Any
    _child_procs: list[Any]
    creation_error: Exception | None = None
    """Why the last child that could not be created could not."""
    _nursery: Nursery | None = None
    """Who forks its children, if it does not do that by itself."""

    def _startChildActor(
        self,
        childAddr: ActorAddress,
        childClass: Any,
        globalName: str | None,
        parentAddr: ActorAddress,
        notifyAddr: ActorAddress,
        childRequirements: Any = None,
        sourceHash: str | None = None,
        sourceToLoad: Any = None,
    ) -> None:
        if parentAddr is None or self.asLogger is None:
            raise ActorSystemFailure("an actor cannot be started before its system is")
        load = None
        if sourceHash:
            load = partial(loadModuleFromHashSource, sourceHash, {sourceHash: sourceToLoad})
        if not checkActorCapabilities(childClass, self.capabilities, childRequirements, load):
            raise NoCompatibleSystemForActor(childClass, "no system has compatible capabilities")
        child = self.transport.prepEndpoint(childAddr, self.capabilities)
        if hasattr(childClass, "__name__"):
            childClass = f"{sys.modules[childClass.__module__].__name__}.{childClass.__name__}"
        try:
            process = self._start_process(
                f"Actor_{childClass}__{childAddr}",
                child,
                childClass,
                globalName,
                sourceHash or self._sourceHash,
                sourceToLoad,
                parentAddr,
                self._adminAddr,
                notifyAddr,
                self.asLogger,
                childRequirements,
                self.capabilities,
            )
        except Exception as error:  # of which Thespian makes an exit without a reason
            self.creation_error = error
            raise
        info = ChildInfo(childAddr, childClass, process, child.addrInst)
        info.endpoint = child
        info.told = False
        """Whether its parent was told of its end: it may say so itself before it ends."""
        info.heard_out = False
        """Whether what it said before it ended is among what is to be dealt with."""
        self._child_procs = [*getattr(self, "_child_procs", []), info]

    def use_nursery(self) -> None:
        """Have a nursery fork this process's children, where there can be one."""
        context = self.mpcontext or multiprocessing
        if self._nursery is not None or not Nursery.is_possible(context):
            return
        keep = self.transport.kept
        leave = partial(become_nursery, self.transport)
        begin = partial(run_ordered_actor, keep, self._for_all_children())
        try:
            self._nursery = Nursery(context, keep, leave, begin)
        except OSError as error:
            thesplog("there will be no nursery: %s", error, level=logging.WARNING)

    def prepare_children(self, function: Any, *args: Any) -> None:
        """Call a function in the nursery, if there is one."""
        if self._nursery is not None:
            self._nursery.prepare(function, *args)

    def _start_process(self, name: str, endpoint: Any, *args: Any) -> Any:
        """
        Args:
            args: as of :func:`run_actor`, but for those that are the same for all children.
        """
        if self._nursery is not None:
            try:
                return self._nursery.fork(name, dumps((name, endpoint, args)))
            except Exception as error:  # such as an argument that cannot be pickled
                thesplog("%s is forked by its parent: %s", name, error, level=logging.WARNING)
                endpoint.inherited = open_descriptors()  # a line to the next nursery may be new
        multiprocessing.current_process().daemon = False  # a daemon may not start processes
        process = (self.mpcontext or multiprocessing).Process(
            target=run_actor, name=name, args=(endpoint, *args, *self._for_all_children())
        )
        process.start()
        detach_child(process)
        return process

    def _for_all_children(self) -> tuple[Any, ...]:
        return self._child_manager(), self.transport.__class__, self.mpcontext, self.logdefs

    def _child_manager(self) -> type:
        """The class of what is put around each child."""
        raise NotImplementedError

    def _childExited(self, address: ActorAddress) -> None:
        """The exit of a child is being dealt with."""
        for info in getattr(self, "_child_procs", []):
            if getattr(info, "childRealAddr", info.childAddr) == address:
                info.told = True

    def childDied(self) -> bool:
        """Some child may have ended: say so of each, once."""
        if self._nursery is not None:
            self._nursery.has_ended()
            self._end_strays(self._nursery)
        ended = [each for each in getattr(self, "_child_procs", []) if _has_ended(each)]
        # Its last words come before the news of its end; one of them may be that news.
        for info in (each for each in ended if each.heard_out):
            self._child_procs.remove(info)
            self.transport.remove_socket_of(info.endpoint)
            if not hasattr(info, "childRealAddr"):
                self._never_began(info)
            elif not info.told:
                self._tell_self(ChildActorExited(info.childRealAddr))
                self.transport.child_was_killed()
        if not all(each.heard_out for each in ended):
            for info in ended:
                self.transport.hear_out(info.endpoint)
                info.heard_out = True
            self._tell_self(ChildMayHaveDied())  # comes after all that was heard now
        logger = getattr(self, "asLogProc", None)
        if logger is not None and _has_ended(logger):
            self._restart_logger()
        return True

    def _end_strays(self, nursery: Nursery) -> None:
        """What a child had started is a child of this process once that has ended, and ends here:
        it may hold what the next one needs, such as a port. What it had started itself comes
        here when it has ended, and so on."""
        deadline = time.monotonic() + _STRAYS_END
        while strays := self._strays(nursery):
            if not end_strays(strays):
                if time.monotonic() >= deadline:
                    return  # there is one more signal for each when it has ended
                time.sleep(_LOOK_EVERY)

    def _strays(self, nursery: Nursery) -> set[int]:
        here = {*child_pids()}
        # Looked up afterwards: what the nursery forks meanwhile is not among them.
        forked = nursery.pids()
        if forked is None:
            return set()
        return here - forked - {each.childProc.pid for each in getattr(self, "_child_procs", [])}

    def _register_unborn(self) -> None:
        """Of an actor that exits: have it wait for those children, too, that have not yet said that
        they are there. They are told to exit when they do."""
        for info in getattr(self, "_child_procs", []):
            if not hasattr(info, "childRealAddr"):
                self._registerChild(info.childAddr)

    def _registerChild(self, address: ActorAddress) -> None:
        super()._registerChild(address)  # type: ignore[misc]

    def wait_for_children(self) -> None:
        """Of this process, which ends: wait, but not for long, until those have ended that said
        that they do. Most end with it, wherever they are, and then leave their socket files."""
        deadline = time.monotonic() + _ENDS_WITHIN
        for info in getattr(self, "_child_procs", []):
            info.childProc.join(max(0.0, deadline - time.monotonic()))
            if _has_ended(info):
                self.transport.remove_socket_of(info.endpoint)

    def _tell_self(self, message: Any) -> None:
        self.transport.scheduleTransmit(None, TransmitIntent(self.myAddress, message))

    def _never_began(self, info: Any) -> None:
        """A child ended before it said that it is there."""
        # Tells the parent, and gives back what was sent to the child.
        self._retryPendingChildOperations(info.childNum, None)

    def _retryPendingChildOperations(self, number: int, address: ActorAddress | None) -> None:
        super()._retryPendingChildOperations(number, address)  # type: ignore[misc]

    def _restart_logger(self) -> None:
        pass


def _has_ended(info: Any) -> bool:
    return not info.childProc.is_alive()
