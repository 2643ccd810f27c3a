"""Which Thespian base a runtime is on, and what is said when it is not the best."""

from __future__ import annotations

import logging
import socket

import psutil
import pytest

from actors.unix_base import BASE_NAME
from supervisor import SystemSpec
from supervisor.base import BASE_VARIABLE, FALLBACK, choose_base
from tests.supervisor.support import pid_of, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")


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


@pytest.mark.parametrize(("base", "listens"), [(BASE_NAME, False), (FALLBACK, True)])
def test_a_runtime_opens_ports_on_no_base_but_those_that_need_them(monkeypatch, base, listens):
    monkeypatch.setenv(BASE_VARIABLE, base)

    async def work(manager):
        await manager.send_data_to_system("a", b"x")
        pid = await pid_of(manager, "a")
        family = [psutil.Process(pid), *psutil.Process(pid).parents()[:4]]
        of_runtime = [each for each in family if "supervisor.root" in " ".join(each.cmdline())]
        assert len(of_runtime) == 5
        ports = [each.laddr for process in of_runtime for each in process.net_connections("inet")]
        assert bool(ports) == listens
        assert {address.ip for address in ports} <= {"127.0.0.1"}

    with_manager(work, SystemSpec("a", "mock", {}, connect=True))
