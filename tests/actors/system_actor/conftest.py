"""How long a receiver goes on by itself: not at all, or for ever."""

import pytest

from actors.system_actor import waiters
from tests.helpers.bench import FOREVER


@pytest.fixture
def no_linger(monkeypatch):
    monkeypatch.setattr(waiters, "_LINGER", 0.0)


@pytest.fixture
def long_linger(monkeypatch):
    monkeypatch.setattr(waiters, "_LINGER", FOREVER)
