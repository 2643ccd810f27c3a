"""Which Thespian base a runtime is on, and what is said when it is not the best."""

from __future__ import annotations

import logging
import socket

from actors.unix_base import BASE_NAME
from supervisor.runtime.actor_system import BASE_VARIABLE, FALLBACK, choose_base


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
