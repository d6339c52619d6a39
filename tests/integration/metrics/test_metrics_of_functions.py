"""Attempts and other figures, as CloudWatch and usage show them."""

import asyncio
import json
import sqlite3

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.model.arns import FunctionRef
from alonzo.model.metering import LambdaMetric, ReservedEnvironments
from alonzo.services.cloudwatch.lambda_metrics import FACTS
from alonzo.store.base import StoreError

from .conftest import ACCOUNT, NOON_S, REGION, version

ALL = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]


def test_attempts_are_there_under_every_set_of_dimensions(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            live = version(version="7", generation="g7")
            metrics.attempt(live, 12.344, qualifier="live")
            metrics.attempt(live, 20.0, qualifier="live", failed=True)
            metrics.attempt(live, 30.0, qualifier="7")
            metrics.attempt(version(), 40.0)
            shown = {}
            for each in (await metrics.call("ListMetrics", MetricName="Duration"))["Metrics"]:
                dimensions = {d["Name"]: d["Value"] for d in each["Dimensions"]}
                (point,) = await metrics.statistics(
                    "Duration", dimensions=dimensions, Statistics=ALL
                )
                shown[tuple(dimensions.values())] = point["SampleCount"], point["Sum"]
                assert point["Unit"] == "Milliseconds"
            (failed,) = await metrics.statistics("Errors", Statistics=ALL)
            (throttled,) = await metrics.statistics("Throttles", Statistics=ALL)
        assert shown == {
            (): (4, pytest.approx(102.34)),
            ("f",): (4, pytest.approx(102.34)),
            ("f", "f"): (1, 40.0),
            ("f", "f:7"): (1, 30.0),
            ("f", "f:live"): (2, pytest.approx(32.34)),
            ("7", "f", "f:live"): (2, pytest.approx(32.34)),
        }
        assert (failed["SampleCount"], failed["Sum"], failed["Average"]) == (4, 1, 0.25)
        assert (throttled["SampleCount"], throttled["Sum"]) == (4, 0)

    asyncio.run(main())


def test_an_attempt_counts_in_the_minute_in_which_it_began(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            of = version()
            for _ in range(3):
                metrics.attempt(of)
                metrics.clock.advance(40.0)
            points = await metrics.statistics("Invocations", dimensions={"FunctionName": "f"})
            # From here on minutes pass between the flushes.
            metrics.attempt(of)
            later = await metrics.statistics("Invocations", dimensions={"FunctionName": "f"})
        minutes = [(each["Timestamp"].timestamp() - NOON_S, each["Sum"]) for each in points]
        assert minutes == [(0, 2), (60, 1)]
        assert [each["Sum"] for each in later] == [2, 1, 1]

    asyncio.run(main())


def test_percentiles_of_durations_come_from_every_flush(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            of = version()
            for duration_ms in range(1, 101):
                metrics.attempt(of, float(duration_ms))
                if duration_ms % 20 == 0:
                    await metrics.logs.flush()
            names = ["p50", "p99", "p100", "tm50", "PR(:10)"]
            (point,) = await metrics.statistics(
                "Duration", dimensions={"FunctionName": "f"}, ExtendedStatistics=names
            )
        got = point["ExtendedStatistics"]
        assert got["p50"] == pytest.approx(50, rel=0.0101)
        assert got["p99"] == pytest.approx(99, rel=0.0101)
        assert got["p100"] == 100
        assert got["tm50"] == pytest.approx(25.5, rel=0.0101)
        assert got["PR(:10)"] == pytest.approx(10, abs=1)

    asyncio.run(main())


@pytest.mark.parametrize("metric", sorted(FACTS))
def test_every_metric_of_lambda_s_can_be_counted(open_metrics, metric):
    async def main():
        async with open_metrics() as metrics:
            ref = FunctionRef(version().key, "live")
            metrics.writer.add_nowait(metric, ref, 2.0, executed_version="7")
            metrics.writer.add_nowait(metric, ref, 4.0, executed_version="7")
            listed = (await metrics.call("ListMetrics", MetricName=metric.value))["Metrics"]
            assert len(listed) >= 1 or metric == LambdaMetric.UNRESERVED_CONCURRENT_EXECUTIONS
            for each in listed:
                dimensions = {d["Name"]: d["Value"] for d in each["Dimensions"]}
                (point,) = await metrics.statistics(
                    metric.value, dimensions=dimensions, Statistics=ALL
                )
                assert (point["SampleCount"], point["Sum"], point["Maximum"]) == (2, 6, 4)
                assert point["Unit"] == FACTS[metric].unit

    asyncio.run(main())


def test_the_peak_of_a_region_is_its_own(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            running = LambdaMetric.CONCURRENT_EXECUTIONS
            for name, peak in (("a", 3.0), ("b", 4.0)):
                metrics.writer.add_nowait(running, FunctionRef(version(name).key, None), peak)
            metrics.writer.add_of_region_nowait(running, ACCOUNT, REGION, 5.0)
            (of_region,) = await metrics.statistics(running.value, Statistics=["Maximum"])
            (of_a,) = await metrics.statistics(
                running.value, dimensions={"FunctionName": "a"}, Statistics=["Maximum"]
            )
        assert (of_region["Maximum"], of_a["Maximum"]) == (5, 3)

    asyncio.run(main())


def test_usage_is_exact_by_version_memory_and_time(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            small, large = version(), version(version="1", generation="g1", memory_mib=1769)
            for _ in range(1000):
                metrics.attempt(small, 0.4)
            metrics.clock.advance(3600)
            metrics.attempt(large, 999.01, failed=True, streamed_bytes=(6 << 20) + (1 << 30))
            by_version = await metrics.usage(group_by="version,memory")
            by_hour = await metrics.usage(group_by="hour")
            nothing = await metrics.usage(function="nobody")
            first_hour = await metrics.usage(to=int(NOON_S) + 60)
        one, two = by_version["groups"]
        assert (one["version"], one["memory"], one["requests"]) == ("$LATEST", 128, 1000)
        assert (one["billed_ms"], one["gb_seconds"]) == (1000, "0.125")
        # 1,000 requests at 0.20 a million, and 0.125 GB-s at 0.0000166667.
        assert one["cost_usd"] == "0.0002020833"
        assert (two["requests"], two["errors"], two["billed_ms"]) == (1, 1, 1000)
        assert two["gb_seconds"] == "1.7275390625"
        assert two["streamed_bytes"] == 1 << 30
        assert two["cost_usd"] == "0.0080289924"
        assert by_version["total"]["requests"] == 1001
        assert [each["requests"] for each in by_hour["groups"]] == [1000, 1]
        assert nothing["groups"] == []
        assert nothing["total"]["requests"] == 0
        assert first_hour["total"]["requests"] == 1000

    asyncio.run(main())


def test_usage_knows_provisioned_concurrency_storage_and_arm(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            arm = version(architecture="arm64", memory_mib=1024, tmp_mib=1536, version="1")
            metrics.attempt(arm, 1000.0, provisioned=True)
            metrics.writer.reserved_nowait(ReservedEnvironments(arm, 2), 5000)
            (line,) = (await metrics.usage())["groups"]
        assert line["gb_seconds"] == "1"
        assert line["provisioned_gb_seconds"] == "10"
        assert line["storage_gb_seconds"] == "1"
        # One request, its time at the lower rate, ten seconds reserved, and /tmp.
        expected = 0.2e-6 + 0.0000077778 + 10 * 0.0000033334 + 0.0000000309
        assert float(line["cost_usd"]) == pytest.approx(expected, abs=1e-10)

    asyncio.run(main())


def test_embedded_metrics_count_once_with_their_line(open_metrics):
    text = json.dumps(
        {
            "_aws": {
                "Timestamp": NOON_S * 1000,
                "CloudWatchMetrics": [
                    {"Namespace": "shop", "Dimensions": [["S"]], "Metrics": [{"Name": "O"}]}
                ],
            },
            "S": "x",
            "O": [1, 2],
        }
    )

    async def main():
        async with open_metrics() as metrics:
            metrics.log("plain", text, "{broken", '{"_aws": {"CloudWatchMetrics": [')
            metrics.log(text)
            (point,) = await metrics.statistics(
                "O", Namespace="shop", dimensions={"S": "x"}, Statistics=ALL
            )
            (wrong,) = await metrics.statistics(
                "EMFParsingErrors",
                Namespace="AWS/Logs",
                dimensions={"LogGroupName": "/aws/lambda/f"},
            )
        assert (point["SampleCount"], point["Sum"]) == (4, 6)
        assert wrong["Sum"] == 1

    asyncio.run(main())


class FailingStore:
    """A store whose writes fail while it is told so."""

    def __init__(self, store):
        self._store = store
        self.failing = True

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def tx(self, work):
        if self.failing:
            raise StoreError("there is no space left")
        return await self._store.tx(work)


def test_a_store_that_fails_loses_nothing_and_counts_nothing_twice(open_metrics):
    text = json.dumps(
        {
            "_aws": {
                "Timestamp": NOON_S * 1000,
                "CloudWatchMetrics": [{"Namespace": "shop", "Metrics": [{"Name": "O"}]}],
            },
            "O": 1,
        }
    )

    async def main():
        async with open_metrics() as metrics:
            failing = metrics.logs._store = FailingStore(metrics.store)
            of = version()
            for _ in range(3):
                metrics.attempt(of, 5.0)
                metrics.log("REPORT", text)
                with pytest.raises(StoreError):
                    await metrics.logs.flush()
            failing.failing = False
            await metrics.logs.flush()
            (invocations,) = await metrics.statistics("Invocations")
            (embedded,) = await metrics.statistics("O", Namespace="shop")
            used = await metrics.usage()
            totals = metrics.writer.totals.functions
        assert (invocations["Sum"], embedded["Sum"]) == (3, 3)
        assert (used["total"]["requests"], used["total"]["billed_ms"]) == (3, 15)
        assert sum(each.invocations for each in totals.values()) == 3

    asyncio.run(main())


async def rows_of_journal(metrics):
    rows = await metrics.store.read(lambda conn: conn.all("SELECT id FROM metric_journal"))
    return len(rows)


async def eventually_async(measure, what, wanted):
    async with asyncio.timeout(5):
        while await measure(what) != wanted:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def test_figures_without_a_line_are_flushed_too(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            running = asyncio.ensure_future(metrics.logs.run())
            ref = FunctionRef(version().key, None)
            metrics.writer.add_nowait(LambdaMetric.THROTTLES, ref)
            await eventually_async(rows_of_journal, metrics, 1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            (point,) = await metrics.statistics("Throttles")
        assert point["Sum"] == 1

    asyncio.run(main())


def test_what_was_not_folded_is_folded_after_the_next_start(open_metrics):
    async def main():
        clock = ManualClock(NOON_S)
        async with open_metrics(clock=clock) as metrics:
            metrics.attempt(version(), 5.0)
            await metrics.logs.flush()
        async with open_metrics(clock=clock) as metrics:
            (point,) = await metrics.statistics("Invocations")
            again = await metrics.statistics("Invocations")
            used = await metrics.usage()
        assert point["Sum"] == 1
        assert [each["Sum"] for each in again] == [1]
        assert used["total"]["requests"] == 1

    asyncio.run(main())


def test_waiting_attempts_are_bounded(open_metrics, monkeypatch):
    monkeypatch.setattr("alonzo.services.cloudwatch.sink._WAITING_MAX", 100)

    async def main():
        async with open_metrics() as metrics:
            of = version()
            ref = FunctionRef(of.key, None)
            for number in range(1000):
                metrics.attempt(of, 1.0)
                metrics.writer.add_nowait(LambdaMetric.ASYNC_EVENT_AGE, ref, float(number))
            assert len(metrics.writer._attempts) <= 101
            (point,) = await metrics.statistics("Invocations")
            (ages,) = await metrics.statistics("AsyncEventAge", Statistics=ALL)
        assert point["Sum"] == 1000
        assert (ages["SampleCount"], ages["Maximum"]) == (1000, 999)

    asyncio.run(main())


def test_the_fold_empties_the_journal_in_the_commit_that_adds_it_up(open_metrics, tmp_path):
    async def main():
        async with open_metrics() as metrics:
            of = version()
            for _ in range(50):
                metrics.attempt(of)
                await metrics.logs.flush()
            await asyncio.gather(*(metrics.folder.fold() for _ in range(5)))
            (point,) = await metrics.statistics("Invocations")
        assert point["Sum"] == 50

    asyncio.run(main())
    with sqlite3.connect(tmp_path / "metrics.db") as db:
        assert db.execute("SELECT COUNT(*) FROM metric_journal").fetchone() == (0,)
    db.close()


def test_the_time_of_extensions_is_a_metric_where_there_are_any(open_metrics):
    async def main():
        async with open_metrics() as metrics:
            metrics.attempt(version(), 10.0)
            metrics.attempt(version(), 10.0, extensions_ms=4.126)
            (point,) = await metrics.statistics("PostRuntimeExtensionsDuration", Statistics=ALL)
        assert (point["SampleCount"], point["Sum"]) == (1, 4.13)

    asyncio.run(main())
