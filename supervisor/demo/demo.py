"""``extsys demo``: the main job with nothing set up.

Two mock systems and a real TCP instrument (a simulator in a process of its own) are sent
questions and give answers. In the middle one of their processes is killed with SIGKILL.
Each question is repeated until it is answered, as a host would do; what never was is
reported as lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

import attrs

from actors.connectors.mock.system import MockExternalSystem
from actors.messages import Outcome
from supervisor.demo.simulator import HOST, instrument_simulator
from supervisor.errors import ExternalSystemError
from supervisor.host.manager import ExternalSystemManager
from supervisor.messages import SystemStatus
from supervisor.specs.options import LogLevel, SupervisorOptions
from supervisor.specs.spec import SystemSpec
from supervisor.views.status import event_as_text, statuses_as_table

EXCHANGES: Final = 40
"""Questions to each system."""
PAUSE: Final = 0.01
"""Seconds between two questions to a system."""
PATIENCE: Final = 10.0
"""Seconds after which a question that was never answered counts as lost."""
VICTIM: Final = "pump"


@attrs.define
class Score:
    """What became of the questions to one system."""

    answered: int = 0
    lost: int = 0
    repeated_not_sent: int = 0
    repeated_unknown: int = 0
    answered_at: list[float] = attrs.field(factory=list)


async def run_demo(*, json_: bool) -> int:
    """Run the demo, printing what happens, or with ``json_`` only the final report.

    Returns:
        the exit code: 0 if nothing was lost and the killed system came back.
    """

    def say(text: str = "") -> None:
        if not json_:
            print(text, flush=True)

    options = SupervisorOptions(log_level=LogLevel.CRITICAL)  # the demo tells the story itself
    async with (
        instrument_simulator() as port,
        ExternalSystemManager(strict=True, options=options) as manager,
    ):
        say("A supervisor runs, with no system yet. Registering three:")
        manager.register_system(MockExternalSystem("valve", {"echo": True}))
        # Slow enough that a question is on its way when the process is killed.
        manager.register_system(MockExternalSystem(VICTIM, {"echo": True, "latency": 0.02}))
        manager.register_system(SystemSpec("instrument", "tcp", {"host": HOST, "port": port}))
        await manager.connect_all()
        say(statuses_as_table(await manager.status_all()))
        watcher = asyncio.create_task(_tell_events(manager, say))
        say(f"\nAsking each of them {EXCHANGES} questions ...")
        scores, killed_at = await _converse(manager, say)
        watcher.cancel()
        systems = await manager.status_all()
        say("\nAll questions are asked:\n" + statuses_as_table(systems))
    report = _report(systems, scores, killed_at)
    if json_:
        print(json.dumps(report))
    else:
        _tell(report, scores, say)
    good = report["lost"] == 0 and report["systems"][VICTIM]["incarnation"] == 2
    return 0 if good else 1


async def _converse(
    manager: ExternalSystemManager, say: Callable[[str], None]
) -> tuple[dict[str, Score], float]:
    """Ask all systems at once, and kill one of them when it has answered half."""
    questions = {"valve": "open?", VICTIM: "speed?", "instrument": "MEAS:VOLT?"}
    scores = {name: Score() for name in questions}
    half = asyncio.Event()

    async def ask_all(name: str, question: str) -> None:
        for number in range(EXCHANGES):
            if name == VICTIM and number == EXCHANGES // 2:
                half.set()
            await _exchange(manager, name, question, scores[name])
            await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        for name, question in questions.items():
            group.create_task(ask_all(name, question))
        await half.wait()
        victim = await manager.status(VICTIM)
        assert victim is not None
        assert victim.pid is not None
        say(f"\nkill -9 {victim.pid}, the process of {VICTIM!r}, in the middle of it:")
        killed_at = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
    return scores, killed_at


async def _exchange(manager: ExternalSystemManager, name: str, question: str, score: Score) -> None:
    """Ask a question until it is answered."""
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        try:
            await manager.send_data_to_system(name, question)
            answer = await manager.receive_data_from_system(name, timeout=1.0)
        except ExternalSystemError as error:
            if error.failure.outcome is Outcome.UNKNOWN:
                score.repeated_unknown += 1
            else:
                score.repeated_not_sent += 1
                await asyncio.sleep(PAUSE)
            continue
        if answer is not None:
            score.answered += 1
            score.answered_at.append(time.monotonic())
            return
    score.lost += 1


async def _tell_events(manager: ExternalSystemManager, say: Callable[[str], None]) -> None:
    async for event in manager.events():
        say("  " + event_as_text(event))


def _report(
    systems: tuple[SystemStatus, ...], scores: dict[str, Score], killed_at: float
) -> dict[str, Any]:
    back = [when for when in scores[VICTIM].answered_at if when > killed_at]
    return {
        "systems": {
            system.name: {
                "state": system.state.value,
                "incarnation": system.incarnation,
                "sent": system.sent,
                "received": system.received,
            }
            for system in systems
        },
        "lost": sum(score.lost for score in scores.values()),
        "recovered_in_ms": round((back[0] - killed_at) * 1000, 1) if back else None,
    }


def _tell(report: dict[str, Any], scores: dict[str, Score], say: Callable[[str], None]) -> None:
    pump = scores[VICTIM]
    others = [name for name in scores if name != VICTIM]
    touched = [name for name in others if report["systems"][name]["incarnation"] != 1]
    say(f"\n{VICTIM!r} answered again {report['recovered_in_ms']} ms after it was killed.")
    say(
        f"Its questions asked meanwhile failed with a clear answer and were asked again: "
        f"{pump.repeated_unknown} of unknown outcome, {pump.repeated_not_sent} not sent."
    )
    say(f"The others were {'restarted: ' + ', '.join(touched) if touched else 'untouched'}.")
    say(f"Questions never answered: {report['lost']}.")
