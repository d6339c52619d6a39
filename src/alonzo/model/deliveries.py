"""How records and dead letters reach their targets: one room's contracts with another.

``daemon/wiring.py`` hands the implementations in, as it does those of ``ports.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.model.arns import FunctionKey
from alonzo.model.destinations import TargetFault, TargetKind
from alonzo.model.invocations import InvokeRequest


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a dead letter says beside the event. ``error_code`` is an HTTP status, if there is one.

    ``request_id`` is the event's.
    """

    request_id: str
    error_code: int | None
    error_message: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is left of an event that is over, on its way to a destination or a dead-letter queue.

    ``request_id`` is the delivery's own, a UUID, the same at every try. ``sender_arn`` is the ARN
    of the function that the event was for, qualified, and ``role_arn`` its execution role.
    ``document`` is the invocation record; in a dead letter, the event. ``ended_at_s``: when the
    event was over, epoch seconds. ``succeeded``: its function handled it.
    """

    request_id: str
    sender_arn: str
    target_arn: str
    trace_header: str
    document: bytes
    role_arn: str
    ended_at_s: float
    succeeded: bool = False
    dead_letter: DeadLetter | None = None


class Destinations(Protocol):
    """Takes deliveries. Implemented by ``invoke``."""

    async def deliver(self, delivery: Delivery) -> None:
        """Hand one over; the target has it durably when this returns, perhaps twice.

        Raises:
            AwsError: the target does not take it.
        """
        ...


class DestinationChecks(Protocol):
    """What the control plane asks of targets before it names one. Implemented by ``invoke``."""

    def offers(self, kind: TargetKind) -> bool:
        """Whether there can be targets of that kind here."""
        ...

    async def fault(
        self, target_arn: str, sender: FunctionKey, role_arn: str
    ) -> TargetFault | None:
        """Why the role cannot deliver to the target, or None: it can.

        Whether a function exists is for the control plane to know.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call of an operation of another service, as its model names things."""

    service: str
    operation: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServiceSender:
    """What a service uses a role for: a schedule, a rule.

    ``name`` is that of the role's session. ``service`` is the principal that the role has let in
    (``scheduler.amazonaws.com``).
    """

    account: str
    name: str
    service: str


@dataclass(frozen=True, slots=True)
class RoleUse:
    """On whose behalf Lambda calls: a function, by its execution role. Or what of another service.

    ``region`` is that of what is called. ``request_id`` is the call's own.
    """

    sender: FunctionKey | ServiceSender
    role_arn: str
    region: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """On whose behalf a service calls: of something of its own.

    ``service`` is its principal (``sns.amazonaws.com``), ``source_arn`` what it calls for: a topic,
    a bucket, a rule. ``account`` is the source's, which a bucket's ARN does not name. ``region`` is
    that of what is called. ``request_id`` is the call's own.
    """

    service: str
    source_arn: str
    account: str
    region: str
    request_id: str
    trace_header: str | None = None


class ServiceCalls(Protocol):
    """Calls that services make by themselves. Implemented by ``daemon``.

    The policy of what is called must let the service in: a queue's, a topic's, a function's.
    """

    def offers(self, service: str) -> bool:
        """Whether the service runs here."""
        ...

    async def call(self, call: ServiceCall, use: ServiceUse) -> Mapping[str, Any] | None:
        """Make a call.

        Raises:
            AwsError: the policy does not let the service in, or the called service refuses.
        """
        ...

    async def check_invoke(self, function_arn: str, use: ServiceUse) -> None:
        """Find out whether the service may call a function, without a call.

        Raises:
            AwsError: it may not, or there is no such function.
        """
        ...

    async def invoke(self, function_arn: str, payload: bytes, use: ServiceUse) -> None:
        """Put an event into Lambda's queue; it is durable when this returns.

        Raises:
            AwsError: the function's policy does not let the service in, there is no such function,
                or Lambda refuses the event.
        """
        ...


class RoleCalls(Protocol):
    """Calls of services that run here, with a role's permissions. Implemented by ``daemon``."""

    def offers(self, service: str) -> bool:
        """Whether the service runs here."""
        ...

    async def authorize(self, call: ServiceCall, use: RoleUse) -> None:
        """Let a call pass that is not made.

        Raises:
            AwsError: the role may not.
        """
        ...

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """Make a call.

        Raises:
            AwsError: the role may not, or the service refuses.
        """
        ...

    async def authorize_invoke(self, request: InvokeRequest, use: RoleUse) -> InvokeRequest:
        """The invocation as the role's own, if it may.

        Raises:
            AwsError: the role may not.
        """
        ...

    async def find(self, call: ServiceCall, use: RoleUse) -> bool:
        """Whether what the call asks about exists; no permission is needed."""
        ...


class ApiCalls(Protocol):
    """Calls that somebody has written down, to be made later. Implemented by ``daemon``."""

    def is_offered(self, service: str, action: str) -> bool:
        """Whether there is such an operation here, and it can be called with JSON alone.

        ``service`` is as the SDKs write it (``sqs``, ``eventbridge``), ``action`` as in
        ``sendMessage``.
        """
        ...

    def read(self, service: str, action: str, document: bytes) -> ServiceCall:
        """The call whose parameters are in a JSON document.

        Raises:
            AwsError: they are not the operation's, or it is not offered.
        """
        ...
