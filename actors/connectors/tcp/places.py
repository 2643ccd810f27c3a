"""Where a TCP system is to be reached: a host and a port each."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from actors.settings import Allowed, is_host_name

_WRITTEN: Final = re.compile(
    r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})"
)


@attrs.frozen
class Place:
    """One of them."""

    host: str
    port: int

    def __str__(self) -> str:
        """``host:port``, as errors name the system."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _place(written: str) -> Place | None:
    found = _WRITTEN.fullmatch(written)
    if found is None or not is_host_name(host := found["address"] or found["name"]):
        return None
    return Place(host, int(found["port"])) if 1 <= int(found["port"]) <= 65535 else None


def _to_places(written: Any) -> Any:
    """Places from a list of texts; what cannot be one comes back as it is."""
    if not isinstance(written, list | tuple):
        return written
    return tuple((_place(each) if isinstance(each, str) else None) or each for each in written)


def _are_places(value: Any) -> bool:
    return bool(value) and all(isinstance(each, Place) for each in value)


def places_or_none() -> Allowed:
    """A list of texts such as "plc-a:502" or "[fe80::1]:502"."""
    return Allowed(
        text='a list of texts such as "plc-a:502", at least one, each a host and a port',
        types=(tuple, list),
        check=_are_places,
        convert=_to_places,
    ).or_none()
