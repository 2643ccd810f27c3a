"""The manager for hosts without asyncio."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from supervisor.client.own_process import OwnProcess
from supervisor.durable.entry import DeadLetter
from supervisor.host.manager import ExternalSystemManager
from supervisor.host.taking import TakenItem
from supervisor.messages import (
    ChildInfo,
    ChildrenCounted,
    LifecycleEvent,
    OutputLine,
    SystemStatus,
    TreeNode,
)
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec

T = TypeVar("T")

_open: set[SynchronousManager] = set()


class SynchronousManager:
    """An :class:`~supervisor.ExternalSystemManager` whose methods block.

    Any number of threads may call at once; an event loop in a thread of its own does the
    work. Systems are given as specs: an object's methods are coroutines, of little use here.
    Every method does what the manager's method of the same name does.

    It belongs to the process it was made in: in a fork of that each method raises a
    ``RuntimeError``, as the thread that does the work is not there. Make one in each process that
    needs one, after the fork.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        options: SupervisorOptions | None = None,
        direct: bool = True,
    ) -> None:
        self._begin(ExternalSystemManager(strict=strict, options=options, direct=direct))

    @classmethod
    def attach(
        cls, directory: str | Path | None = None, *, strict: bool = False, direct: bool = True
    ) -> Self:
        """A manager of the systems of a running standalone supervisor."""
        made = cls.__new__(cls)
        made._begin(ExternalSystemManager.attach(directory, strict=strict, direct=direct))
        return made

    def _begin(self, manager: ExternalSystemManager) -> None:
        self._manager = manager
        self._process = OwnProcess("a SynchronousManager")
        self._lock = threading.Lock()
        """Held while work is given to the loop, and while that ends."""
        self._closing = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="extsys-manager", daemon=True
        )
        self._thread.start()
        _open.add(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.is_here:  # else it is not this process's to close
            self.close()

    def register_system(self, spec: SystemSpec, *, group: str | None = None) -> bool:
        async def register() -> bool:
            return self._manager.register_system(spec, group=group)  # on the loop's thread

        return self._run(register())

    def start(self) -> None:
        self._run(self._manager.start())

    def unregister_system(self, name: str) -> bool:
        return self._run(self._manager.unregister_system(name))

    def connect_all(self, *, keep_trying: bool = True) -> bool:
        return self._run(self._manager.connect_all(keep_trying=keep_trying))

    def disconnect_all(self) -> bool:
        return self._run(self._manager.disconnect_all())

    def connect_system(self, name: str, *, keep_trying: bool = True) -> bool:
        return self._run(self._manager.connect_system(name, keep_trying=keep_trying))

    def disconnect_system(self, name: str) -> bool:
        return self._run(self._manager.disconnect_system(name))

    def send_data_to_system(
        self, name: str, data: Any, *, durable: bool | None = None, wait: bool = False
    ) -> bool:
        return self._run(self._manager.send_data_to_system(name, data, durable=durable, wait=wait))

    def send_many_to_system(
        self, name: str, items: Sequence[Any], *, durable: bool | None = None, wait: bool = False
    ) -> list[bool]:
        return self._run(self._manager.send_many_to_system(name, items, durable=durable, wait=wait))

    def accept_data(self, name: str, data: Any) -> str | None:
        return self._run(self._manager.accept_data(name, data))

    def accept_many(self, name: str, items: Sequence[Any]) -> list[str | None]:
        return self._run(self._manager.accept_many(name, items))

    @contextmanager
    def take(self, name: str, timeout: float | None = None) -> Iterator[TakenItem | None]:
        taking = self._manager.take(name, timeout)
        item = self._run(taking.__aenter__())
        try:
            yield item
        except BaseException as error:
            self._run(taking.__aexit__(type(error), error, error.__traceback__))
            raise
        self._run(taking.__aexit__(None, None, None))

    def dead_letters(self, name: str | None = None) -> list[DeadLetter]:
        return self._run(self._manager.dead_letters(name))

    def retry_dead_letters(
        self, ids: Iterable[int] | None = None, *, name: str | None = None
    ) -> int:
        return self._run(self._manager.retry_dead_letters(ids, name=name))

    def discard_dead_letters(
        self, ids: Iterable[int] | None = None, *, name: str | None = None
    ) -> int:
        return self._run(self._manager.discard_dead_letters(ids, name=name))

    def export_dead_letters(self, name: str | None = None) -> list[str]:
        return self._run(self._manager.export_dead_letters(name))

    def import_dead_letters(self, lines: Iterable[str], *, allow_pickle: bool = False) -> int:
        return self._run(self._manager.import_dead_letters(lines, allow_pickle=allow_pickle))

    def receive_data_from_system(self, name: str, timeout: float | None = None) -> Any | None:
        return self._run(self._manager.receive_data_from_system(name, timeout))

    def query_system(self, name: str, data: Any, timeout: float | None = None) -> Any:
        return self._run(self._manager.query_system(name, data, timeout))

    def query_many(
        self, name: str, questions: Sequence[Any], timeout: float | None = None
    ) -> list[Any]:
        return self._run(self._manager.query_many(name, questions, timeout))

    def broadcast(
        self,
        to: str | Iterable[str],
        data: Any,
        *,
        durable: bool | None = None,
        wait: bool = False,
    ) -> dict[str, bool]:
        return self._run(self._manager.broadcast(to, data, durable=durable, wait=wait))

    def broadcast_query(
        self, to: str | Iterable[str], question: Any, timeout: float | None = None
    ) -> dict[str, Any]:
        return self._run(self._manager.broadcast_query(to, question, timeout))

    def receive_many_from_system(
        self, name: str, max_items: int, timeout: float | None = None
    ) -> list[Any]:
        return self._run(self._manager.receive_many_from_system(name, max_items, timeout))

    def call_command(self, name: str, command: str, *args: Any, **kwargs: Any) -> Any:
        return self._run(self._manager.call_command(name, command, *args, **kwargs))

    def check_health(self, name: str) -> bool:
        return self._run(self._manager.check_health(name))

    def invalidate_cache(self, name: str, command: str | None = None) -> int | None:
        return self._run(self._manager.invalidate_cache(name, command))

    def restart_system(self, name: str) -> bool:
        return self._run(self._manager.restart_system(name))

    def status(self, name: str) -> SystemStatus | None:
        return self._run(self._manager.status(name))

    def status_all(self) -> tuple[SystemStatus, ...]:
        return self._run(self._manager.status_all())

    def logs(self, name: str, count: int = 100) -> tuple[OutputLine, ...]:
        return self._run(self._manager.logs(name, count))

    def logs_from(self, *names: str, last: int = 0) -> Iterator[OutputLine]:
        return self._iterate(self._manager.logs_from(*names, last=last))

    def start_child(self, spec: ChildSpec, group: str | None = None) -> bool:
        return self._run(self._manager.start_child(spec, group))

    def terminate_child(self, name: str) -> bool:
        return self._run(self._manager.terminate_child(name))

    def restart_child(self, name: str) -> bool:
        return self._run(self._manager.restart_child(name))

    def delete_child(self, name: str) -> bool:
        return self._run(self._manager.delete_child(name))

    def which_children(self, group: str | None = None) -> tuple[ChildInfo, ...]:
        return self._run(self._manager.which_children(group))

    def count_children(self, group: str | None = None) -> ChildrenCounted | None:
        return self._run(self._manager.count_children(group))

    def get_child_spec(self, name: str) -> ChildSpec | None:
        return self._run(self._manager.get_child_spec(name))

    def change_specs(self, spec: GroupSpec) -> bool:
        return self._run(self._manager.change_specs(spec))

    def tree(self) -> TreeNode | None:
        return self._run(self._manager.tree())

    def is_connected(self, name: str) -> bool:
        self._process.check()
        return self._manager.is_connected(name)

    def events(self, since: int | None = None) -> Iterator[LifecycleEvent]:
        async def register() -> AsyncIterator[LifecycleEvent]:
            return self._manager.events(since)  # on the loop's thread, like all that it does

        return self._iterate(self._run(register()))

    def data_from(self, *names: str) -> Iterator[tuple[str, Any]]:
        return self._iterate(self._manager.data_from(*names))

    def stop_supervisor(self) -> None:
        self._run(self._manager.stop_supervisor())

    def close(self) -> None:
        self._process.check()
        with self._closing:
            if self._loop.is_closed():
                return
            self._run(self._manager.close())
            # Calls of other threads end by themselves: the manager is closed.
            self._end_loop(_others_done())

    # ---- details -----------------------------------------------------------------------------

    def _end_loop(self, last: Coroutine[Any, Any, None]) -> None:
        with self._lock:
            _open.discard(self)
            asyncio.run_coroutine_threadsafe(last, self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if not self._process.is_here:
            work.close()
            self._process.check()  # first of all: a lock may be held for ever in a fork
        with self._lock:
            is_closed = self._loop.is_closed()
            if not is_closed:
                future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if is_closed:
            return asyncio.run(work)  # the manager says that it is closed
        try:
            return future.result()
        except BaseException:
            future.cancel()  # a Ctrl-C here takes the request back
            raise

    def _iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        end = object()

        async def next_item() -> T | object:
            return await anext(items, end)

        try:
            while (item := self._run(next_item())) is not end:
                yield item  # type: ignore[misc]
        finally:
            ends = self._process.is_here and not self._loop.is_closed()
            if isinstance(items, AsyncGenerator) and ends:
                self._run(items.aclose())


async def _cancel_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@atexit.register
def _end_all() -> None:
    """Let the event loops end as asyncio's own runner ends one: a manager ends with its loop.

    For a program that never called close. The interpreter would only freeze their threads,
    and complain of what is pending there. No close here: it needs threads of a pool, which
    has ended by now.
    """
    for manager in list(_open):
        if manager._process.is_here:  # a fork has none of its parent's threads
            manager._end_loop(_cancel_the_others())


async def _others_done() -> None:
    """Wait for every other task of the running loop."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
