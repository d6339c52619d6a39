"""What the control plane and the engine of event source mappings ask of each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from alonzo.model.arns import FunctionRef
from alonzo.model.event_sources import EventSourceMapping, FunctionFacts, SourceUse


class Pollers(Protocol):
    """Reads the sources of mappings. Implemented by ``eventsources``.

    What it reads does not outlive the process: after a start it is told of every enabled mapping.
    """

    async def apply(self, mapping: EventSourceMapping) -> None:
        """Read the mapping's source from now on, as the mapping says.

        One that runs already goes on by what it says now; batches under way end as they began. A
        kind of source that does not run here is left alone.
        """
        ...

    async def stop(self, arn: str) -> None:
        """Read no more for the mapping; return once none of its batches is under way."""
        ...


class SourceFault(StrEnum):
    """Why a source cannot be read."""

    MISSING = "missing"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a source is like. ``visibility_timeout_s`` is a queue's, where the role may ask."""

    fault: SourceFault | None = None
    visibility_timeout_s: int | None = None


class SourceChecks(Protocol):
    """What the control plane asks of sources. Implemented by ``eventsources``."""

    def offers(self, kind: str) -> bool:
        """Whether sources of that kind run here; of others there is only the configuration."""
        ...

    async def look(self, use: SourceUse) -> SourceState:
        """Look at a source of a kind that is offered, with the function's role."""
        ...


class FunctionLookup(Protocol):
    """Finds functions. Implemented by ``invoke``."""

    async def facts(self, ref: FunctionRef) -> FunctionFacts | None:
        """What is known of the function now, or None: it is not there, or cannot serve yet."""
        ...
