"""What is to be done for requests to one system, whichever way they go."""

from __future__ import annotations

from typing import Any

import attrs

from actors.messages import Request
from supervisor.messages import ReturnData


@attrs.frozen
class Tell:
    """Say this on the link."""

    message: Any


@attrs.frozen
class Route:
    """Ask this through the supervisor, and hand each part of its answer to
    :meth:`~supervisor.client.ways.Ways.routed_reply`."""

    request: Request


@attrs.frozen
class Unroute:
    """Take back what was asked through the supervisor."""

    request_id: int


@attrs.frozen
class GiveBack:
    """Have the supervisor hand these items out again."""

    message: ReturnData


WayAction = Tell | Route | Unroute | GiveBack
