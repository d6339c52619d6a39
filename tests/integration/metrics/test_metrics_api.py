"""The operations of CloudWatch over a store, with time in the test's hand."""

import asyncio
import json

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.reading import Budget

from .conftest import NOON_S

DAY_S = 86_400
ALL = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]


def run(open_metrics, work, **options):
    async def main():
        async with open_metrics(**options) as metrics:
            return await work(metrics)

    return asyncio.run(main())


def put(metrics, *data, namespace="mine"):
    return metrics.call("PutMetricData", Namespace=namespace, MetricData=list(data))


def query(query_id="a", stat="Sum", name="m", period_s=60, **more):
    metric = {"Namespace": "mine", "MetricName": name}
    return {
        "Id": query_id,
        "MetricStat": {"Metric": metric, "Period": period_s, "Stat": stat},
    } | more


def data(metrics, *queries, ago_s=3600.0, **more):
    return metrics.call(
        "GetMetricData",
        MetricDataQueries=list(queries),
        StartTime=metrics.at(ago_s),
        EndTime=metrics.at(-60),
        **more,
    )


def test_values_counts_and_statistic_sets_add_up(open_metrics):
    async def work(metrics):
        summary = {"SampleCount": 2.0, "Sum": 20.0, "Minimum": 9.0, "Maximum": 11.0}
        await put(
            metrics,
            {"MetricName": "m", "Value": 5.0},
            {"MetricName": "m", "Values": [1.0, 2.0], "Counts": [3.0, 4.0]},
            {"MetricName": "m", "StatisticValues": summary},
        )
        (point,) = await metrics.statistics("m", Namespace="mine", Statistics=ALL)
        no_percentile = await metrics.statistics("m", Namespace="mine", ExtendedStatistics=["p50"])
        return point, no_percentile

    point, no_percentile = run(open_metrics, work)
    assert (point["SampleCount"], point["Sum"]) == (10, 36)
    assert (point["Minimum"], point["Maximum"], point["Average"]) == (1, 11, 3.6)
    # Nobody knows the values of a statistic set, unless they are all alike.
    assert no_percentile == []


def test_a_statistic_set_of_equal_values_has_percentiles(open_metrics):
    async def work(metrics):
        for value, count in ((4.0, 3.0), (8.0, 1.0)):
            total = value * count
            summary = {"SampleCount": count, "Sum": total, "Minimum": value, "Maximum": value}
            await put(metrics, {"MetricName": "m", "StatisticValues": summary})
        (point,) = await metrics.statistics(
            "m", Namespace="mine", ExtendedStatistics=["p75", "p76"]
        )
        return point["ExtendedStatistics"]

    assert run(open_metrics, work) == {"p75": 4, "p76": 8}


def test_units_are_datapoints_of_their_own(open_metrics):
    async def work(metrics):
        await put(
            metrics,
            {"MetricName": "m", "Value": 1.0, "Unit": "Seconds"},
            {"MetricName": "m", "Value": 2.0},
        )
        every = await metrics.statistics("m", Namespace="mine")
        one = await metrics.statistics("m", Namespace="mine", Unit="Seconds")
        together = (await data(metrics, query()))["MetricDataResults"]
        return [(p["Unit"], p["Sum"]) for p in every], one, together[0]["Values"]

    every, one, together = run(open_metrics, work)
    assert sorted(every) == [("None", 2), ("Seconds", 1)]
    assert [p["Sum"] for p in one] == [1]
    assert together == [3]


def test_periods_are_counted_from_the_start_that_was_asked_for(open_metrics):
    async def work(metrics):
        for minute in range(10):
            when = metrics.at(600 - 60 * minute)
            await put(metrics, {"MetricName": "m", "Value": 1.0 + minute, "Timestamp": when})
        points = await metrics.statistics("m", Namespace="mine", ago_s=570.0, Period=180)
        return [(p["Timestamp"].timestamp() - NOON_S, p["Sum"]) for p in points]

    assert run(open_metrics, work) == [
        (-600, 1 + 2 + 3), (-420, 4 + 5 + 6), (-240, 7 + 8 + 9), (-60, 10),
    ]  # fmt: skip


def test_values_by_the_second_are_kept_by_the_second_for_three_hours(open_metrics):
    async def shorter(metrics):
        await put(
            metrics,
            *(
                {
                    "MetricName": "m",
                    "Value": float(second),
                    "StorageResolution": 1,
                    "Timestamp": metrics.at(120 - second),
                }
                for second in range(20)
            ),
            {"MetricName": "coarse", "Value": 1.0},
            namespace="other",
        )
        fine = await metrics.statistics("m", Namespace="other", ago_s=120, Period=10)
        none = await metrics.statistics("coarse", Namespace="other", ago_s=120, Period=10)
        metrics.clock.advance(3 * 3600 + 120)
        await metrics.reaper.reap()
        ago = {"ago_s": 3 * 3600 + 360, "until_s": 3 * 3600}
        gone = await metrics.statistics("m", Namespace="other", Period=10, **ago)
        left = await metrics.statistics("m", Namespace="other", Period=60, **ago)
        return fine, none, gone, left

    fine, none, gone, left = run(open_metrics, shorter)
    assert [p["Sum"] for p in fine] == [sum(range(10)), sum(range(10, 20))]
    assert none == gone == []
    assert sum(p["Sum"] for p in left) == sum(range(20))


def test_old_points_become_coarser_and_end_at_last(open_metrics):
    async def work(metrics):
        # Half an hour of minutes, on the hour.
        for minute in range(30):
            await put(metrics, {"MetricName": "m", "Values": [float(minute), 2.0 * minute]})
            metrics.clock.advance(60)
        await metrics.folder.fold()
        seen = []
        for days in (14, 16, 62, 64, 454, 456):
            metrics.clock.advance(NOON_S + 3600 + days * DAY_S - metrics.clock.now_s())
            await metrics.reaper.reap()
            rows = await metrics.store.read(
                lambda conn: conn.all("SELECT period_s, samples, total FROM metric_point")
            )
            seen.append(
                (
                    days,
                    sorted({row["period_s"] for row in rows}),
                    len(rows),
                    sum(row["samples"] for row in rows),
                    sum(row["total"] for row in rows),
                )
            )
        coarse = await metrics.call("ListMetrics", Namespace="mine")
        left = await metrics.store.read(lambda conn: conn.all("SELECT id FROM metric"))
        return seen, coarse["Metrics"], left

    seen, listed, left = run(open_metrics, work)
    total = 3 * sum(range(30))
    assert seen == [
        (14, [60], 30, 60, total),
        (16, [300], 6, 60, total),
        (62, [300], 6, 60, total),
        (64, [3600], 1, 60, total),
        (454, [3600], 1, 60, total),
        (456, [], 0, 0, 0),
    ]
    assert listed == left == []


def test_a_coarse_point_still_has_its_percentiles(open_metrics):
    async def work(metrics):
        for minute in range(5):
            await put(metrics, {"MetricName": "m", "Values": [1.0 + minute, 10.0 + minute]})
            metrics.clock.advance(60)
        await metrics.folder.fold()
        metrics.clock.advance(16 * DAY_S)
        await metrics.reaper.reap()
        age = {"ago_s": 16 * DAY_S + 600, "until_s": 16 * DAY_S - 600}
        fine = await metrics.statistics("m", Namespace="mine", **age)
        (point,) = await metrics.statistics(
            "m", Namespace="mine", Period=300, ExtendedStatistics=["p50", "p90"], **age
        )
        return fine, point["ExtendedStatistics"]

    fine, percentiles = run(open_metrics, work)
    assert fine == []  # nothing is kept by the minute of that time
    assert percentiles == {"p50": 5, "p90": 13}


def test_usage_becomes_coarser_and_never_ends(open_metrics):
    from .conftest import version

    async def work(metrics):
        for _ in range(3):
            metrics.attempt(version(), 7.0)
            await metrics.folder.fold()
            metrics.clock.advance(60)
        seen = []
        for days in (16, 460, 4000):
            metrics.clock.advance(NOON_S + days * DAY_S - metrics.clock.now_s())
            await metrics.reaper.reap()
            rows = await metrics.store.read(
                lambda conn: conn.all("SELECT period_s, requests, billed_ms FROM function_usage")
            )
            seen.append([tuple(dict(row).values()) for row in rows])
        return seen, (await metrics.usage())["total"]["billed_ms"]

    assert run(open_metrics, work) == (
        [[(3600, 3, 21)], [(DAY_S, 3, 21)], [(DAY_S, 3, 21)]],
        21,
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Statistics": None}, "MissingRequiredParameterException"),
        ({"ExtendedStatistics": ["p50"]}, "InvalidParameterCombinationException"),
        ({"Statistics": None, "ExtendedStatistics": ["p101"]}, "InvalidParameterValueException"),
        ({"Statistics": None, "ExtendedStatistics": ["Sum"]}, "InvalidParameterValueException"),
        ({"Period": 90}, "InvalidParameterValueException"),
        ({"Period": 1}, "InvalidParameterCombinationException"),
        ({"ago_s": -120.0}, "InvalidParameterValueException"),
    ],
)
def test_questions_that_cannot_be_are_refused(open_metrics, change, code):
    async def work(metrics):
        facts = {"Namespace": "mine", "Statistics": ["Sum"]} | change
        facts = {name: value for name, value in facts.items() if value is not None}
        with pytest.raises(AwsError) as caught:
            await metrics.call(
                "GetMetricStatistics",
                MetricName="m",
                StartTime=metrics.at(facts.pop("ago_s", 3600.0)),
                EndTime=metrics.at(0),
                **({"Period": 60} | facts),
            )
        return caught.value.code

    assert run(open_metrics, work) == code


def test_expressions_work_over_queries_that_are_not_shown(open_metrics):
    async def work(metrics):
        for minute in range(3):
            await put(
                metrics,
                {"MetricName": "good", "Value": 8.0},
                {"MetricName": "bad", "Value": 2.0 * minute},
            )
            metrics.clock.advance(60)
        return await data(
            metrics,
            {"Id": "rate", "Expression": "100 * bad / (good + bad)", "Label": "Error rate"},
            {"Id": "double", "Expression": "rate * 2", "ReturnData": False},
            query("good", name="good", ReturnData=False),
            query("bad", name="bad", ReturnData=False),
            {"Id": "both", "Expression": "METRICS() * 1"},
            {"Id": "twice", "Expression": "double"},
            ScanBy="TimestampAscending",
        )

    results = run(open_metrics, work)["MetricDataResults"]
    assert [(each["Id"], each["Label"]) for each in results] == [
        ("rate", "Error rate"), ("both", "good"), ("both", "bad"), ("twice", "twice"),
    ]  # fmt: skip
    assert results[0]["Values"] == pytest.approx([0, 20, 100 / 3])
    assert results[3]["Values"] == pytest.approx([0, 40, 200 / 3])
    assert {each["StatusCode"] for each in results} == {"Complete"}


def test_the_newest_value_comes_first_unless_told_otherwise(open_metrics):
    async def work(metrics):
        for value in (1.0, 2.0, 3.0):
            await put(metrics, {"MetricName": "m", "Value": value})
            metrics.clock.advance(60)
        first = await data(metrics, query())
        other = await data(metrics, query(), ScanBy="TimestampAscending")
        return [each["MetricDataResults"][0]["Values"] for each in (first, other)]

    assert run(open_metrics, work) == [[3, 2, 1], [1, 2, 3]]


def test_pages_of_data_miss_and_repeat_nothing(open_metrics):
    async def work(metrics):
        for minute in range(7):
            await put(
                metrics,
                {"MetricName": "m", "Value": float(minute)},
                {"MetricName": "n", "Value": 100.0 + minute},
            )
            metrics.clock.advance(60)
        queries = (query("a"), query("none", name="none"), query("b", name="n"))
        whole = await data(metrics, *queries)
        paged: dict[str, list[float]] = {}
        pages, token = 0, None
        while True:
            more = {} if token is None else {"NextToken": token}
            page = await data(metrics, *queries, MaxDatapoints=3, **more)
            assert sum(len(each["Values"]) for each in page["MetricDataResults"]) <= 3
            for each in page["MetricDataResults"]:
                paged.setdefault(each["Id"], []).extend(each["Values"])
            pages, token = pages + 1, page.get("NextToken")
            if token is None:
                break
        with pytest.raises(AwsError) as caught:
            await data(metrics, query("a"), NextToken=more["NextToken"])
        return whole, paged, pages, caught.value.code

    whole, paged, pages, code = run(open_metrics, work)
    assert {each["Id"]: each["Values"] for each in whole["MetricDataResults"]} == paged
    assert "NextToken" not in whole
    assert pages == 5
    assert code == "InvalidNextToken"


@pytest.mark.parametrize(
    ("queries", "text"),
    [
        ([query("Big")], "is not matching the expected pattern"),
        ([query("a"), query("a")], "are not unique"),
        ([{"Id": "a"}], "Exactly one of the parameters"),
        ([query("a", Expression="b")], "Exactly one of the parameters"),
        ([query("a", stat="nonsense")], "is not supported"),
        ([query("a", ReturnData=False)], "ReturnData set to true"),
        ([{"Id": "a", "Expression": "b"}], "there is no query with the id b"),
        ([{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}], "lead in a circle"),
        ([{"Id": "a", "Expression": "SEARCH('{x}', 'Sum', 60)"}], "SEARCH is not supported"),
        ([{"Id": "a", "Expression": "SELECT AVG(x) FROM y"}], "Metrics Insights"),
        ([{"Id": "a", "Expression": "1 + 1"}], "a single number"),
        ([query("a", period_s=90)], "must be 1, 5, 10, 20, 30"),
    ],
)
def test_queries_that_cannot_be_are_refused(open_metrics, queries, text):
    async def work(metrics):
        with pytest.raises(AwsError) as caught:
            await data(metrics, *queries)
        return caught.value.message

    assert text in run(open_metrics, work)


def dimensions(**pairs):
    return [{"Name": name, "Value": value} for name, value in pairs.items()]


def test_metrics_are_listed_by_namespace_name_and_dimensions(open_metrics):
    async def work(metrics):
        await put(
            metrics,
            {"MetricName": "m", "Value": 1.0, "Dimensions": dimensions(b="2", a="1")},
            {"MetricName": "m", "Value": 1.0, "Dimensions": dimensions(a="1")},
            {"MetricName": "n", "Value": 1.0},
        )
        await put(metrics, {"MetricName": "m", "Value": 1.0}, namespace="other")

        async def listed(**question):
            answer = await metrics.call("ListMetrics", **question)
            return [
                (each["Namespace"], each["MetricName"], len(each["Dimensions"]))
                for each in answer["Metrics"]
            ]

        return (
            await listed(),
            await listed(Namespace="mine"),
            await listed(MetricName="m"),
            await listed(Namespace="mine", MetricName="m"),
            await listed(Dimensions=[{"Name": "a"}]),
            await listed(Dimensions=[{"Name": "a", "Value": "1"}, {"Name": "b"}]),
            await listed(Dimensions=[{"Name": "a", "Value": "2"}]),
        )

    everything, mine, m, both, with_a, with_ab, none = run(open_metrics, work)
    assert sorted(everything) == [
        ("mine", "m", 1),
        ("mine", "m", 2),
        ("mine", "n", 0),
        ("other", "m", 0),
    ]
    assert sorted(mine) == [("mine", "m", 1), ("mine", "m", 2), ("mine", "n", 0)]
    assert sorted(m) == [("mine", "m", 1), ("mine", "m", 2), ("other", "m", 0)]
    assert sorted(both) == [("mine", "m", 1), ("mine", "m", 2)]
    assert sorted(with_a) == [("mine", "m", 1), ("mine", "m", 2)]
    assert with_ab == [("mine", "m", 2)]
    assert none == []


def test_a_list_shows_two_weeks_and_recently_active_three_hours(open_metrics):
    async def work(metrics):
        await put(metrics, {"MetricName": "m", "Value": 1.0})
        seen = []
        for advance_s in (0, 2 * 3600, 2 * 3600, 13 * DAY_S, 2 * DAY_S):
            metrics.clock.advance(advance_s)
            every = await metrics.call("ListMetrics", Namespace="mine")
            recent = await metrics.call("ListMetrics", Namespace="mine", RecentlyActive="PT3H")
            seen.append((len(every["Metrics"]), len(recent["Metrics"])))
        return seen

    assert run(open_metrics, work) == [(1, 1), (1, 1), (1, 0), (1, 0), (0, 0)]


@pytest.mark.parametrize("question", [{}, {"Namespace": "mine"}, {"Dimensions": [{"Name": "a"}]}])
def test_pages_of_metrics_miss_and_repeat_nothing(open_metrics, question):
    async def work(metrics):
        for start in range(0, 1200, 400):
            await put(
                metrics,
                *(
                    {"MetricName": "m", "Value": 1.0, "Dimensions": dimensions(a=f"{number:04}")}
                    for number in range(start, start + 400)
                ),
            )
        found, sizes, more = [], [], {}
        while True:
            page = await metrics.call("ListMetrics", **question, **more)
            sizes.append(len(page["Metrics"]))
            found += [each["Dimensions"][0]["Value"] for each in page["Metrics"]]
            if "NextToken" not in page:
                return found, sizes
            more = {"NextToken": page["NextToken"]}

    found, sizes = run(open_metrics, work)
    assert found == [f"{number:04}" for number in range(1200)]
    assert sizes == [500, 500, 200]


def test_an_account_has_so_many_metrics_and_no_more(open_metrics):
    async def work(metrics):
        await put(metrics, *({"MetricName": f"m{number}", "Value": 1.0} for number in range(5)))
        await metrics.folder.fold()
        with pytest.raises(AwsError) as caught:
            await put(metrics, {"MetricName": "one more", "Value": 1.0})
        # Those that there are go on, and so do the platform's own.
        await put(metrics, {"MetricName": "m1", "Value": 2.0})
        (point,) = await metrics.statistics("m1", Namespace="mine")
        from .conftest import version

        metrics.attempt(version())
        (own,) = await metrics.statistics("Invocations")
        directive = {"Namespace": "mine", "Dimensions": [[]], "Metrics": [{"Name": "x"}]}
        about = {"Timestamp": metrics.clock.now_s() * 1000, "CloudWatchMetrics": [directive]}
        metrics.log(json.dumps({"_aws": about, "x": 1}))
        dropped = await metrics.statistics("x", Namespace="mine")
        # 455 days after their last value they make room.
        metrics.clock.advance(470 * DAY_S)
        await metrics.reaper.reap()
        await put(metrics, {"MetricName": "one more", "Value": 1.0})
        return caught.value.code, point["Sum"], own["Sum"], dropped

    code, summed, own, dropped = run(open_metrics, work, metrics_max=5)
    assert code == "LimitExceededFault"
    assert (summed, own, dropped) == (3, 1, [])


def test_a_request_reads_so_much_and_no_more(open_metrics, monkeypatch):
    monkeypatch.setattr(Budget.__init__, "__defaults__", (10,))

    async def work(metrics):
        for _ in range(6):
            await put(metrics, {"MetricName": "m", "Value": 1.0})
            metrics.clock.advance(60)
        one = await data(metrics, query())
        with pytest.raises(AwsError) as caught:
            await data(metrics, query(), query("b"))
        return one["MetricDataResults"][0]["Values"], caught.value

    values, error = run(open_metrics, work)
    assert values == [1.0] * 6
    assert error.code == "InvalidParameterCombinationException"
    assert "shorter time" in error.message
