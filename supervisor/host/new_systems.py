"""What a program registers, looked at before anything is started for it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard

from actors.connectors.kinds import KINDS
from actors.interface import ExternalSystemInterface
from actors.payload import Payload
from actors.settings import did_you_mean
from supervisor.config.file import check_kind
from supervisor.config.policies import mistakes_for_kind
from supervisor.host.handles import is_bound
from supervisor.specs.spec import SystemSpec
from supervisor.specs.system_options import SystemOptions


def is_object(system: object) -> TypeGuard[ExternalSystemInterface]:
    """Whether it becomes a handle."""
    return isinstance(system, ExternalSystemInterface)


def spec_of(
    system: ExternalSystemInterface | SystemSpec, options: Mapping[str, Any], *, is_attached: bool
) -> SystemSpec:
    """The spec to register.

    Args:
        options: of an object.
        is_attached: whether it is to live where other modules may be found than here.

    Raises:
        ValueError, TypeError: it cannot be registered; the text says why.
    """
    unknown = sorted(options.keys() - SystemOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(SystemOptions.__annotations__)
        guess = did_you_mean(unknown[0], SystemOptions.__annotations__, f"; there are: {known}")
        raise TypeError(f"there is no option {unknown[0]}{guess}")
    if not isinstance(system, ExternalSystemInterface | SystemSpec):
        what = type(system).__name__
        raise TypeError(f"{what} is no ExternalSystemInterface and no SystemSpec")
    if not isinstance(system, SystemSpec):
        if is_bound(system):
            raise ValueError("the object is registered already")
        return SystemSpec.of(system, **options)
    if options:
        raise TypeError(
            f"a SystemSpec has its options in itself: {', '.join(sorted(options))}; "
            "give them to SystemSpec"
        )
    mistakes = _mistakes_in(system, is_attached)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return system


def _mistakes_in(spec: SystemSpec, is_attached: bool) -> list[str]:
    """What can be said without running a module that only the system's process is to run."""
    module = spec.kind.partition(":")[0]
    if spec.snapshot is not None:
        return []
    if ":" in spec.kind and spec.kind not in KINDS:
        if is_attached:
            return []  # it may be found there
        if module not in sys.modules:
            return [] if _is_there(module) else [f'kind "{spec.kind}": there is no module {module}']
    details = spec.connection_details
    try:
        given = details.load() if isinstance(details, Payload) else details
    except ValueError:
        given = {}
    return check_kind(spec.kind, given) + mistakes_for_kind(spec.policy, spec.kind)


def _is_there(module: str) -> bool:
    """Whether its outermost package can be found; nothing of it is run."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
