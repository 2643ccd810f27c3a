"""What is promised of deliveries names the tests that show it."""

import re
from pathlib import Path

import pytest

from tests.helpers.programs import ROOT

PAGE = (ROOT / "docs/delivery.rst").read_text()
TESTS = {
    name
    for file in Path(ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", file.read_text())
}


@pytest.mark.pure
def test_each_test_that_is_named_is_there():
    named = set(re.findall(r"\[(test_\w+)\]", PAGE))
    assert len(named) > 20
    assert named - TESTS == set()


@pytest.mark.pure
def test_it_never_claims_exactly_once():
    assert PAGE.count("exactly once") == 1
    assert "Nothing here is delivered *exactly once*" in PAGE
