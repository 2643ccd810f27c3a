"""A journal against a naive model, over random operations, refusals and openings."""

from __future__ import annotations

import shutil
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from supervisor.durable.entry import HISTORY_KEPT, DeadLetter, Entry, FailedAttempt, ReceivedItem
from supervisor.durable.store.check import check
from supervisor.durable.store.errors import WriteRefusedError
from supervisor.messages.journal import (
    Accept,
    Acknowledged,
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Discard,
    KeepReceived,
    Operation,
    Revive,
    TakeBackAttempt,
    TakeIn,
    Taken,
)
from tests.helpers.stores import NOW, an_entry, in_memory, keep, open_store

NAMES = ("plc", "pump")
DATA = (b"", b"on", "warm", 7, None, {"a": [1]}, (1, 2))
IDS = st.lists(st.integers(1, 30), max_size=4).map(tuple)
ID = st.integers(1, 30)
TIMES = st.floats(NOW, NOW + 50)


@attrs.define
class Model:
    entries: dict[int, Entry] = attrs.field(factory=dict)
    letters: dict[int, DeadLetter] = attrs.field(factory=dict)
    items: dict[int, ReceivedItem] = attrs.field(factory=dict)
    next_id: int = 1
    next_item: int = 1

    def apply(self, operation: Operation) -> None:
        match operation:
            case Accept(entry):
                self.entries[entry.id] = entry
                self.next_id = entry.id + 1
            case BeginAttempt(ids):
                for id_ in ids:
                    self._change(id_, lambda e: {"attempts": e.attempts + 1, "under_way": True})
            case TakeBackAttempt(ids):
                for id_ in ids:
                    self._change(
                        id_, lambda e: {"attempts": e.attempts - e.under_way, "under_way": False}
                    )
            case AttemptFailed(id_, why, at, crashed):
                failed = FailedAttempt(at, why, crashed)
                self._change(
                    id_,
                    lambda e: {
                        "crashes": e.crashes + crashed,
                        "under_way": False,
                        "history": (*e.history, failed)[-HISTORY_KEPT:],
                    },
                )
            case Delivered(ids):
                for id_ in ids:
                    self.entries.pop(id_, None)
            case Bury(id_, why, at):
                if id_ in self.entries:
                    entry = attrs.evolve(self.entries.pop(id_), under_way=False)
                    self.letters[id_] = DeadLetter(entry, why, at)
            case TakeIn(letter):
                self.next_id = letter.entry.id + 1
                held = [*self.entries.values(), *(each.entry for each in self.letters.values())]
                if letter.entry.delivery_id("") not in {each.delivery_id("") for each in held}:
                    self.letters[letter.entry.id] = letter
            case Revive(ids):
                for id_ in ids:
                    self._change(id_, lambda e: {"attempts": 0, "crashes": 0})
                    if id_ in self.letters:
                        entry = self.letters.pop(id_).entry
                        self.entries[id_] = attrs.evolve(entry, attempts=0, crashes=0)
            case Discard(ids):
                for id_ in ids:
                    self.entries.pop(id_, None)
                    self.letters.pop(id_, None)
            case KeepReceived(item):
                self.items[item.id] = item
                self.next_item = item.id + 1
            case Taken(ids):
                for id_ in ids:
                    if id_ in self.items:
                        item = self.items[id_]
                        self.items[id_] = attrs.evolve(item, taken=item.taken + 1)
            case Acknowledged(ids):
                for id_ in ids:
                    self.items.pop(id_, None)

    def _change(self, id_: int, change: Any) -> None:
        if id_ in self.entries:
            entry = self.entries[id_]
            self.entries[id_] = attrs.evolve(entry, **change(entry))


def operations(model: Model) -> st.SearchStrategy[list[Operation]]:
    """Some that may follow each other: ids rise."""
    other = st.one_of(
        st.builds(BeginAttempt, IDS),
        st.builds(TakeBackAttempt, IDS),
        st.builds(AttemptFailed, ID, st.text(max_size=5), TIMES, st.booleans()),
        st.builds(Delivered, IDS, TIMES),
        st.builds(Bury, ID, st.text("abc", max_size=5), TIMES),
        st.builds(Revive, IDS),
        st.builds(Discard, IDS),
        st.builds(Taken, IDS),
        st.builds(Acknowledged, IDS),
    )
    new = st.tuples(
        st.sampled_from(["accept", "keep", "take in"]),
        st.sampled_from(NAMES),
        st.sampled_from(DATA),
        st.integers(0, 2),
    )

    def numbered(chosen: list[Any]) -> list[Operation]:
        next_id, next_item = model.next_id, model.next_item
        result: list[Operation] = []
        for each in chosen:
            match each:
                case ("accept", name, data, gap):
                    result.append(Accept(an_entry(next_id + gap, name, data)))
                    next_id += gap + 1
                case ("take in", name, data, gap):
                    entry = attrs.evolve(an_entry(next_id, name, data), origin=f"other-{gap}")
                    result.append(TakeIn(DeadLetter(entry, "no", NOW)))
                    next_id += 1
                case ("keep", name, data, gap):
                    result.extend(keep(next_item + gap, name=name, data=data))
                    next_item += gap + 1
                case _:
                    result.append(each)
        return result

    return st.lists(new | other, max_size=8).map(numbered)


def plain(value: Any) -> Any:
    """With data as what it is: pickled plain data is stored as JSON."""
    match value:
        case DeadLetter():
            return attrs.evolve(value, entry=plain(value.entry))
        case _:
            data = value.data.wrapped()
            load = getattr(data, "load", None)
            return attrs.evolve(value, data=repr(load() if load else data))


class Journal(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.directory = in_memory()
        self.store = open_store(self.directory)
        self.journal_id = self.store.about.journal_id
        self.model = Model()
        self.number = 0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        chosen = data.draw(operations(self.model))
        self.number += 1
        self.store.write(self.number, chosen)
        for each in chosen:
            self.model.apply(each)

    @rule(data=st.data())
    def be_refused(self, data: st.DataObject) -> None:
        """Something at its end cannot be done."""
        chosen = data.draw(operations(self.model))
        with pytest.raises(WriteRefusedError):
            self.store.write(self.number + 1, [*chosen, Accept(an_entry(0))])

    @rule(data=st.data())
    def write_again(self, data: st.DataObject) -> None:
        """What was written already, as its answer was lost."""
        self.store.write(self.number, data.draw(operations(self.model)))

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = open_store(self.directory)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        about, model = self.store.about, self.model
        assert about.journal_id == self.journal_id
        assert (about.next_id, about.next_received_id) == (model.next_id, model.next_item)
        assert about.last_write == self.number
        for name in NAMES:
            entries = [model.entries[id_] for id_ in sorted(model.entries)]
            wanted = [plain(each) for each in entries if each.system_name == name]
            assert list(map(plain, self.store.load(name)[0])) == wanted
            items = [model.items[id_] for id_ in sorted(model.items)]
            wanted = [plain(each) for each in items if each.system_name == name]
            assert list(map(plain, self.store.load_received(name)[0])) == wanted
        letters = [plain(model.letters[id_]) for id_ in sorted(model.letters)]
        assert list(map(plain, self.store.load_dead_letters()[0])) == letters

    @invariant()
    def counts_what_the_model_holds(self) -> None:
        depths = {each.system_name: each for each in self.store.depths()}
        for name in NAMES:
            mine = [each for each in self.model.entries.values() if each.system_name == name]
            theirs = depths.get(name)
            assert (theirs.waiting if theirs else 0) == len(mine)
            if theirs:
                letters = [e.entry.system_name for e in self.model.letters.values()]
                assert theirs.dead == letters.count(name)
                items = [each for each in self.model.items.values() if each.system_name == name]
                assert theirs.received == len(items)

    @invariant()
    def is_sound(self) -> None:
        assert check(self.store._db) == []


TestJournal = Journal.TestCase
TestJournal.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
