"""Random histories of what is to be written, against a naive disk: what is said to be written is
there, once; what is said to be refused never is; and all of it is answered, whoever is killed."""

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from supervisor.durable.journal import RETRY, Journal
from supervisor.messages.journal import Delivered
from tests.helpers.looking import long, quick


class Writing(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 100.0
        self.journal = Journal()
        self.asked = 0
        self.must = set()
        self.answers = {}
        self.withdrawn = set()
        self.handles = {}
        # the disk, and the one process that writes it
        self.committed = []
        self.last_write = 0
        self.is_open = False
        self.inbox = []
        self.said = []

    # ---- who asks -----------------------------------------------------------------------

    @rule(must=st.booleans(), count=st.integers(1, 3))
    def ask(self, must, count):
        for _ in range(count):
            number = self.asked
            self.asked += 1
            if must:
                self.must.add(number)

            def done(refusal, number=number):
                assert number not in self.answers, "answered twice"
                assert number not in self.withdrawn
                self.answers[number] = refusal

            operation = Delivered((number,), 0.0)
            self.handles[number] = self.journal.ask((operation,), done, must=must)

    @rule(pick=st.integers(0, 1000))
    @precondition(lambda self: self.asked)
    def withdraw(self, pick):
        number = pick % self.asked
        is_open = number not in self.answers and number not in self.withdrawn
        if is_open and self.journal.withdraw(self.handles[number]):
            assert number not in self.committed
            self.withdrawn.add(number)

    # ---- the process --------------------------------------------------------------------

    def flush(self):
        write = self.journal.next_write(self.now)
        if write is not None:
            assert self.is_open
            assert not self.inbox, "two writes are under way"
            self.inbox.append(write)

    @rule()
    def send(self):
        self.flush()

    @rule()
    @precondition(lambda self: not self.is_open)
    def open(self):
        self.is_open = True
        again = self.journal.opened(self.last_write)
        if again is not None:
            self.inbox.append(again)

    @rule()
    @precondition(lambda self: self.inbox)
    def commit(self):
        write = self.inbox.pop()
        if write.number > self.last_write:
            self.last_write = write.number
            self.committed += [operation.ids[0] for operation in write.operations]
        self.said.append((write.number, None))

    @rule()
    @precondition(lambda self: self.inbox)
    def refuse(self):
        self.said.append((self.inbox.pop().number, "the disk is full"))

    @rule()
    @precondition(lambda self: self.said)
    def hear(self):
        number, refusal = self.said.pop(0)
        if refusal is None:
            self.journal.written(number)
        else:
            self.journal.refused(number, refusal, self.now)

    @rule()
    @precondition(lambda self: self.is_open)
    def kill(self):
        """What it was told and what it said is lost."""
        self.is_open = False
        self.inbox.clear()
        self.said.clear()
        self.journal.closed()

    @rule()
    def cannot_be_opened(self):
        if not self.is_open:
            self.journal.refuse_gathering("it cannot be opened")

    @rule(seconds=st.sampled_from((0.5, RETRY)))
    def wait(self, seconds):
        self.now += seconds

    # ---- what always holds --------------------------------------------------------------

    @invariant()
    def what_is_written_is_there_once(self):
        assert len(set(self.committed)) == len(self.committed)
        for number, refusal in self.answers.items():
            assert (number in self.committed) == (refusal is None)
            assert refusal is None or number not in self.must
        assert not self.withdrawn & set(self.committed)

    @invariant()
    def what_is_accepted_keeps_its_order(self):
        plain = [number for number in self.committed if number not in self.must]
        assert plain == sorted(plain)

    def teardown(self):
        for _ in range(1000):
            if self.journal.is_idle:
                break
            if not self.is_open:
                self.open()
            self.now += RETRY
            self.flush()
            while self.inbox:
                self.commit()
            while self.said:
                self.hear()
        assert self.journal.is_idle
        assert self.journal.size == 0
        assert set(self.answers) | self.withdrawn == set(range(self.asked))
        self.what_is_written_is_there_once()


TestWriting = Writing.TestCase
TestWriting.settings = quick(150, steps=40)


@pytest.mark.long
class TestWritingForLong(Writing.TestCase):  # type: ignore[misc, valid-type]
    settings = long(steps=80)
