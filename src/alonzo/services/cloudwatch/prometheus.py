"""``GET /_alonzo/metrics``: the platform's figures as Prometheus text (format 0.0.4).

Counters are of this process's life (``totals.py``); gauges are of this moment. With authentication
on, a scraper shows the token that the data directory keeps (``Authorization: Bearer …``).
"""

from __future__ import annotations

import hmac
import os
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from alonzo.lib.clock import Clock
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.metering import LambdaMetric
from alonzo.services.cloudwatch.totals import DURATION_BOUNDS_S, FunctionTotals, Name, Totals

T = TypeVar("T")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: A gauge: its name, what it means, and its value now.
Gauge = tuple[str, str, Callable[[], float]]

#: Figures beside attempts that are counters: what they are called here, and their help text.
_FIGURES: Mapping[LambdaMetric, tuple[str, str]] = {
    LambdaMetric.THROTTLES: ("throttles", "Calls that were throttled."),
    LambdaMetric.ASYNC_EVENTS_RECEIVED: ("async_events_received", "Events accepted."),
    LambdaMetric.ASYNC_EVENTS_DROPPED: ("async_events_dropped", "Events given up."),
    LambdaMetric.DESTINATION_DELIVERY_FAILURES: (
        "destination_delivery_failures",
        "Invocation records that reached no destination.",
    ),
    LambdaMetric.DEAD_LETTER_ERRORS: (
        "dead_letter_errors",
        "Events that reached no dead-letter queue.",
    ),
    LambdaMetric.RECURSIVE_INVOCATIONS_DROPPED: (
        "recursive_invocations_dropped",
        "Calls stopped because a function called itself in a loop.",
    ),
    LambdaMetric.PROVISIONED_CONCURRENCY_INVOCATIONS: (
        "provisioned_invocations",
        "Calls that ran on provisioned concurrency.",
    ),
    LambdaMetric.PROVISIONED_CONCURRENCY_SPILLOVER_INVOCATIONS: (
        "provisioned_spillovers",
        "Calls that found all provisioned concurrency busy.",
    ),
    LambdaMetric.URL_REQUEST_COUNT: ("url_requests", "Requests to function URLs."),
    LambdaMetric.URL_4XX_COUNT: ("url_4xx", "Requests to function URLs answered with 4xx."),
    LambdaMetric.URL_5XX_COUNT: ("url_5xx", "Requests to function URLs answered with 5xx."),
}


class MetricsRoute:
    """Answers scrapers. ``token`` None lets everybody in."""

    def __init__(
        self, totals: Totals, clock: Clock, *, token: str | None, gauges: Iterable[Gauge] = ()
    ) -> None:
        self._totals = totals
        self._token = token
        self._gauges = tuple(gauges)
        self._started_at_s = clock.now_s()

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        given = request.header(b"authorization") or b""
        if self._token is not None and not hmac.compare_digest(
            given, f"Bearer {self._token}".encode()
        ):
            return HttpResponse(
                401,
                {"Content-Type": "text/plain", "WWW-Authenticate": "Bearer"},
                b"Show the token that is in the data directory: keys/metrics.token\n",
            )
        text = "".join(self._lines())
        return HttpResponse(200, {"Content-Type": CONTENT_TYPE}, text.encode())

    def _lines(self) -> Iterator[str]:
        functions = sorted(self._totals.functions.items())
        yield from _counter("invocations", "Invocations that ran.", functions, _invocations)
        yield from _counter("errors", "Invocations that failed.", functions, _errors)
        yield from _counter(
            "billed_milliseconds", "Billed duration, in milliseconds.", functions, _billed_ms
        )
        yield from _histogram(functions)
        for metric, (name, help_) in _FIGURES.items():
            found = sorted(
                (of, value)
                for (which, of), value in self._totals.figures.items()
                if which == metric
            )
            yield from _counter(name, help_, found, float)
        for name, help_, value in (*self._gauges, *self._process()):
            yield from _head(name, help_, "gauge")
            yield f"{name} {_number(value())}\n"
        yield from _head("process_cpu_seconds_total", "Processor time of the daemon.", "counter")
        yield f"process_cpu_seconds_total {_number(_cpu_s())}\n"

    def _process(self) -> tuple[Gauge, ...]:
        return (
            ("process_resident_memory_bytes", "Memory of the daemon.", _resident_bytes),
            ("process_open_fds", "Open descriptors of the daemon.", _open_descriptors),
            (
                "process_start_time_seconds",
                "When the daemon started, in epoch seconds.",
                lambda: self._started_at_s,
            ),
        )


def _counter(
    name: str, help_: str, found: Iterable[tuple[Name, T]], value: Callable[[T], float]
) -> Iterator[str]:
    yield from _head(f"alonzo_lambda_{name}_total", help_, "counter")
    for of, totals in found:
        yield f"alonzo_lambda_{name}_total{{{_labels(of)}}} {_number(value(totals))}\n"


def _histogram(functions: Iterable[tuple[Name, FunctionTotals]]) -> Iterator[str]:
    name = "alonzo_lambda_duration_seconds"
    yield from _head(name, "Duration of invocations.", "histogram")
    for of, totals in functions:
        labels = _labels(of)
        passed = accumulate(totals.buckets)
        for bound, count in zip((*map(_number, DURATION_BOUNDS_S), "+Inf"), passed, strict=True):
            yield f'{name}_bucket{{{labels},le="{bound}"}} {count}\n'
        yield f"{name}_sum{{{labels}}} {_number(totals.duration_s)}\n"
        yield f"{name}_count{{{labels}}} {totals.invocations}\n"


def _invocations(totals: FunctionTotals) -> float:
    return totals.invocations


def _errors(totals: FunctionTotals) -> float:
    return totals.errors


def _billed_ms(totals: FunctionTotals) -> float:
    return totals.billed_ms


def _head(name: str, help_: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {help_}\n# TYPE {name} {kind}\n"


def _labels(of: Name) -> str:
    # Names of regions and functions hold nothing that would need an escape.
    return f'region="{of.region}",function="{of.function}"'


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def _open_descriptors() -> float:
    return len(os.listdir("/proc/self/fd"))
