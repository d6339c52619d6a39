"""CloudWatch Logs over a real store, called as the edge calls it, and checked against the model."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import orjson
import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import ServiceCall, ServiceUse
from alonzo.model.ports.logs import FoundValue, LogEvent, LogStream
from alonzo.model.ports.operations import Operations
from alonzo.services.logs.api import operations
from alonzo.services.logs.parts import LogParts
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "eu-west-1"
MODEL = botocore.model.ServiceModel(
    botocore.loaders.Loader().load_service_model("logs", "service-2")
)
VALIDATOR = botocore.validate.ParamValidator()


def context(region: str = REGION) -> RequestContext:
    principal = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
    return RequestContext("request", ACCOUNT, region, principal, "http://localhost", "127.0.0.1")


class Functions:
    """Functions that take events: ``calls`` in order. ``refusal`` is raised in place of taking."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], ServiceUse]] = []
        self.refusal: Exception | None = None

    async def check_invoke(self, function_arn: str, use: ServiceUse) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def invoke(self, function_arn: str, payload: bytes, use: ServiceUse) -> None:
        await self.check_invoke(function_arn, use)
        data = base64.b64decode(orjson.loads(payload)["awslogs"]["data"])
        self.calls.append((function_arn, orjson.loads(gzip.decompress(data)), use))

    def offers(self, service: str) -> bool:
        raise NotImplementedError

    async def call(self, call: ServiceCall, use: ServiceUse) -> None:
        raise NotImplementedError


class Journal:
    """Takes values that metric filters find."""

    def __init__(self) -> None:
        self.values: list[FoundValue] = []

    def encode_found(self, values: Iterable[FoundValue]) -> bytes:
        self.values += values
        return b""

    def write_found(self, conn: Connection, body: bytes) -> None:
        pass


@dataclass
class Logs:
    store: SqliteStore
    clock: ManualClock
    writer: LogWriter
    operations: Operations
    parts: LogParts
    functions: Functions
    journal: Journal

    async def call(self, operation: str, /, *, _region: str = REGION, **params: Any) -> Any:
        """Call an operation with parameters, and get an answer, that fit the service model."""
        model = MODEL.operation_model(operation)
        problems = VALIDATOR.validate(params, model.input_shape)
        assert not problems.has_errors(), problems.generate_report()
        answer = await self.operations[operation](context(_region), params)
        if model.output_shape is None:
            assert answer is None
        else:
            problems = VALIDATOR.validate(answer, model.output_shape)
            assert not problems.has_errors(), problems.generate_report()
        return answer

    @property
    def context(self) -> RequestContext:
        return context()

    @property
    def now_ms(self) -> int:
        return int(self.clock.now_s() * 1000)

    async def put(self, group: str, stream: str, events: list[tuple[int, str]]) -> Any:
        return await self.call(
            "PutLogEvents",
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": time, "message": text} for time, text in events],
        )

    async def make(self, group: str, *streams: str) -> None:
        await self.call("CreateLogGroup", logGroupName=group)
        for stream in streams:
            await self.call("CreateLogStream", logGroupName=group, logStreamName=stream)

    async def pages(self, operation: str, **params: Any) -> list[Any]:
        """Every page of an operation that says with nextToken that there are more."""
        pages = [await self.call(operation, **params)]
        while "nextToken" in pages[-1]:
            pages.append(await self.call(operation, **params, nextToken=pages[-1]["nextToken"]))
        return pages

    def write(self, group: str, stream: str, *events: tuple[int, str]) -> None:
        self.writer.write_nowait(
            LogStream(ACCOUNT, REGION, group, stream),
            [LogEvent(time, text) for time, text in events],
        )


OpenLogs = Callable[..., Any]


@pytest.fixture
def open_logs(tmp_path: Path) -> OpenLogs:
    """``async with open_logs() as logs``; opening again finds what the last one left."""
    clock = ManualClock()

    @asynccontextmanager
    async def opened(**writer_options: Any) -> AsyncIterator[Logs]:
        store = await SqliteStore.open(tmp_path / "alonzo.db", clock=clock)
        try:
            writer = LogWriter(store, clock=clock, **writer_options)
            calls, journal = Functions(), Journal()
            parts = LogParts(store, writer, calls, journal, clock=clock, ids=SequentialIds())
            await parts.open()
            async with TaskScope() as scope:
                for name, work in parts.work().items():
                    scope.spawn(work, name=name)
                yield Logs(store, clock, writer, operations(parts), parts, calls, journal)
            await writer.close()
        finally:
            await store.close()

    return opened
