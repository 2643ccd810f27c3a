"""Which of several addresses of one system is tried next. Pure: chance is an argument."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class EndpointOrder(enum.StrEnum):
    """In which order a system's endpoints are tried."""

    IN_ORDER = "in_order"
    """As they are given."""
    SHUFFLED = "shuffled"
    """In an order of each system's own, so that many systems share several servers."""


class Endpoints(Generic[T]):
    """The addresses at which one system is to be reached: each attempt is for the next one, and
    after the last for the first again."""

    def __init__(self, endpoints: Sequence[T], order: EndpointOrder, random: Random) -> None:
        """
        Args:
            endpoints: at least one.
            random: for ``SHUFFLED``; not used otherwise.

        Raises:
            ValueError: there is none.
        """
        if not endpoints:
            raise ValueError("a system needs an endpoint")
        self._endpoints = list(endpoints)
        if order is EndpointOrder.SHUFFLED:
            random.shuffle(self._endpoints)
        self._place = 0

    def __len__(self) -> int:
        return len(self._endpoints)

    @property
    def current(self) -> T:
        """The one to try, or that is in use."""
        return self._endpoints[self._place]

    def advance(self) -> None:
        """The current one cannot be reached, or was lost: the next attempt is for the next."""
        self._place = (self._place + 1) % len(self._endpoints)
