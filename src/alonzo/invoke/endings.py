"""What is sent of an event that is over, and to whom. Pure but for the ids, which are handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alonzo.invoke.dead_letters import dead_letter
from alonzo.invoke.event_life import Condition, EventPolicy, Over, Run
from alonzo.invoke.invocation_record import invocation_record
from alonzo.model.arns import LATEST, FunctionRef
from alonzo.model.destinations import TargetKind, target_kind
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX

TOO_LARGE = "The record is too large."


@dataclass(frozen=True, slots=True)
class Ended:
    """An event that is over. ``last`` is the last run that ended, ``refusal`` the last try's error.

    ``is_record``: the event is the record of another one.
    """

    request_id: str
    ref: FunctionRef
    payload: bytes
    trace_header: str
    over: Over
    last: Run | None
    refusal: Exception | None = None
    is_record: bool = False

    @property
    def sender_arn(self) -> str:
        """The ARN of the function that the event was for, qualified."""
        return self.ref.key.qualified(self.ref.qualifier or LATEST)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Rows of ``async_delivery``, and the targets that get nothing, as no record could be made."""

    rows: tuple[dict[str, Any], ...] = ()
    too_large_for: tuple[str, ...] = ()


def plan_deliveries(
    ended: Ended,
    policy: EventPolicy,
    new_id: Callable[[], str],
    now_s: float,
    *,
    record_bytes_max: int = ASYNC_PAYLOAD_BYTES_MAX,
) -> Deliveries:
    """What goes to the destination and to the dead-letter queue: either, both or neither.

    The record of a loop that was stopped goes to no function where the stopped event was a record
    itself: else functions that are each other's destination would go on for ever.
    """
    over = ended.over
    rows: list[dict[str, Any]] = []
    too_large_for: list[str] = []
    target_arn = policy.destination(over.condition)
    in_a_loop = ended.is_record and over.condition is Condition.RECURSIVE_INVOCATION
    if target_arn is not None and in_a_loop and target_kind(target_arn) is TargetKind.FUNCTION:
        target_arn = None
    if target_arn is not None:
        record = invocation_record(
            request_id=ended.request_id,
            function_arn=ended.sender_arn,
            payload=ended.payload,
            over=over,
            last=ended.last,
            now_s=now_s,
            bytes_max=record_bytes_max,
        )
        if record is None:
            too_large_for.append(target_arn)
        else:
            rows.append(_row(ended, policy, target_arn, record, new_id(), now_s))
    if policy.dead_letter is not None and over.condition is not Condition.SUCCESS:
        letter = dead_letter(ended.request_id, over, ended.last, ended.refusal)
        rows.append(
            _row(ended, policy, policy.dead_letter, ended.payload, new_id(), now_s)
            | {
                "event_request_id": letter.request_id,
                "error_code": letter.error_code,
                "error_message": letter.error_message,
            }
        )
    return Deliveries(tuple(rows), tuple(too_large_for))


def _row(
    ended: Ended,
    policy: EventPolicy,
    target_arn: str,
    document: bytes,
    delivery_id: str,
    now_s: float,
) -> dict[str, Any]:
    return {
        "request_id": delivery_id,
        "sender_arn": ended.sender_arn,
        "target_arn": target_arn,
        "role_arn": policy.role,
        "now_s": now_s,
        "trace_header": ended.trace_header,
        "succeeded": int(ended.over.condition is Condition.SUCCESS),
        "event_request_id": None,
        "error_code": None,
        "error_message": None,
        "record": document,
    }
