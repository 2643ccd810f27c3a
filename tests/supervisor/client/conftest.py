"""What tests of the two ways share."""

from __future__ import annotations

import pytest

from tests.helpers.plant import Plant


@pytest.fixture
def plant():
    return Plant()
