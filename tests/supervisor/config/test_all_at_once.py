"""All that is wrong with a configuration is told at once, and each thing once; what is hardly
meant so is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.file import load_config, parse_config
from tests.helpers.configurations import mistakes, system


def group(text: str = "", name: str = "line") -> str:
    return f'[[group]]\nname = "{name}"\n{text}\n'


def inner(name: str, text: str = "") -> str:
    return f'[[group.system]]\nname = "{name}"\nkind = "mock"\n{text}\n'


# ---- all at once ---------------------------------------------------------------------------


def test_what_does_not_go_together_is_told_with_what_is_wrong_by_itself() -> None:
    lines = mistakes(system("significant = true\nconnect = 1"))
    assert [line.split(":")[1].split()[0] for line in lines] == ["connect", "significant"]


def test_so_it_is_where_a_key_is_missing_or_unknown() -> None:
    lines = mistakes('[[system]]\nname = "plc"\nsignificant = true\ncolour = "red"\n')
    assert len(lines) == 3
    assert "significant is for transient and temporary children" in lines[-1]


def test_so_it_is_in_a_table_in_a_table() -> None:
    lines = mistakes(system("[system.restart]\nbackoff_min = 9\nbackoff_max = 1\nperiod = 0"))
    assert len(lines) == 2
    assert "backoff_max" in lines[1]


def test_so_it_is_between_a_group_and_its_children() -> None:
    lines = mistakes(
        group("period = 0")
        + inner("a", 'significant = true\nrestart_type = "transient"\nconnect = 1')
    )
    assert len(lines) == 3
    assert "auto_shutdown of its group line" in lines[-1]


def test_nothing_is_told_of_what_depends_on_a_mistake() -> None:
    lines = mistakes(system('significant = true\nrestart_type = "permanant"'))
    assert len(lines) == 1
    lines = mistakes(
        group("auto_shutdown = 1")
        + inner("a", "significant = true").replace(
            "significant", 'restart_type = "transient"\nsignificant'
        )
    )
    assert len(lines) == 1


# ---- once ----------------------------------------------------------------------------------


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that says in a file how often it was run, and fails."""
    (tmp_path / "plant_that_fails.py").write_text(
        "from pathlib import Path\n"
        f"with Path({str(tmp_path / 'runs')!r}).open('a') as runs:\n"
        "    runs.write('x')\n"
        "1 / 0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_module_that_fails_is_run_once_and_told_once(counting: Path) -> None:
    text = "".join(system(name=f"s{n}", kind="plant_that_fails:Plc") for n in range(1000))
    [line] = mistakes(text)
    assert line.startswith('system "s0": kind "plant_that_fails:Plc": module plant_that_fails')
    assert line.endswith("line 4 (so for 999 more systems of this kind)")
    assert (counting / "runs").read_text() == "x"


def test_a_kind_that_is_unknown_is_told_once() -> None:
    [line] = mistakes(system(name="a", kind="mick") + system(name="b", kind="mick"))
    assert line.endswith("(so for 1 more system of this kind)")


def test_wrong_details_are_told_for_each_system() -> None:
    details = "connection_details = {latency = -1}"
    lines = mistakes(system(details, name="a") + system(details, name="b"))
    assert [line.split(":")[0] for line in lines] == ['system "a"', 'system "b"']


def test_a_class_that_cannot_work_is_a_mistake() -> None:
    kind = "tests.actors.connectors.test_classes:TwoMistakes"
    lines = mistakes(system(name="a", kind=kind))
    assert [line.split(": ")[2].split(" ")[0] for line in lines] == [
        *("TwoMistakes.send_data", "TwoMistakes.check_health", "TwoMistakes"),
    ]


# ---- warnings ------------------------------------------------------------------------------


def warnings(text: str) -> tuple[str, ...]:
    return parse_config(text.encode()).warnings


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_quarantine_where_the_others_cannot_do_without_is_warned_of(strategy: str) -> None:
    mixed = f'strategy = "{strategy}"\ngive_up = "quarantine"'
    [warning] = warnings(group(mixed) + inner("a") + inner("b"))
    assert warning.startswith('group "line": give_up = "quarantine" leaves the others running')
    [warning] = warnings(f"[supervisor]\n{mixed}\n" + system(name="a") + system(name="b"))
    assert warning.startswith("supervisor: give_up")


@pytest.mark.parametrize(
    "text",
    [
        'strategy = "one_for_all"',
        'strategy = "one_for_all"\ngive_up = "escalate"',
        'strategy = "rest_for_one"\ngive_up = "quarantine_group"',
        'strategy = "one_for_one"\ngive_up = "quarantine"',
    ],
)
def test_other_combinations_are_not(text: str) -> None:
    assert warnings(group(text) + inner("a") + inner("b")) == ()


def test_a_file_with_a_warning_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    mixed = 'strategy = "one_for_all"\ngive_up = "quarantine"'
    path.write_text(group(mixed) + inner("a") + inner("b"))
    assert len(load_config(path).warnings) == 1
