"""Which versions provisioned concurrency is for, and what is said of it. Pure.

An alias that shares its calls between two versions has its environments shared likewise: the
additional version gets its part, rounded to the nearest, and at least one of two or more where it
gets calls at all. The rounding is ours; AWS documents that the total fluctuates with the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alonzo.environments.provisioned import Kept, Wish
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.provisioned import INIT_FAILURE, Allocation, AllocationStatus


@dataclass(frozen=True, slots=True)
class Share:
    """What one version of a configuration is to get.

    ``version`` is None while it cannot serve; ``state`` is the API's.
    """

    version: ServingVersion | None
    state: str
    wanted: int


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration, as the store has it."""

    key: FunctionKey
    qualifier: str
    revision_id: str
    requested: int
    shares: tuple[Share, ...]


def split(requested: int, weight: float) -> tuple[int, int]:
    """How many the version and the additional version of an alias get; ``weight`` is the latter's.

    Both get one at least, where there are two and both get calls.
    """
    additional = int(requested * weight + 0.5)
    if requested > 1 and 0.0 < weight < 1.0:
        additional = min(max(additional, 1), requested - 1)
    return requested - additional, additional


def plan_wishes(configs: Iterable[Config]) -> list[Wish]:
    """How many to keep of each version that can serve."""
    return [
        Wish(share.version, share.wanted, config.revision_id)
        for config in configs
        for share in config.shares
        if share.version is not None and share.wanted
    ]


def judge(config: Config, kept: Callable[[str], Kept]) -> Allocation:
    """What has become of a configuration. ``kept`` says it of a generation."""
    found = [
        (share, None if share.version is None else kept(share.version.generation))
        for share in config.shares
        if share.wanted
    ]
    facts = [fact for _, fact in found if fact is not None]
    failures = [fact.failure for fact in facts if fact.failure is not None]
    # A version that could not be deployed fails for the same reason as its first call would.
    failures += [INIT_FAILURE for share, _ in found if share.state == "Failed"]
    complete = all(
        fact is not None and fact.complete and fact.wanted == share.wanted for share, fact in found
    )
    status = AllocationStatus.READY if complete else AllocationStatus.IN_PROGRESS
    return Allocation(
        allocated=sum(fact.allocated for fact in facts),
        available=sum(fact.available for fact in facts),
        status=AllocationStatus.FAILED if failures else status,
        reason=failures[0] if failures else None,
    )


def by_name(configs: Iterable[Config]) -> Mapping[tuple[FunctionKey, str], Config]:
    """The configurations, by what they are for."""
    return {(config.key, config.qualifier): config for config in configs}
