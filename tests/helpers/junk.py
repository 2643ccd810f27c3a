"""Messages as no program of ours makes them: what can be unpickled, and makes no sense."""

from __future__ import annotations

import math
from typing import Any

import attrs
from hypothesis import strategies as st

import actors.messages
import supervisor.messages
from actors.payload import Payload
from supervisor.messages.record import ConfigureSupervisor, KeepRecord, Record, RecordChanged
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec

MESSAGES: list[type[Any]] = [
    *(
        each
        for module in (actors.messages, supervisor.messages)
        for each in vars(module).values()
        if isinstance(each, type) and attrs.has(each)
    ),
    *(ConfigureSupervisor, KeepRecord, RecordChanged),
]
"""The classes of all messages."""

MISSING = object()


def make(kind: type[Any], fields: dict[str, Any]) -> Any:
    """An instance with these fields, right or not; those that are MISSING it has not."""
    made = object.__new__(kind)
    for name, value in fields.items():
        if value is not MISSING:
            object.__setattr__(made, name, value)
    return made


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 10**400, math.nan, math.inf, -math.inf, 1e300]),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.lists(st.none(), max_size=2).map(tuple),
    st.just(((1, None),)),
    st.just(((1, 2, 3),)),
    st.just((([], {}),)),
    st.just({"a": {}}),
    st.just({}),
    st.just(Payload(encoded=b"no pickle")),
    st.just(Payload(object())),
    st.just(ValueError("one")),
    st.just(Record()),
    st.just(MISSING),
)


def _nested() -> st.SearchStrategy[Any]:
    """Junk, and things whose parts are junk."""
    kinds = st.sampled_from([*MESSAGES, SystemSpec, GroupSpec, RestartPolicy])
    return st.one_of(JUNK, kinds.flatmap(_with(JUNK, names=st.just("plc"))))


def _with(junk: st.SearchStrategy[Any], names: st.SearchStrategy[Any]) -> Any:
    def of(kind: type[Any]) -> st.SearchStrategy[Any]:
        fields = {
            each.name: st.one_of(names, junk) if "name" in each.name else junk
            for each in attrs.fields(kind)
        }
        return st.fixed_dictionaries(fields).map(lambda chosen: make(kind, chosen))

    return of


def messages(names: tuple[str, ...] = ("plc",)) -> st.SearchStrategy[Any]:
    """A message of any class with junk in its fields, or none at all."""
    kinds = st.sampled_from(MESSAGES)
    junk = st.one_of(_nested(), st.lists(_nested(), max_size=2).map(tuple))
    pairs = st.lists(st.tuples(st.integers(0, 3), _nested()), max_size=3).map(tuple)
    made = kinds.flatmap(_with(st.one_of(junk, pairs), names=st.sampled_from(names)))
    return st.one_of(made, JUNK.filter(lambda each: each is not MISSING))


def said_to_a_system() -> st.SearchStrategy[Any]:
    """What a client says to a system actor, its form or what is in it being junk."""
    junk = _nested()
    request = st.sampled_from(actors.messages.DIRECT_KINDS).flatmap(_with(junk, st.just("plc")))
    pairs = st.lists(st.tuples(st.integers(1, 3), request), max_size=3).map(tuple)
    kinds = st.sampled_from(
        [actors.messages.Deliver, actors.messages.Forget, actors.messages.TakeBack]
    )
    return st.one_of(
        pairs.map(lambda requests: actors.messages.Deliver(1, requests)),
        kinds.flatmap(_with(junk, st.just("plc"))),
        messages(),
    )
