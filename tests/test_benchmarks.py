"""The benchmarks run, and measure everything. How fast is no matter here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_quick_run_measures_everything(tmp_path):
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    results = json.loads(file.read_text())
    assert results["machine"]["python"]
    assert [measure["name"] for measure in results["runtime"]["measures"]] == [
        "request, ActorSystem.ask, one at a time",
        "send, manager, one at a time",
        "send, pipelined from one task",
        "receive, pipelined from one task",
        "send, 1,000 tasks at once, vs one at a time",
        "restart: kill -9 to first answer",
        "restart: 5 killed at once, all answer",
        "memory per system (PSS)",
    ]
    for measure in results["runtime"]["measures"]:
        assert measure["name"] in done.stdout
        sides = ("ours",) if "at once, all answer" in measure["name"] else ("ours", "bare", "ratio")
        for side in sides:
            assert all(value > 0 for value in measure[side].values()), (measure["name"], side)
    assert results["runtime"]["orientation"]["bare direct ask (ms)"]["median"] > 0
