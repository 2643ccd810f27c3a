"""Fixtures for tests of a running supervisor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from supervisor import ExternalSystemManager
from tests.helpers.shared import shared_runtimes


@pytest.fixture(params=["direct", "routed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test is run twice: with managers whose requests go straight to the systems, and with
    such whose requests all go through the supervisor. Both must see the same."""
    chosen: str = request.param
    direct = chosen == "direct"
    attach = ExternalSystemManager.attach.__func__  # type: ignore[attr-defined]
    for method in (ExternalSystemManager.__init__, attach):
        monkeypatch.setitem(method.__kwdefaults__, "direct", direct)
    return chosen


@pytest.fixture(scope="module")
def shared_runtime(nothing_left_of_module: None) -> Iterator[None]:
    """The tests of the module share a runtime, which leaves nothing after the last."""
    with shared_runtimes():
        yield
