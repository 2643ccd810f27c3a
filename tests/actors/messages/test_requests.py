"""Messages carry data and never show it."""

import pickle
import threading

import attrs
import pytest

from actors import messages
from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataReceived,
    DataSent,
    Deliver,
    DisconnectSystem,
    Failure,
    FailureCode,
    ManyReceived,
    ManySent,
    NothingReceived,
    Outcome,
    Reason,
    ReceiveData,
    ReceiveMany,
    Report,
    SendData,
    SendMany,
    SystemDefinition,
    TakeBack,
    invalid_request,
    is_final,
    items_in,
    new_request_id,
)
from actors.payload import Payload, PayloadError

SECRET = "hunter2"

REQUESTS = [
    ConnectSystem("plc"),
    DisconnectSystem("plc"),
    SendData("plc", SECRET),
    SendData("plc", [SECRET]),
    SendMany("plc", [SECRET, [SECRET]]),
    ReceiveData("plc", wait=1.5),
    ReceiveMany("plc", 3),
    CallCommand("plc", "login", (SECRET,), {"password": SECRET}),
    CheckHealth("plc", timeout=2.0),
]

WITH_DATA = [
    *REQUESTS,
    DataReceived(request_id=1, data=SECRET),
    ManyReceived(request_id=1, items=[SECRET]),
    CommandCalled(request_id=1, result=SECRET),
    TakeBack("plc", [SECRET]),
    SystemDefinition("plc", "mock", {"password": SECRET}, SECRET.encode()),
    Reason("ValueError", "short", f"Traceback: {SECRET}"),
    Report("plc", 1, 1, (), True, (SECRET,)),
    Deliver(1, tuple(enumerate(REQUESTS))),
]


@pytest.mark.parametrize("message", WITH_DATA, ids=lambda each: type(each).__name__)
def test_data_never_prints(message):
    assert SECRET not in repr(message)
    assert SECRET not in str(message)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_a_request_crosses_processes_and_keeps_its_number(request_):
    back = pickle.loads(pickle.dumps(request_))
    assert type(back) is type(request_)
    assert back.request_id == request_.request_id
    assert back.system_name == "plc"
    assert back.timeout == request_.timeout


def test_every_message_is_frozen_and_slotted():
    classes = [each for each in vars(messages).values() if attrs.has(each)]
    assert len(classes) > 25
    for each in classes:
        assert "__dict__" not in dir(each), each
        assert each.__setattr__ is not object.__setattr__, each


def test_no_two_requests_have_one_number():
    numbers = []

    def make():
        numbers.extend(new_request_id() for _ in range(1000))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 4000


@pytest.mark.parametrize("items", ["text", b"raw"])
def test_many_items_are_not_the_characters_of_one_string(items):
    with pytest.raises(TypeError, match="use SendData for one item"):
        SendMany("plc", items)


def test_the_items_of_many_are_taken_from_any_iterable():
    assert SendMany("plc", (item for item in (1, 2))).items == (1, 2)
    assert SendMany("plc", []).items == ()


def test_replies_give_their_data_back():
    received = pickle.loads(pickle.dumps(DataReceived(request_id=1, data=[1])))
    assert isinstance(received.data, Payload)
    assert received.load() == [1]
    assert ManyReceived(request_id=1, items=[1, [2]]).load() == [1, [2]]
    assert CommandCalled(request_id=1, result={"a": 1}).load() == {"a": 1}


def test_reading_data_that_cannot_be_read_is_a_payload_error():
    with pytest.raises(PayloadError):
        DataReceived(request_id=1, data=Payload(encoded=b"no pickle")).load()


def test_a_failure_names_its_request_and_its_system():
    request = SendData("plc", 1)
    failure = request.failure(FailureCode.TIMEOUT, "no answer", Outcome.UNKNOWN)
    assert failure == Failure(
        request_id=request.request_id,
        system_name="plc",
        code=FailureCode.TIMEOUT,
        text="plc: no answer",
        outcome=Outcome.UNKNOWN,
    )
    assert request.failure(FailureCode.TIMEOUT, "x").outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("message", [None, "text", object(), 5])
def test_what_is_no_message_at_all_still_gets_a_failure(message):
    failure = invalid_request(message, "what is this")
    assert failure.code is FailureCode.INVALID_REQUEST
    assert failure.request_id == 0
    assert failure.system_name is None


def test_the_answer_to_an_invalid_request_has_its_number():
    request = ConnectSystem("plc")
    assert invalid_request(request, "no").request_id == request.request_id
    assert invalid_request(request, "no").system_name == "plc"


def test_a_reason_has_the_traceback_as_text():
    try:
        raise ValueError("bad value")
    except ValueError as error:
        reason = pickle.loads(pickle.dumps(Reason.of(error)))
    assert reason.kind == "ValueError"
    assert reason.text == "ValueError: bad value"
    assert "test_requests.py" in reason.traceback
    assert reason.traceback.rstrip().endswith("ValueError: bad value")


def test_only_a_part_of_an_answer_does_not_end_it():
    part = ManySent(request_id=1, results=(True,), final=False)
    assert not is_final(part)
    assert is_final(attrs.evolve(part, final=True))
    assert is_final(DataSent(request_id=1))


def test_what_was_received_with_a_reply_is_in_it():
    assert items_in(DataReceived(request_id=1, data="x")) == ("x",)
    assert items_in(ManyReceived(request_id=1, items=["x", "y"])) == ("x", "y")
    assert items_in(NothingReceived(request_id=1)) == ()


def test_a_failure_names_the_system_that_it_concerns_if_there_is_one():
    request = SendData("plc", 1)
    failure = request.failure(FailureCode.TIMEOUT, "no answer")
    assert failure == Failure.to(request, "plc", FailureCode.TIMEOUT, "no answer")
    assert (failure.request_id, failure.text) == (request.request_id, "plc: no answer")
    assert Failure.to(request, None, FailureCode.TIMEOUT, "no answer").text == "no answer"


@pytest.mark.parametrize(
    "message",
    [
        SendData("plc", "hunter2"),
        SendMany("plc", ("hunter2",)),
        CallCommand("plc", "login", ("hunter2",)),
        CallCommand("plc", "login", (), {"password": "hunter2"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_no_message_shows_what_it_carries(message):
    assert "hunter2" not in repr(message)
