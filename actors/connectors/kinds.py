"""From the word ``kind`` to a class, and from a definition to an object."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import traceback
from typing import Any, Final

from actors.connectors.classes import check_built, check_coroutines, check_signature
from actors.errors import ActorSetupError, describe
from actors.interface import ExternalSystemInterface
from actors.messages import SystemDefinition
from actors.payload import PayloadError, decode, unwrap
from actors.settings import did_you_mean

KINDS: Final[dict[str, str]] = {
    "mock": "actors.connectors.mock.system:MockExternalSystem",
    "tcp": "actors.connectors.tcp.system:TcpSystem",
}
"""Where the class of a built-in kind is found. Imported when it is needed, not before."""

_REFERENCE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@functools.cache
def resolve_kind(kind: str) -> type[ExternalSystemInterface]:
    """The class of a kind: a key of :data:`KINDS`, or ``package.module:Class``.

    Imports the module, so it runs the module's code in the process that asks.

    Raises:
        ActorSetupError: the kind is unknown, its module cannot be imported or has no such
            name, or what is found there is no class that can be built as a system.
    """
    reference = KINDS.get(kind, kind)
    if not _REFERENCE.fullmatch(reference):
        raise ActorSetupError(_unknown(kind))
    module_name, _, qualname = reference.partition(":")
    who = f'kind "{kind}"'
    try:
        found: Any = importlib.import_module(module_name)
    except ActorSetupError:
        raise  # it says already what to do, for example which extra to install
    except (Exception, SystemExit) as error:  # importing runs the module's own code
        raise ActorSetupError(
            f"{who}: module {module_name} cannot be imported: "
            f"{_why_not_imported(module_name, error)}"
        ) from error
    for name in qualname.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ActorSetupError(f"{who}: {module_name} has no {qualname}") from None
    if not isinstance(found, type) or not issubclass(found, ExternalSystemInterface):
        raise ActorSetupError(
            f"{who}: {qualname} is no class that inherits from ExternalSystemInterface"
        )
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise ActorSetupError(f"{who}: {qualname} is abstract; it must implement {missing}")
    return found


def build_system(definition: SystemDefinition) -> ExternalSystemInterface:
    """Build a system from its definition, in the process it is to live in.

    With a snapshot, the object in it; else ``Class(system_name, connection_details)``.
    Whatever the constructor raises passes through untouched: only the caller knows
    whether it is an expected error or a bug, and its traceback should show the class.

    Raises:
        ActorSetupError: the class cannot be found here, does not take these two
            arguments, has methods that cannot be awaited, or cannot do what the policy asks
            for, or the result is no whole ExternalSystemInterface.
    """
    name = definition.system_name
    if definition.snapshot is None:
        try:
            system_class = resolve_kind(definition.kind)
        except ActorSetupError as error:
            raise ActorSetupError(f"system {name!r}: {error}") from error
        try:
            check_signature(system_class)
        except ActorSetupError as error:
            raise ActorSetupError(f"system {name!r}: {error}") from error.__cause__
        try:
            details = unwrap(definition.connection_details)
        except PayloadError as error:
            raise ActorSetupError(f"system {name!r}: connection_details: {error}") from error
        system: Any = system_class(name, details)
    else:
        try:
            system = decode(definition.snapshot)
        except PayloadError as error:
            raise ActorSetupError(
                f"system {name!r}: the snapshot of {definition.kind} cannot be unpickled: "
                f"{error}; all that it needs must be importable in this process"
            ) from error
    if not isinstance(system, ExternalSystemInterface):
        raise ActorSetupError(
            f"system {name!r}: {definition.kind} gave an object of type "
            f"{type(system).__name__}, which does not inherit from ExternalSystemInterface"
        )
    try:
        check_coroutines(type(system))
        check_built(system)
    except ActorSetupError as error:
        raise ActorSetupError(f"system {name!r}: {error}") from None
    if mistakes := definition.policy.mistakes_for(type(system)):
        raise ActorSetupError(f"system {name!r}: {'; '.join(mistakes)}")
    return system


def _why_not_imported(module_name: str, error: BaseException) -> str:
    """What went wrong with an import, where, and what helps."""
    text = describe(error)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and f"{module_name}.".startswith(f"{missing}."):
        return f"{text}; install it, or put its directory on PYTHONPATH"
    if missing is not None:
        return f"it imports {missing}, which is not there ({text}); install {missing}"
    if isinstance(error, SyntaxError):
        return f"{text}; mend {error.filename or module_name}, line {error.lineno}"
    inner = [each for each in traceback.extract_tb(error.__traceback__) if _is_file(each.filename)]
    where = f"{inner[-1].filename}, line {inner[-1].lineno}" if inner else module_name
    return f"{text}; its own code raised it: mend {where}"


def _is_file(name: str) -> bool:
    return not name.startswith("<") and not name.endswith(("importlib/__init__.py", __file__))


def _unknown(kind: str) -> str:
    guess = did_you_mean(kind, KINDS, otherwise=";")
    known = ", ".join(f'"{known}"' for known in KINDS)
    return f'kind "{kind}" is unknown{guess} known are {known}, and "package.module:Class"'
