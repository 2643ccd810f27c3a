"""Fixtures for tests of a running supervisor."""

from __future__ import annotations

import pytest

from supervisor import ExternalSystemManager


@pytest.fixture(params=["direct", "routed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test is run twice: with managers whose requests go straight to the systems, and with
    such whose requests all go through the supervisor. Both must see the same."""
    chosen: str = request.param
    direct = chosen == "direct"
    monkeypatch.setitem(ExternalSystemManager.__init__.__kwdefaults__, "direct", direct)
    return chosen
