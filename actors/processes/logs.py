"""Logging inside actors.

Thespian replaces the root logger in each actor process by one that sends records to a
logger process through the actor's transport. That is not safe from the event-loop
thread, and loggers made before the fork do not see it. So an actor puts the loggers of
the process it was forked from back: they write to the standard error all share.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_root = logging.root
_manager = logging.Logger.manager


def log_to_stderr(level: str) -> None:
    """Set up logging in the root process of a runtime, for all that is forked from it.

    Args:
        level: a level's name, in any case.

    Raises:
        ValueError: no such level.
    """
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format=_FORMAT)


def restore_loggers() -> None:
    """Undo Thespian's replacement, in an actor process."""
    logging.root = _root
    logging.Logger.root = _root
    logging.Logger.manager = _manager
