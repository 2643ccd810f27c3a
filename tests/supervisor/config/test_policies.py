"""Policies in a configuration: of one system, and named ones that systems share."""

from __future__ import annotations

import pytest

from actors.resilience.batch import Batch
from actors.resilience.cache import CachePolicy
from actors.resilience.deduplication import Deduplication
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.pool_policy import PoolPolicy
from actors.resilience.timeouts import Timeouts
from tests.helpers.configurations import mistakes, parse, system

SLOW = '[policy.slow]\ntimeouts = { send = "2s", query = 5 }\n'


def policies(text):
    return {spec.name: spec.policy for spec in parse(text).systems}


def test_a_system_has_no_policy_unless_it_says_so():
    assert policies(system()) == {"plc-1": NO_POLICY}


def test_a_policy_s_keys_are_keys_of_the_system():
    read = policies(system('timeouts = { send = "500ms" }'))
    assert read["plc-1"] == Policy(timeouts=Timeouts(send=0.5))


def test_a_pool_is_a_table_of_the_system_s():
    read = policies(system('pool = { size = 8, max_idle = "2m", max_lifetime = "infinity" }'))
    assert read["plc-1"] == Policy(pool=PoolPolicy(size=8, max_idle=120.0))


def test_systems_share_a_policy_by_its_name():
    read = policies(SLOW + system('policy = "slow"') + system('policy = "slow"', name="plc-2"))
    assert read["plc-1"] == read["plc-2"] == Policy(timeouts=Timeouts(send=2.0, query=5.0))


def test_a_key_of_the_system_takes_the_place_of_the_shared_one():
    read = policies(SLOW + system('policy = "slow"\ntimeouts = { connect = 1 }'))
    assert read["plc-1"] == Policy(timeouts=Timeouts(connect=1.0))


def test_what_looks_after_connections_answers_and_items_is_read_as_well():
    text = """
        keep_alive = { every = "10s", timeout = 2, query = "*IDN?" }
        stale_after = "1m"
        cache = { ttl = "500ms", max_entries = 10 }
        deduplicate = { key = "header.id", window = "1h" }
    """
    assert policies(system(text))["plc-1"] == Policy(
        keep_alive=KeepAlive(every=10.0, timeout=2, query="*IDN?"),
        stale_after=60.0,
        cache=CachePolicy(ttl=0.5, max_entries=10),
        deduplicate=Deduplication(key="header.id", window=3600.0),
    )


def test_a_kind_that_cannot_be_pinged_without_a_question_is_told():
    tcp = system("keep_alive = { every = 1 }", kind="tcp") + (
        'connection_details = { host = "x", port = 1 }'
    )
    [mistake] = mistakes(tcp)
    assert mistake == (
        'system "plc-1": keep_alive needs a query: check_health of TcpSystem asks nobody, so it '
        "cannot tell whether the other side lives"
    )
    assert parse(tcp.replace("every = 1", 'every = 1, query = "?"'))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            system("stale_after = 1\npool = {}"),
            'system "plc-1": stale_after and pool do not go together: a connection of a pool that '
            "is not used is silent, and in order; use keep_alive, which pings each connection",
        ),
        (
            system("keep_alive = { every = 1, timeout = 2 }"),
            'system "plc-1": keep_alive: timeout (2) must not be more than every (1): a '
            "connection is to be found dead within two intervals",
        ),
        (
            system('policy = "slwo"') + SLOW,
            'system "plc-1": policy: names "slwo", and there is no [policy.slwo]; '
            'did you mean "slow"?',
        ),
        (
            system('policy = "other"'),
            'system "plc-1": policy: names "other", and there is no [policy.other]; '
            "there are: none",
        ),
        (
            system("policy = 3"),
            'system "plc-1": policy: must be the name of a [policy.NAME], not a whole number',
        ),
        (
            system("timeouts = { sent = 1 }"),
            'system "plc-1": timeouts.sent: is no known key; did you mean "send"?',
        ),
        (
            system("timeuts = { send = 1 }"),
            'system "plc-1": timeuts: is no known key; did you mean "timeouts"?',
        ),
        (
            "policy = 3\n" + system(),
            "policy: must be a table of tables, not a whole number; begin each with [policy.NAME]",
        ),
    ],
)
def test_a_mistake_names_its_place(text, expected):
    assert mistakes(text) == [expected]


def test_a_mistake_in_a_shared_policy_is_said_once():
    text = "[policy.slow]\ntimeouts = { send = 0 }\n"
    told = mistakes(text + system('policy = "slow"') + system('policy = "slow"', name="plc-2"))
    assert len(told) == 1
    assert told[0].startswith("policy.slow.timeouts.send: must be a finite number of seconds")


def test_who_shares_a_rate_limit_says_the_same_of_it():
    limit = 'rate_limit = {{ rate = {}, burst = 20, shared = "gw", overflow = "{}" }}'
    same = system(limit.format(10, "wait")) + system(limit.format(10.0, "refuse"), name="plc-2")
    assert [policy.rate_limit.shared for policy in policies(same).values()] == ["gw", "gw"]
    other = system(limit.format(10, "wait")) + system(limit.format(5, "wait"), name="plc-2")
    assert mistakes(other) == [
        "system \"plc-2\": rate_limit: says 5 a second, 20 at once, shared as 'gw', and 'plc-1' "
        "says 10 a second, 20 at once, shared as 'gw'; say the same in both"
    ]


TCP = 'connection_details = { host = "h", port = 1 }\n'
BATCH = 'batch = { max_items = 50, max_bytes = 1000, linger = "20ms" }'


def test_a_batch_is_for_a_class_with_a_bulk_operation():
    tcp = system(TCP + BATCH, kind="tcp")
    assert policies(tcp)["plc-1"].batch == Batch(max_items=50, max_bytes=1000, linger=0.02)
    assert mistakes(system(BATCH)) == [
        'system "plc-1": batch: MockExternalSystem has no send_many of its own, so that nothing '
        "can go out together; leave batch out, or give the class one"
    ]
    shared = f"[policy.fast]\n{BATCH}\n" + system('policy = "fast"')
    assert len(mistakes(shared)) == 1


def test_a_batch_and_a_pool_do_not_go_together():
    both = system(f"{TCP}{BATCH}\npool = {{ size = 2 }}", kind="tcp")
    assert mistakes(both) == [
        'system "plc-1": batch and pool do not go together: each item goes to a connection of '
        "the pool that is free, so that none waits with another; leave one of them out"
    ]
