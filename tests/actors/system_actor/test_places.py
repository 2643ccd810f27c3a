"""Which of its addresses a system is connected to goes out with the report that it is."""

from __future__ import annotations

from typing import Any

from actors.messages import ConnectSystem, SendData
from tests.helpers.bench import Bench, Puppet, scenario


class Movable(Puppet):
    """Connected to another place each time."""

    connected_to: Any
    places = ("a:1", "b:2", None, 7, "c" * 1000)

    async def connect(self):
        self.connected_to = self.places[len(self.begun("connect"))]
        return await super().connect()


def moving():
    bench = Bench(Movable(connected=False))
    bench.to_supervisor.connected_to = lambda: bench.system.connected_to
    return bench


def told(bench):
    return [report.connected_to for report in bench.reports]


@scenario
async def test_each_new_place_is_told_once():
    bench = moving()
    await bench.ask(ConnectSystem("plc"))
    await bench.ask(SendData("plc", "x"))
    assert [place for place in told(bench) if place is not None] == ["a:1"]
    bench.system.is_connected = False
    await bench.ask(SendData("plc", "x"))
    await bench.ask(ConnectSystem("plc"))
    assert [place for place in told(bench) if place is not None] == ["a:1", "b:2"]
    assert bench.reports[-1].is_connected


@scenario
async def test_what_is_no_place_is_not_told_and_a_long_one_is_cut():
    bench = moving()
    for _ in Movable.places:
        bench.system.is_connected = False
        await bench.ask(SendData("plc", "x"))
        await bench.ask(ConnectSystem("plc"))
    assert [place for place in told(bench) if place is not None] == ["a:1", "b:2", "c" * 200]
