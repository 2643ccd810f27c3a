"""``${NAME}`` in connection details. Pure: the environment is an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.settings import Mistake

_VARIABLE: Final = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_]\w*)\}|(?P<bad>\$\{)")


def expand_variables(
    details: dict[str, Any], environ: Mapping[str, str]
) -> tuple[Any, list[Mistake]]:
    """``details`` with each ``${NAME}`` in its strings replaced, and what hinders that.

    ``$${`` stands for ``${``. What cannot be replaced is left as it is.
    """
    mistakes: list[Mistake] = []

    def expand(value: Any, *path: str | int) -> Any:
        if isinstance(value, dict):
            return {key: expand(item, *path, key) for key, item in value.items()}
        if isinstance(value, list):
            return [expand(item, *path, index) for index, item in enumerate(value)]
        if isinstance(value, str):
            mistakes.extend(Mistake(path, text) for text in _hindrances(value, environ))
            return _VARIABLE.sub(replacement, value)
        return value

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        return environ.get(match["name"] or "", match[0])

    return expand(details), mistakes


def _hindrances(value: str, environ: Mapping[str, str]) -> Iterator[str]:
    for match in _VARIABLE.finditer(value):
        if match["bad"]:
            yield 'has a "${" without a variable\'s name and "}"; write "$${" for a plain "${"'
        elif match["name"] and match["name"] not in environ:
            yield f"environment variable {match['name']} is not set; set it"
