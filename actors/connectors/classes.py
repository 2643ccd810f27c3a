"""What is wrong with a connector's class, as far as it can be told without building one."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from actors.errors import ActorSetupError
from actors.interface import ExternalSystemInterface, asks_nobody
from actors.resilience.keep_alive import KeepAlive

_COROUTINES: Final = (
    *("connect", "disconnect", "send_data", "receive_data"),
    *("check_health", "send_many", "receive_many", "query_data"),
)
_KEPT: Final = ("system_name", "connection_details", "is_connected")
"""Set by the interface's ``__init__``."""
_CALL: Final = "super().__init__(system_name, connection_details)"


@functools.cache
def mistakes_in_class(system_class: type[ExternalSystemInterface]) -> tuple[str, ...]:
    """What keeps a class from being built, or from working, one text per mistake."""
    mistakes = [*_not_async(system_class)]
    try:
        check_signature(system_class)
    except ActorSetupError as error:
        mistakes.append(str(error))
    else:
        if _leaves_out_base(system_class):
            mistakes.append(f"{system_class.__qualname__}.__init__ does not call {_CALL}")
    return tuple(mistakes)


def why_no_pings(
    system_class: type[ExternalSystemInterface], pings: KeepAlive | None
) -> str | None:
    """Why a system of a class cannot be pinged as its policy says; None if it can."""
    if pings is None or pings.query is not None or not asks_nobody(system_class.check_health):
        return None
    return (
        f"keep_alive needs a query: check_health of {system_class.__qualname__} asks nobody, so it "
        "cannot tell whether the other side lives"
    )


@functools.cache
def check_signature(system_class: type[ExternalSystemInterface]) -> None:
    """
    Raises:
        ActorSetupError: the class cannot be called with a name and connection details.
    """
    try:
        signature = inspect.signature(system_class)
    except (TypeError, ValueError):
        return  # written in C, perhaps: building it will tell
    try:
        signature.bind("name", {})
    except TypeError as error:
        raise ActorSetupError(
            f"{system_class.__qualname__} cannot be built with "
            f"(system_name, connection_details): {error}"
        ) from error


def check_coroutines(system_class: type[ExternalSystemInterface]) -> None:
    """
    Raises:
        ActorSetupError: a method that is awaited is none to be awaited.
    """
    mistakes = _not_async(system_class)
    if mistakes:
        raise ActorSetupError("; ".join(mistakes))


def check_built(system: ExternalSystemInterface) -> None:
    """
    Raises:
        ActorSetupError: the object lacks what the interface's ``__init__`` sets.
    """
    for name in _KEPT:
        try:
            getattr(system, name)
        except AttributeError:
            who = type(system).__qualname__
            text = f"{who} has no {name}: its __init__ must call {_CALL}"
            raise ActorSetupError(text) from None
        except Exception:
            pass  # a property that fails is told when it is used


@functools.cache
def _not_async(system_class: type[ExternalSystemInterface]) -> tuple[str, ...]:
    mistakes: list[str] = []
    for name in _COROUTINES:
        method = inspect.getattr_static(system_class, name)
        # Of anything but a plain function only a call could tell what it gives.
        if isinstance(method, FunctionType) and not inspect.iscoroutinefunction(
            inspect.unwrap(method)
        ):
            who = f"{system_class.__qualname__}.{name}"
            mistakes.append(f"{who} is no coroutine; make it 'async def {name}(...)'")
    return tuple(mistakes)


def _leaves_out_base(system_class: type[ExternalSystemInterface]) -> bool:
    """Whether nothing in a class could call the interface's ``__init__``, nor set what that
    sets."""
    own: list[type] = []
    for each in system_class.__mro__:
        if each is ExternalSystemInterface:
            break
        own.append(each)
    first: Any = next(
        (each.__dict__["__init__"] for each in own if "__init__" in each.__dict__), None
    )
    if not isinstance(first, FunctionType):
        return False
    codes = [code for each in own for code in _codes(each)]
    if any("__init__" in code.co_names for code in codes):
        return False
    given = {name for each in own for name in each.__dict__}
    for code in codes:
        given |= {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"}
    return not given.issuperset(_KEPT)


def _codes(system_class: type) -> Iterator[CodeType]:
    """Of all functions that a class has, with those in them."""
    waiting = [
        function.__code__
        for each in system_class.__dict__.values()
        if isinstance(function := inspect.unwrap(each) if callable(each) else each, FunctionType)
    ]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
