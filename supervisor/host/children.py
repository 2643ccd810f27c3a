"""The manager's calls about children and groups: OTP's functions of a supervisor."""

from __future__ import annotations

from typing import Any, Protocol

from actors.messages import Reply
from supervisor.messages import (
    ChangeSpecs,
    ChildDeleted,
    ChildInfo,
    ChildrenCounted,
    ChildrenGiven,
    ChildSpecGiven,
    ChildStarted,
    ChildTerminated,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    GetTree,
    RestartChild,
    SpecsChanged,
    StartChild,
    SupervisorRequest,
    TerminateChild,
    TreeGiven,
    TreeNode,
    WhichChildren,
)
from supervisor.specs.spec import ChildSpec, GroupSpec


class _Asks(Protocol):
    async def _ask_for(
        self, request: SupervisorRequest, wanted: type[Reply]
    ) -> Any:  # the reply, or None
        ...


class Family:
    """Mixed into :class:`~supervisor.ExternalSystemManager`. A child is a system or a group.

    What OTP answers with an error is, with ``strict``, an exception of that name, such as
    :class:`~supervisor.AlreadyStartedError`.
    """

    async def start_child(self: _Asks, spec: ChildSpec, group: str | None = None) -> bool:
        """Add a system or a group as the last child of a group, and start it.

        Args:
            group: its name; None is the root group.

        A child that cannot be started leaves nothing behind.
        """
        return await self._ask_for(StartChild(spec, group), ChildStarted) is not None

    async def terminate_child(self: _Asks, name: str) -> bool:
        """Stop a child, and keep its spec, unless it is temporary. It stays stopped until
        :meth:`restart_child`, whatever is restarted around it."""
        return await self._ask_for(TerminateChild(name), ChildTerminated) is not None

    async def restart_child(self: _Asks, name: str) -> bool:
        """Start a child that was terminated, has ended, or is in quarantine. Unlike
        ``restart_system`` it refuses one that runs."""
        return await self._ask_for(RestartChild(name), ChildStarted) is not None

    async def delete_child(self: _Asks, name: str) -> bool:
        """Forget a child that does not run."""
        return await self._ask_for(DeleteChild(name), ChildDeleted) is not None

    async def which_children(self: _Asks, group: str | None = None) -> tuple[ChildInfo, ...]:
        """The children of a group, in the order of their start."""
        given = await self._ask_for(WhichChildren(group), ChildrenGiven)
        return () if given is None else tuple(given.children)

    async def count_children(self: _Asks, group: str | None = None) -> ChildrenCounted | None:
        """How many children a group has, and how many of them run."""
        counted: ChildrenCounted | None = await self._ask_for(CountChildren(group), ChildrenCounted)
        return counted

    async def get_child_spec(self: _Asks, name: str) -> ChildSpec | None:
        """The spec of a child; of a group with its present children."""
        given = await self._ask_for(GetChildSpec(name), ChildSpecGiven)
        spec: ChildSpec | None = None if given is None else given.spec
        return spec

    async def change_specs(self: _Asks, spec: GroupSpec) -> bool:
        """Change the specs of a group while it runs, by the rules of OTP's code change: its
        options hold from now on; children that are there keep running, and start by their
        new spec the next time; new ones are added and not started; those that ``spec`` does
        not name are kept."""
        return await self._ask_for(ChangeSpecs(spec), SpecsChanged) is not None

    async def tree(self: _Asks) -> TreeNode | None:
        """The whole supervision tree at this moment."""
        given = await self._ask_for(GetTree(), TreeGiven)
        root: TreeNode | None = None if given is None else given.root
        return root
