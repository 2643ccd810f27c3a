"""What an actor's constructor takes, it is given, as on any base."""

from __future__ import annotations

import pytest
from thespian.actors import ActorTypeDispatcher, ChildActorExited

from tests.helpers import hosting
from tests.helpers.hosting import Do, ask, kinds_heard, of, wait_until


@pytest.fixture
def host(shared_host):
    return shared_host


class TakesNothing(hosting.Doer):
    def __init__(self):
        super().__init__()
        self.given = {}


class TakesBoth(hosting.Doer):
    def __init__(self, requirements=None, capabilities=None, other=7):
        super().__init__()
        self.given = {"requirements": requirements, "admin": capabilities["Admin Port"], "o": other}


class TakesThemByKeyword(hosting.Doer):
    def __init__(self, capabilities, *, requirements=3):
        super().__init__()
        self.given = {"requirements": requirements, "admin": capabilities["Admin Port"]}


class HasNone(ActorTypeDispatcher):
    __init__ = object.__init__

    def receiveMsg_Do(self, message, sender):
        self.send(sender, "hello")


class Raises(hosting.Doer):
    def __init__(self):
        raise ZeroDivisionError("on purpose")


def create_one(system, actor_class, requirements=None):
    return system.createActor(actor_class, requirements)


@pytest.mark.parametrize(
    ("actor_class", "given"),
    [
        (TakesNothing, {}),
        (TakesBoth, {"requirements": {"x": 1}, "admin": "test", "o": 7}),
        (TakesThemByKeyword, {"requirements": 3, "admin": "test"}),
    ],
)
def test_a_constructor_is_given_what_it_names(host, actor_class, given):
    actor = host.do(create_one, actor_class, {"x": 1})
    assert host.ask(actor, of, "given") == given


def test_an_actor_whose_constructor_is_none_of_python_is_made(host):
    actor = host.do(create_one, HasNone)
    assert host.do(ask, actor, Do(of)) == "hello"


def test_a_parent_hears_of_a_child_whose_constructor_raises(host):
    parent = host.create()
    host.do(ask, parent, Do(create_raising))

    wait_until(lambda: host.ask(parent, kinds_heard) == [ChildActorExited.__name__])


def create_raising(actor):
    actor.createActor(Raises)
    return "tried"
