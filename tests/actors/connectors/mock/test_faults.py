"""The fault script decides; carrying out does."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import ConnectorError
from actors.connectors.mock.faults import (
    Fault,
    FaultScript,
    InjectedBug,
    Operation,
    carry_out,
    carry_out_in_constructor,
)
from actors.settings import MistakesError

CALLS = [operation for operation in Operation if operation is not Operation.ANY]


def fault(operation="send", action="fail", **options):
    return Fault.from_table({"operation": operation, "action": action, **options})


def actions(script, operation, calls):
    struck = [script.next(operation) for _ in range(calls)]
    return [hit.action.value if hit else None for hit in struck]


# ---- the decision ------------------------------------------------------------------


def test_a_fault_strikes_as_many_calls_as_it_says():
    script = FaultScript([fault(times=2)])
    assert actions(script, Operation.SEND, 3) == ["fail", "fail", None]


def test_a_fault_lets_the_first_calls_pass():
    script = FaultScript([fault(after=2)])
    assert actions(script, Operation.SEND, 4) == [None, None, "fail", None]


def test_a_fault_strikes_its_operation_only():
    script = FaultScript([fault("receive")])
    assert script.next(Operation.SEND) is None
    assert script.next(Operation.RECEIVE) is not None


def test_any_means_every_operation_but_the_constructor_and_the_answer():
    script = FaultScript([fault("any", times="always")])
    struck = {operation for operation in CALLS if script.next(operation)}
    assert struck == set(CALLS) - {Operation.CONSTRUCT, Operation.ANSWER}


def test_faults_come_one_after_the_other():
    script = FaultScript([fault(times=2), fault(action="exit", after=1)])
    assert actions(script, Operation.SEND, 5) == ["fail", "fail", None, "exit", None]


def test_an_always_fault_ends_when_the_faults_are_cleared():
    script = FaultScript([fault(times="always")])
    assert actions(script, Operation.SEND, 3) == ["fail", "fail", "fail"]
    script.clear()
    assert script.next(Operation.SEND) is None


def test_a_rate_strikes_some_calls_and_a_seed_says_which():
    def run(seed):
        return actions(FaultScript([fault(rate=0.5, times="always")], seed), Operation.SEND, 100)

    assert run(7) == run(7)
    assert run(7) != run(8)
    assert 20 < run(7).count("fail") < 80


def test_a_delay_is_drawn_between_its_seconds_and_its_jitter_more():
    script = FaultScript([fault(action="delay", seconds=1, jitter=2, times="always")])
    delays = [script.next(Operation.SEND).seconds for _ in range(50)]
    assert all(1 <= delay <= 3 for delay in delays)
    assert len(set(delays)) > 1


faults = st.builds(
    fault,
    st.sampled_from(["connect", "send", "receive", "any"]),
    st.sampled_from(["fail", "refuse", "exit"]),
    times=st.integers(1, 4),
    after=st.integers(0, 4),
    rate=st.sampled_from([0.3, 1]),
)


@given(st.lists(faults, max_size=5), st.lists(st.sampled_from(CALLS), max_size=60), st.integers())
def test_no_fault_strikes_more_often_than_it_says_nor_where_it_must_not(plan, calls, seed):
    script, again = FaultScript(plan, seed), FaultScript(plan, seed)
    struck = [(call, script.next(call)) for call in calls]
    assert struck == [(call, again.next(call)) for call in calls]
    hits = [hit for _, hit in struck if hit]
    assert all(hits.count(hit) <= sum(f.times for f in plan if f == hit) for hit in hits)
    assert all(hit.looks_at(call) for call, hit in struck if hit)


# ---- what is no fault --------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"operation": "sned"}, "operation: must be one of construct, connect"),
        ({"operation": "sned"}, 'receive, health, answer, any; did you mean "send"?'),
        ({"operation": "xyz"}, "receive, health, answer, any$"),
        ({"operation": 3}, "receive, health, answer, any, not a whole number"),
        ({"action": "explode"}, "action: must be one of fail, fatal, lose_connection"),
        ({"action": 3}, "action: must be one of"),
        ({"times": 0}, 'times: must be a whole number, 1 or greater, or "always"$'),
        ({"times": "alway"}, 'or "always"; did you mean "always"?'),
        ({"times": True}, 'times: must be a whole number, 1 or greater, or "always", not a bool'),
        ({"after": -1}, "after: must be a whole number, 0 or greater$"),
        ({"after": 1.5}, "after: must be a whole number, 0 or greater, not a decimal number"),
        ({"rate": 1.1}, "rate: must be a number from 0 to 1$"),
        ({"rate": float("nan")}, "rate: must be a number from 0 to 1$"),
        ({"seconds": -1}, "seconds: must be a finite number of seconds, 0 or more"),
        ({"seconds": True}, 'duration such as "500ms" or "2m", not a boolean'),
        ({"exit_code": 256}, "exit_code: must be a whole number from 0 to 255$"),
        ({"signal": "SIGFOO"}, "signal: must be a signal's name"),
        ({"signal": "SIG_DFL"}, "signal: must be a signal's name"),
        ({"action": "delay"}, "seconds: is missing; a delay needs it"),
        (
            {"operation": "construct", "action": "refuse"},
            "action: must not be refuse, as a constructor returns nothing",
        ),
        ({"tims": 2}, 'tims: is no known key; did you mean "times"?'),
    ],
)
def test_a_wrong_fault_is_refused_with_its_key(table, text):
    with pytest.raises(MistakesError) as caught:
        Fault.from_table({"operation": "send", "action": "fail", **table})
    assert text in f"{caught.value}$"


def test_all_mistakes_of_a_fault_are_told_at_once():
    with pytest.raises(MistakesError) as caught:
        Fault.from_table({"action": "exit", "times": -1, "rate": 2})
    assert [mistake.path for mistake in caught.value.mistakes] == [
        ("operation",),
        ("times",),
        ("rate",),
    ]


# ---- carrying it out ---------------------------------------------------------------


def strike(table, *, slept=None, blocked=None):
    async def sleep(seconds):
        slept.append(seconds)

    def block(seconds):
        blocked.append(seconds)
        if len(blocked) == 3:
            raise StopIteration

    one = Fault.from_table({"operation": "send", **table})
    return asyncio.run(carry_out(one, Operation.SEND, "plc", sleep=sleep, block=block))


@pytest.mark.parametrize(
    ("action", "error", "text"),
    [
        ("fail", ConnectorError, "failure in send of 'plc'"),
        ("lose_connection", ConnectionResetError, "connection lost in send of 'plc'"),
        ("bug", InjectedBug, "bug in send of 'plc'"),
    ],
)
def test_a_fault_that_raises_says_where(action, error, text):
    with pytest.raises(error, match=text):
        strike({"action": action})


def test_a_refused_call_does_not_go_on():
    assert strike({"action": "refuse"}) is False


def test_a_delayed_call_goes_on_after_its_sleep():
    slept = []
    assert strike({"action": "delay", "seconds": 3}, slept=slept) is True
    assert slept == [3]


def test_a_hang_blocks_the_loop_for_its_seconds():
    blocked = []
    assert strike({"action": "hang_loop", "seconds": 0.5}, blocked=blocked) is True
    assert blocked == [0.5]


def test_a_hang_without_seconds_does_not_end():
    blocked = []
    with pytest.raises(RuntimeError, match="StopIteration"):
        strike({"action": "hang_loop"}, blocked=blocked)
    assert len(blocked) == 3


def test_a_delay_in_the_constructor_blocks():
    blocked = []
    delay = fault("construct", "delay", seconds=2)
    carry_out_in_constructor(delay, "plc", block=blocked.append)
    assert blocked == [2]


def process_that_strikes(table):
    """A process that carries out one fault on the thread of an event loop of its own."""
    code = f"""
import asyncio, threading
from actors.connectors.mock.faults import Fault, Operation, carry_out
fault = Fault.from_table({{"operation": "send", **{table!r}}})
def run():
    asyncio.run(carry_out(fault, Operation.SEND, "plc", sleep=asyncio.sleep))
    print("went on", flush=True)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.process
@pytest.mark.parametrize(
    ("table", "status"),
    [
        ({"action": "exit"}, 1),
        ({"action": "exit", "exit_code": 0}, 0),
        ({"action": "exit", "exit_code": 42}, 42),
        ({"action": "kill"}, -signal.SIGKILL),
        ({"action": "kill", "signal": "SIGSEGV"}, -signal.SIGSEGV),
        ({"action": "kill", "signal": "SIGTERM"}, -signal.SIGTERM),
    ],
)
def test_exit_and_kill_end_the_process_at_once(table, status):
    with process_that_strikes(table) as process:
        output, _ = process.communicate()
    assert process.returncode == status
    assert output == ""


@pytest.mark.process
def test_a_stopped_process_goes_on_when_it_is_continued():
    with process_that_strikes({"action": "stop_process"}) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate()
    assert process.returncode == 0
    assert output == "went on\n"
