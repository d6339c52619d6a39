"""The three accounts of what a function did: its REPORT lines, its usage and its metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.testing.daemon import DaemonProcess

_REPORT = re.compile(
    r"^REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
)


@dataclass(frozen=True, slots=True)
class Account:
    """Attempts, those of them that failed, and their time. An account may lack one."""

    attempts: int
    errors: int | None = None
    billed_ms: int | None = None
    duration_ms: float | None = None


class Accounts:
    """Asks a platform for each of them."""

    def __init__(self, platform: DaemonProcess) -> None:
        self._platform = platform

    def reported(self, function: str) -> Account:
        """The sum of the REPORT lines, which do not say of every failure that it was one."""
        group = f"/aws/lambda/{function}"
        messages = self._messages(group)
        reports = [found for each in messages if (found := _REPORT.match(each))]
        return Account(
            len(reports),
            None,
            sum(int(found[3]) for found in reports),
            round(sum(float(found[2]) for found in reports), 2),
        )

    def _messages(self, group: str) -> list[str]:
        logs = self._platform.client("logs")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def used(self, function: str) -> Account:
        """What the usage route says."""
        total = self._ask(f"/_alonzo/usage?from=0&function={function}")["total"]
        return Account(total["requests"], total["errors"], total["billed_ms"])

    def _ask(self, path: str) -> Any:
        key = Credentials(*self._platform.root_key())
        url = urlsplit(self._platform.endpoint)
        signed = AWSRequest("GET", f"{self._platform.endpoint}{path}")
        SigV4Auth(key.get_frozen_credentials(), "alonzo", "us-east-1").add_auth(signed)
        connection = HTTPConnection(str(url.hostname), url.port, timeout=30)
        try:
            connection.request("GET", path, headers={**signed.headers, "Host": url.netloc})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, text
        return orjson.loads(text)

    def measured(self, function: str) -> Account:
        """What CloudWatch says of today."""
        return Account(
            int(self._sum(function, "Invocations")),
            int(self._sum(function, "Errors")),
            None,
            self._sum(function, "Duration"),
        )

    def _sum(self, function: str, metric: str) -> float:
        now = datetime.now(UTC)
        points = self._platform.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            Statistics=["Sum"],
            Period=86_400,
            StartTime=now - timedelta(hours=12),
            EndTime=now + timedelta(hours=1),
        )["Datapoints"]
        return sum(point["Sum"] for point in points)
