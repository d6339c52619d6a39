"""The contract of pollers: what the engine asks of a source, in one of two shapes.

* A **queue** hides what it hands out until it is deleted or a time is over, and then hands it out
  again: batches run beside each other, and what failed is simply left. SQS.
* **Shards** are logs: each is read in order from a checkpoint on, one batch at a time; what failed
  is handed over again, split or given up by the engine. Streams, and partitions of Kafka.

A poller fetches and acknowledges. Everything else is the engine's: batches, filters, calls, their
answers, back-off, retries, bisecting, discarded records. ``testing/pollers.py`` is the suite that
every poller passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.eventsources.items import Item
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import RoleCalls, RoleUse, ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import EventSourceMapping, SourceUse
from alonzo.model.ports.event_sources import FunctionLookup, SourceState


class FunctionGoneError(Exception):
    """The mapping's function is not there, so nobody's role reads for it."""


class Reading:
    """A mapping's way to its source: calls of the source's service, by the function's role.

    ``mapping`` is as it is now; the engine sets it.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        calls: RoleCalls,
        functions: FunctionLookup,
        ids: IdSource,
    ) -> None:
        self.mapping = mapping
        self._calls = calls
        self._functions = functions
        self._ids = ids

    async def call(self, service: str, operation: str, params: dict[str, Any]) -> Mapping[str, Any]:
        """Call an operation in the source's region; its authorisation is looked at each time.

        Raises:
            AwsError: the role may not, or the service refuses.
            FunctionGoneError: there is no function, and so no role.
        """
        facts = await self._functions.facts(self.mapping.function)
        if facts is None:
            raise FunctionGoneError(self.mapping.function.arn)
        key = self.mapping.function.key
        arn = self.mapping.source_arn
        region = key.region if arn is None else arn.split(":", 5)[3]
        use = RoleUse(key, facts.role_arn, region, self._ids.uuid())
        return await self._calls.call(ServiceCall(service, operation, params), use) or {}


class QueueSource(Protocol):
    """One queue, for one mapping."""

    async def receive(self, most: int, wait_s: int) -> list[Item]:
        """Up to ``most`` messages, 10 at most; waits so many seconds for the first.

        Raises:
            AwsError, FunctionGoneError: as ``Reading.call``.
        """
        ...

    async def delete(self, items: Sequence[Item]) -> list[Item]:
        """Take messages, 10 at most, out of the queue; answers those that may be tried again.

        Raises:
            AwsError, FunctionGoneError: as ``Reading.call``.
        """
        ...

    async def hidden_s(self) -> float:
        """For how long the queue hides what it hands out, in seconds; may be a while old."""
        ...


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """How a record of discarded records names them: ``KinesisBatchInfo`` and the like."""

    member: str
    document: Mapping[str, Any]


class ShardSource(Protocol):
    """One stream, for one mapping. An item's ``id`` is its sequence number."""

    async def shards(self) -> list[str]:
        """The shards that there are now.

        Raises:
            AwsError, FunctionGoneError: as ``Reading.call``.
        """
        ...

    async def checkpoint(self, shard: str) -> str | None:
        """Up to which item the shard is done; None: none of it."""
        ...

    async def read(self, shard: str, after: str | None, most: int, wait_s: float) -> list[Item]:
        """The items after that one, in their order; waits so many seconds for the first."""
        ...

    async def commit(self, shard: str, item: Item) -> None:
        """The shard is done up to the item; durable when this returns."""
        ...

    def info(self, shard: str, items: Sequence[Item]) -> BatchInfo:
        """How discarded records are named."""
        ...


@dataclass(frozen=True, slots=True)
class Poller:
    """One kind of source, or several that are alike. It is a queue, or it has shards.

    ``service`` is that of AWS whose operations it calls: it reads only where that runs. ``look``
    answers what a source is like, for a function's role.
    """

    kinds: frozenset[str]
    service: str
    look: Callable[[Looking], Awaitable[SourceState]]
    queue: Callable[[Reading], QueueSource] | None = None
    shards: Callable[[Reading], ShardSource] | None = None


@dataclass(frozen=True, slots=True)
class Looking:
    """A look at a source before there is a mapping."""

    use: SourceUse
    calls: RoleCalls
    request_id: str

    def _role(self) -> RoleUse:
        region = self.use.source_arn.split(":", 5)[3]
        return RoleUse(self.use.function, self.use.role_arn, region, self.request_id)

    async def may(self, call: ServiceCall) -> bool:
        """Whether the role may make a call."""
        try:
            await self.calls.authorize(call, self._role())
        except AwsError:
            return False
        return True

    async def exists(self, call: ServiceCall) -> bool:
        """Whether what the call asks about is there; no permission is needed."""
        return await self.calls.find(call, self._role())

    async def ask(self, call: ServiceCall) -> Mapping[str, Any]:
        """Make a call as the role; nothing if it may not."""
        try:
            return await self.calls.call(call, self._role()) or {}
        except AwsError:
            return {}


class Checks:
    """``SourceChecks`` of the pollers that there are."""

    def __init__(self, pollers: Sequence[Poller], calls: RoleCalls, ids: IdSource) -> None:
        self._pollers = {kind: poller for poller in pollers for kind in poller.kinds}
        self._calls = calls
        self._ids = ids

    def offers(self, kind: str) -> bool:
        """Whether sources of that kind run here."""
        poller = self._pollers.get(kind)
        return poller is not None and self._calls.offers(poller.service)

    async def look(self, use: SourceUse) -> SourceState:
        """Look at a source of a kind that is offered, with the function's role."""
        poller = self._pollers[use.kind]
        return await poller.look(Looking(use, self._calls, self._ids.uuid()))
