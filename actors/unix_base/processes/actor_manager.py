"""What Thespian puts around an actor, as this base needs it.

A message between actors takes a short way here: Thespian's own describes each message in
words, for a log that is off, on every step. Whatever is not an everyday message goes the
usual way.
"""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from functools import partial
from typing import Any, Final

from thespian.actors import (
    ActorAddress,
    ActorSystemMessage,
    PoisonMessage,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)
from thespian.system.multiprocCommon import MultiProcManager
from thespian.system.sourceLoader import loadModuleFromHashSource
from thespian.system.transport import ReceiveEnvelope, TransmitIntent
from thespian.system.utilis import (
    StatsManager,
    actualActorClass,
    thesplog,
    withPossibleInitArgs,
)

from actors.unix_base.processes.children import StartsChildren
from actors.unix_base.transport.address import ProcessAddress, name_of, process_of
from actors.unix_base.transport.pickling import described, dumps, in_words

_THESPIANS: Final = (ActorSystemMessage, logging.LogRecord)
"""Messages that are, or may be, for what is around an actor,"""
_FOR_ACTORS: Final = frozenset({WatchMessage, WakeupMessage, bytes, str, tuple, list, dict})
"""and such as are for the actor alone; all others are, too."""


class Unthrottled:
    """In the place of Thespian's limit of messages per second: here a slow reader slows
    down its writers."""

    def eventRatePause(self, now: Any) -> None:
        pass

    def __str__(self) -> str:
        return "no limit"


class Statistics(StatsManager):  # type: ignore[misc]
    """Thespian's, which counts everyday messages more quickly."""

    def __init__(self) -> None:
        super().__init__()
        self.received = self.sent = 0

    def copyToStatusResponse(self, response: Any) -> None:
        self.inc("Actor.Message Received.To Actor", self.received)
        self.inc("Actor.Message Send.Generated", self.sent)
        self.received = self.sent = 0
        super().copyToStatusResponse(response)

    def inc(self, what: str, count: int = 1) -> None:
        self._kv[what] = self._kv.get(what, 0) + count


class UnixActorManager(StartsChildren, MultiProcManager):  # type: ignore[misc]
    """Around one actor."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._governer = Unthrottled()
        self._own_name = name_of(self.transport.myAddress)
        self._sCBStats = self._statistics = Statistics()
        self.transport.receiver = self._receive

    def run(self) -> None:
        self.transport.hear_signals()
        super().run()
        self.transport.bury_unsent()
        self.wait_for_children()
        if self._nursery is not None:
            self._nursery.end()
        self.transport.close()

    def end_unknown(self, *_: Any) -> None:
        """Whoever created this actor has ended before it heard that the actor is there, so that
        nobody knows of it. It may also just have had no time to say that it heard."""
        if self._statistics.received:
            return  # somebody knows it
        self._exiting = True
        self.transport.abort_run()

    def _shutdownActor(self, shutdownChildren: bool = True) -> Any:
        if shutdownChildren and not hasattr(self, "_exiting"):
            self._register_unborn()
        return super()._shutdownActor(shutdownChildren)

    def _child_manager(self) -> type:
        return UnixActorManager

    def _createInstance(self) -> None:
        """Create the actor's object; if that fails, tell its parent that it has ended."""
        try:
            instance = self._new_instance()
        except Exception:
            text = "Actor %s @ %s instantiation exception"
            where = (self._actorClass, self.transport.myAddress)
            logging.getLogger(str(self._actorClass)).error(text, *where, exc_info=True)
            thesplog(text + ": %s", *where, traceback.format_exc(), level=logging.WARNING)
            self._sCBStats.inc("Actor.Instance Create Failed")
            self._sayGoodbye()
            return
        self._sCBStats.inc("Actor.Instance Created")
        self.actorInst = instance
        instance._myRef = self

    def _new_instance(self) -> Any:
        found = self._find_class()
        possible = {"capabilities": self.capabilities, "requirements": self._childReqs}
        code = getattr(found.__init__, "__code__", None)
        if code is None:  # it has none of its own
            return withPossibleInitArgs(**possible).create(found)
        # Without "inspect", whose memory this process would share with others no more.
        named = code.co_varnames[: code.co_argcount]
        return found(**{name: possible[name] for name in named if name in possible})

    def _find_class(self) -> Any:
        if self._sourceHash:
            load = partial(loadModuleFromHashSource, self._sourceHash, self._sources)
            return actualActorClass(self._actorClass, load)
        module, _, name = self._actorClass.rpartition(".")
        if module in sys.modules:
            return getattr(sys.modules[module], name)
        return actualActorClass(self._actorClass)

    def _receive(self, message: Any, sender: ActorAddress) -> Any:
        """Deal with a message; gives something true unless the actor is to end."""
        kind = type(message)
        if kind not in _FOR_ACTORS and isinstance(message, _THESPIANS):
            return self.handleMessages(ReceiveEnvelope(sender, message))
        if hasattr(self, "_exiting"):
            return self.handleMessages(ReceiveEnvelope(sender, message))
        self._statistics.received += 1
        try:
            result = self.actorInst.receiveMessage(message, sender)
        except Exception:
            result = self._receive_again(message, sender)
        if isinstance(result, ThespianWatch):
            self.transport.set_watch(result.filenos)
        elif self.transport.watched:
            self.transport.set_watch(())
        while self._receiveQueue:
            if not self._handleOneMessage(self._receiveQueue.pop(0)):
                return False
        return True

    def _receive_again(self, message: Any, sender: ActorAddress) -> Any:
        """As all bases do: once more with a copy, and then tell the sender."""
        log = logging.getLogger(str(self._actorClass))
        where = f"Actor {self._actorClass} @ {self.myAddress}"
        log.warning("%s retryable exception on message %s", where, in_words(message), exc_info=True)
        self._sCBStats.inc("Actor.Message Received.Caused Primary Exception")
        why = traceback.format_exc()
        try:
            again = copy.deepcopy(message)
        except Exception as error:  # the actor may have put a lock into it
            why += f"\nIt cannot be copied for a second try: {described(error)}"
        else:
            try:
                return self.actorInst.receiveMessage(again, sender)
            except Exception:
                why = traceback.format_exc()
        log.error("%s second exception on message %s: %s", where, in_words(message), why)
        self._sCBStats.inc("Actor.Message Received.Caused Secondary Exception")
        try:
            dumps(message)
        except Exception:  # nor can it be sent back
            message = in_words(message)
        self._send_intent(TransmitIntent(sender, PoisonMessage(message, why)))
        return None

    def actor_send(self, target: ActorAddress, message: Any) -> None:
        process = target if type(target) is ProcessAddress else process_of(target)
        if process is None or process.name == self._own_name:
            super().actor_send(target, message)
            return
        try:
            body = dumps(message)
        except Exception:  # the usual way fails as well, and knows what to do
            super().actor_send(target, message)
            return
        self._statistics.sent += 1
        self.transport.post(process.name, (message, body, None))
