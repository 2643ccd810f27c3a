"""The two ways to one system, and what they had done, for tests of :class:`Ways`."""

from actors.messages import (
    Answered,
    DataReceived,
    DataSent,
    Deliver,
    Fence,
    FencePassed,
    ManySent,
    SendData,
)
from supervisor.client.way_actions import Route, Tell
from supervisor.client.ways import Ways
from supervisor.messages import SystemResolved

MAILBOX = 5
LARGEST = 100
"""Bytes of an item."""


class Plant:
    """The ways to one system, and what they had done."""

    def __init__(self):
        self.now = 100.0
        self.ways = Ways("plc")
        self.taken = self.counted = 0
        self.actions = []
        self.heard = {}

    def open(self, incarnation=1, proven=True, **found):
        """Open a link; and have it proven that nothing is under way through the supervisor."""
        self.found = SystemResolved(
            request_id=0,
            system_name="plc",
            incarnation=incarnation,
            door="",
            mailbox_size=MAILBOX,
            max_payload_bytes=LARGEST,
            request_timeout=30.0,
            connect_timeout=60.0,
            **found,
        )
        self.ways.found(self.found, self.ways.connection_news, self.now)
        self.ways.opened(self.found, 0)
        if proven:
            first = self.ask(SendData("plc", "first"))
            [fence] = [each for each in self.routed() if isinstance(each, Fence)]
            self.ways.routed_reply(
                fence.request_id, FencePassed(request_id=fence.request_id), self.now
            )
            self.flush()
            self.say(sent(first))
            self.actions.clear()
            self.counted = 0
            assert self.answers(first) == [sent(first)]

    def ask(self, request, size=None):
        self.heard[request.request_id] = []
        self.ways.ask(request, self.heard[request.request_id].append, self.now, size)
        self.flush()
        return request

    def flush(self):
        self.actions += self.ways.flush(self.now)
        self.taken += len(self.told(Deliver)) - self.counted
        self.counted = len(self.told(Deliver))

    def say(self, *replies, refused=()):
        """Have the system answer on the link, once it has taken all that came."""
        answered = tuple((each.request_id, each) for each in replies)
        self.ways.heard(Answered("plc", 1, self.taken, answered, refused), self.now)
        self.flush()

    def answered(self, taken, refused=()):
        """What the system says that has taken so many deliveries."""
        return Answered("plc", 1, self.taken - self.counted + taken, (), refused)

    def told(self, kind):
        said = [each.message for each in self.actions if isinstance(each, Tell)]
        return [each for each in said if isinstance(each, kind)]

    def delivered(self):
        return [request for each in self.told(Deliver) for _, request in each.requests]

    def routed(self):
        return [each.request for each in self.actions if isinstance(each, Route)]

    def answers(self, request):
        return self.heard[request.request_id]


def sent(request):
    return DataSent(request_id=request.request_id, system_name="plc")


def part(request, *results, final=False):
    return ManySent(request_id=request.request_id, system_name="plc", results=results, final=final)


def received(request, data):
    return DataReceived(request_id=request.request_id, system_name="plc", data=data)
