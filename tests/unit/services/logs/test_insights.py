"""Logs Insights: what queries answer, and how those that cannot be are refused."""

import base64

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.logs.insights import commands, rows, run
from alonzo.services.logs.insights.commands import Command
from alonzo.services.logs.insights.parser import parse_query
from alonzo.services.logs.insights.run import answer_of
from alonzo.services.logs.scan import FoundEvent

REPORT = (
    "REPORT RequestId: 5f1b2c3d-0000-4000-8000-000000000001\tDuration: 12.34 ms\t"
    "Billed Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 99.5 ms\n"
)
LINES = [
    '{"level": "INFO", "ms": 10, "user": {"name": "ann"}, "tags": ["a", "b"]}',
    '{"level": "ERROR", "ms": 30, "user": {"name": "bob"}}',
    'took {"level": "ERROR", "ms": 20} and more',
    "plain ERROR line id=7 cost=1.5",
    REPORT,
]
#: Half a minute apart, the newest first, as queries read them.
EVENTS = [
    FoundEvent(at, 1_700_000_000_000 + at * 30_000, 1_700_000_900_000, line, f"s{at % 2}")
    for at, line in reversed(list(enumerate(LINES)))
]


def answered(query, events=EVENTS):
    """Rows as dicts, without pointers."""
    rows = answer_of(parse_query(query, 10_000), events, "1:g")
    return [
        {cell["field"]: cell["value"] for cell in row if cell["field"] != "@ptr"} for row in rows
    ]


def values(query):
    """Rows as lists of values."""
    return [list(row.values()) for row in answered(query)]


def test_a_query_without_fields_shows_time_and_message():
    (row,) = answered("limit 1")
    assert row == {"@timestamp": "2023-11-14 22:15:20.000", "@message": REPORT}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter level = 'ERROR' | fields ms | sort ms", [["20"], ["30"]]),
        ("filter level != 'ERROR' | fields user.name", [["ann"]]),
        ("filter ms > 15 and ms <= 30 | fields ms*2+1 as x | sort x desc", [["61"], ["41"]]),
        ("filter not (ms >= 15) and ispresent(ms) | fields tags.1", [["b"]]),
        ("filter @message like 'id=7' | display @logStream, @log", [["s1", "1:g"]]),
        ("filter @message like /(?i)PLAIN error/ | fields @type", [[]]),
        ("filter @message not like /ERROR|REPORT/ | fields ms", [["10"]]),
        ("filter @message =~ /RequestId: [0-9a-f-]+/ | fields @type", [["REPORT"]]),
        ("filter ms in [10, '20'] | fields ms | sort ms", [["10"], ["20"]]),
        ("filter level not in ['INFO'] and ispresent(level) | stats count(*)", [["2"]]),
        (
            "filter @type = 'REPORT' | fields @duration, @billedDuration, @initDuration, "
            "@maxMemoryUsed / 1000 / 1000",
            [["12.34", "13", "99.5", "40"]],
        ),
        (
            "parse @message 'id=* cost=*' as id, cost | filter ispresent(id) | fields id, cost * 2",
            [["7", "3"]],
        ),
        (
            "stats count(*) as n, sum(ms), avg(ms), min(ms), max(ms) by level | sort n",
            [["INFO", "1", "10", "10", "10", "10"], ["2"], ["ERROR", "2", "50", "25", "20", "30"]],
        ),
        (
            "filter ispresent(ms) | stats pct(ms, 50), count_distinct(level), latest(ms), "
            "earliest(ms)",
            [["20", "2", "20", "10"]],
        ),
        (
            "stats count(*) as n by bin(1m) | sort n desc, bin(1m) | limit 1",
            [["2023-11-14 22:13:00.000", "2"]],
        ),
        (
            "filter ispresent(level) | sort @timestamp asc | dedup level | fields ms",
            [["10"], ["30"]],
        ),
        (
            "fields strlen(level) as n, toupper(concat(level, '-', ms)) as t | filter n = 4 "
            "| display t, `n`",
            [["INFO-10", "4"]],
        ),
        (
            "# nothing but a comment\nfilter ms = 10 | fields -ms ^ 2 as x, 7 % 4 as y, 1 / 0 as z",
            [["100", "3"]],
        ),
        ("stats count(*) as n by level | stats max(n)", [["2"]]),
        (
            r"parse @message /(?i)(?:Took|PLAIN) (?<what>[^ ]+?) .*?(?:cost=(?<cost>[\d.]+))?$/ "
            "| filter ispresent(what) | fields what, cost",
            [["ERROR", "1.5"], ['{"level":']],
        ),
        ("filter level = 'NONE' | stats count(*)", [["0"]]),
    ],
)
def test_queries_answer(query, expected):
    assert values(query) == expected


@pytest.mark.parametrize(
    ("query", "text", "at"),
    [
        ("fields ms | pattern @message", "the command pattern is not supported", 12),
        ("fields ms |", None, 0),
        ("", "expected a command at the end", 0),
        ("nonsense", "expected a command near 'nonsense'", 0),
        ("filter (ms > 1", r"expected '\)' at the end", 14),
        ("filter ms > ", "expected a value at the end", 12),
        ("filter level = 'x", "a quote is never closed", 15),
        ("stats nothing(ms)", "expected a function of stats", 6),
        ("fields jsonParse(@message)", "the function jsonparse is not supported", 7),
        ("parse @message 'a=*' as b, c", "1 asterisks for 2 fields", 6),
        ("parse @message /(a.*)/", "groups with names", 22),
        (r"filter @message like /(a)\1/", r"\\1 is not supported", 28),
        ("filter @message like /(?=a)/", "kind of group is not supported", 28),
        ("limit 0", "a number of rows", 7),
        ("fields bin(0m)", "expected a period", 11),
        (f"filter {'(' * 60}1{')' * 60}", "nests too deep", None),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(query, text, at):
    if text is None:
        assert parse_query(query, 10)
        return
    with pytest.raises(AwsError, match=text) as caught:
        parse_query(query, 10)
    assert caught.value.code == "MalformedQueryException"
    location = caught.value.members["queryCompileError"]["location"]
    assert at is None or location["startCharOffset"] == at


def test_a_limit_ends_the_reading():
    limit: Command = parse_query("fields ms | limit 2", 10).makers[-1]()
    assert [len(list(limit.push(None))) for _ in range(3)] == [1, 1, 0]
    assert limit.is_full


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1e999", "NaN"])
def test_a_number_beyond_all_others_in_a_line_ends_no_query(number):
    events = [FoundEvent(1, 1_700_000_000_000, 1, f'{{"n": {number}}}', "s"), *EVENTS]
    for query in (
        "stats sum(n), pct(n, 50), max(n), avg(ms) as mean",
        "fields abs(n), greatest(n, 1), n * 2, substr(@message, n), datefloor(n, 1h) | sort n",
        "fields n as @timestamp | filter n > 1.5 or n < 1.5 or n = n",
    ):
        assert answered(query, events)


def test_a_query_keeps_no_more_than_it_may(monkeypatch):
    monkeypatch.setattr(commands, "WEIGHT_MAX", 5_000)
    lines = [f"{at:04}" + "x" * 1000 for at in range(40)]
    events = [FoundEvent(at, at, 1, line, "s") for at, line in enumerate(lines)]
    # A group takes its texts, and room for each figure.
    assert 1 < len(answered("stats count(*) by @message", events)) < 6
    (row,) = answered("stats median(@timestamp) as m, count_distinct(@message) as n", events)
    assert row == {"m": "19", "n": "40"}
    many = ", ".join(f"median(@timestamp) as m{at}" for at in range(50))
    (row,) = answered(f"stats {many}, count(*) as n", events)
    assert row["n"] == "40"
    # All have kept as much as there was room for, and the first values of each count.
    assert int(row["m0"]) < 10
    # What is sorted by counts, too; and numbers do.
    numbers = ", ".join(f"{at} as n{at}" for at in range(20))
    assert len(answered(f"fields {numbers} | sort @timestamp", events)) == 1
    sorted_by = "sort concat(@message, @message, @message) desc"
    assert len(answered(f"fields substr(@message, 0, 4) as a | {sorted_by}", events)) == 1


def test_a_result_has_no_more_cells_than_it_may(monkeypatch):
    monkeypatch.setattr(run, "WEIGHT_MAX", 10_000)
    events = [FoundEvent(at, at, 1, "", "s") for at in range(100)]
    columns = ", ".join(f"1 as c{at}" for at in range(20))
    assert 1 < len(answered(f"fields {columns}", events)) < 10


def test_a_row_holds_no_more_texts_than_it_may(monkeypatch):
    monkeypatch.setattr(rows, "_TEXTS_MAX", 25)
    event = FoundEvent(1, 1, 1, "ab", "s")
    chain = " | ".join(f"fields concat(@message, '0123456789') as a{at}" for at in range(4))
    (row,) = answered(f"{chain} | display a0, a1, a2, a3", [event])
    assert list(row) == ["a0", "a1"]


def test_the_expressions_of_a_query_are_bounded_together():
    query = " or ".join(["@message like /.{900}/"] * 6)
    with pytest.raises(AwsError, match="too large together"):
        parse_query(f"filter {query}", 10)


def test_an_event_has_so_many_fields_however_many_members_are_empty():
    lists = ",".join(["[]"] * 5_000)
    fields = rows.fields_of(FoundEvent(1, 1, 1, f'{{"a": [{lists}], "b": {{"c": [7]}}}}', "s"), "l")
    assert fields["b.c.0"] == "7"
    deep = '{"a":' * 900 + '{"half": "\\ud83d"}' + "}" * 900
    fields = rows.fields_of(FoundEvent(1, 1, 1, deep, "s"), "l")
    assert fields["a." * 900 + "half"] == "?"


def test_a_pointer_to_what_no_database_has_is_none():
    for text in ("f" * 47, "0" * 36, "1" * 48, "x" * 37):
        assert rows.read_pointer(base64.b64encode(text.encode()).decode()) is None
