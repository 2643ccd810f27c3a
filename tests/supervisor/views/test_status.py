"""How systems, events and data are shown, for people and as JSON."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from actors.messages import Reason
from actors.resilience.cache import CacheState
from actors.resilience.circuit_breaker import CircuitState
from actors.resilience.pool_actions import PoolState
from supervisor.messages import CircuitStatus, EventKind, LifecycleEvent, SystemStatus
from supervisor.specs.spec import GroupSpec, SystemSpec
from supervisor.views import status as fmt
from tests.helpers.shown import BUG, CRASH, NOON, status


def test_systems_are_a_table_whose_columns_are_as_wide_as_what_is_in_them() -> None:
    table = fmt.statuses_as_table([status(), status(name="a long name", pid=None, uptime=0.0)])
    assert table.splitlines() == [
        "NAME         STATE      INCARNATION  UPTIME  RESTARTS  SENT  RECEIVED  PID",
        "plc          connected  2            5.2 s   1         3     4         4711",
        "a long name  connected  2            -       1         3     4         -",
    ]
    assert fmt.statuses_as_table([]) == "no systems"


def test_all_that_is_known_of_a_system_is_a_line_each() -> None:
    lines = dict(
        line.split(":", 1) for line in fmt.status_as_text(status(last_crash=BUG)).splitlines()
    )
    known = {key: value.strip() for key, value in lines.items()}
    assert known["process"] == "4711"
    assert known["waiting"] == "5"
    assert known["commands"] == "reset, sent_count"
    assert known["last crash"] == "division by zero"
    assert known["last error"] == "none"


def test_the_connections_of_a_pool_are_a_line_where_there_is_one() -> None:
    pool = PoolState(size=4, open=3, idle=1, borrowed=2, waiting=5, lost=6, refused=7)
    lines = fmt.status_as_text(status(pool=pool)).splitlines()
    shown = "3 of 4 open, 1 idle, 2 borrowed, 5 waiting; 6 lost, 7 refused"
    assert [line.split(":")[1].strip() for line in lines if line.startswith("pool:")] == [shown]
    assert "pool:" not in fmt.status_as_text(status())
    assert json.loads(fmt.status_as_json(status(pool=pool)))["pool"]["borrowed"] == 2


def test_what_a_cache_has_is_a_line_where_there_is_one() -> None:
    cache = CacheState(answers=1, size=1234, hits=5, misses=2)
    lines = fmt.status_as_text(status(cache=cache)).splitlines()
    shown = [line.split(":", 1)[1].strip() for line in lines if line.startswith("cache:")]
    assert shown == ["hits: 5, misses: 2; 1 answer, 1,234 bytes"]
    assert "cache:" not in fmt.status_as_text(status())
    assert json.loads(fmt.status_as_json(status(cache=cache)))["cache"]["hits"] == 5


OPEN = CircuitStatus(state=CircuitState.OPEN, reason="2 of 2 calls failed", next_try=3.5)
HALF_OPEN = CircuitStatus(state=CircuitState.HALF_OPEN, reason="no contact", next_try=None)
CLOSED = CircuitStatus(state=CircuitState.CLOSED, reason=None, next_try=None)


@pytest.mark.parametrize(
    ("circuit", "line"),
    [
        (OPEN, "open, tries again in 3.5 s: 2 of 2 calls failed"),
        (
            HALF_OPEN,
            "half-open, what is asked next shows whether it works; was open: no contact",
        ),
        (CLOSED, "closed"),
    ],
)
def test_a_circuit_breaker_is_a_line_where_there_is_one(circuit: CircuitStatus, line: str) -> None:
    assert f"circuit breaker: {line}" in fmt.status_as_text(status(circuit=circuit)).splitlines()
    assert "circuit" not in fmt.status_as_text(status())
    shown = json.loads(fmt.status_as_json(status(circuit=circuit)))
    assert shown["circuit"] == attrs.asdict(circuit)


def test_that_calls_are_refused_is_seen_in_the_table() -> None:
    circuits = (OPEN, HALF_OPEN, CLOSED, None)
    table = fmt.statuses_as_table([status(circuit=circuit) for circuit in circuits])
    assert [line.split("  ")[1].strip() for line in table.splitlines()[1:]] == [
        "connected, circuit open",
        "connected, circuit half-open",
        "connected",
        "connected",
    ]


def test_attempts_beyond_the_first_are_a_line_where_there_were_any() -> None:
    assert "retried:       3" in fmt.status_as_text(status(retried=3)).splitlines()
    assert "retried" not in fmt.status_as_text(status())


def test_what_a_system_has_not_is_none() -> None:
    text = fmt.status_as_text(status(pid=None, commands=()))
    assert "process:       none" in text
    assert "commands:      none" in text


def test_the_newest_of_the_last_crashes_is_shown_first() -> None:
    crashes = (CRASH, attrs.evolve(CRASH, incarnation=2, in_progress="SendData"))
    *_, heading, newest, oldest = fmt.status_as_text(status(crashes=crashes)).splitlines()
    assert heading.split() == ["TIME", "INCARNATION", "UPTIME", "IN", "PROGRESS", "CAUSE"]
    assert newest.startswith("2024-02-29 12:30:15  2            1m01s   SendData")
    assert oldest.split()[2:5] == ["1", "1m01s", "-"]


def test_what_a_system_said_before_it_crashed_is_shown() -> None:
    said = (*(f"line {n}" for n in range(20)), "two\nlines")
    text = fmt.status_as_text(status(crashes=(CRASH, attrs.evolve(CRASH, last_lines=said))))
    _, shown, _ = text.split("\n\n")
    lines = shown.splitlines()
    assert lines[0] == "what it said before the last crash:"
    assert lines[1:] == [f"  line {n}" for n in range(12, 20)] + ["  two", "  lines"]


def test_a_status_as_json_has_all_its_fields() -> None:
    fields = {field.name for field in attrs.fields(SystemStatus)}
    assert set(json.loads(fmt.status_as_json(status(crashes=(CRASH,))))) == fields
    [one, two] = json.loads(fmt.statuses_as_json([status(), status(name="b")]))
    assert (one["state"], two["name"]) == ("connected", "b")


def test_an_event_is_one_line_with_its_delay_and_its_reason() -> None:
    event = LifecycleEvent(
        sequence=7, time=NOON, kind=EventKind.STARTED, system_name="plc", incarnation=2
    )
    assert fmt.event_as_text(event) == "12:30:15.250  plc  started  (incarnation 2)"
    assert fmt.event_as_text(attrs.evolve(event, delay=0.0)) == fmt.event_as_text(event)
    later = attrs.evolve(event, kind=EventKind.RESTARTING, delay=0.5, reason=BUG)
    assert fmt.event_as_text(later).endswith(
        "restarting  (incarnation 2)  in 500 ms  division by zero"
    )
    assert json.loads(fmt.event_as_json(later))["reason"]["kind"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("delay", "text"),
    [
        (
            0.2,
            "disconnected  (incarnation 1)  connecting again in 200 ms  it closed the connection",
        ),
        (0.0, "disconnected  (incarnation 1)  connecting again at once  it closed the connection"),
        (None, "disconnected  (incarnation 1)  it closed the connection"),
    ],
)
def test_a_lost_connection_is_shown_with_its_reason_and_the_next_attempt(delay, text) -> None:
    lost = LifecycleEvent(
        sequence=7,
        time=NOON,
        kind=EventKind.DISCONNECTED,
        system_name="plc",
        incarnation=1,
        reason=Reason("lost", "it closed the connection"),
        delay=delay,
    )
    assert fmt.event_as_text(lost) == f"12:30:15.250  plc  {text}"


def test_a_status_says_when_the_next_attempt_to_connect_is() -> None:
    assert "next attempt:  none" in fmt.status_as_text(status())
    assert "next attempt:  in 2.0 s" in fmt.status_as_text(status(next_attempt=2.0))
    assert "next attempt:  at once" in fmt.status_as_text(status(next_attempt=0.0))


def test_where_a_system_is_connected_to_is_shown_if_it_is_known() -> None:
    assert "connected to" not in fmt.status_as_text(status())
    assert "connected to:  b:2" in fmt.status_as_text(status(connected_to="b:2"))
    event = LifecycleEvent(
        sequence=1,
        time=0.0,
        kind=EventKind.CONNECTED,
        system_name="plc",
        incarnation=1,
        connected_to="b:2",
    )
    assert fmt.event_as_text(event).endswith("plc  connected  (incarnation 1)  to b:2")


@pytest.mark.parametrize(
    ("item", "text", "json_"),
    [
        ("a\nb", "a\nb", "a\nb"),
        (b"text", "text", {"base64": "dGV4dA=="}),
        (b"\xff", "b'\\xff'", {"base64": "/w=="}),
        ({"speed": 3}, "{'speed': 3}", {"speed": 3}),
        ({1, 2}, "{1, 2}", {"repr": "{1, 2}"}),
        (float("nan"), "nan", {"repr": "nan"}),
    ],
)
def test_an_item_is_shown_as_what_it_is(item: Any, text: str, json_: Any) -> None:
    assert fmt.item_as_text(item) == text
    assert json.loads(fmt.item_as_json(item)) == json_
    assert fmt.data_as_text("plc", item) == f"plc: {text}"
    assert json.loads(fmt.data_as_json("plc", item)) == {"system_name": "plc", "data": json_}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0, "-"), (0.0851, "85 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (3.21, "3.2 s")),
        *((245.0, "4m05s"), (7_800.0, "2h10m"), (273_600.0, "3d04h")),
        *((0.9995, "1.0 s"), (59.9, "59.9 s"), (60.0, "1m00s"), (3599.0, "59m59s")),
        *((3600.0, "1h00m"), (86_399.0, "23h59m"), (86_400.0, "1d00h")),
    ],
)
def test_a_time_span_has_one_unit_or_two(seconds: float, text: str) -> None:
    assert fmt.duration(seconds) == text


def test_specs_are_a_tree_in_the_order_of_their_start() -> None:
    line = GroupSpec("line", (SystemSpec("plc", "tcp"),), strategy="rest_for_one")
    text = fmt.spec_as_tree(GroupSpec("root", (SystemSpec("db", "mock"), line)))
    assert text.splitlines() == [
        "root: group, one_for_one",
        "  db: mock",
        "  line: group, rest_for_one",
        "    plc: tcp",
    ]


def test_one_is_no_plural() -> None:
    assert (fmt.count(1), fmt.count(2)) == ("1 system", "2 systems")


def test_a_status_says_how_many_messages_wait_in_an_outbox() -> None:
    assert "outbox" not in fmt.status_as_text(status())
    assert "outbox:        1,234 to be delivered" in fmt.status_as_text(status(outbox=1234))
    assert "outbox:        not known yet" in fmt.status_as_text(status(outbox=None))
