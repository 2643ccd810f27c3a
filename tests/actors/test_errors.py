"""A failure is of one of three kinds, and a driver's errors are mapped right at the call."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from actors import (
    AuthenticationRefusedError,
    BadConfigurationError,
    CertificateInvalidError,
    ConnectorError,
    FatalError,
    ItemRefusedError,
    map_exceptions,
)
from actors.errors import ErrorKind, kind_of


class DriverError(Exception):
    pass


class LoginError(DriverError):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectorError("x"), ErrorKind.RETRY),
        (ItemRefusedError("x"), ErrorKind.RETRY),
        (ConnectionRefusedError(), ErrorKind.RETRY),
        (TimeoutError(), ErrorKind.RETRY),
        (ssl.SSLError(), ErrorKind.RETRY),
        (asyncio.IncompleteReadError(b"", 2), ErrorKind.RETRY),
        (FatalError("x"), ErrorKind.FATAL),
        (AuthenticationRefusedError("x"), ErrorKind.FATAL),
        (CertificateInvalidError("x"), ErrorKind.FATAL),
        (BadConfigurationError("x"), ErrorKind.FATAL),
        (ValueError("x"), ErrorKind.BUG),
        (DriverError("x"), ErrorKind.BUG),
    ],
)
def test_each_error_is_of_one_kind(error, kind):
    assert kind_of(error) is kind


def test_an_error_is_mapped_to_the_class_for_the_first_that_fits():
    with (
        pytest.raises(AuthenticationRefusedError, match="LoginError: who are you") as raised,
        map_exceptions({LoginError: AuthenticationRefusedError, DriverError: ConnectorError}),
    ):
        raise LoginError("who are you")
    assert isinstance(raised.value.__cause__, LoginError)
    with (
        pytest.raises(ConnectorError, match="cannot connect to db:1: DriverError: gone") as other,
        map_exceptions(
            {LoginError: AuthenticationRefusedError, DriverError: ConnectorError},
            "cannot connect to db:1",
        ),
    ):
        raise DriverError("gone")
    assert type(other.value) is ConnectorError


def test_a_function_decides_by_the_error_itself():
    def by_code(error: DriverError) -> Exception | None:
        match error.args[0]:
            case 401:
                return AuthenticationRefusedError("the token is refused")
            case 503:
                return ConnectorError("it is too busy")
        return None

    for code, kind in ((401, AuthenticationRefusedError), (503, ConnectorError), (7, DriverError)):
        with pytest.raises(kind), map_exceptions({DriverError: by_code}):
            raise DriverError(code)


def test_what_fits_nothing_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError), map_exceptions({DriverError: ConnectorError}):
        1 / 0  # noqa: B018


def test_an_error_of_ours_is_not_mapped_again():
    with pytest.raises(ItemRefusedError), map_exceptions({Exception: FatalError}):
        raise ItemRefusedError("too long")


def test_a_cancelled_call_stays_cancelled():
    async def main() -> None:
        with map_exceptions({Exception: ConnectorError}):
            await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(main())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
