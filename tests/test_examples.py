"""Each example runs as its docstring says, and leaves nothing behind."""

from __future__ import annotations

import ast
import re

import pytest

from tests.helpers.programs import ROOT, run_program

EXAMPLES = ROOT / "examples"

PRINTED = {
    "seed.py": ["Main received: Response from System1"],
    "actor_messages.py": [
        "registered plc-1, incarnation 1",
        "connected plc-1",
        "plc-1 took b'start'",
        "received b'start'",
        r"failed: plc1: no such system; did you mean 'plc-1'\? \[unknown_system, not_sent\]",
        "supervisor stopped",
    ],
    "standalone/drive.py": [
        r"extsys: supervising 2 systems in .* \(pid \d+\)",
        "attached: valve is connected, pump is connected",
        "received through the manager: open",
        r"\$ extsys send valve close",
        "exit code 0",
        r"\$ extsys receive valve",
        "close",
        "exit code 0",
        r"\$ extsys receive valve",
        "extsys: valve: nothing came",
        "exit code 5",
        r"\$ extsys send vavle open",
        r"extsys: vavle: no such system; did you mean 'valve'\? \[unknown_system, not sent\]",
        "exit code 1",
        r"\$ extsys stop",
        "exit code 0",
        r"\$ extsys status",
        "extsys: no supervisor runs at .*; start one with 'extsys run'",
        "exit code 3",
        "the supervisor's own exit code: 0",
    ],
    "ask_an_instrument.py": [
        "EXTSYS,Simulated Instrument,1,1.0",
        "a: 1, b: 2, c: 3",
        "about 5 volts: True",
        "no answer: timeout, unknown",
        "and the next answer is its own: still here",
    ],
    "send_durably.py": [
        "accepted, and waiting: 3",
        "the next program finds: 3",
        "delivered, the last one as well: True",
        "booked: order 1, order 2, order 3, order 4",
    ],
    "pool_of_connections.py": [
        "connected with 1 connection",
        "four questions at once: 1, 2, 3, 4",
        "now there are 4 connections",
        "one breaks, connected: True, lost: 1",
        "and it goes on: 5, 6, 7, 8",
        "one too many: overloaded, not_sent",
        "the four were not disturbed: 9, 10, 11, 12",
    ],
    "bad_network.py": [
        "all is well: hello",
        "reset while a question was out: connector_error, unknown",
        "connected again: here again",
        "the server hangs: timeout, unknown",
        "and goes on: still here",
        "nothing listens: not_connected, not_sent",
        "and it is back: back",
    ],
    "custom_system.py": [
        "target: 21.5",
        "connected: True",
        "refused: 99.0 degrees is too hot; 5 to 30 are allowed",
        "measured: 21.5",
        "crashed: process incarnation 1 ended by ZeroDivisionError",
        "back as incarnation 2, connected: True",
        "target after the crash: 18.0",
    ],
    "crash_and_recover.py": [
        r"SystemCrashedError: pump: crashed \(its process was killed by SIGKILL\), outcome unknown",
        r"pump: crashed, restarting, starting, started, connecting, connected \(incarnation 2\)",
        "sent again: True",
        "",
        r"SystemCrashedError: press: crashed \(.* exit code 7\), outcome unknown",
        r"press: crashed, restarting, starting, started, connecting, connected \(incarnation 2\)",
        r"SystemCrashedError: press: crashed \(.* exit code 7\), outcome unknown",
        r"press: crashed, quarantined \(incarnation 2\)",
        "UnavailableError: press: quarantined after repeated crashes .*, outcome not_sent",
        r"press: starting, started, connecting, connected \(incarnation 3\)",
        "sent again: True",
    ],
    "blocking_host.py": [
        r"\*IDN\? -> EXTSYS,Simulated Instrument,1,1.0",
        r"MEAS:VOLT\? -> [45]\.\d+",
        "SET range 10 -> OK",
        "GET range -> 10",
        "sent 4, received 4",
    ],
}
"""The lines that each example prints, as regular expressions."""


def test_every_example_is_tested():
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")}
    assert found == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_says_and_leaves_nothing_behind(name):
    done = run_program([str(EXAMPLES / name)])
    assert done.stderr == ""
    assert done.code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == len(PRINTED[name]), done.stdout
    for line, pattern in zip(lines, PRINTED[name], strict=True):
        assert re.fullmatch(pattern, line)
    assert done.leftover_processes == []
    assert done.leftover_files == []


@pytest.mark.parametrize("name", PRINTED)
def test_a_docstring_shows_the_lines_that_are_printed(name):
    docstring = ast.get_docstring(ast.parse((EXAMPLES / name).read_text()))
    assert docstring is not None
    shown = docstring[docstring.index("Prints") :].partition("::\n\n")[2]
    lines = [line.removeprefix("    ") for line in shown.splitlines()]
    assert len(lines) == len(PRINTED[name])
    for line, pattern in zip(lines, PRINTED[name], strict=True):
        assert re.fullmatch(pattern.replace(r"\d+\)", r".*\)"), line)


def test_the_seed_needs_only_two_imports_of_ours():
    imports = [
        ast.unparse(node)
        for node in ast.walk(ast.parse((EXAMPLES / "seed.py").read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imports == [
        "import asyncio",
        "from actors import MockExternalSystem",
        "from supervisor import ExternalSystemManager",
    ]
