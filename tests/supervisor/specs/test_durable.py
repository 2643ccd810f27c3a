"""What is said of an outbox."""

import pytest

from supervisor import DurablePolicy, OnDead, SystemSpec, WhenFull
from supervisor.config.file import parse_config


def spec_of(text):
    [spec] = parse_config(
        f'[[system]]\nname = "plc"\nkind = "mock"\n{text}'.encode(), environ={}
    ).systems
    return spec


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None),
        ("durable = false", None),
        ("durable = true", DurablePolicy()),
        ("durable = {}", DurablePolicy()),
        (
            'durable = {window = 1, on_dead = "block", when_full = "drop-oldest", '
            'backoff_max = "1m"}',
            DurablePolicy(
                window=1,
                on_dead=OnDead.BLOCK,
                when_full=WhenFull.DROP_OLDEST,
                backoff_max=60.0,
            ),
        ),
    ],
)
def test_a_file_says_whether_and_how_a_system_is_durable(written, meant):
    assert spec_of(written).durable == meant


def test_python_says_it_in_the_same_words():
    assert SystemSpec("plc", "mock", durable=True).durable == DurablePolicy()
    assert SystemSpec("plc", "mock", durable=False).durable is None
    with pytest.raises(ValueError, match="durable must be true, false or a table"):
        SystemSpec("plc", "mock", durable="yes")
