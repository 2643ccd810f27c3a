"""A plugin that lets hypothesis look at a few examples only, and say at once what it found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=10)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    examples: int = config.getoption("--examples")
    for item in items:
        owner: Any = getattr(item, "cls", None)
        function: Any = getattr(item, "function", None)
        function = getattr(function, "__func__", function)
        if isinstance(own := getattr(owner, "settings", None), settings):
            owner.settings = _few(own, examples)
        elif (own := getattr(function, "_hypothesis_internal_use_settings", None)) is not None:
            function._hypothesis_internal_use_settings = _few(own, examples)


def _few(own: settings, examples: int) -> settings:
    return settings(
        own,
        max_examples=min(own.max_examples, examples),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
