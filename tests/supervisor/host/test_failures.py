"""Every failure code, and every bad input: a clear error, and the supervisor serves on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from actors.messages import FailureCode, Outcome, SendData
from supervisor import (
    ConnectorFailedError,
    DuplicateSystemError,
    ExternalSystemError,
    ExternalSystemManager,
    InvalidRequestError,
    NotConnectedError,
    OverloadedError,
    RequestTimeoutError,
    RestartPolicy,
    SupervisorOptions,
    SystemCrashedError,
    SystemSpec,
    UnavailableError,
    UnknownCommandError,
    UnknownSystemError,
)
from supervisor.messages import SystemState
from supervisor.specs.options import LogLevel
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import QUIET, mock, until_state, with_manager

pytestmark = pytest.mark.usefixtures("shared_runtime")
BOTH_WAYS = pytest.mark.usefixtures("way")

IMPATIENT = SupervisorOptions(request_timeout=0.3, log_level=LogLevel.CRITICAL)
FRAGILE = RestartPolicy(max_restarts=0)


async def serves_on(manager: ExternalSystemManager) -> None:
    """What was wrong with one system or request leaves the others alone."""
    assert manager.register_system(mock("witness", echo=True, connect=False))
    await manager.connect_system("witness")
    await manager.send_data_to_system("witness", "still here")
    assert await manager.receive_data_from_system("witness") == "still here"


def failure_of(
    work: Any, *specs: SystemSpec, options: SupervisorOptions = QUIET
) -> ExternalSystemError:
    """The error a coroutine ends with, after seeing that the supervisor serves on."""

    async def both(manager: ExternalSystemManager) -> ExternalSystemError:
        with pytest.raises(ExternalSystemError) as caught:
            await work(manager)
        await serves_on(manager)
        return caught.value

    return with_shared_manager(both, *specs, options=options)


@BOTH_WAYS
def test_unknown_system() -> None:
    error = failure_of(lambda m: m.send_data_to_system("nobody", 1))
    assert isinstance(error, UnknownSystemError)
    assert error.failure.code is FailureCode.UNKNOWN_SYSTEM
    assert error.failure.outcome is Outcome.NOT_SENT


def test_duplicate_system_also_when_another_client_registered_it() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        manager._dialog.names.clear()  # as if this manager had never heard of it
        manager.register_system(mock("a"))
        await manager.start()

    assert isinstance(failure_of(work, mock("a")), DuplicateSystemError)


@BOTH_WAYS
def test_not_connected() -> None:
    error = failure_of(lambda m: m.send_data_to_system("a", 1), mock("a", connect=False))
    assert isinstance(error, NotConnectedError)
    text = "a: not connected; its status says why, if it is meant to be"
    assert str(error) == f"{text} [not_connected, not sent]"


@BOTH_WAYS
def test_system_crashed_with_unknown_outcome() -> None:
    error = failure_of(
        lambda m: m.send_data_to_system("a", 1),
        mock("a", faults=[{"operation": "send", "action": "exit", "exit_code": 7}]),
    )
    assert isinstance(error, SystemCrashedError)
    assert error.failure.outcome is Outcome.UNKNOWN
    assert "exit code 7" in str(error)


@BOTH_WAYS
def test_timeout_with_unknown_outcome() -> None:
    error = failure_of(
        lambda m: m.send_data_to_system("a", 1),
        mock("a", faults=[{"operation": "send", "action": "delay", "seconds": 300.0}]),
        options=IMPATIENT,
    )
    assert isinstance(error, RequestTimeoutError)
    assert error.failure.outcome is Outcome.UNKNOWN
    assert "a: no answer within 0.3 s" in str(error)


@BOTH_WAYS
def test_a_reply_after_the_timeout_is_dropped_and_its_data_kept() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("a", "mock_incoming_data", "late")
        await manager.call_command("a", "inject_fault", "receive", "delay", seconds=1.0)
        with pytest.raises(RequestTimeoutError):
            await manager.receive_data_from_system("a")
        assert await manager.receive_data_from_system("a", timeout=10.0) == "late"

    with_shared_manager(work, mock("a"), options=IMPATIENT)


@BOTH_WAYS
def test_overloaded_refuses_at_once_and_loses_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("a", "inject_fault", "send", "delay", seconds=0.5)
        sends = [asyncio.ensure_future(manager.send_data_to_system("a", 0))]
        await asyncio.sleep(0)
        await manager.status("a")
        sends += [asyncio.ensure_future(manager.send_data_to_system("a", n)) for n in range(20)]
        await asyncio.sleep(0)
        await manager.status("a")
        sends += [asyncio.ensure_future(manager.send_data_to_system("a", n)) for n in range(20)]
        results = await asyncio.gather(*sends, return_exceptions=True)
        refused = [each for each in results if isinstance(each, OverloadedError)]
        assert refused
        assert all(each.failure.outcome is Outcome.NOT_SENT for each in refused)
        taken = [each for each in results if each is True]
        assert len(taken) + len(refused) == len(results)
        assert await manager.call_command("a", "sent_count") == len(taken)

    with_shared_manager(work, mock("a", options={"mailbox_size": 30}))


@BOTH_WAYS
def test_unknown_command() -> None:
    error = failure_of(lambda m: m.call_command("a", "explode"), mock("a"))
    assert isinstance(error, UnknownCommandError)
    assert "mock_incoming_data" in str(error)


@pytest.mark.parametrize("private", ["connect", "__init__", "_settings"])
def test_only_what_is_marked_is_a_command(private: str) -> None:
    error = failure_of(lambda m: m.call_command("a", private), mock("a"))
    assert isinstance(error, UnknownCommandError)


@BOTH_WAYS
def test_connector_error() -> None:
    error = failure_of(
        lambda m: m.send_data_to_system("a", 1),
        mock("a", faults=[{"operation": "send", "action": "fail"}]),
    )
    assert isinstance(error, ConnectorFailedError)


def test_a_refused_connection_is_an_answer_and_no_crash() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(ConnectorFailedError, match=r"cannot connect to 127\.0\.0\.1:1"):
            await manager.connect_system("t")
        status = await manager.status("t")
        assert status is not None
        assert (status.state, status.incarnation) == (SystemState.DISCONNECTED, 1)

    with_shared_manager(work, SystemSpec("t", "tcp", {"host": "127.0.0.1", "port": 1}))


@BOTH_WAYS
def test_unavailable_in_quarantine_until_restarted_by_hand() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("a", "inject_fault", "send", "bug")
        with pytest.raises(SystemCrashedError, match="InjectedBug"):
            await manager.send_data_to_system("a", 1)
        await until_state(manager, "a", SystemState.QUARANTINED)
        with pytest.raises(UnavailableError, match="quarantined after repeated crashes"):
            await manager.send_data_to_system("a", 1)
        assert await manager.restart_system("a")
        assert await manager.connect_system("a")
        assert await manager.send_data_to_system("a", 1)

    with_shared_manager(work, mock("a", options={"restart": FRAGILE}))


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", 7, None, "x" * 10_000, ["a"], b"a"])
def test_an_odd_name(name: Any) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        for call in (
            manager.send_data_to_system(name, 1),
            manager.receive_data_from_system(name),
            manager.connect_system(name),
            manager.call_command(name, "reset"),
        ):
            with pytest.raises((InvalidRequestError, UnknownSystemError)) as caught:
                await call
            assert len(str(caught.value)) < 300
        raise caught.value

    failure_of(work)


def test_data_that_cannot_be_pickled() -> None:
    error = failure_of(lambda m: m.send_data_to_system("a", threading.Lock()), mock("a"))
    assert isinstance(error, InvalidRequestError)
    assert "lock cannot be sent to another process" in str(error)
    assert error.failure.outcome is Outcome.NOT_SENT


class Unreadable:
    """Pickles well, and refuses to come back."""

    def __reduce__(self) -> Any:
        return (_refuse, ())


def _refuse() -> None:
    raise RuntimeError("not in this process")


@BOTH_WAYS
def test_data_that_the_system_cannot_unpickle() -> None:
    error = failure_of(lambda m: m.send_data_to_system("a", Unreadable()), mock("a"))
    assert isinstance(error, InvalidRequestError)
    assert "not in this process" in str(error)


@BOTH_WAYS
def test_one_bad_item_among_good_ones() -> None:
    async def work(manager: ExternalSystemManager) -> list[Any]:
        sends = [manager.send_data_to_system("a", item) for item in (1, Unreadable(), 3)]
        return await asyncio.gather(*sends, return_exceptions=True)

    first, second, third = with_shared_manager(work, mock("a"))
    assert first is True
    assert third is True
    assert isinstance(second, InvalidRequestError)


@BOTH_WAYS
def test_a_payload_of_a_hundred_megabytes() -> None:
    error = failure_of(lambda m: m.send_data_to_system("a", bytes(100 << 20)), mock("a"))
    assert isinstance(error, InvalidRequestError)
    assert "104,857,600 bytes, more than max_payload_bytes" in str(error)


@pytest.mark.usefixtures("nothing_left")
def test_the_host_itself_refuses_what_is_too_much_for_its_own_supervisor() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(InvalidRequestError, match="more than max_payload_bytes"):
            await manager.send_data_to_system("a", bytes(100 << 20))

    with_manager(work)


def test_a_payload_over_the_limit_of_the_supervisor_itself() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert manager._dialog.session._recovery.connection is not None
        reply = await manager._dialog.session._recovery.connection.ask(
            SendData("a", bytes(20 << 20))
        )
        assert getattr(reply, "code", None) is FailureCode.INVALID_REQUEST
        await serves_on(manager)

    with_shared_manager(work, mock("a"))


@BOTH_WAYS
def test_a_large_payload_within_the_limit() -> None:
    data = bytes(range(256)) * (8 << 12)

    async def work(manager: ExternalSystemManager) -> bool:
        await manager.send_data_to_system("a", data)
        return bool(await manager.receive_data_from_system("a", timeout=20.0) == data)

    assert with_shared_manager(work, mock("a", echo=True))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("no.such.module:Thing", "module no.such.module cannot be imported"),
        ("tests.supervisor.host.test_failures:Missing", "has no Missing"),
        ("tests.supervisor.host.test_failures:Unreadable", "no class that inherits"),
        ("plc", "plc"),
    ],
)
def test_a_class_that_cannot_be_found(kind: str, text: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        manager.register_system(SystemSpec("x", kind))
        await manager.start()

    error = failure_of(work)
    assert isinstance(error, InvalidRequestError)
    assert text in str(error)


@pytest.mark.parametrize(
    ("fault", "error_class", "text"),
    [
        ({"action": "bug"}, ConnectorFailedError, "InjectedBug"),
        ({"action": "exit", "exit_code": 3}, SystemCrashedError, "exit code 3"),
        ({"action": "kill", "signal": "SIGSEGV"}, SystemCrashedError, "SIGSEGV"),
    ],
)
def test_a_constructor_that_fails_leaves_no_system_behind(
    fault: dict[str, Any], error_class: type[Exception], text: str
) -> None:
    spec = mock("x", faults=[{"operation": "construct", **fault}])

    async def work(manager: ExternalSystemManager) -> None:
        manager.register_system(spec)
        try:
            await manager.start()
        finally:
            assert await manager.status_all() == ()

    error = failure_of(work)
    assert isinstance(error, error_class)
    assert text in str(error)


def test_a_constructor_that_hangs_is_given_up_after_its_time() -> None:
    spec = mock(
        "x",
        faults=[{"operation": "construct", "action": "hang_loop"}],
        options={"start_timeout": 0.3},
    )

    async def work(manager: ExternalSystemManager) -> None:
        manager.register_system(spec)
        await manager.start()

    assert "not built within 0.3 s" in str(failure_of(work))


def test_a_failed_registration_is_a_warning_without_strict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        manager.register_system(SystemSpec("x", "no.such.module:Thing"))
        assert await manager.connect_all()
        assert await manager.send_data_to_system("x", 1) is False

    with_shared_manager(work, mock("a"), strict=False)
    assert "cannot register" in caplog.text


@BOTH_WAYS
@pytest.mark.parametrize(
    "make",
    [
        lambda m: m.receive_data_from_system("a", timeout=-1.0),
        lambda m: m.receive_data_from_system("a", timeout="soon"),
        lambda m: m.receive_data_from_system("a", timeout=float("nan")),
        lambda m: m.receive_many_from_system("a", 0),
        lambda m: m.receive_many_from_system("a", "many"),
        lambda m: m.call_command("a", 5),
        lambda m: m.call_command("a", "sent_items", "too", "many"),
        lambda m: m.call_command("a", "mock_incoming_data", threading.Lock()),
    ],
)
def test_arguments_that_make_no_sense(make: Any) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        call: Coroutine[Any, Any, Any] = make(manager)
        await call

    assert isinstance(failure_of(work, mock("a")), InvalidRequestError)


def test_details_of_a_class_that_only_the_host_knows_harm_nobody() -> None:
    class Local:
        pass

    class OnlyHere:
        def __reduce__(self) -> Any:
            return (_refuse, ())

    async def work(manager: ExternalSystemManager) -> None:
        await manager.send_data_to_system("other", 1)
        manager.register_system(SystemSpec("fine", "mock", {"mode": Local()}))
        await manager.start()
        manager.register_system(SystemSpec("bad", "mock", {"mode": OnlyHere()}))
        with pytest.raises(InvalidRequestError, match="connection_details"):
            await manager.start()
        assert await manager.connect_system("fine")
        assert await manager.send_data_to_system("other", 2)

    with_shared_manager(work, mock("other"))
