"""What the policies of systems tell of themselves: kept for the next incarnation, and published
where it is a circuit breaker's change of state. Pure."""

from __future__ import annotations

from typing import Final

from actors.messages import PolicyNews, Reason
from actors.resilience.circuit_breaker import Circuit, CircuitState
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.messages import EventKind
from supervisor.tree.decisions import Happened
from supervisor.tree.nodes import Status

_KIND: Final = "circuit"
"""Of the reasons of its events."""
_WORKS: Final = "it works again"
_RESTARTED: Final = "somebody restarts the system"


class Circuits:
    """Of all systems."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def heard(self, child: Child, news: PolicyNews) -> None:
        """A report has news."""
        child.retried += news.retried
        if child.node.status is Status.STOPPING:
            return  # it comes to nothing; perhaps somebody restarts it, and it is to begin anew
        child.policies = news.state
        for circuit in news.circuits:
            self._publish(child, circuit)

    def pardon(self, child: Child) -> None:
        """Somebody restarts it: what failed is mended."""
        circuit, child.policies = child.policies.circuit, child.policies.after_mending
        if circuit is not None and circuit.state is not CircuitState.CLOSED:
            self._tell(child, EventKind.CIRCUIT_CLOSED, _RESTARTED)

    def _publish(self, child: Child, circuit: Circuit) -> None:
        match circuit.state:
            case CircuitState.OPEN:
                delay = max(0.0, circuit.retry_at - self._context.now)
                self._tell(child, EventKind.CIRCUIT_OPENED, circuit.why, delay)
            case CircuitState.HALF_OPEN:
                self._tell(child, EventKind.CIRCUIT_HALF_OPEN, circuit.why)
            case CircuitState.CLOSED:
                self._tell(child, EventKind.CIRCUIT_CLOSED, _WORKS)

    def _tell(self, child: Child, kind: EventKind, why: str, delay: float | None = None) -> None:
        reason = Reason(_KIND, why)
        self._context.publish(Happened(kind, child.name, child.incarnation, reason, delay))
