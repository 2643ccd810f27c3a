"""The mock system: an ordinary system first, and then its faults."""

import asyncio
import pickle
import subprocess
import sys

import pytest

from actors import ConnectorError
from actors.connectors.mock.faults import InjectedBug
from actors.connectors.mock.system import MockExternalSystem
from actors.errors import ActorSetupError
from actors.interface import command_names
from actors.payload import decode, encode


async def never(_seconds):
    """A sleep that does not end: a receive then ends by its data, or not at all."""
    await asyncio.Event().wait()


async def at_once(_seconds):
    """A sleep that takes no time."""


class Slept(list):
    """A sleep that takes no time and keeps account."""

    async def __call__(self, seconds):
        self.append(seconds)


def mock(*, sleep=at_once, **details):
    return MockExternalSystem("plc", details, sleep=sleep)


def connected(**options):
    system = mock(**options)
    asyncio.run(system.connect())
    return system


async def turns(count=5):
    """Let the other tasks run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


# ---- an ordinary system ------------------------------------------------------------


def test_it_takes_the_details_of_a_real_system():
    system = MockExternalSystem("System1", {"host": "mock1.example.com", "port": 8080})
    assert system.connection_details["port"] == 8080
    assert not system.is_connected


def test_it_connects_and_disconnects():
    system = mock()
    assert asyncio.run(system.connect()) is True
    assert system.is_connected
    assert asyncio.run(system.disconnect()) is True
    assert not system.is_connected


def test_a_send_while_disconnected_is_not_taken():
    system = mock()
    assert asyncio.run(system.send_data("x")) is False
    assert asyncio.run(system.sent_items()) == []


def test_what_was_sent_is_recorded():
    system = connected()
    assert asyncio.run(system.send_many([1, "two", b"three"])) == [True, True, True]
    assert asyncio.run(system.sent_items()) == [1, "two", b"three"]
    assert asyncio.run(system.sent_count()) == 3


def test_the_record_keeps_the_latest_items_and_counts_all():
    system = connected(record_size=2)
    asyncio.run(system.send_many(range(5)))
    assert asyncio.run(system.sent_items()) == [3, 4]
    assert asyncio.run(system.sent_count()) == 5


def test_an_echo_brings_back_what_was_sent():
    system = connected(echo=True)
    asyncio.run(system.send_data("ping"))
    assert asyncio.run(system.receive_data()) == "ping"


def test_an_echo_without_room_takes_nothing():
    system = connected(echo=True, queue_size=1)
    assert asyncio.run(system.send_many([1, 2])) == [True, False]
    assert asyncio.run(system.sent_items()) == [1]
    assert list(system.mock_data_queue) == [1]


def test_health_is_whether_it_is_connected():
    assert asyncio.run(mock().check_health()) is False
    assert asyncio.run(connected().check_health()) is True


def test_its_commands_can_be_called_through_the_runtime():
    assert set(command_names(MockExternalSystem)) == {
        "clear_faults",
        "inject_fault",
        "mock_incoming_data",
        "sent_count",
        "sent_items",
    }


# ---- receiving ---------------------------------------------------------------------


def test_data_may_come_in_before_it_is_connected():
    system = mock()
    asyncio.run(system.mock_incoming_data("early"))
    asyncio.run(system.connect())
    assert asyncio.run(system.receive_data()) == "early"


def test_items_are_received_in_the_order_they_came():
    system = connected()
    for item in (1, 2, 3):
        asyncio.run(system.mock_incoming_data(item))
    assert asyncio.run(system.receive_many(5, 1.0)) == [1, 2, 3]


def test_receive_returns_none_when_disconnected():
    system = mock(sleep=never)
    system.mock_data_queue.append("x")
    assert asyncio.run(system.receive_data()) is None
    assert list(system.mock_data_queue) == ["x"]


def test_receive_returns_none_when_nothing_comes_in_time():
    slept = Slept()
    system = connected(sleep=slept, receive_timeout=7)
    assert asyncio.run(system.receive_data()) is None
    assert slept == [7]


def test_receive_waits_a_tenth_of_a_second_unless_told_otherwise():
    slept = Slept()
    asyncio.run(connected(sleep=slept).receive_data())
    assert slept == [0.1]


def test_receive_wakes_when_data_comes():
    async def scenario():
        system = mock(sleep=never)
        await system.connect()
        receiving = asyncio.create_task(system.receive_data())
        await turns()
        assert not receiving.done()
        await system.mock_incoming_data("news")
        return await receiving

    assert asyncio.run(scenario()) == "news"


def test_receive_wakes_when_the_system_is_disconnected():
    async def scenario():
        system = mock(sleep=never)
        await system.connect()
        receiving = asyncio.create_task(system.receive_data())
        await turns()
        await system.disconnect()
        return await receiving

    assert asyncio.run(scenario()) is None


def test_each_of_two_receivers_gets_its_item():
    async def scenario():
        system = mock(sleep=never)
        await system.connect()
        receiving = [asyncio.create_task(system.receive_data()) for _ in range(2)]
        await turns()
        await system.mock_incoming_data(1)
        await turns()
        assert sum(task.done() for task in receiving) == 1
        await system.mock_incoming_data(2)
        return await asyncio.gather(*receiving)

    assert sorted(asyncio.run(scenario())) == [1, 2]


@pytest.mark.parametrize("turns_after_data", range(4))
def test_a_cancelled_receive_loses_no_item(turns_after_data):
    async def scenario():
        system = mock(sleep=never)
        await system.connect()
        receiving = asyncio.create_task(system.receive_data())
        await turns()
        await system.mock_incoming_data("kept")
        await turns(turns_after_data)
        receiving.cancel()
        received: object = (await asyncio.gather(receiving, return_exceptions=True))[0]
        left = list(system.mock_data_queue)
        assert [received, *left] in (["kept"], [received, "kept"])
        assert isinstance(received, asyncio.CancelledError) == (left == ["kept"])
        await turns()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(scenario()) == set(), "a timer was left running"


def test_data_that_finds_no_room_is_refused_aloud():
    system = mock(queue_size=1)
    asyncio.run(system.mock_incoming_data(1))
    with pytest.raises(ConnectorError, match="raise queue_size"):
        asyncio.run(system.mock_incoming_data(2))
    assert list(system.mock_data_queue) == [1]


# ---- time --------------------------------------------------------------------------


def test_delays_and_latency_go_through_the_sleep_it_was_given():
    slept = Slept()
    system = mock(sleep=slept, connect_delay=1, disconnect_delay=2, latency=0.5)

    async def scenario():
        await system.connect()
        await system.send_data("x")
        await system.check_health()
        await system.disconnect()

    asyncio.run(scenario())
    assert slept == [1.5, 0.5, 0.5, 2.5]


def test_jitter_makes_latency_longer_by_chance_that_the_seed_repeats():
    def run(seed):
        slept = Slept()
        system = connected(sleep=slept, latency=1, jitter=2, seed=seed)
        asyncio.run(system.send_many(range(20)))
        return slept

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert all(1 <= seconds <= 3 for seconds in run(1))


def test_without_delays_nothing_sleeps():
    slept = Slept()
    asyncio.run(connected(sleep=slept).send_data("x"))
    assert slept == []


def test_a_send_that_is_disconnected_on_its_way_is_not_taken():
    system = connected()

    async def cut_off(_seconds):
        system.is_connected = False

    system._sleep = cut_off
    asyncio.run(system.inject_fault("send", "delay", seconds=1))
    assert asyncio.run(system.send_data("x")) is False
    assert asyncio.run(system.sent_count()) == 0


# ---- snapshots ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "copy", [lambda s: pickle.loads(pickle.dumps(s)), lambda s: decode(encode(s))]
)
def test_a_snapshot_has_the_queue_and_the_record_but_no_connection(copy):
    system = MockExternalSystem("plc", {"receive_timeout": 0})
    asyncio.run(system.connect())
    asyncio.run(system.send_data("sent"))
    asyncio.run(system.mock_incoming_data({"a": [1]}))
    twin = copy(system)
    assert not twin.is_connected
    assert system.is_connected
    assert asyncio.run(twin.sent_items()) == ["sent"]
    asyncio.run(twin.connect())
    assert asyncio.run(twin.receive_data()) == {"a": [1]}
    assert list(system.mock_data_queue) == [{"a": [1]}]


def test_a_snapshot_can_be_taken_during_a_receive():
    async def scenario():
        system = MockExternalSystem("plc", {"receive_timeout": 3600})
        await system.connect()
        receiving = asyncio.create_task(system.receive_data())
        await turns()
        twin = pickle.loads(pickle.dumps(system))
        receiving.cancel()
        return twin

    assert asyncio.run(scenario()).system_name == "plc"


def test_each_snapshot_has_all_its_faults_before_it():
    system = MockExternalSystem("plc", {"faults": [{"operation": "connect", "action": "fail"}]})
    snapshot = encode(system)
    for _ in range(2):
        with pytest.raises(ConnectorError):
            asyncio.run(decode(snapshot).connect())


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
