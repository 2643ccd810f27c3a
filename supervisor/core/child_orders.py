"""OTP's functions of a supervisor, asked for by messages. Pure."""

from __future__ import annotations

from collections.abc import Callable

from actors.messages import Reply, Request
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.circuits import Circuits
from supervisor.core.context import Context
from supervisor.core.orders import Order, Orders
from supervisor.core.tree_view import count_children, spec_of, tree_node, which_children
from supervisor.messages import (
    ChangeSpecs,
    ChildDeleted,
    ChildrenGiven,
    ChildSpecGiven,
    ChildStarted,
    ChildTerminated,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    GetTree,
    RegisterSystem,
    RestartChild,
    RestartSystem,
    SpecsChanged,
    StartChild,
    SupervisorRequest,
    SystemRegistered,
    SystemRestarted,
    SystemUnregistered,
    TerminateChild,
    TreeGiven,
    UnregisterSystem,
    WhichChildren,
)
from supervisor.specs.policies import Startup, as_seconds
from supervisor.specs.spec import ChildSpec, GroupSpec
from supervisor.tree.by_hand import ByHand
from supervisor.tree.decisions import RefusedError, Settled
from supervisor.tree.nodes import Group
from supervisor.tree.tree import Tree

ChildOrder = (
    StartChild
    | TerminateChild
    | RestartChild
    | DeleteChild
    | GetChildSpec
    | WhichChildren
    | CountChildren
    | ChangeSpecs
    | GetTree
    | RegisterSystem
    | RestartSystem
    | UnregisterSystem
)


class ChildOrders:
    def __init__(self, context: Context, tree: Tree, orders: Orders, circuits: Circuits) -> None:
        self._context = context
        self._tree = tree
        self._by_hand = ByHand(tree)
        self._orders = orders
        self._circuits = circuits

    def obey(self, client: Client, request: ChildOrder) -> None:
        """Carry out, or begin to; a refusal is answered at once."""
        by_hand = self._by_hand
        match request:
            case RegisterSystem(spec=spec, group=group) | StartChild(spec=spec, group=group):
                self._begin(client, request, lambda o: by_hand.start_child(spec, group, o))
            case RestartChild(name=name):
                self._begin(client, request, lambda o: by_hand.restart_child(name, o))
            case TerminateChild(name=name):
                self._begin(client, request, lambda o: by_hand.terminate_child(name, o))
            case RestartSystem(system_name=name):
                self._begin(client, request, lambda o: by_hand.restart(name, o))
            case UnregisterSystem(system_name=name):
                self._begin(client, request, lambda o: by_hand.remove_child(name, o))
            case _:
                try:
                    reply = self._answer(request)
                except RefusedError as error:
                    reply = request.failure(error.code, str(error))
                self._context.tell(client, reply)

    def settle(self, settled: Settled) -> None:
        """What an order waits for has come to pass, or never will."""
        order: Order = settled.order
        child = self._context.children.get(settled.name)
        if settled.failure is None:
            self._orders.answer(order, _done(order, settled, child))
            return
        code, text = settled.failure
        if settled.not_started:
            is_built = child is None or child.spec.startup is Startup.ERROR
            what = "started" if is_built else "built"
            text = f"cannot be {what}: {text}"
        self._orders.fail(order, code, text)

    def _answer(self, request: ChildOrder) -> Reply:
        """To what is done at once."""
        by_hand, request_id = self._by_hand, request.request_id
        children = self._context.children
        match request:
            case DeleteChild():
                by_hand.delete_child(request.name)
                return ChildDeleted(request_id=request_id, name=request.name)
            case ChangeSpecs():
                by_hand.change_specs(request.spec)
                return SpecsChanged(request_id=request_id)
            case GetChildSpec():
                node = by_hand.find(request.name)
                group = node.parent.name if node.parent is not None else None
                return ChildSpecGiven(request_id=request_id, spec=spec_of(node), group=group)
            case WhichChildren():
                which = which_children(by_hand.group(request.group), children)
                return ChildrenGiven(request_id=request_id, children=which)
            case CountChildren():
                return count_children(by_hand.group(request.group), request_id)
        root = tree_node(self._tree.root, children, self._context.now)
        return TreeGiven(request_id=request_id, root=root)

    def _begin(
        self,
        client: Client,
        request: RegisterSystem
        | StartChild
        | RestartChild
        | TerminateChild
        | RestartSystem
        | UnregisterSystem,
        call: Callable[[Order], None],
    ) -> None:
        """Begin what takes a while; its order is answered once it is carried out."""
        order = self._open(client, request)
        try:
            call(order)
            if isinstance(request, RestartChild | RestartSystem):
                self._pardon(order.system_name)
        except RefusedError as error:
            text = str(error).removeprefix(f"{order.system_name}: ")
            self._orders.fail(order, error.code, text)
        except Exception:
            self._orders.drop(order)  # whoever catches it answers
            raise

    def _open(self, client: Client, request: Request | SupervisorRequest) -> Order:
        """An order that is answered once it is carried out."""
        match request:
            case RegisterSystem() | StartChild():
                spec: ChildSpec | None = request.spec
                name = request.spec.name
            case TerminateChild() | RestartChild():
                name = request.name
                spec = self._spec(name)
            case _:
                assert isinstance(request, Request)
                name = request.system_name
                spec = self._spec(name)
        options = self._context.options
        patience = options.request_timeout + _longest(spec, options.connect_timeout)
        return self._orders.open(client, request, name, patience, lambda: self._turn_of(name))

    def _pardon(self, name: str | None) -> None:
        """Somebody restarts it: all that is in it connects as if for the first time."""
        node = self._tree.nodes.get(name or "")
        nodes = () if node is None else node.walk() if isinstance(node, Group) else (node,)
        for each in nodes:
            child = self._context.children.get(each.name)
            if child is not None:
                child.pardon()
                self._circuits.pardon(child)

    def _turn_of(self, name: str) -> float:
        """When the last of the systems that are meant was to be made; now, if one still waits,
        or if it waits for others of its group."""
        node = self._tree.nodes.get(name)
        if node is not None and node.in_turn:
            return self._context.now
        nodes = () if node is None else node.walk() if isinstance(node, Group) else (node,)
        children = [self._context.children.get(each.name) for each in nodes]
        turns = [each.turn_at for each in children if each is not None]
        return max((self._context.now if t is None else t for t in turns), default=0.0)

    def _spec(self, name: str) -> ChildSpec | None:
        node = self._tree.nodes.get(name)
        return spec_of(node) if node is not None else None


def _longest(spec: ChildSpec | None, connect_timeout: float) -> float:
    """Seconds that stopping and starting may take, all systems one after the other."""
    if spec is None:
        return 0.0
    systems = spec.systems if isinstance(spec, GroupSpec) else (spec,)
    connects = sum(each.startup is Startup.ERROR for each in systems)
    own = sum(as_seconds(each.shutdown) + each.start_timeout for each in systems)
    return own + connects * connect_timeout


def _done(order: Order, settled: Settled, child: Child | None) -> Reply:
    request_id = order.request.request_id
    name, incarnation = settled.name, settled.incarnation
    match order.request:
        case RegisterSystem():
            commands = child.commands if child is not None else ()
            return SystemRegistered(
                request_id=request_id,
                system_name=name,
                incarnation=incarnation,
                commands=commands,
            )
        case RestartSystem():
            return SystemRestarted(request_id=request_id, system_name=name, incarnation=incarnation)
        case StartChild() | RestartChild():
            return ChildStarted(request_id=request_id, name=name, incarnation=incarnation)
        case UnregisterSystem():
            return SystemUnregistered(request_id=request_id, system_name=name)
    return ChildTerminated(request_id=request_id, name=name)
