"""Commands and health checks go their own way."""

import gc
import threading
import warnings

import pytest

from actors import ConnectorError
from actors.messages import CallCommand, CheckHealth, FailureCode, Outcome
from actors.payload import Payload
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns


async def failing(*_):
    raise ConnectorError("not today")


@scenario
async def test_a_command_gets_its_arguments_and_its_result_comes_back():
    bench = Bench(Puppet())
    called = await bench.ask(CallCommand("plc", "call", (1, [2]), {"three": 3}))
    assert called.load() == ((1, [2]), {"three": 3})


@scenario
async def test_a_command_works_without_connection():
    called = await Bench(Puppet(connected=False)).ask(CallCommand("plc", "add", (1,)))
    assert called.load() == 2


@pytest.mark.parametrize("name", ["nothing", "not_a_command", "connect", "__init__", ""])
@scenario
async def test_an_unknown_command_lists_the_known_ones(name):
    failure = await Bench(Puppet()).ask(CallCommand("plc", name))
    assert failure.code is FailureCode.UNKNOWN_COMMAND
    assert failure.text == f"plc: Puppet has no command {name!r}; its commands: add, call"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, 2, 3), {}),
        ((1,), {"third": 3}),
        ((1, 2), {"other": 3}),
        (5, {}),
        ((), 5),
        ((), "text"),
        ((1,), {2: 3}),
        (Payload(encoded=b"no pickle"), {}),
        ((1,), Payload(encoded=b"no pickle")),
    ],
)
@scenario
async def test_arguments_that_do_not_fit_are_an_invalid_request(args, kwargs):
    bench = Bench(Puppet())
    failure = await bench.ask(CallCommand("plc", "add", args, kwargs))
    assert (failure.code, failure.outcome) == (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT)
    assert bench.crashes == []


@scenario
async def test_a_type_error_inside_a_command_is_a_bug_and_not_the_caller_s_fault():
    bench = Bench(Puppet())
    bench.submit(CallCommand("plc", "add", (1, "2")))
    assert (await bench.crash()).kind == "TypeError"


@scenario
async def test_an_expected_error_of_a_command_is_an_answer():
    system = Puppet()
    system.on["call"] = failing
    failure = await Bench(system).ask(CallCommand("plc", "call"))
    assert (failure.code, failure.outcome) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert failure.text == "plc: call: ConnectorError: not today"


@scenario
async def test_a_result_that_cannot_be_pickled_is_an_answer_that_says_so():
    system = Puppet()

    async def lock(*_):
        return threading.Lock()

    system.on["call"] = lock
    bench = Bench(system)
    failure = await bench.ask(CallCommand("plc", "call"))
    assert (failure.code, failure.outcome) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert "call was carried out, but its result is lost" in failure.text
    assert bench.crashes == []


@scenario
async def test_commands_run_beside_each_other():
    system = Puppet()
    system.on["call"] = held = Held()
    bench = Bench(system)
    first, second = (bench.submit(CallCommand("plc", "call", (n,))) for n in range(2))
    await held.begun(2)
    held._futures[1].set_result("second")
    assert (await bench.answer(second)).load() == "second"
    assert not bench.is_answered(first)


@scenario
async def test_a_forgotten_command_is_cancelled_and_gives_no_answer():
    system = Puppet()
    system.on["call"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(CallCommand("plc", "call"))
    await held.begun()
    bench.forget(ref)
    await turns()
    assert ("end", "call") in system.log
    assert bench.replies[ref] == []
    assert bench.crashes == []


@scenario
async def test_a_command_may_bring_the_connection_back_and_the_tap_goes_on():
    system = Puppet(connected=False)

    async def mend(*_):
        system.is_connected = True

    system.on["call"] = mend
    system.on["receive"] = held = Held()
    bench = Bench(system)
    bench.engine.set_tap(True)
    await bench.ask(CallCommand("plc", "call"))
    await held.begun()


@pytest.mark.parametrize("answer", [True, False, 1, ""])
@scenario
async def test_health_is_what_the_system_says(answer):
    system = Puppet()

    async def health():
        return answer

    system.on["health"] = health
    assert (await Bench(system).ask(CheckHealth("plc"))).healthy is bool(answer)


@scenario
async def test_an_expected_error_of_a_health_check_is_an_answer():
    system = Puppet()
    system.on["health"] = failing
    bench = Bench(system)
    assert (await bench.ask(CheckHealth("plc"))).code is FailureCode.CONNECTOR_ERROR
    assert bench.crashes == []


@scenario
async def test_a_forgotten_health_check_is_cancelled():
    system = Puppet()
    system.on["health"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(CheckHealth("plc"))
    await held.begun()
    bench.forget(ref)
    await turns()
    assert ("end", "health") in system.log
    assert bench.replies[ref] == []


@scenario
async def test_arguments_given_as_an_iterator_reach_the_command():
    bench = Bench(Puppet())
    called = await bench.ask(CallCommand("plc", "add", iter([1, 2])))
    assert called.load() == 3


@scenario
async def test_a_command_forgotten_before_its_first_step_leaves_no_warning():
    bench = Bench(Puppet())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for request in (CallCommand("plc", "call"), CheckHealth("plc")):
            bench.forget(bench.submit(request))
        await turns()
        gc.collect()
    assert caught == []
    assert bench.system.log == []
