"""Addresses travel quickly within the base, and everywhere else as anything that is pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.pickling import dumps

ONE, TWO = address_of("one"), address_of("two")


@pytest.mark.parametrize(
    "message", [ONE, (ONE, b"data"), {"from": ONE, "to": [TWO, ONE]}, None, "text"]
)
def test_a_message_is_read_as_it_was_written(message):
    assert pickle.loads(dumps(message)) == message


def test_an_address_in_a_message_names_no_module():
    assert b"actors" not in dumps((ONE, b"data"))


def test_an_address_that_is_pickled_for_anybody_can_be_read_without_any_import():
    dumps(ONE)
    with pytest.raises(Exception, match="pickle"):
        dumps(lambda: ONE)

    pickled = pickle.dumps(ONE)

    read = f"import pickle; print(pickle.loads({pickled!r}).addressDetails)"
    said = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True)
    assert said.stdout == "one\n"
