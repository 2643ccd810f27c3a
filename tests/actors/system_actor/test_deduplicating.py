"""What has come before is dropped and counted, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from actors.errors import ActorSetupError
from actors.messages import QueryAnswered, QueryData, ReceiveData, ReceiveMany
from actors.resilience.deduplication import Deduplication
from actors.resilience.policy import Policy
from actors.system_actor.deduplicating import key_function
from actors.system_actor.engines import check_policy
from tests.helpers.asked import Instrument
from tests.helpers.bench import Bench, Puppet, Source, scenario

FOREVER = 3600.0


def number_of(item: Mapping[str, Any]) -> Any:
    return item["number"]


def bench_with(**settings: Any) -> tuple[Bench, Source]:
    system = Puppet()
    source = system.on["receive"] = Source()
    return Bench(system, Policy(deduplicate=Deduplication(window=10, **settings))), source


async def received(bench: Bench) -> list[Any]:
    items: list[Any] = (await bench.ask(ReceiveMany("plc", 100, 1.0))).load()
    return items


def dropped(bench: Bench) -> int:
    return sum(report.dropped for report in bench.reports)


@scenario(cap=100)
async def test_the_same_comes_once_in_a_while_and_what_is_dropped_is_counted():
    bench, source = bench_with()
    source.put("a", "b", "a", b"a", "a", "c")
    assert await received(bench) == ["a", "b", b"a", "c"]
    assert dropped(bench) == 2
    await asyncio.sleep(10)
    source.put("a", "a")
    assert await received(bench) == ["a"]


@pytest.mark.parametrize("key", ["number", f"{__name__}:number_of"])
@scenario
async def test_items_may_be_known_by_a_part_of_them(key):
    bench, source = bench_with(key=key)
    first, again = {"number": 1, "at": "noon"}, {"number": 1, "at": "one"}
    source.put(first, again, {"number": 2})
    assert await received(bench) == [first, {"number": 2}]


@scenario
async def test_what_has_no_such_part_comes_through():
    bench, source = bench_with(key="number")
    source.put({"at": 1}, {"at": 1}, "x", "x")
    assert await received(bench) == [{"at": 1}, {"at": 1}, "x", "x"]


@scenario
async def test_what_cannot_be_hashed_and_what_is_long_is_known_too():
    bench, source = bench_with()
    items = [{"a": [1, {2}]}, "x" * 100_000]
    source.put(*items, *items)
    assert await received(bench) == items


@scenario
async def test_a_bug_in_the_function_is_a_crash():
    bench, source = bench_with(key=f"{__name__}:number_of")
    bench.submit(ReceiveData("plc", 1.0))
    source.put("no mapping")
    assert (await bench.crash()).kind == "TypeError"


@scenario
async def test_subscribers_are_shown_an_item_once():
    bench, source = bench_with()
    bench.engine.set_tap(True)
    source.put("a", "a", "b")
    await bench.until(lambda: len(bench.tapped) == 2)
    assert bench.tapped == ["a", "b"]


@scenario
async def test_an_answer_is_never_a_repetition():
    bench = Bench(Instrument(), Policy(deduplicate=Deduplication(window=10)))
    for _ in range(3):
        answered = await bench.ask(QueryData("plc", "volt?"))
        assert isinstance(answered, QueryAnswered)
        assert answered.load() == "answer to volt?"


@scenario
async def test_it_is_known_across_a_loss_of_the_connection():
    bench, source = bench_with()
    source.put("a")
    assert await received(bench) == ["a"]
    bench.system.report_loss("unplugged")
    bench.system.is_connected = True
    source.put("a", "b")
    assert await received(bench) == ["b"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("no.such.module:key", "cannot be found: ModuleNotFoundError"),
        (f"{__name__}:no_such", "cannot be found: AttributeError"),
        (f"{__name__}:FOREVER", "is no function"),
    ],
)
def test_a_function_that_is_not_there_is_refused_at_the_start(key, why):
    policy = Policy(deduplicate=Deduplication(window=1, key=key))
    with pytest.raises(ActorSetupError, match=f"'plc': deduplicate.key '{key}' {why}"):
        check_policy(Puppet(), policy)
    assert key_function(Deduplication(window=1), "plc")("x") == "x"
