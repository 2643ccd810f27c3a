"""Clients at a system actor's own door: a real socket, an engine, and what the tally says."""

import asyncio
import pickle
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings

from actors.messages import (
    Answered,
    ConnectSystem,
    DataReceived,
    DataSent,
    Deliver,
    DoorAddress,
    Failure,
    Forget,
    ManySent,
    NothingReceived,
    ReceiveData,
    SendData,
    SendMany,
    TakeBack,
)
from actors.messages.tallied import NOTHING
from actors.payload import unwrap
from actors.system_actor.direct_clients import DirectClients
from actors.wire import unsent
from actors.wire.frames import HEADER, VERSION, FrameDecoder, WireError, encode_frame
from actors.wire.front_door import Arrived, DoorClient, Left
from actors.wire.tally import read_tally, tally_path
from tests.helpers import junk
from tests.helpers.bench import Bench, Held, Puppet, Source, scenario, turns

MAILBOX = 5
LIMIT = 1 << 20


class Plant:
    """An engine with a door."""

    def __init__(self, directory):
        directory.mkdir(0o700, exist_ok=True)
        self.path = str(directory / "door")
        self.system = Puppet()
        self.bench = Bench(self.system)
        address = DoorAddress(self.path, MAILBOX)
        self.bugs = []
        self.clients = DirectClients(
            address, "plc", 1, LIMIT, self.bench.engine, self.bench.to_supervisor, self.bugs.append
        )

    @property
    def tally(self):
        return read_tally(tally_path(self.path))

    async def client(self):
        return await Caller.open(self.path)


class Caller:
    """A client that says what a test wants, and keeps what it is answered."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.frames = FrameDecoder()
        self.delivered = 0
        self.said = []

    @classmethod
    async def open(cls, path):
        return cls(*await asyncio.open_unix_connection(path))

    def say(self, *messages):
        self.writer.write(encode_frame(messages))

    def deliver(self, *requests):
        self.delivered += 1
        self.say(Deliver(self.delivered, tuple((each.request_id, each) for each in requests)))

    async def until(self, happened):
        while not happened():
            data = await self.reader.read(1 << 16)
            assert data, "hung up on"
            self.said += self.frames.feed(data)

    def replies_to(self, request):
        return [
            reply
            for said in self.said
            for request_id, reply in said.replies
            if request_id == request.request_id
        ]

    async def answer(self, request):
        await self.until(lambda: self.replies_to(request))
        return self.replies_to(request)[-1]

    async def ask(self, request):
        self.deliver(request)
        return await self.answer(request)

    async def taken(self):
        """Until all that was delivered is taken."""
        await self.until(lambda: self.said and self.said[-1].taken == self.delivered)

    def close(self):
        self.writer.close()


def with_plant(function):
    """A scenario with a plant, whose callers are closed after it."""

    @scenario
    async def test(runtime_dir):
        plant = Plant(runtime_dir)
        callers = []

        async def call():
            callers.append(await plant.client())
            return callers[-1]

        try:
            await function(plant, call)
            assert plant.bugs == []
        finally:
            for each in callers:
                each.close()
                await each.writer.wait_closed()
            plant.clients._door.close()

    test.__name__ = function.__name__
    return test


@with_plant
async def test_a_request_at_the_door_is_answered_and_counted(plant, call):
    caller = await call()
    assert isinstance(await caller.ask(SendData("plc", b"x")), DataSent)
    plant.system.on["receive"] = source = Source()
    source.put("item")
    assert isinstance(await caller.ask(ReceiveData("plc")), DataReceived)
    assert (plant.tally.sent, plant.tally.received, plant.tally.waiting) == (1, 1, 0)
    assert plant.bench.replies == {}, "nothing of it is told to the supervisor"


@with_plant
async def test_what_was_taken_is_said_before_it_is_answered(plant, call):
    plant.system.on["send"] = Held()
    caller = await call()
    caller.deliver(SendData("plc", b"x"))
    await caller.taken()
    assert caller.said[-1].replies == ()
    assert isinstance(caller.said[-1], Answered)


@with_plant
async def test_the_tally_tells_what_the_system_is_busy_with(plant, call):
    plant.system.on["send"] = held = Held()
    caller = await call()
    send = SendData("plc", b"x")
    caller.deliver(ReceiveData("plc"), send, SendMany("plc", (1, 2)))
    await caller.taken()
    assert (plant.tally.waiting, plant.tally.busy_with) == (4, SendData)
    held.release()
    await caller.answer(send)
    assert (plant.tally.waiting, plant.tally.busy_with) == (3, SendMany)
    assert plant.tally.is_connected


@with_plant
async def test_a_client_that_leaves_has_its_sends_go_and_receives_nothing(plant, call):
    plant.system.on["send"] = held = Held()
    plant.system.on["receive"] = source = Source()
    caller, other = await call(), await call()
    caller.deliver(SendData("plc", 1), SendData("plc", 2), ReceiveData("plc"))
    await caller.taken()
    caller.close()
    while plant.tally.waiting != 2:
        await asyncio.sleep(0)
    held.release()
    await held.begun(2)
    held.release()
    source.put("precious")
    reply = await other.ask(ReceiveData("plc"))
    assert reply.load() == "precious"
    assert plant.system.begun("send") == [(1,), (2,)]
    assert (plant.tally.sent, plant.tally.waiting) == (2, 0)


@with_plant
async def test_items_given_back_come_first_and_are_not_counted(plant, call):
    caller = await call()
    caller.say(TakeBack("plc", ("one", "two")))
    replies = [await caller.ask(ReceiveData("plc", 1.0)) for _ in range(2)]
    assert [reply.load() for reply in replies] == ["one", "two"]


@with_plant
async def test_a_forgotten_request_is_not_begun(plant, call):
    plant.system.on["send"] = held = Held()
    caller = await call()
    first, second = SendData("plc", 1), SendData("plc", 2)
    caller.deliver(first, second)
    await caller.taken()
    caller.say(Forget((second.request_id,)))
    while plant.tally.waiting != 1:
        await turns()
    held.release()
    await caller.answer(first)
    await turns()
    assert plant.system.begun("send") == [(1,)]


@with_plant
async def test_a_full_mailbox_counts_all_clients_and_the_supervisor(plant, call):
    plant.system.on["send"] = held = Held()
    one, two = await call(), await call()
    one.deliver(SendMany("plc", (1, 2)))
    await one.taken()
    routed = SendMany("plc", (3, 4))
    plant.clients.supervisor_delivers([(1, routed)])
    plant.bench.engine.submit(plant.bench.origin(1), routed)
    many = SendMany("plc", (5, 6, 7))
    two.deliver(many)
    await two.taken()
    refusal = await two.ask(SendData("plc", 8))
    assert isinstance(refusal, Failure)
    assert "it is connected; 5 items wait already (mailbox_size 5), the first for " in refusal.text
    for _ in range(5):
        await held.begun()
        while not held.waiting:
            await turns()
        held.release()
    await two.until(lambda: any(each.final for each in two.replies_to(many)))
    results = [result for part in two.replies_to(many) for result in part.results]
    assert results[0] is True
    assert [each.code for each in results[1:]] == ["overloaded", "overloaded"]
    assert isinstance(await two.ask(SendMany("plc", ())), ManySent)


@with_plant
async def test_a_request_is_answered_and_forgotten_where_it_came_from_whatever_its_number(
    plant, call
):
    plant.system.on["receive"] = source = Source()
    caller = await call()
    supervisors, theirs = ReceiveData("plc", wait=3600.0), ReceiveData("plc", wait=3600.0)
    number = plant.bench.submit(supervisors)
    caller.deliver(theirs)
    await caller.taken()

    plant.bench.forget(number)
    source.put("item")

    assert unwrap((await caller.answer(theirs)).data) == "item"
    assert not plant.bench.replies


@with_plant
async def test_what_comes_to_a_system_that_is_being_stopped_is_handed_back(plant, call):
    caller = await call()
    stopping = asyncio.ensure_future(plant.bench.engine.stop(1.0))
    await turns(1)
    late = SendData("plc", b"x")
    caller.deliver(late)
    await caller.taken()
    assert [ref for said in caller.said for ref in said.refused] == [late.request_id]
    await stopping
    assert plant.system.begun("send") == []


@with_plant
async def test_orders_are_for_the_supervisor(plant, call):
    caller = await call()
    assert isinstance(await caller.ask(ConnectSystem("plc")), Failure)


@with_plant
async def test_nothing_is_received_for_a_client_that_cannot_be_answered(plant, call):
    plant.system.on["receive"] = source = Source()
    caller, other = await call(), await call()
    caller.deliver(ReceiveData("plc", 60.0))
    await caller.taken()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsent, "encode_frames", refuse)
        caller.deliver(SendData("plc", b"x"))
        with pytest.raises(AssertionError, match="hung up on"):
            await caller.taken()
    source.put("precious")
    reply = await other.ask(ReceiveData("plc"))
    assert reply.load() == "precious"


def refuse(*_):
    raise WireError("it is too long")


@with_plant
async def test_a_subscribers_item_is_counted_by_the_supervisor(plant, call):
    plant.bench.engine.set_tap(True)
    plant.system.on["receive"] = source = Source()
    caller = await call()
    receive = ReceiveData("plc", 2.0)
    caller.deliver(receive)
    await caller.taken()
    source.put("seen by all")
    assert not isinstance(await caller.answer(receive), NothingReceived)
    assert plant.tally.received == 0
    assert plant.bench.tapped == ["seen by all"]


@pytest.mark.parametrize("content", [b"", b"short", bytes(1000)])
def test_a_tally_that_is_none_says_nothing(runtime_dir, content):
    runtime_dir.mkdir()
    path = runtime_dir / "door.tally"
    assert read_tally(str(path)) == NOTHING
    path.write_bytes(content)
    assert read_tally(str(path)) == NOTHING


@given(junk.said_to_a_system())
@settings(deadline=None)
def test_a_strangers_junk_costs_neither_the_system_nor_its_other_clients(message):
    """At the ear of the door, without a socket."""

    async def scenario():
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            plant = Plant(Path(directory) / "d")
            try:
                other = SendData("plc", b"others")
                held = plant.system.on["send"] = Held()
                good, stranger = DoorClient(1), DoorClient(2)
                told = defaultdict(list)
                patch.setattr(
                    plant.clients._door, "tell", lambda who, said: told[who].extend(said.replies)
                )
                plant.clients._hear([Arrived(good, Deliver(1, ((1, other),)))])
                plant.clients._hear([Arrived(stranger, message)])
                await held.begun()
                plant.clients._hear([Left(stranger)])
                while held.waiting:
                    held.release()
                    await turns(2)
                await turns()
                assert (1, DataSent(request_id=other.request_id, system_name="plc")) in told[good]
                assert plant.bugs == []
                assert plant.bench.crashes == []
            finally:
                await plant.bench.engine.stop(0.1)
                plant.clients._door.close()

    asyncio.run(scenario())


def plain_frame(*messages):
    """Without the short forms, which not all junk has."""
    body = pickle.dumps(list(messages))
    return HEADER.pack(b"XSY%d" % VERSION, len(body)) + body


JUNK_BYTES = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"XSY",
    b"XSY1" + bytes(8),
    HEADER.pack(b"XSY%d" % VERSION, 1 << 63),
    HEADER.pack(b"XSY%d" % VERSION, 5) + b"no pi",
    HEADER.pack(b"XSY%d" % VERSION, 100) + b"half",
    plain_frame(*[Deliver("1", ())]),
    plain_frame(*[Deliver(1, ((1, SendData("plc", b"")), (1, SendData("plc", b""))))]),
    plain_frame(*[Deliver(1, ((1,),))]),
    plain_frame(*[Forget(([],))]),
    plain_frame(*[TakeBack("plc", (1,)), 5, None, "x"]),
    bytes(1000),
]


@with_plant
async def test_junk_at_the_door_is_answered_or_hung_up_on(plant, call):
    other = await call()
    for each in JUNK_BYTES:
        stranger = await call()
        stranger.writer.write(each)
        stranger.writer.write_eof()
        await stranger.reader.read()
        assert isinstance(await other.ask(SendData("plc", b"x")), DataSent), each[:40]
    assert plant.bench.crashes == []


@with_plant
async def test_what_is_for_another_system_or_too_long_is_refused_at_the_door(plant, call):
    caller = await call()
    elsewhere = await caller.ask(SendData("pump", b"x"))
    assert (elsewhere.code, "door of plc" in elsewhere.text) == ("invalid_request", True)
    long = await caller.ask(SendData("plc", bytes(LIMIT + 1)))
    assert (long.code, "max_payload_bytes" in long.text) == ("invalid_request", True)
    assert plant.system.begun("send") == []
