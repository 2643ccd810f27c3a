"""However an actor came by an address, it is equal to others of the same process."""

from __future__ import annotations

import copy
import pickle

import pytest
from thespian.actors import ActorAddress
from thespian.system.addressManager import ActorAddressManager

from actors.unix_base.transport.address import PeerAddress, address_of, name_of, process_of


@pytest.fixture
def manager():
    return ActorAddressManager(address_of("admin"), address_of("parent"))


@pytest.fixture
def child(manager):
    """What an actor has of a child from the start."""
    return manager.createLocalAddress()


def it_is_there(manager, child, address):
    number = child.addressDetails.addressInstanceNum
    manager.associateUseableAddress(address_of("parent"), number, address)


def test_addresses_are_equal_by_their_names():
    assert address_of("one") == address_of("one")
    assert address_of("one") != address_of("two")
    assert address_of("one") != "one"


def test_a_child_is_equal_to_its_process_as_soon_as_that_is_known(manager, child):
    process = address_of("child")
    assert child != process
    assert process != child
    assert process_of(child) is None

    it_is_there(manager, child, process)

    assert child == process
    assert process == child
    assert address_of("another") != child
    assert process_of(child) is process
    assert process in [child]


def test_what_others_unpickle_of_a_child_is_equal_to_its_process(manager, child):
    it_is_there(manager, child, address_of("child"))

    unpickled = pickle.loads(pickle.dumps(child))

    assert unpickled == address_of("child")
    assert address_of("child") == unpickled
    assert process_of(unpickled) == address_of("child")
    assert name_of(unpickled) == "child"


def test_a_child_may_be_known_by_what_others_had_of_it(manager, child):
    it_is_there(manager, child, ActorAddress(PeerAddress("child")))

    assert child == address_of("child")
    assert process_of(child) == address_of("child")


@pytest.mark.parametrize(
    "of_it", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_of_an_address_is_equal_to_it(of_it):
    assert of_it(address_of("one")) == address_of("one")


def test_most_addresses_are_the_same_object_again_and_the_others_equal():
    first = address_of("first")
    assert address_of("first") is first
    for number in range(10_000):
        address_of(str(number))

    assert address_of("first") == first
