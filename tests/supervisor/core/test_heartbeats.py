"""Who is asked for a sign of life, and who is found to hang, without clocks or processes."""

import itertools
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from actors.messages import Thread
from supervisor.core.heartbeats import Heartbeats

LIMIT = 24.0
BOTH = (Thread.MESSAGES, Thread.LOOP)
LATEST = LIMIT * 1.5


class Watch:
    """Heartbeats with a clock, and systems that answer at once, or not."""

    def __init__(self, *names, hang_timeout=LIMIT):
        self.now = 1000.0
        self.heartbeats = Heartbeats()
        self.silent = {}
        """The threads of a system that do not answer."""
        self.asked = []
        """When which system was asked."""
        self.hung = []
        for name in names:
            self.heartbeats.watch(name, 1, hang_timeout, self.now)

    def tick(self):
        beats, hung = self.heartbeats.tick(self.now)
        self.hung += [(self.now, each) for each in hung]
        for name, incarnation, number in beats:
            self.asked.append((self.now, name, number))
            self.answer(name, number, incarnation)

    def answer(self, name, number, incarnation=1, threads=BOTH):
        for thread in threads:
            if thread not in self.silent.get(name, ()):
                self.heartbeats.answered(name, incarnation, thread, number, self.now)

    def run(self, seconds):
        """Tick whenever something is due."""
        end = self.now + seconds
        while (due := self.heartbeats.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.tick()
        self.now = end

    def run_until_asked(self):
        before = len(self.asked)
        while len(self.asked) == before:
            due = self.heartbeats.next_due()
            assert due is not None
            self.now = max(self.now, due)
            self.tick()
        return self.asked[-1][2]


def test_who_answers_is_asked_again_and_again_and_never_hangs():
    watch = Watch("a")
    watch.run(LIMIT * 100)
    assert watch.hung == []
    times = [when for when, _, _ in watch.asked]
    assert 295 <= len(times) <= 306
    assert all(later - earlier > LIMIT / 4 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("threads", [BOTH, (Thread.MESSAGES,), (Thread.LOOP,)])
def test_a_silent_thread_is_found_in_time_and_named(threads):
    watch = Watch("a", "b")
    watch.run(LIMIT * 3.1)
    since = watch.now
    watch.silent["a"] = threads
    watch.run(LIMIT * 3)
    [(when, hung)] = watch.hung
    assert (hung.name, hung.incarnation, hung.threads) == ("a", 1, threads)
    assert LIMIT <= when - since <= LATEST
    assert hung.seconds == pytest.approx(LIMIT)


def test_the_text_says_who_was_silent_and_for_how_long():
    watch = Watch("a", "b")
    watch.silent = {"a": (Thread.LOOP,), "b": BOTH}
    watch.run(LATEST)
    texts = {hung.name: hung.text for _, hung in watch.hung}
    assert texts == {
        "a": "its event loop was silent for 24 s (hang_timeout 24 s)",
        "b": "its message thread and its event loop were silent for 24 s (hang_timeout 24 s)",
    }


def test_who_does_not_answer_has_one_beat_only_in_its_queue():
    watch = Watch("a")
    watch.silent["a"] = (Thread.LOOP,)
    watch.run(LIMIT * 10)
    assert len(watch.asked) == 1
    assert len(watch.hung) == 1
    assert watch.heartbeats.next_due() is None


def test_an_answer_just_in_time_counts():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    number = watch.run_until_asked()
    watch.run(LIMIT - 0.1)
    watch.silent.clear()
    watch.answer("a", number)
    watch.run(LIMIT * 3)
    assert watch.hung == []
    assert len(watch.asked) > 5


def test_old_answers_and_those_of_another_incarnation_say_nothing():
    watch = Watch("a")
    old = watch.run_until_asked()
    watch.silent["a"] = BOTH
    number = watch.run_until_asked()
    watch.silent.clear()
    watch.answer("a", old)
    watch.answer("a", number, incarnation=2)
    watch.answer("nobody", number)
    watch.run(LATEST)
    assert [hung.threads for _, hung in watch.hung] == [BOTH]


def test_a_stall_of_the_supervisor_makes_nobody_hung():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    number = watch.run_until_asked()
    watch.now += LIMIT * 50
    watch.tick()  # before it hears the answer, which waited in its mailbox
    watch.silent.clear()
    watch.answer("a", number)
    watch.run(LIMIT * 3)
    assert watch.hung == []


def test_even_long_silence_before_a_stall_lets_the_answer_be_heard_first():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    number = watch.run_until_asked()
    watch.run(LIMIT * 0.99)
    watch.now += LIMIT * 50
    watch.tick()
    assert watch.hung == []
    watch.silent.clear()
    watch.answer("a", number)
    watch.run(LIMIT * 3)
    assert watch.hung == []


def test_a_hang_during_a_stall_is_found_after_it():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    watch.run_until_asked()
    watch.now += LIMIT * 50
    watch.run(LATEST)
    assert len(watch.hung) == 1


def test_infinity_is_never_watched():
    watch = Watch("a", hang_timeout=math.inf)
    assert watch.heartbeats.next_due() is None


def test_who_is_forgotten_is_asked_no_more_and_cannot_hang():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    watch.run_until_asked()
    watch.heartbeats.forget("a")
    watch.heartbeats.forget("a")
    assert watch.heartbeats.next_due() is None
    watch.run(LIMIT * 3)
    assert watch.hung == []


def test_four_hundred_systems_are_not_asked_all_at_once_nor_one_by_one():
    watch = Watch(*(f"s{n}" for n in range(400)), hang_timeout=30.0)
    watch.run(60.0)
    watch.asked.clear()
    ticks = 0
    end = watch.now + 60.0
    while (due := watch.heartbeats.next_due()) is not None and due <= end:
        watch.now = max(watch.now, due)
        watch.tick()
        ticks += 1
    at = [when for when, _, _ in watch.asked]
    assert 2300 <= len(at) <= 2500
    assert max(at.count(when) for when in set(at)) <= 20
    assert ticks <= 60 * 10


# ---- random histories, against what a bystander expects -------------------------------------

LATENESS = st.one_of(st.just(0.0), st.floats(0.0, 0.5), st.floats(0.0, 10_000.0))


@given(st.lists(st.tuples(LATENESS, st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_who_answers_before_the_tick_after_the_next_never_hangs(history):
    """However late ticks come, and whichever thread answers before or only after one."""
    watch = Watch("a")
    watch.silent["a"] = BOTH
    pending = None
    for late, loop_first, messages_first in history:
        watch.now = max(watch.now, watch.heartbeats.next_due()) + late
        early = [t for t, b in ((Thread.LOOP, loop_first), (Thread.MESSAGES, messages_first)) if b]
        if pending is not None:
            for thread in early:
                watch.heartbeats.answered("a", 1, thread, pending, watch.now)
        watch.tick()
        if pending is not None:
            for thread in BOTH:
                watch.heartbeats.answered("a", 1, thread, pending, watch.now)
        pending = watch.asked[-1][2] if watch.asked else None
        assert watch.hung == []


@given(st.lists(LATENESS, max_size=30), st.sampled_from([BOTH, (Thread.LOOP,)]))
def test_who_stays_silent_is_found_within_awake_time(lateness, threads):
    """A naive bystander counts, of each wait between ticks, what is not a stall."""
    watch = Watch("a")
    watch.silent["a"] = threads
    watch.run_until_asked()
    step = LIMIT / 8
    at_least = at_most = 0.0
    lateness = iter(lateness)
    while not watch.hung:
        assert at_least < LIMIT + 4 * step
        before = watch.now
        watch.now = watch.heartbeats.next_due() + next(lateness, 0.0)
        waited = watch.now - before
        at_least += min(waited, step)
        at_most += min(waited, 2 * step)
        watch.tick()
    assert at_most >= LIMIT * 0.999
    assert watch.hung[0][1].threads == threads


def test_a_system_that_is_looked_after_no_more_is_not_asked():
    watch = Watch("a")
    watch.heartbeats.watch("a", 2, math.inf, watch.now)
    assert watch.heartbeats.next_due() is None


def test_looking_often_makes_no_system_silent_for_longer():
    watch = Watch("a")
    watch.silent["a"] = BOTH
    watch.run_until_asked()
    for _ in range(100):
        watch.tick()
    assert watch.hung == []
