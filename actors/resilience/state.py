"""What the policies of a system know that its next incarnation must know, too."""

from __future__ import annotations

from typing import Final

import attrs

from actors.resilience.circuit_breaker import Circuit


@attrs.frozen(kw_only=True)
class PolicyState:
    """Of one system, a field for each policy that has anything of the kind; None where it has not.

    It goes from the system's process to its supervisor, from there to the next process, and by
    the record to the next supervisor. Times are those of ``time.monotonic()``, which all processes
    of a machine have in common.
    """

    circuit: Circuit | None = None

    @property
    def after_mending(self) -> PolicyState:
        """What is left of it when somebody restarts the system by hand: he has mended what
        failed."""
        return attrs.evolve(self, circuit=None)


NO_STATE: Final = PolicyState()
