"""What several systems gave, a line for each: text for people, JSON for programs. Pure."""

from __future__ import annotations

import json
from typing import Any

from actors.messages import Failure
from supervisor.views.status import data_as_text, for_json


def result_as_text(name: str, result: Any, *, is_answer: bool) -> str:
    """Of a system that did not fail."""
    return data_as_text(name, result if is_answer else "sent")


def result_as_json(name: str, result: Any | Failure, *, is_answer: bool) -> str:
    """An object with ``system_name``, and ``sent`` (or of a question ``data``), or ``failure``."""
    shown: dict[str, Any] = {"system_name": name}
    failed = isinstance(result, Failure)
    if not is_answer:
        shown["sent"] = not failed
    elif not failed:
        shown["data"] = for_json(result)
    if isinstance(result, Failure):
        shown["failure"] = {
            "code": result.code,
            "text": result.text,
            "outcome": result.outcome,
        }
    return json.dumps(shown)
