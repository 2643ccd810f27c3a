"""Commands of one system, and its health. Runs on the system actor's event loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from actors.errors import EXPECTED_ERRORS, describe
from actors.interface import ExternalSystemInterface, command_names
from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    FailureCode,
    HealthChecked,
    Outcome,
    Reply,
)
from actors.payload import PayloadError, unwrap, wrap_encoded
from actors.system_actor.sending import code_of


class Caller:
    def __init__(
        self,
        system: ExternalSystemInterface,
        on_error: Callable[[Exception], None],
        max_payload_bytes: int,
    ) -> None:
        """
        Args:
            on_error: told of each expected error of the system's.
            max_payload_bytes: above which a result is a failure.
        """
        self._system = system
        self._on_error = on_error
        self._max_payload_bytes = max_payload_bytes
        self._commands = command_names(type(system))

    async def call(self, request: CallCommand) -> Reply:
        """Carry out a call of a command; the answer to it."""
        if request.command not in self._commands:
            known = ", ".join(self._commands) or "none"
            return request.failure(
                FailureCode.UNKNOWN_COMMAND,
                f"{type(self._system).__name__} has no command {request.command!r}; "
                f"its commands: {known}",
            )
        method = getattr(self._system, request.command)
        try:
            args, kwargs = tuple(unwrap(request.args)), dict(unwrap(request.kwargs))
            inspect.signature(method).bind(*args, **kwargs)
        except (ValueError, TypeError) as error:  # PayloadError is a ValueError
            return request.failure(FailureCode.INVALID_REQUEST, f"{request.command}: {error}")
        try:
            result = wrap_encoded(await method(*args, **kwargs), self._max_payload_bytes)
        except EXPECTED_ERRORS as error:
            self._on_error(error)
            text = f"{request.command}: {describe(error)}"
            return request.failure(code_of(error), text, Outcome.UNKNOWN)
        except PayloadError as error:
            text = f"{request.command} was carried out, but its result is lost: {error}"
            return request.failure(FailureCode.CONNECTOR_ERROR, text, Outcome.UNKNOWN)
        return CommandCalled(
            request_id=request.request_id, system_name=request.system_name, result=result
        )

    async def check_health(self, request: CheckHealth) -> Reply:
        """Carry out a check of the system's health; the answer to it."""
        try:
            healthy = bool(await self._system.check_health())
        except EXPECTED_ERRORS as error:
            self._on_error(error)
            return request.failure(FailureCode.CONNECTOR_ERROR, describe(error))
        return HealthChecked(
            request_id=request.request_id, system_name=request.system_name, healthy=healthy
        )
