"""What a connector is: its names, its commands, and what it gets for free."""

import asyncio

import pytest

from actors import ExternalSystemInterface, MockExternalSystem, command
from actors.interface import MAX_NAME_LENGTH, check_system_name, command_names
from tests.helpers.bench import Puppet, Source, scenario

# ---- commands ----------------------------------------------------------------------


def test_a_command_is_found_by_its_name_and_stays_callable():
    assert command_names(Puppet) == ("add", "call")
    assert asyncio.run(Puppet().add(2, other=3)) == 5


def test_a_subclass_has_the_commands_of_its_bases():
    class Special(MockExternalSystem):
        @command
        async def zero(self):
            pass

    assert {"zero", "mock_incoming_data"} <= set(command_names(Special))


def test_an_overriding_method_without_the_mark_is_no_command():
    class Closed(Puppet):
        async def add(self, one, other=1):
            return 0

    assert command_names(Closed) == ("call",)


def test_looking_for_commands_runs_no_property():
    class Careful(Puppet):
        @property
        def trap(self):
            raise AssertionError("read")

    assert command_names(Careful) == ("add", "call")


def test_a_command_must_be_a_coroutine_method():
    with pytest.raises(TypeError, match=r"make it 'async def .*plain\(\.\.\.\)'"):

        @command
        def plain(self):
            pass


def test_an_async_generator_is_no_command():
    with pytest.raises(TypeError):

        @command
        async def stream(self):
            yield 1


# ---- names -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plc-1", "a b", "Pümpe 3", "x" * MAX_NAME_LENGTH, "a/b:c"])
def test_a_good_name_is_returned(name):
    assert check_system_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (None, "a string, not NoneType"),
        (b"plc", "a string, not bytes"),
        ("", "must not be empty"),
        ("x" * (MAX_NAME_LENGTH + 1), "at most 200 characters"),
        (" plc", "no surrounding spaces"),
        ("plc\n", "no surrounding spaces"),
        ("p\tlc", "only printable"),
        ("p\x00lc", "only printable"),
        ("p\ud800lc", "only printable"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(name, why):
    with pytest.raises(ValueError, match=why):
        check_system_name(name)


def test_a_refused_long_name_is_not_printed_in_full():
    with pytest.raises(ValueError) as refused:
        check_system_name("x" * 5000)
    assert len(str(refused.value)) < 200


# ---- the object --------------------------------------------------------------------


def test_it_prints_its_name_and_state_but_never_its_details():
    system = MockExternalSystem("plc", {"password": "hunter2"})
    assert repr(system) == "<MockExternalSystem 'plc' disconnected>"
    system.is_connected = True
    assert repr(system) == "<MockExternalSystem 'plc' connected>"


def test_a_class_that_lacks_an_operation_cannot_be_built():
    class Half(ExternalSystemInterface):
        async def connect(self):
            return True

    with pytest.raises(TypeError, match="abstract"):
        Half("plc", {})  # type: ignore[abstract]


@scenario
async def test_health_is_being_connected_unless_overridden():
    assert await ExternalSystemInterface.check_health(Puppet(connected=True)) is True
    assert await ExternalSystemInterface.check_health(Puppet(connected=False)) is False


@scenario
async def test_many_items_are_sent_one_by_one_in_order():
    system = Puppet()

    async def not_two(item):
        return item != 2

    system.on["send"] = not_two
    assert await system.send_many([1, 2, 3]) == [True, False, True]
    assert system.begun("send") == [(1,), (2,), (3,)]


def receiving(*items):
    system = Puppet()
    system.on["receive"] = source = Source()
    source.put(*items)
    return system


@scenario
async def test_many_are_received_up_to_the_number_asked_for():
    system = receiving(1, 2, 3)
    assert await system.receive_many(2, 5.0) == [1, 2]
    assert await system.receive_many(2, 5.0) == [3]


@scenario
async def test_receiving_many_ends_when_nothing_comes_in_time():
    assert await receiving().receive_many(2, 0.001) == []


@scenario
async def test_receiving_many_ends_when_the_system_says_that_nothing_came():
    assert await receiving(1, None, 2).receive_many(5, 5.0) == [1]
