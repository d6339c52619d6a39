"""Metrics and usage over a real store and the real log writer, called as the edge calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.loaders
import botocore.model
import botocore.validate
import orjson
import pytest

from alonzo.lib.clock import ManualClock
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.functions import ServingVersion
from alonzo.model.http import HttpRequest
from alonzo.model.metering import Attempt
from alonzo.model.ports.logs import LogEvent, LogStream
from alonzo.model.ports.operations import Operations
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.api import operations
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.retention import Reaper
from alonzo.services.cloudwatch.sink import MetricWriter
from alonzo.services.cloudwatch.usage.route import UsageRoute
from alonzo.services.logs.sink import LogWriter
from alonzo.store.outbox import Outbox
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "us-east-1"
#: A whole hour, so that minutes and hours are easy to tell.
NOON_S = 1_800_000_000.0
MODEL = botocore.model.ServiceModel(
    botocore.loaders.Loader().load_service_model("cloudwatch", "service-2")
)
VALIDATOR = botocore.validate.ParamValidator()


def version(name: str = "f", **more: Any) -> ServingVersion:
    key = FunctionKey(ACCOUNT, more.pop("region", REGION), name)
    facts = {"version": "$LATEST", "generation": "g", "runtime": "python3.12"} | more
    return ServingVersion(key, handler="h", role="r", code_sha256="c", **facts)


@dataclass
class Metrics:
    store: SqliteStore
    clock: ManualClock
    logs: LogWriter
    writer: MetricWriter
    folder: Folder
    reaper: Reaper
    operations: Operations
    usage_route: UsageRoute
    alarms: AlarmKeeper
    outbox: Outbox

    async def call(self, operation: str, /, **params: Any) -> Any:
        """Call an operation with parameters, and get an answer, that fit the service model."""
        model = MODEL.operation_model(operation)
        problems = VALIDATOR.validate(params, model.input_shape)
        assert not problems.has_errors(), problems.generate_report()
        principal = Principal(ACCOUNT, "arn", ACCOUNT, "AKIA", is_root=True)
        where = RequestContext("request", ACCOUNT, REGION, principal, "http://localhost", "::1")
        answer = await self.operations[operation](where, params)
        if model.output_shape is not None:
            problems = VALIDATOR.validate(answer, model.output_shape)
            assert not problems.has_errors(), problems.generate_report()
        return answer

    def at(self, ago_s: float = 0.0) -> datetime:
        return datetime.fromtimestamp(self.clock.now_s() - ago_s, UTC)

    def attempt(self, of: ServingVersion, duration_ms: float = 10.0, **more: Any) -> None:
        """Count an attempt that began now."""
        arn = of.key.qualified(more.pop("qualifier", None))
        facts = {"billed_ms": int(-(-duration_ms // 1)), "failed": False} | more
        self.writer.attempt_nowait(Attempt(of, arn, self.clock.now_s(), duration_ms, **facts))

    def log(self, *messages: str, group: str = "/aws/lambda/f") -> None:
        now_ms = int(self.clock.now_s() * 1000)
        stream = LogStream(ACCOUNT, REGION, group, "s")
        self.logs.write_nowait(stream, [LogEvent(now_ms, message) for message in messages])

    async def statistics(
        self, name: str, *, ago_s: float = 3600.0, until_s: float = -60.0, **more: Any
    ) -> list[dict[str, Any]]:
        """Datapoints of a metric, of Lambda's by default, by minutes."""
        dimensions = more.pop("dimensions", {})
        facts = {"Namespace": "AWS/Lambda", "Period": 60} | more
        if "ExtendedStatistics" not in facts:
            facts.setdefault("Statistics", ["Sum"])
        answer = await self.call(
            "GetMetricStatistics",
            MetricName=name,
            StartTime=self.at(ago_s),
            EndTime=self.at(until_s),
            Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
            **facts,
        )
        return answer["Datapoints"]

    async def usage(self, **query: Any) -> dict[str, Any]:
        """What the usage route answers."""
        text = urlencode({"from": 0, "to": int(self.clock.now_s()) + 60, **query})
        request = HttpRequest("GET", b"/_alonzo/usage", text.encode(), (), b"", "::1")
        answer = await self.usage_route.answer(request)
        assert isinstance(answer.body, bytes)
        document = orjson.loads(answer.body)
        assert answer.status == 200, document
        return document


@pytest.fixture
def open_metrics(tmp_path: Path) -> Callable[..., Any]:
    """Opens metrics of the test's own; again after a close, over the same store."""

    @asynccontextmanager
    async def opened(
        *, clock: ManualClock | None = None, metrics_max: int = 20_000
    ) -> AsyncIterator[Metrics]:
        clock = clock or ManualClock(NOON_S)
        store = await SqliteStore.open(tmp_path / "metrics.db", clock=clock)
        logs = LogWriter(store, clock=clock)
        writer = MetricWriter(store, clock=clock, wake=logs.wake)
        logs.accompany(writer)
        folder = Folder(store, logs.flush, metrics_max=metrics_max)
        outbox = Outbox(store, clock, "cloudwatch")
        alarms = AlarmKeeper(store, folder, outbox, clock)
        await alarms.open()
        try:
            yield Metrics(
                store,
                clock,
                logs,
                writer,
                folder,
                Reaper(store, folder, clock),
                operations(store=store, writer=writer, folder=folder, alarms=alarms, clock=clock),
                UsageRoute(store, folder, clock, account=ACCOUNT),
                alarms,
                outbox,
            )
        finally:
            await store.close()

    return opened
