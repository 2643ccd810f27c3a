"""One external system in one actor.

The door to the package: what a user subclasses, raises and registers.
"""

from typing import TYPE_CHECKING, Any

from actors.connectors.mock.system import MockExternalSystem
from actors.delivery import Delivery, current_deliveries, current_delivery
from actors.errors import (
    AuthenticationRefusedError,
    BadConfigurationError,
    CertificateInvalidError,
    ConnectorError,
    FatalError,
    ItemRefusedError,
    NoAnswerError,
    NotSentError,
    map_exceptions,
)
from actors.interface import ExternalSystemInterface, command
from actors.resilience.batch import Batch
from actors.resilience.bulkhead import Bulkhead
from actors.resilience.cache import CachePolicy
from actors.resilience.circuit_breaker import (
    Circuit,
    CircuitBreaker,
    CircuitBreakerPolicy,
    CircuitState,
)
from actors.resilience.deduplication import Deduplication
from actors.resilience.endpoints import EndpointOrder, Endpoints
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.policy import Policy
from actors.resilience.pool import Pool
from actors.resilience.pool_policy import PoolPolicy
from actors.resilience.rate_limit import Overflow, RateLimit
from actors.resilience.retry import Retry, RetryPolicy
from actors.resilience.timeouts import Timeouts
from actors.resilience.when_down import WhenDown

if TYPE_CHECKING:
    from actors.connectors.tcp.system import TcpSystem

__all__ = [
    "AuthenticationRefusedError",
    "BadConfigurationError",
    "Batch",
    "Bulkhead",
    "CachePolicy",
    "CertificateInvalidError",
    "Circuit",
    "CircuitBreaker",
    "CircuitBreakerPolicy",
    "CircuitState",
    "ConnectorError",
    "Deduplication",
    "Delivery",
    "EndpointOrder",
    "Endpoints",
    "ExternalSystemInterface",
    "FatalError",
    "ItemRefusedError",
    "KeepAlive",
    "MockExternalSystem",
    "NoAnswerError",
    "NotSentError",
    "Overflow",
    "Policy",
    "Pool",
    "PoolPolicy",
    "RateLimit",
    "Retry",
    "RetryPolicy",
    "TcpSystem",
    "Timeouts",
    "WhenDown",
    "command",
    "current_deliveries",
    "current_delivery",
    "map_exceptions",
]


def __getattr__(name: str) -> Any:
    # A runtime without TCP systems is up sooner without it.
    if name == "TcpSystem":
        from actors.connectors.tcp.system import TcpSystem

        return TcpSystem
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
