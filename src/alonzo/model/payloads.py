"""How long the payload of an invocation may be, and what a caller hears of a longer one. Pure.

Source: Lambda API, ``Invoke``; the text as observed from AWS.
"""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class PayloadLimits:
    """The longest payloads, in bytes. The defaults are AWS's; settings may raise them."""

    sync_bytes_max: int = SYNC_PAYLOAD_BYTES_MAX
    event_bytes_max: int = ASYNC_PAYLOAD_BYTES_MAX

    def of(self, kind: InvocationType) -> int:
        """The limit of one invocation type."""
        return self.event_bytes_max if kind is InvocationType.EVENT else self.sync_bytes_max

    @property
    def bytes_max(self) -> int:
        """More than this no payload may have."""
        return max(self.sync_bytes_max, self.event_bytes_max)


def payload_too_large(n_bytes: int, kind: InvocationType, limits: PayloadLimits) -> AwsError:
    """A payload over the limit. The code is the one that AWS sends, not the modelled one."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"{n_bytes} byte payload is too large for the {kind} invocation type "
        f"(limit {limits.of(kind)} bytes)",
        status=413,
    )
