"""When a connection is pinged, and when it is dead."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.resilience.keep_alive import LATE, Dead, KeepAlive, LifeSigns, Ping, Silence
from actors.settings import MistakesError, read_table


class Chance(Random):
    """Always the same."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


def signs(stale_after: float | None = None, chance: float = 0.0) -> LifeSigns:
    """Of a connection that was made at 0, pinged each 10 s, with 2 s for the answer."""
    made = LifeSigns(KeepAlive(every=10, timeout=2), stale_after, Chance(chance))
    made.connected(0.0)
    return made


def pinged(at: float = 10.0) -> LifeSigns:
    made = signs()
    assert made.look(at) is Ping.SEND
    made.began(at)
    return made


# ---- settings ------------------------------------------------------------------------------


def test_a_timeout_is_five_seconds_or_the_interval_if_that_is_less():
    assert KeepAlive(every=60).timeout == 5
    assert KeepAlive(every="500ms").timeout == 0.5


def test_a_timeout_longer_than_the_interval_is_refused():
    with pytest.raises(ValueError, match=r"timeout \(3\) must not be more than every \(2\)"):
        KeepAlive(every=2, timeout=3)


def test_a_table_of_it_takes_durations_and_any_question():
    table = {"every": "2m", "timeout": "3s", "query": {"ask": [1]}}
    read = read_table(KeepAlive, table)
    assert (read.every, read.timeout, read.query.load()) == (120, 3, {"ask": [1]})
    with pytest.raises(MistakesError, match="every: must be a finite number of seconds"):
        read_table(KeepAlive, {"every": 0})
    with pytest.raises(MistakesError, match="every: is missing"):
        read_table(KeepAlive, {"query": "x"})


def test_what_is_asked_is_not_printed():
    assert "secret" not in repr(KeepAlive(every=1, query="secret"))


# ---- pings ---------------------------------------------------------------------------------


def test_a_quiet_connection_is_pinged_after_its_interval():
    life = signs()
    assert life.next_look == 10
    assert life.look(9.99) is None
    assert life.look(10) is Ping.SEND
    assert life.look(10) is None


def test_a_sign_of_life_has_the_next_ping_wait():
    life = signs()
    life.heard(9.0, data=True)
    assert life.look(10) is None
    assert life.next_look == 19
    assert life.look(19) is Ping.SEND


def test_an_answered_ping_is_followed_by_another_interval():
    life = pinged()
    life.answered(10.5)
    assert life.next_look == 20.5
    assert life.look(20.5) is Ping.SEND


def test_chance_takes_up_to_a_quarter_off_an_interval():
    life = signs(chance=1.0)
    life.look(10)
    life.began(10)
    life.answered(10)
    assert life.next_look == 17.5


def test_a_ping_that_is_not_answered_in_time_is_the_end():
    life = pinged()
    assert life.next_look == 12
    assert life.look(11.99) is None
    assert life.look(12) == Dead(Silence.KEEP_ALIVE, "a ping was not answered within 2 s")


def test_what_comes_beside_does_not_answer_a_ping():
    life = pinged()
    life.heard(11.0, data=True)
    assert isinstance(life.look(12), Dead)


def test_a_ping_in_line_is_withdrawn_by_a_sign_of_life():
    life = signs()
    life.look(10)
    life.heard(11.0, data=True)
    assert life.look(11.0) is Ping.WITHDRAW
    assert life.next_look == 21


def test_a_ping_that_cannot_go_out_is_the_end_as_well():
    life = signs()
    life.look(10)
    assert life.look(12) == Dead(Silence.KEEP_ALIVE, "a ping could not be sent within 2 s")


def test_a_ping_in_line_waits_while_what_is_before_it_goes_out():
    life = signs()
    life.look(10)
    assert life.look(12, held_until=11.5) is None
    assert life.next_look == 13.5
    assert isinstance(life.look(13.5, held_until=11.5), Dead)


def test_a_ping_waits_for_a_question_under_way_which_has_its_own_time():
    life = signs()
    life.look(10)
    assert life.look(12, held_until=30) is None
    assert life.next_look == 32
    assert isinstance(life.look(32), Dead)


def test_nothing_is_done_while_there_is_no_connection():
    life = pinged()
    life.disconnected()
    life.heard(11, data=True)
    life.began(11)
    life.answered(11)
    assert life.look(1000) is None
    assert life.next_look == math.inf
    assert not life.is_on


def test_five_hundred_that_are_connected_at_once_are_not_pinged_at_once():
    random = Random(1)
    lives = [LifeSigns(KeepAlive(every=10), None, random) for _ in range(500)]
    for life in lives:
        life.connected(0.0)
    for _ in range(5):
        due = sorted(life.next_look for life in lives)
        in_a_tenth_of_a_second = max(sum(t <= u < t + 0.1 for u in due) for t in due)
        assert in_a_tenth_of_a_second < 25
        for life in lives:
            at = life.next_look
            assert life.look(at) is Ping.SEND
            life.began(at)
            life.answered(at + 0.01)


# ---- stale data ----------------------------------------------------------------------------


def test_a_system_of_which_no_data_comes_is_dead():
    life = LifeSigns(None, 30.0, Chance())
    life.connected(0.0)
    life.heard(20.0, data=True)
    assert life.next_look == 50
    assert life.look(49.9) is None
    assert life.look(50) == Dead(Silence.STALE, "nothing was received for 30 s")


def test_answers_to_pings_are_no_data():
    life = signs(stale_after=15)
    life.look(10)
    life.began(10)
    life.answered(10.1)
    assert life.next_look == 15
    dead = life.look(15)
    assert isinstance(dead, Dead)
    assert dead.kind is Silence.STALE


def test_the_silence_of_what_nobody_listens_to_says_nothing():
    life = LifeSigns(None, 30.0, Chance())
    life.connected(0.0)
    assert life.look(30, is_listening=False) is None
    assert life.look(59.9) is None
    assert isinstance(life.look(60), Dead)


# ---- a late look ---------------------------------------------------------------------------


def test_who_was_held_up_itself_hears_what_came_before_it_judges():
    life = pinged()
    assert life.look(17) is None
    assert life.next_look == 17 + LATE
    assert isinstance(life.look(17 + LATE), Dead)

    life = LifeSigns(None, 30.0, Chance())
    life.connected(0.0)
    assert life.look(80) is None
    life.heard(80.1, data=True)
    assert life.next_look == 110.1


def test_being_late_again_and_again_is_no_excuse():
    life = pinged()
    assert life.look(17) is None
    assert isinstance(life.look(25), Dead)
    life = LifeSigns(None, 30.0, Chance())
    life.connected(0.0)
    assert life.look(35) is None
    assert isinstance(life.look(60), Dead)


# ---- whatever happens ----------------------------------------------------------------------

EVERY, TIMEOUT, STALE = 8.0, 3.0, 20.0


class Naive:
    """The rules by looking at all that has happened."""

    def __init__(self, now: float) -> None:
        self.signs = [now]
        self.data = [now]

    def silent_for(self, now: float) -> float:
        return now - max(self.signs)


class LifeSignsMachine(RuleBasedStateMachine):
    """Somebody who looks exactly when it is time to."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.now = 0.0
        self.life = LifeSigns(KeepAlive(every=EVERY, timeout=TIMEOUT), STALE, Random(seed))
        self.connect()

    @precondition(lambda self: self.dead is not None)
    @rule()
    def it_is_connected_anew(self) -> None:
        self.life.disconnected()
        assert self.life.next_look == math.inf
        self.connect()

    def connect(self) -> None:
        self.life.connected(self.now)
        self.naive = Naive(self.now)
        self.in_line = False
        self.asked = False
        self.waits_since = 0.0
        self.held_until = 0.0
        self.dead: Dead | None = None

    def look(self) -> None:
        told = self.life.look(self.now, held_until=self.held_until)
        match told:
            case Ping.SEND:
                assert not self.in_line
                assert not self.asked
                self.in_line, self.waits_since = True, self.now
            case Ping.WITHDRAW:
                assert self.in_line
                assert max(self.naive.signs) > self.waits_since
                self.in_line = False
            case Dead(kind=Silence.STALE):
                assert self.now - max(self.naive.data) >= STALE - 1e-9
                self.dead = told
            case Dead():
                assert self.in_line or self.asked
                if self.in_line:
                    assert self.now - self.held_until >= TIMEOUT - 1e-9
                    assert max(self.naive.signs) <= self.waits_since
                assert self.now - self.waits_since >= TIMEOUT - 1e-9
                self.dead = told

    @precondition(lambda self: self.dead is None)
    @rule(seconds=st.floats(0.001, 30))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.dead is None and self.life.next_look <= end:
            assert self.life.next_look >= self.now
            self.now = self.life.next_look
            self.look()
        if self.dead is None:
            self.now = end

    @precondition(lambda self: self.dead is None)
    @rule(data=st.booleans())
    def hear(self, data: bool) -> None:
        self.life.heard(self.now, data=data)
        self.naive.signs.append(self.now)
        if data:
            self.naive.data.append(self.now)
        self.look()

    @precondition(lambda self: self.dead is None)
    @rule(seconds=st.floats(0.0, 20))
    def something_goes_out(self, seconds: float) -> None:
        self.held_until = self.now + seconds

    @precondition(lambda self: self.dead is None and self.in_line)
    @rule()
    def the_ping_goes_out(self) -> None:
        self.life.began(self.now)
        self.in_line, self.asked, self.waits_since = False, True, self.now

    @precondition(lambda self: self.dead is None and self.asked)
    @rule()
    def it_is_answered(self) -> None:
        self.life.answered(self.now)
        self.naive.signs.append(self.now)
        self.asked = False

    @invariant()
    def silence_is_always_looked_into(self) -> None:
        if getattr(self, "dead", True) is not None:
            return
        assert self.life.next_look < math.inf
        if not (self.in_line or self.asked):
            assert self.naive.silent_for(self.now) <= EVERY + 1e-9
            assert self.life.next_look <= max(self.naive.signs) + EVERY + 1e-9
        elif self.asked:
            assert self.life.next_look <= self.waits_since + TIMEOUT + 1e-9


TestLifeSigns = LifeSignsMachine.TestCase


@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0.0, 50.0), max_size=20),
    st.floats(0.01, 0.5),
)
def test_a_black_hole_is_found_within_two_intervals(seed, came, round_trip):
    """A connection that answers its pings, and of which things come, until it is dead at 50."""
    life = LifeSigns(KeepAlive(every=10, timeout=8), None, Random(seed))
    life.connected(0.0)
    dead_from, waiting = 50.0, sorted(came)
    answer_at = math.inf
    while True:
        now = min(life.next_look, answer_at, *waiting[:1])
        if waiting and now == waiting[0]:
            life.heard(waiting.pop(0), data=True)
        if now == answer_at:
            life.answered(now)
            answer_at = math.inf
        told = life.look(now)
        if told is Ping.SEND:
            life.began(now)
            if now + round_trip <= dead_from:
                answer_at = now + round_trip
        if isinstance(told, Dead):
            assert dead_from - 8 < now <= dead_from + 2 * 10
            return
