"""What outsiders see of the supervision tree. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.child import Child, state_of
from supervisor.messages import ChildInfo, ChildrenCounted, ChildType, SystemState, TreeNode
from supervisor.specs.spec import ChildSpec, with_children
from supervisor.tree.nodes import Group, Node, Status


def spec_of(node: Node) -> ChildSpec:
    """Its spec; of a group with its present children."""
    if not isinstance(node, Group):
        return node.spec
    return with_children(node.spec, map(spec_of, node.children.values()))


def which_children(group: Group, children: Mapping[str, Child]) -> tuple[ChildInfo, ...]:
    """OTP's ``which_children``."""
    return tuple(
        ChildInfo(
            name=node.name,
            type=_type(node),
            state=_state(node, children),
            pid=_pid(node, children),
        )
        for node in group.children.values()
    )


def count_children(group: Group, request_id: int) -> ChildrenCounted:
    """OTP's ``count_children``, as the answer to a request."""
    nodes = group.children.values()
    groups = sum(isinstance(node, Group) for node in nodes)
    return ChildrenCounted(
        request_id=request_id,
        specs=len(nodes),
        active=sum(node.status in (Status.UP, Status.STOPPING) for node in nodes),
        supervisors=groups,
        workers=len(nodes) - groups,
    )


def tree_node(node: Node, children: Mapping[str, Child], now: float) -> TreeNode:
    """A child and all that is in it."""
    inner = node.children.values() if isinstance(node, Group) else ()
    down = node.status is not Status.UP
    return TreeNode(
        name=node.name,
        type=_type(node),
        state=_state(node, children),
        incarnation=node.incarnation,
        uptime=0.0 if down else now - node.up_since,
        restarts=node.restarts,
        pid=_pid(node, children),
        kind=None if isinstance(node, Group) else getattr(node.spec, "kind", None),
        strategy=node.spec.strategy.value if isinstance(node, Group) else None,
        cause=node.cause.text if down and node.cause is not None else None,
        children=tuple(tree_node(child, children, now) for child in inner),
    )


def _type(node: Node) -> ChildType:
    return ChildType.SUPERVISOR if isinstance(node, Group) else ChildType.WORKER


def _state(node: Node, children: Mapping[str, Child]) -> SystemState:
    child = children.get(node.name)
    return state_of(node) if child is None else child.state


def _pid(node: Node, children: Mapping[str, Child]) -> int | None:
    child = children.get(node.name)
    return child.pid if child is not None and child.has_process else None
