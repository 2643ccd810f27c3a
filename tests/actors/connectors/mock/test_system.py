"""The mock system: an ordinary system first, and then its faults."""

import asyncio
import pickle

import pytest

from actors import ConnectorError
from actors.connectors.mock.system import MockExternalSystem
from actors.interface import command_names
from actors.payload import decode, encode
from tests.helpers.mocks import Slept, connected, mock, never, turns

# ---- an ordinary system ------------------------------------------------------------


def test_one_more_connection_shares_what_was_sent_and_what_goes_wrong_and_nothing_else():
    first = connected(faults=[{"operation": "send", "action": "refuse", "after": 1}])
    first.mock_data_queue.append("for the first")
    other = first.another_connection()
    assert not other.is_connected
    assert asyncio.run(other.connect()) is True
    assert asyncio.run(first.send_data(1)) is True
    assert asyncio.run(other.send_data(2)) is False
    assert asyncio.run(other.send_data(3)) is True
    assert asyncio.run(first.sent_items()) == asyncio.run(other.sent_items()) == [1, 3]
    assert asyncio.run(other.receive_data()) is None
    assert asyncio.run(other.disconnect()) is True
    assert first.is_connected


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
