"""OTP's functions of a supervisor as messages: children that come and go at run time.

A child is a system or a group; ``group=None`` means the root group. What OTP answers with
an error is a :class:`~actors.messages.Failure` with OTP's word for a code
(https://www.erlang.org/doc/apps/stdlib/supervisor.html).
"""

from __future__ import annotations

import enum

import attrs

from actors.messages import Reply
from supervisor.messages.requests import SupervisorRequest
from supervisor.messages.status import SystemState
from supervisor.specs.spec import ChildSpec, GroupSpec, seal_details


@attrs.frozen
class StartChild(SupervisorRequest):
    """Add a child as the last of a group, and start it. Answered by :class:`ChildStarted`.

    Fails with ``already_started`` or ``already_present`` if its name is taken, with
    ``not_found`` if there is no such group, with ``invalid_spec`` if it does not fit into
    it. A child that cannot be started leaves nothing behind.
    """

    spec: ChildSpec = attrs.field(converter=seal_details)
    group: str | None = None


@attrs.frozen
class ChildRequest(SupervisorRequest):
    """About one child; fails with ``not_found`` if there is none of this name."""

    name: str


@attrs.frozen
class TerminateChild(ChildRequest):
    """Stop a child and keep its spec, unless it is temporary. Answered by
    :class:`ChildTerminated`, also when it was not running; a restart that was to come is
    cancelled. It stays so, whatever is restarted around it, until :class:`RestartChild`."""


@attrs.frozen
class RestartChild(ChildRequest):
    """Start a child that was terminated, has ended, or is in quarantine. Answered by
    :class:`ChildStarted`; fails with ``running`` or ``restarting`` if it is. If it cannot be
    started, its spec is kept."""


@attrs.frozen
class DeleteChild(ChildRequest):
    """Forget the spec of a child that is not running. Answered by :class:`ChildDeleted`;
    fails with ``running`` or ``restarting`` if it is."""


@attrs.frozen
class GetChildSpec(ChildRequest):
    """Answered by :class:`ChildSpecGiven`."""


@attrs.frozen
class WhichChildren(SupervisorRequest):
    """The children of a group. Answered by :class:`ChildrenGiven`."""

    group: str | None = None


@attrs.frozen
class CountChildren(SupervisorRequest):
    """Answered by :class:`ChildrenCounted`."""

    group: str | None = None


@attrs.frozen
class ChangeSpecs(SupervisorRequest):
    """Change the specs of a group while it runs, by the rules of OTP's code change. Answered
    by :class:`SpecsChanged`.

    Options of the group hold from now on. A child that is there already keeps running; its
    new spec holds from its next start, but for ``connect``: what a system is meant to be is
    that from now on. A new child is added, and not started. A child that
    the new spec does not name is kept as it is. Groups in the group are changed likewise.
    """

    spec: GroupSpec = attrs.field(converter=seal_details)


@attrs.frozen
class GetTree(SupervisorRequest):
    """The whole tree with states. Answered by :class:`TreeGiven`."""


# ---- replies ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ChildStarted(Reply):
    """The child is up, or its constructor ended in order: then it does not run (OTP's
    ``ignore``)."""

    name: str
    incarnation: int


@attrs.frozen(kw_only=True)
class ChildTerminated(Reply):
    """The child does not run any more."""

    name: str


@attrs.frozen(kw_only=True)
class ChildDeleted(Reply):
    """The child is forgotten."""

    name: str


@attrs.frozen(kw_only=True)
class ChildSpecGiven(Reply):
    spec: ChildSpec
    """Of a group with its present children."""
    group: str | None
    """The name of the group it is in; None for the root group."""


@attrs.frozen(kw_only=True)
class SpecsChanged(Reply):
    """The new specs hold."""


class ChildType(enum.StrEnum):
    """OTP's words for a system and a group."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


@attrs.frozen(kw_only=True)
class ChildInfo:
    """One child of a group."""

    name: str
    type: ChildType
    state: SystemState
    pid: int | None
    """The process of a system that has one."""


@attrs.frozen(kw_only=True)
class ChildrenGiven(Reply):
    children: tuple[ChildInfo, ...]
    """In the order of their start."""


@attrs.frozen(kw_only=True)
class ChildrenCounted(Reply):
    specs: int
    """All children, alive or not."""
    active: int
    """Those that run."""
    supervisors: int
    """Groups among them, alive or not."""
    workers: int
    """Systems among them, alive or not."""


@attrs.frozen(kw_only=True)
class TreeNode:
    """A child, and what is in it, at one moment."""

    name: str
    type: ChildType
    state: SystemState
    incarnation: int
    uptime: float
    """Seconds; 0 while it does not run."""
    restarts: int
    pid: int | None = None
    kind: str | None = None
    """Of a system."""
    strategy: str | None = None
    """Of a group."""
    cause: str | None = None
    """Why it is quarantined or restarting."""
    children: tuple[TreeNode, ...] = ()


@attrs.frozen(kw_only=True)
class TreeGiven(Reply):
    root: TreeNode
