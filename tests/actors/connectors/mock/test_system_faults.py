"""A mock system's faults, and mistakes in its details."""

import asyncio
import subprocess
import sys

import pytest

from actors import ConnectorError
from actors.connectors.mock.faults import InjectedBug
from actors.connectors.mock.system import MockExternalSystem
from actors.errors import ActorSetupError
from tests.helpers.mocks import Slept, connected, mock

# ---- faults ------------------------------------------------------------------------


CALLS = {
    "connect": lambda system: system.connect(),
    "disconnect": lambda system: system.disconnect(),
    "send": lambda system: system.send_data("x"),
    "receive": lambda system: system.receive_data(),
    "health": lambda system: system.check_health(),
}


def call(system, operation):
    return asyncio.run(CALLS[operation](system))


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("given", [lambda operation: operation, lambda _: "any"])
def test_every_operation_can_fail_once_and_then_works(operation, given):
    system = connected()
    system.mock_data_queue.append("item")
    asyncio.run(system.inject_fault(given(operation), "fail"))
    with pytest.raises(ConnectorError, match=f"failure in {operation} of 'plc'"):
        call(system, operation)
    assert call(system, operation) in (True, "item")


@pytest.mark.parametrize("operation", CALLS)
def test_every_operation_can_be_refused(operation):
    system = connected()
    system.mock_data_queue.append("item")
    asyncio.run(system.inject_fault(operation, "refuse"))
    assert call(system, operation) is (None if operation == "receive" else False)
    assert call(system, operation) in (True, "item")


def test_a_refused_disconnect_leaves_it_connected():
    system = connected()
    asyncio.run(system.inject_fault("disconnect", "refuse"))
    asyncio.run(system.disconnect())
    assert system.is_connected


def test_a_lost_connection_leaves_it_disconnected():
    system = connected()
    asyncio.run(system.inject_fault("send", "lose_connection"))
    with pytest.raises(ConnectionResetError):
        asyncio.run(system.send_data("x"))
    assert not system.is_connected


def test_a_bug_is_an_error_that_nobody_expects():
    system = connected()
    asyncio.run(system.inject_fault("receive", "bug"))
    with pytest.raises(InjectedBug):
        asyncio.run(system.receive_data())


def test_a_delayed_call_takes_its_time_and_works():
    slept = Slept()
    system = connected(sleep=slept)
    asyncio.run(system.inject_fault("send", "delay", seconds=4, times=2))
    assert asyncio.run(system.send_many([1, 2, 3])) == [True, True, True]
    assert slept == [4, 4]


@pytest.mark.parametrize("operation", ["send", "receive"])
def test_a_call_while_disconnected_uses_up_no_fault(operation):
    system = mock(faults=[{"operation": operation, "action": "fail"}])
    assert not call(system, operation)
    asyncio.run(system.connect())
    with pytest.raises(ConnectorError):
        call(system, operation)


def test_cleared_faults_strike_no_more():
    system = mock(failure_rate=1, faults=[{"operation": "connect", "action": "bug"}])
    asyncio.run(system.clear_faults())
    assert asyncio.run(system.connect()) is True


def test_a_failure_rate_fails_some_calls_as_the_seed_says():
    async def run(seed):
        system = mock(failure_rate=0.5, seed=seed)
        system.is_connected = True
        results = []
        for item in range(100):
            try:
                results.append(await system.send_data(item))
            except ConnectorError:
                results.append(False)
        return results

    first = asyncio.run(run(1))
    assert first == asyncio.run(run(1))
    assert first != asyncio.run(run(2))
    assert 20 < sum(first) < 80


def test_a_fault_that_does_not_exist_cannot_be_injected_and_is_no_crash():
    system = connected()
    with pytest.raises(ConnectorError) as caught:
        asyncio.run(system.inject_fault("sned", "fail", times=-1))
    assert "mock system 'plc'" in str(caught.value)
    assert "operation: must be one of" in str(caught.value)
    assert "times: must be a whole number, 1 or greater" in str(caught.value)
    assert asyncio.run(system.send_data("x")) is True


@pytest.mark.parametrize(("action", "error"), [("bug", InjectedBug), ("fail", ConnectorError)])
def test_a_constructor_can_raise(action, error):
    with pytest.raises(error, match="in construct of 'plc'"):
        mock(faults=[{"operation": "construct", "action": action}])


@pytest.mark.process
@pytest.mark.parametrize(
    ("operation", "fault", "status"),
    [
        ("construct", {"action": "exit", "exit_code": 3}, 3),
        ("connect", {"action": "exit", "exit_code": 4}, 4),
        ("send", {"action": "kill"}, -9),
    ],
)
def test_a_process_can_end_inside_any_call(operation, fault, status):
    code = f"""
import asyncio
from actors.connectors.mock.system import MockExternalSystem
async def main():
    system = MockExternalSystem("plc", {{"faults": [{ {"operation": operation, **fault}!r}]}})
    await system.connect()
    await system.send_data("x")
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == status


# ---- mistakes in the details -------------------------------------------------------

WAIT = 'a finite number of seconds, 0 or more, or a duration such as "500ms" or "2m"'


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({"connect_delay": -1}, "connect_delay: must be a finite number of seconds, 0 or more"),
        ({"disconnect_delay": "1"}, "disconnect_delay: must be a finite number of seconds"),
        ({"receive_timeout": float("inf")}, "receive_timeout: must be a finite number"),
        ({"receive_timeout": 10**400}, "receive_timeout: must be a finite number"),
        ({"latency": None}, f"latency: must be {WAIT}, not nothing"),
        ({"jitter": True}, f"jitter: must be {WAIT}, not a boolean"),
        ({"failure_rate": 1.5}, "failure_rate: must be a number from 0 to 1"),
        ({"seed": "abc"}, "seed: must be a whole number, not a string"),
        ({"echo": 1}, "echo: must be true or false, not a whole number"),
        ({"queue_size": 1.0}, "queue_size: must be a whole number, 0 or greater, not a decimal"),
        ({"record_size": -1}, "record_size: must be a whole number, 0 or greater"),
        ({"faults": {}}, "faults: must be an array of tables, not a table"),
        (
            {"faults": ["exit"]},
            "faults[1]: must be a table of keys (in Python a Fault), not",
        ),
        (
            {"faults": [{"operation": "send", "action": "fail"}, {"operation": "send"}]},
            "faults[2].action: is missing",
        ),
    ],
)
def test_a_wrong_detail_is_named_but_not_quoted(details, text):
    [mistake] = MockExternalSystem.check_details(details)
    assert mistake.startswith(text)
    with pytest.raises(ActorSetupError) as caught:
        mock(**details)
    assert "system 'plc': wrong connection_details" in str(caught.value)
    assert text in str(caught.value)
    assert "abc" not in str(caught.value)


def test_all_wrong_details_are_told_at_once():
    mistakes = MockExternalSystem.check_details(
        {"latency": "x", "echo": "y", "faults": [{"operation": "z", "action": "w"}], "host": 1}
    )
    assert [mistake.partition(":")[0] for mistake in mistakes] == [
        "latency",
        "faults[1].operation",
        "faults[1].action",
        "echo",
    ]


def test_right_details_have_no_mistakes_and_strike_nothing():
    faults = [{"operation": "construct", "action": "exit"}]
    assert MockExternalSystem.check_details({"port": "any", "faults": faults}) == []
