"""``extsys outbox`` and ``extsys dead-letters`` beside a running supervisor, and the manager's
calls for the same."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from supervisor import ExternalSystemManager, SynchronousManager
from tests.helpers.commands import extsys, running
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [supervisor]
    state_dir = "{state}"

    [[system]]
    name = "plc"
    kind = "mock"
    connect = true
    durable = {{max_attempts = 1}}

    [[system]]
    name = "pump"
    kind = "mock"
    connect = true
    durable = {{max_attempts = 1, on_dead = "block"}}
"""


@pytest.fixture
def state(runtime_dir: Path) -> Path:
    return runtime_dir.parent / "state"


@pytest.fixture
def plant(runtime_dir: Path, state: Path):
    runtime_dir.parent.mkdir(exist_ok=True)
    with running(runtime_dir, PLANT.format(state=state)):
        yield runtime_dir


def until(look, wanted):
    deadline = time.monotonic() + PATIENCE
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found == wanted


def letters(plant, state, *args, stdin=""):
    return extsys(plant, "dead-letters", *args, "--state-dir", str(state), stdin=stdin)


def listed(plant, state):
    rows = json.loads(letters(plant, state, "list", "--json").stdout)
    return [(each["number"], each["data"]) for each in rows]


def bury(plant, state, *data):
    """Have the plc refuse these."""
    for each in data:
        assert extsys(plant, "call", "plc", "inject_fault", "send", "fail").returncode == 0
        assert extsys(plant, "send", "plc", each).returncode == 0
        until(lambda each=each: each in [data for _, data in listed(plant, state)], True)


def sent(plant, name="plc"):
    return json.loads(extsys(plant, "call", name, "sent_items", "--json").stdout)


def test_dead_letters_are_retried_and_discarded_by_the_supervisor(plant, state):
    bury(plant, state, "one", "two", "three")
    assert listed(plant, state) == [(1, "one"), (2, "two"), (3, "three")]
    done = letters(plant, state, "retry", "9")
    assert (done.returncode, "there is no dead letter 9; nothing was done" in done.stderr) == (
        1,
        True,
    )
    assert letters(plant, state, "retry", "2").stdout == "1 dead letter to be delivered\n"
    until(lambda: sent(plant), ["two"])
    assert letters(plant, state, "discard", "1").stdout == "1 dead letter discarded\n"
    exported = letters(plant, state, "export").stdout
    assert letters(plant, state, "discard", "--all").stdout == "1 dead letter discarded\n"
    done = letters(plant, state, "import", "-", stdin=exported)
    assert done.stdout == "1 dead letter taken in\n"
    done = letters(plant, state, "import", "-", stdin=exported)
    assert done.stdout == "0 dead letters taken in, 1 there already\n"
    assert letters(plant, state, "retry", "--all").stdout == "1 dead letter to be delivered\n"
    until(lambda: sent(plant), ["two", "three"])
    assert extsys(plant, "outbox", "check", "--state-dir", str(state)).returncode == 0


def test_the_journal_of_another_supervisor_is_left_to_that(plant, state, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EXTSYS_STATE_DIR", raising=False)
        bury(plant, state, "one")
        done = letters(tmp_path / "run", state, "discard", "--all")
        assert (done.returncode, "has the journal in" in done.stderr) == (4, True)
        assert listed(plant, state) == [(1, "one")]


def test_what_blocks_an_outbox_is_shown_and_retried_by_a_manager(plant, state):
    with SynchronousManager.attach(plant, strict=True) as manager:
        manager.call_command("pump", "inject_fault", "send", "fail")
        assert manager.send_data_to_system("pump", "first")
        assert manager.send_data_to_system("pump", "second")
        until(lambda: [each.entry.id for each in manager.dead_letters("pump")], [1])
        [letter] = manager.dead_letters()
        assert letter.entry.data.wrapped() == "first"
        assert "all behind it wait" in letter.why
        assert manager.retry_dead_letters([1]) == 1
        until(lambda: manager.call_command("pump", "sent_items"), ["first", "second"])
        assert manager.dead_letters() == []
        assert manager.export_dead_letters() == []
        assert manager.import_dead_letters([]) == 0
        assert manager.discard_dead_letters() == 0


def test_they_are_there_for_the_next_supervisor(runtime_dir, state):
    text = PLANT.format(state=state)
    with running(runtime_dir, text):
        bury(runtime_dir, state, "one")
    with running(runtime_dir, text):

        async def retry() -> None:
            async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
                [letter] = await manager.dead_letters()
                assert letter.entry.history[0].why
                assert await manager.retry_dead_letters([letter.entry.id]) == 1

        asyncio.run(retry())
        until(lambda: sent(runtime_dir), ["one"])


def test_the_journal_of_the_supervisor_that_runs_is_found(plant, state):
    bury(plant, state, "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EXTSYS_STATE_DIR", raising=False)
        patch.setenv("STATE_DIRECTORY", str(state.parent / "usual"))
        [row] = json.loads(extsys(plant, "dead-letters", "list", "--json").stdout)
        assert row["data"] == "one"
        assert str(state) in extsys(plant, "outbox", "check").stdout
