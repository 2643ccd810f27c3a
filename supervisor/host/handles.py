"""Registered objects stay usable: their methods act on the system actor.

Registering copies an object into its actor, and leaves here a handle of the same class
and identity. There is no second copy of the state to go stale: attributes that are not
part of the interface are gone from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from actors.interface import ExternalSystemInterface, command_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_OF_EVERY_CLASS = ("__dict__", "__weakref__", "__module__", "__doc__", "__annotations__")


class SystemHost(Protocol):
    """What a handle needs of the manager it is registered with."""

    async def connect_system(self, name: str, *, keep_trying: bool) -> bool: ...
    async def disconnect_system(self, name: str) -> bool: ...
    async def send_data_to_system(
        self, name: str, data: Any, *, durable: bool | None, wait: bool
    ) -> bool: ...
    async def send_many_to_system(
        self, name: str, items: Sequence[Any], *, durable: bool | None, wait: bool
    ) -> list[bool]: ...
    async def receive_data_from_system(self, name: str) -> Any | None: ...
    async def receive_many_from_system(
        self, name: str, max_items: int, timeout: float | None
    ) -> list[Any]: ...
    async def query_system(self, name: str, data: Any, timeout: float | None) -> Any: ...
    async def query_many(
        self, name: str, questions: Sequence[Any], timeout: float | None
    ) -> list[Any]: ...
    async def check_health(self, name: str) -> bool: ...
    async def call_command(self, name: str, command: str, *args: Any, **kwargs: Any) -> Any: ...
    def is_connected(self, name: str) -> bool: ...


def bind(system: ExternalSystemInterface, host: SystemHost) -> Callable[[], None]:
    """Turn an object into a handle for the system of its name.

    Returns:
        what makes it what it was, should it be refused; it holds the object's state.

    Raises:
        TypeError: its class does not allow that.
    """
    handle_class = _handle_class(type(system))
    name, details = system.system_name, system.connection_details
    own_class, state = type(system), vars(system).copy()

    def unbind() -> None:
        vars(system).clear()
        system.__class__ = own_class
        vars(system).update(state)

    vars(system).clear()
    try:
        system.__class__ = handle_class
    except TypeError as error:
        vars(system).update(state)
        raise TypeError(
            f"{handle_class.__name__} cannot be registered as an object ({error}); "
            "register a SystemSpec with its kind instead"
        ) from error
    vars(system).update(
        system_name=name, connection_details=details, _handle_host=host, _handle_state=set(state)
    )
    return unbind


def is_bound(system: ExternalSystemInterface) -> bool:
    return "_handle_host" in vars(system)


class _Handle:
    """What a handle has in place of its class's own: everything here acts on the actor.

    Copied into a subclass of the system's class. An object may change its class only to
    one of the same memory layout, which a second base class would alter.
    """

    system_name: str
    _handle_host: SystemHost
    _handle_state: set[str]

    @property
    def is_connected(self) -> bool:
        """As far as this process has heard."""
        return self._handle_host.is_connected(self.system_name)

    async def connect(self, *, keep_trying: bool = True) -> bool:
        return await self._handle_host.connect_system(self.system_name, keep_trying=keep_trying)

    async def disconnect(self) -> bool:
        return await self._handle_host.disconnect_system(self.system_name)

    async def send_data(
        self, data: Any, *, durable: bool | None = None, wait: bool = False
    ) -> bool:
        return await self._handle_host.send_data_to_system(
            self.system_name, data, durable=durable, wait=wait
        )

    async def send_many(
        self, items: Sequence[Any], *, durable: bool | None = None, wait: bool = False
    ) -> list[bool]:
        return await self._handle_host.send_many_to_system(
            self.system_name, items, durable=durable, wait=wait
        )

    async def receive_data(self) -> Any | None:
        return await self._handle_host.receive_data_from_system(self.system_name)

    async def receive_many(self, max_items: int, timeout: float) -> list[Any]:
        return await self._handle_host.receive_many_from_system(
            self.system_name, max_items, timeout
        )

    async def query_data(self, data: Any, timeout: float | None = None) -> Any:
        return await self._handle_host.query_system(self.system_name, data, timeout)

    async def query_many(self, questions: Sequence[Any], timeout: float | None = None) -> list[Any]:
        return await self._handle_host.query_many(self.system_name, questions, timeout)

    async def check_health(self) -> bool:
        return await self._handle_host.check_health(self.system_name)

    def __getattr__(self, attribute: str) -> Any:
        if attribute in vars(self).get("_handle_state", ()):
            raise AttributeError(
                f"{attribute!r} of {self.system_name!r} lives in its system actor since it was "
                "registered; reach it through a method marked with @command"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{self.system_name!r} is registered: it is a handle for its actor")


@cache
def _handle_class(system_class: type) -> type:
    commands = {name: _forward(system_class, name) for name in command_names(system_class)}
    own = {name: vars(_Handle)[name] for name in vars(_Handle) if name not in _OF_EVERY_CLASS}
    about = {
        "__module__": system_class.__module__,
        "__qualname__": system_class.__qualname__,
        "__doc__": system_class.__doc__,
    }
    return type(system_class.__name__, (system_class,), {**own, **commands, **about})


def _forward(system_class: type, name: str) -> Callable[..., Awaitable[Any]]:
    async def forward(self: _Handle, *args: Any, **kwargs: Any) -> Any:
        return await self._handle_host.call_command(self.system_name, name, *args, **kwargs)

    original = getattr(system_class, name)
    forward.__name__ = name
    forward.__qualname__ = f"{system_class.__qualname__}.{name}"
    forward.__doc__ = original.__doc__
    return forward
