"""Samples of event source mappings: the least that each kind must say, and what it may say beside.

The sources need not exist: this control plane has no pollers, and asks of no source.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alonzo.testing.control import ACCOUNT, REGION, WAIT_S, ControlRig, open_control

_POLL_S = 0.002


def arn(service: str, resource: str) -> str:
    """The ARN of something of the account and region of tests."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


SECRET = arn("secretsmanager", "secret:s")
BASIC = [{"Type": "BASIC_AUTH", "URI": SECRET}]
SERVERS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:9092", "b:9092"]}}
FILTERS = {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]}
TO_QUEUE = {"OnFailure": {"Destination": arn("sqs", "failed")}}

#: The least that a mapping of each kind must say.
LEAST: Mapping[str, Mapping[str, Any]] = {
    "sqs": {"EventSourceArn": arn("sqs", "q")},
    "sqs-fifo": {"EventSourceArn": arn("sqs", "q.fifo")},
    "kinesis": {"EventSourceArn": arn("kinesis", "stream/s"), "StartingPosition": "LATEST"},
    "dynamodb": {
        "EventSourceArn": arn("dynamodb", "table/t/stream/2026-11-20T10:00:00.000"),
        "StartingPosition": "TRIM_HORIZON",
    },
    "msk": {
        "EventSourceArn": arn("kafka", "cluster/c/0000"),
        "StartingPosition": "LATEST",
        "Topics": ["t"],
    },
    "self-managed-kafka": {
        "SelfManagedEventSource": SERVERS,
        "SourceAccessConfigurations": BASIC,
        "StartingPosition": "LATEST",
        "Topics": ["t"],
    },
    "mq": {
        "EventSourceArn": arn("mq", "broker:b:b-1"),
        "SourceAccessConfigurations": BASIC,
        "Queues": ["q"],
    },
    "documentdb": {
        "EventSourceArn": arn("rds", "cluster:c"),
        "SourceAccessConfigurations": BASIC,
        "StartingPosition": "LATEST",
        "DocumentDBEventSourceConfig": {"DatabaseName": "d"},
    },
}  # fmt: skip

#: A value for every member that can be set beside.
VALUES: Mapping[str, Any] = {
    "BatchSize": 7,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": TO_QUEUE,
    "FilterCriteria": FILTERS,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "LoggingConfig": {"SystemLogLevel": "DEBUG"},
    "MaximumBatchingWindowInSeconds": 5,
    "MaximumRecordAgeInSeconds": 60,
    "MaximumRetryAttempts": 10000,
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "ParallelizationFactor": 10,
    "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 200},
    "TumblingWindowInSeconds": 900,
}


@asynccontextmanager
async def open_with_function(path: Path, *, deploying: bool = True) -> AsyncGenerator[ControlRig]:
    """A control plane with a function ``f``."""
    async with open_control(path, deploying=deploying) as rig:
        await rig.create("f")
        yield rig


async def create_mapping(rig: ControlRig, kind: str, **members: Any) -> dict[str, Any]:
    """CreateEventSourceMapping of ``f`` with the least, and ``members``."""
    return await rig.call(
        "CreateEventSourceMapping", **{"FunctionName": "f", **LEAST[kind], **members}
    )


async def get_mapping(rig: ControlRig, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """GetEventSourceMapping."""
    return await rig.call("GetEventSourceMapping", UUID=mapping["UUID"])


async def settled_mapping(rig: ControlRig, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Wait until nothing is under way with a mapping, and answer it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            now = await get_mapping(rig, mapping)
            if now["State"] in ("Enabled", "Disabled"):
                return now
            await asyncio.sleep(_POLL_S)
