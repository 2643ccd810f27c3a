"""Which Thespian base a runtime is on, and what is said when it is not the best."""

from __future__ import annotations

import logging
import socket

import pytest

from actors.unix_base import BASE_NAME
from supervisor.runtime import actor_system
from supervisor.runtime.actor_system import (
    BASE_VARIABLE,
    FALLBACK,
    WORKING,
    choose_base,
    start_actor_system,
)


def test_without_a_choice_it_is_the_one_over_unix_sockets(monkeypatch, caplog):
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    assert choose_base() == BASE_NAME
    assert not caplog.records


def test_one_variable_chooses_another(monkeypatch, caplog):
    monkeypatch.setenv(BASE_VARIABLE, "multiprocUDPBase")
    assert choose_base() == "multiprocUDPBase"
    assert not caplog.records


def test_where_there_are_no_unix_sockets_it_says_what_is_lost(monkeypatch, caplog):
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    monkeypatch.delattr(socket, "AF_UNIX")
    assert choose_base() == FALLBACK
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "no Unix sockets" in record.getMessage()
    assert "can run code as you" in record.getMessage()
    assert "take several times as long" in record.getMessage()


@pytest.mark.parametrize("base", ["nonsense", "simpleSystemBase", "x" * 10_000])
def test_a_base_that_does_not_work_is_one_line_with_those_that_do(base, monkeypatch, tmp_path):
    monkeypatch.setenv(BASE_VARIABLE, base)
    with pytest.raises(RuntimeError) as raised:
        start_actor_system(tmp_path)
    text = str(raised.value)
    assert len(text) < 300
    assert "\n" not in text
    assert text.count(BASE_VARIABLE) == 1
    assert all(each in text for each in WORKING)


def test_what_fails_in_each_attempt_in_the_same_way_is_said_once(monkeypatch, tmp_path):
    def fail(*_):
        raise RuntimeError("no port")

    monkeypatch.setenv(BASE_VARIABLE, "multiprocTCPBase")
    monkeypatch.setattr(actor_system, "_start", fail)
    monkeypatch.setattr(actor_system, "stay_on_loopback", lambda: None)
    with pytest.raises(RuntimeError, match=r"^no port$"):
        start_actor_system(tmp_path)
