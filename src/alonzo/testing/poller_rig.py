"""The rig on which pollers are tested: an engine, a source of the test, a function of the test.

A ``World`` is one kind of source that a test can fill; the function is a coroutine of the test's
own. The suite is in ``pollers.py``.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from alonzo.eventsources.calls import Held, Tools
from alonzo.eventsources.engine import MappingEngine
from alonzo.eventsources.sources import Poller
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.deliveries import Delivery, RoleCalls
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import EventSourceMapping, FunctionFacts
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.limits import SYNC_PAYLOAD_BYTES_MAX
from alonzo.model.ports.invoking import ResponseSink
from alonzo.store.base import Store

WAIT_S = 20.0
#: Looks in a row at which nothing has changed, until nothing goes on any more.
_QUIET = 15
FUNCTION = FunctionRef(FunctionKey("123456789012", "eu-west-1", "f"), None)
THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.")

#: What a test's function does with its records: the answer, or an exception.
Handler = Callable[[list[dict[str, Any]]], Awaitable[Any]]


class World(Protocol):
    """One kind of source, filled by tests.

    ``keeps_order``: items of a group are handed over in order. ``body`` reads what was put out of a
    record. ``calls`` is what the poller calls, if it calls anything.
    """

    kind: str
    source_arn: str
    document: Mapping[str, Any]
    keeps_order: bool
    poller: Poller
    calls: RoleCalls

    async def put(self, body: str, group: str | None = None) -> None:
        """Put an item into the source."""
        ...

    async def left(self) -> list[str]:
        """The bodies of the items that are not done."""
        ...

    async def show_again(self) -> None:
        """Let the source hand out again what failed, if it does that by time."""
        ...

    def activity(self) -> int:
        """A number that changes with everything that is asked of the source."""
        ...

    def fail(self, error: AwsError | None) -> None:
        """Have the source refuse everything from now on, or stop doing so."""
        ...

    def id(self, record: Mapping[str, Any]) -> str:
        """What a partial batch response calls a record."""
        ...

    def body(self, record: Mapping[str, Any]) -> str:
        """What was put."""
        ...


@dataclass(slots=True)
class Rig:
    """An engine at work on a world. It is invoker, function and destination at the same time.

    ``refusals`` are raised by the next calls, in turn. ``calls`` are the bodies of each call that
    ran, ``facts`` what is known of the function.
    """

    world: World
    handler: Handler
    members: Mapping[str, Any]
    facts_now: FunctionFacts | None = field(
        default_factory=lambda: FunctionFacts("arn:aws:iam::123456789012:role/r", 1)
    )
    refusals: list[AwsError] = field(default_factory=list[AwsError])
    calls: list[list[str]] = field(default_factory=list[list[str]])
    tries: int = 0
    payloads: list[int] = field(default_factory=list[int])
    traces: list[str | None] = field(default_factory=list[str | None])
    running: Counter[str] = field(default_factory=Counter[str])
    at_once_max: int = 0
    delivered: list[Delivery] = field(default_factory=list[Delivery])
    payload_bytes_max: int = SYNC_PAYLOAD_BYTES_MAX
    held: Held = field(default_factory=Held)
    _listeners: list[Callable[[str], None]] = field(default_factory=list[Callable[[str], None]])
    _scope: TaskScope = field(default_factory=TaskScope)
    _engine: MappingEngine | None = None
    _revision: int = 0

    @property
    def engine(self) -> MappingEngine:
        """The engine; it is made by ``start``."""
        assert self._engine is not None
        return self._engine

    @property
    def handled(self) -> list[str]:
        """The bodies of all calls, in their order."""
        return [body for call in self.calls for body in call]

    def mapping(self, **members: Any) -> EventSourceMapping:
        """The mapping of the world, with members changed."""
        document = {**self.world.document, **self.members, **members}
        return EventSourceMapping(
            arn="arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:m",
            id="m",
            function=FUNCTION,
            kind=self.world.kind,
            source_arn=self.world.source_arn,
            document=document,
        )

    async def start(self) -> None:
        """Run the mapping; a new engine, as after a start of the daemon."""
        tools = Tools(
            calls=self.world.calls,
            functions=self,
            invoker=self,
            destinations=self,
            clock=SystemClock(),
            ids=SystemIds(),
            chance=lambda: 0.0,
            payload_bytes_max=self.payload_bytes_max,
            held=self.held,
        )
        self._scope = TaskScope()
        store = cast(Store, self)  # All that the engine does with it is to subscribe.
        self._engine = MappingEngine(store, [self.world.poller], tools, self._scope)
        await self._engine.apply(self.mapping())

    async def kill(self) -> None:
        """End the engine wherever it is."""
        await self._scope.close()

    async def stop(self) -> None:
        """Stop the mapping."""
        await self.engine.stop(self.mapping().arn)

    def function_changed(self) -> None:
        """Say that the function is not what it was."""
        for listener in self._listeners:
            listener(FUNCTION.key.path)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for a condition, which may be a coroutine."""
        async with asyncio.timeout(WAIT_S):
            while True:
                answer = condition()
                if answer if not asyncio.iscoroutine(answer) else await answer:
                    return
                await asyncio.sleep(0.003)

    async def until_done(self, *, again: bool = False) -> None:
        """Wait until nothing is left in the source.

        ``again``: whenever nothing goes on any more, what failed is shown again.
        """
        seen, quiet = "", 0

        async def empty() -> bool:
            nonlocal seen, quiet
            left = await self.world.left()
            now = f"{len(left)} {self.tries} {self.world.activity()}"
            seen, quiet = now, quiet + 1 if now == seen and not self.running else 0
            if again and quiet > _QUIET:
                await self.world.show_again()
            return not left

        await self.until(empty)

    # What the engine works with.

    def subscribe(self, topic: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Of the store."""
        assert topic == CHANGES_TOPIC
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def facts(self, ref: FunctionRef) -> FunctionFacts | None:
        """Of the directory."""
        return self.facts_now

    async def deliver(self, delivery: Delivery) -> None:
        """Of destinations."""
        self.delivered.append(delivery)

    async def stream(self, request: InvokeRequest, sink: ResponseSink) -> InvokeResult:
        """Nobody streams here."""
        raise NotImplementedError

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Run the test's function."""
        self.tries += 1
        if self.refusals:
            raise self.refusals.pop(0)
        records = json.loads(request.payload)["Records"]
        bodies = [self.world.body(record) for record in records]
        groups = {group_of(body) for body in bodies}
        self.running.update(groups)
        if self.world.keeps_order:
            assert max(self.running.values()) == 1, "two calls with one group at once"
        self.at_once_max = max(self.at_once_max, self.running.total())
        self.payloads.append(len(request.payload))
        self.traces.append(request.trace_header)
        self.calls.append(bodies)
        try:
            answer = await self.handler(records)
        except Exception as err:  # noqa: BLE001 - a function may raise whatever it likes
            error = {"errorType": type(err).__name__, "errorMessage": str(err)}
            return InvokeResult(200, json.dumps(error).encode(), "$LATEST", "Unhandled")
        finally:
            self.running.subtract(groups)
            self.running += Counter()
        return InvokeResult(200, json.dumps(answer).encode(), "$LATEST")


def group_of(body: str) -> str:
    """The group that a body names: ``g/12`` is the twelfth of ``g``."""
    return body.split("/")[0]


async def succeed(records: list[dict[str, Any]]) -> Any:
    """A function that has no trouble."""


@asynccontextmanager
async def at_work(
    world: World,
    handler: Handler = succeed,
    *,
    payload_bytes_max: int | None = None,
    held: Held | None = None,
    **members: Any,
) -> AsyncGenerator[Rig]:
    """A rig whose mapping runs."""
    rig = Rig(world, handler, members)
    if held is not None:
        rig.held = held
    if payload_bytes_max is not None:
        rig.payload_bytes_max = payload_bytes_max
    await rig.start()
    try:
        yield rig
    finally:
        await rig.kill()


def bodies_of(groups: int, each: int) -> list[str]:
    """Bodies of some groups, mixed."""
    return [f"g{group}/{number:03d}" for number in range(each) for group in range(groups)]


async def fill(world: World, bodies: list[str]) -> None:
    """Put items, each in the group that its body names."""
    for body in bodies:
        await world.put(body, group_of(body))


def in_order(bodies: list[str]) -> bool:
    """Whether the first time that each body appears is in the order of its group."""
    first = dict.fromkeys(bodies)
    groups: dict[str, list[str]] = defaultdict(list)
    for body in first:
        groups[group_of(body)].append(body)
    return all(group == sorted(group) for group in groups.values())
