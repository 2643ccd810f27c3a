"""Received items that have come before, by the policy of their system.

Runs on the system actor's event loop, behind the pairing of questions: an answer is never one.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections.abc import Callable
from typing import Any, Final

from actors.errors import ActorSetupError, describe
from actors.payload import PayloadError, encode
from actors.resilience.deduplication import Deduplication, NoSuchFieldError, Seen, field_of
from actors.resilience.policy import Policy

_DIGEST: Final = 16
"""Bytes that stand for a key, however long that is."""


class Repetitions:
    """Of one system, over all its connections and for as long as its process lives."""

    def __init__(self, policy: Deduplication, system_name: str) -> None:
        """
        Raises:
            ActorSetupError: the function that it names cannot be found.
        """
        self._seen = Seen(policy)
        self._key_of = key_function(policy, system_name)
        self._loop = asyncio.get_running_loop()

    @classmethod
    def of(cls, policy: Policy, system_name: str) -> Repetitions | None:
        """Those that a policy has dropped; None if it has none."""
        return None if policy.deduplicate is None else cls(policy.deduplicate, system_name)

    def has(self, item: Any) -> bool:
        """Whether this has come before. An item without a key never has.

        Raises:
            Exception: what the function of the policy raises.
        """
        try:
            key = encode(self._key_of(item))
        except (NoSuchFieldError, PayloadError):
            return False
        if len(key) > _DIGEST:
            key = hashlib.blake2b(key, digest_size=_DIGEST).digest()
        return not self._seen.is_new(key, self._loop.time())


def key_function(policy: Deduplication, system_name: str) -> Callable[[Any], Any]:
    """What gives the key of an item.

    Raises:
        ActorSetupError: there is no such function.
    """
    key = policy.key
    if key is None:
        return lambda item: item
    if not policy.is_function:
        return lambda item: field_of(item, key)
    module, _, name = key.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for step in name.split("."):
            found = getattr(found, step)
    except Exception as error:  # a module's own code
        text = f"system {system_name!r}: deduplicate.key {key!r} cannot be found"
        raise ActorSetupError(f"{text}: {describe(error)}") from error
    if not callable(found):
        raise ActorSetupError(f"system {system_name!r}: deduplicate.key {key!r} is no function")
    function: Callable[[Any], Any] = found
    return function
