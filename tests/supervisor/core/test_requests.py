"""What is asked wrongly is answered, once, and harms nobody else."""

import threading

import attrs
import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    ReceiveData,
    ReceiveMany,
    Report,
    Request,
    SendData,
    SendMany,
    StartSystem,
    SystemDefinition,
)
from supervisor.messages import (
    CancelRequest,
    ChangeSpecs,
    ConnectAll,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    GetStatus,
    RegisterSystem,
    RestartChild,
    ReturnData,
    StartChild,
    StopSupervisor,
    Subscribe,
    SupervisorClosing,
    SupervisorRequest,
    TerminateChild,
    UnregisterSystem,
    WhichChildren,
)
from supervisor.messages.record import ConfigureSupervisor
from supervisor.specs.options import SupervisorOptions
from tests.helpers.harness import Harness, failed, spec

NAN = float("nan")


@pytest.fixture
def plant():
    return Harness(max_payload_bytes=1000)


def refused(plant, message):
    failure = plant.ask(message)
    assert failed(failure) == ("invalid_request", "not_sent")
    return failure


@pytest.mark.parametrize(
    "request_",
    [
        SendData(7, b""),
        SendData(None, b""),
        GetStatus(b"plc"),
        UnregisterSystem(["plc"]),
        SendData("x" * 100_000, b""),
        SendData("plc", b"", timeout=-1),
        SendData("plc", b"", timeout=0),
        SendData("plc", b"", timeout=NAN),
        SendData("plc", b"", timeout=True),
        SendData("plc", b"", timeout="soon"),
        SendData("plc", b"", timeout=10**400),
        ConnectAll(timeout=-1),
        StopSupervisor(timeout=NAN),
        ReceiveData("plc", -0.1),
        ReceiveData("plc", NAN),
        ReceiveData("plc", False),
        ReceiveData("plc", "1"),
        ReceiveData("plc", 10**400),
        ReceiveMany("plc", 0),
        ReceiveMany("plc", -1),
        ReceiveMany("plc", 2.5),
        ReceiveMany("plc", True),
        ReceiveMany("plc", 1, NAN),
        CallCommand("plc", 7),
        CallCommand("plc", "f", (b"x" * 2000,)),
        SendData("plc", b"x" * 1001),
        RegisterSystem(spec("a"), 5),
        RegisterSystem(spec("a"), ["root"]),
        StartChild(spec("a"), b"root"),
        StartChild("a"),
        ChangeSpecs(spec("a")),
        WhichChildren(7),
        CountChildren({}),
        TerminateChild(["plc"]),
        RestartChild("x" * 5_000_000),
        DeleteChild(None),
        GetChildSpec(7),
        Subscribe(lifecycle="yes"),
        Subscribe(since="1"),
        SendData("plc", "x" * 1001),
        SendMany("plc", (b"x", b"x" * 1001)),
        SendData("plc", threading.Lock()),
        SendMany("plc", (b"", threading.Lock())),
        CallCommand("plc", "f", (threading.Lock(),)),
        CallCommand("plc", "f", (), {"lock": threading.Lock()}),
        RegisterSystem("plc"),
        RegisterSystem(None),
        Subscribe(data_from=(1, 2)),
        ConfigureSupervisor(SupervisorOptions()),
        SupervisorRequest(),
    ],
    ids=lambda each: f"{type(each).__name__}-{each}"[:60],
)
def test_what_cannot_be_right_is_refused(plant, request_):
    plant.register("plc")
    failure = refused(plant, request_)
    assert failure.request_id == request_.request_id
    assert type(request_).__name__ in failure.text
    plant.assert_nothing_open()
    assert plant.actor().told == []


@pytest.mark.parametrize("request_id", [None, "7", 1.5, [], {}])
def test_a_request_id_that_is_no_number_is_refused_under_the_number_0(plant, request_id):
    plant.register("plc")
    assert refused(plant, SendData("plc", b"", request_id=request_id)).request_id == 0
    assert refused(plant, ConnectAll(request_id=request_id)).request_id == 0
    plant.assert_nothing_open()


@attrs.frozen
class Foreign:
    request_id: object = 5
    system_name: object = "plc"


@pytest.mark.parametrize(
    ("message", "request_id", "name"),
    [
        (None, 0, None),
        ("SendData", 0, None),
        ({"request_id": 1}, 0, None),
        (SendData, 0, None),
        (Foreign(), 5, "plc"),
        (Foreign("x", 1), 0, None),
        (SupervisorClosing(), 0, None),
        (StartSystem(SystemDefinition("plc", "mock"), 1), 0, None),
        (Report("plc", 1, 0, (), False), 0, "plc"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_is_no_request_is_refused_with_what_it_tells_of_itself(
    plant, message, request_id, name
):
    failure = refused(plant, message)
    assert (failure.request_id, failure.system_name) == (request_id, name)
    assert type(message).__name__ in failure.text


def test_an_answer_is_not_answered(plant):
    plant.tell(DataSent(request_id=1))
    assert plant.told == []


@pytest.mark.parametrize(
    "message",
    [
        CancelRequest((99, "x", None)),
        CancelRequest(None),
        CancelRequest(7),
        CancelRequest(([],)),
        ReturnData("nobody", (1,)),
        ReturnData(["plc"], (1,)),
        ReturnData(None, ()),
    ],
    ids=str,
)
def test_what_is_never_answered_does_nothing_when_it_makes_no_sense(plant, message):
    plant.register("plc")
    told = len(plant.told)
    plant.tell(message)
    assert len(plant.told) == told
    assert plant.actor().told == []


def test_numbers_that_make_sense_are_taken(plant):
    plant.register("plc")
    for request in (
        SendData("plc", b"", timeout=1),
        SendData("plc", b"", timeout=0.001),
        SendData("plc", b"", timeout=float("inf")),
        ReceiveData("plc", 0),
        ReceiveData("plc", None),
        ReceiveData("plc", float("inf")),
        ReceiveMany("plc", 1, 0.5),
        SendData("plc", b"x" * 1000),
        SendMany("plc", (b"x" * 1000,) * 3),
        SendMany("plc", ()),
        CheckHealth("plc"),
        ConnectSystem("plc"),
    ):
        plant.tell(request)
        assert plant.replies(request) == []


def test_what_never_is_due_is_not_waited_for(plant):
    plant.register("plc")
    before = plant.core.next_due()
    plant.tell(SendData("plc", b"", timeout=float("inf")))
    assert plant.core.next_due() == before


def test_a_request_that_only_the_system_can_judge_is_passed_on(plant):
    actor = plant.register("plc")
    request = Request("plc")
    plant.tell(request)
    assert actor.requests == [request]


def test_a_request_id_may_be_used_again(plant):
    actor = plant.register("plc")
    first, second = ReceiveData("plc", request_id=7), ReceiveData("plc", request_id=7)
    plant.tell(first)
    plant.tell(second)
    ref = actor.ref_of(first)
    actor.report((ref, first.failure("timeout", "x")))
    plant.tell(CancelRequest((7,)))
    assert len(plant.replies(first)) == 1
    plant.assert_nothing_open()


def test_names_to_subscribe_to_are_several_not_one_string():
    with pytest.raises(TypeError, match="data_from"):
        Subscribe(data_from="plc-1")


def test_a_refused_registration_does_not_register(plant):
    refused(plant, RegisterSystem(spec(), timeout=-1))
    assert plant.actors == []
