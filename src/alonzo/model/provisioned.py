"""What has become of provisioned concurrency: facts of the data plane, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alonzo.model.arns import FunctionKey

#: Why an allocation failed whose function cannot initialise. Recorded from AWS.
INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


class AllocationStatus(StrEnum):
    """Source: Lambda API, ProvisionedConcurrencyStatusEnum."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Allocation:
    """What has become of one configuration, on an alias or a version.

    ``allocated`` environments are initialised, ``available`` of them would serve a call now.
    ``reason`` says, fit for a client, why ``status`` is FAILED.
    """

    allocated: int = 0
    available: int = 0
    status: AllocationStatus = AllocationStatus.IN_PROGRESS
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProvisionedFigures:
    """Provisioned concurrency of one version now, and what its calls ran on since the start.

    ``invocations`` ran on it; ``spillovers`` found all of it busy and ran on demand.
    """

    key: FunctionKey
    version: str
    allocated: int
    in_use: int
    invocations: int
    spillovers: int

    @property
    def utilization(self) -> float:
        """The part that is in use: 0..1."""
        return self.in_use / self.allocated if self.allocated else 0.0
