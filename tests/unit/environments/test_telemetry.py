"""Subscriptions, dialects and buffers: telemetry without I/O."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.environments.telemetry.buffer import Budget, Buffer, Dropped
from alonzo.environments.telemetry.schema import (
    Dialect,
    TelemetryEvent,
    dialect_of,
    dropped_event,
)
from alonzo.environments.telemetry.subscription import (
    InvalidSubscriptionError,
    Kind,
    parse_subscription,
)

GOOD = {
    "schemaVersion": "2022-12-13",
    "types": ["function", "platform"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/a?b=c"},
}


def parse(kind=Kind.TELEMETRY, **changes):
    document = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return parse_subscription(kind, json.dumps(document).encode())


def wrong(kind=Kind.TELEMETRY, **changes):
    with pytest.raises(InvalidSubscriptionError) as caught:
        parse(kind, **changes)
    return str(caught.value)


def test_a_subscription_has_its_defaults():
    subscription = parse()
    assert (subscription.port, subscription.path) == (8080, "/a?b=c")
    assert subscription.types == ("platform", "function")
    assert (subscription.items_max, subscription.bytes_max) == (1000, 262_144)
    assert subscription.timeout_s == 1.0
    assert parse(Kind.LOGS, schemaVersion=None).items_max == 10_000


def test_tcp_takes_a_port_or_a_uri():
    for destination in (
        {"protocol": "TCP", "port": 9},
        {"protocol": "TCP", "URI": "tcp://sandbox:9"},
    ):
        subscription = parse(destination=destination)
        assert (subscription.port, subscription.path) == (9, None)


def to(uri):
    return {"destination": {"protocol": "HTTP", "URI": uri}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"types": []}, "types should not be empty"),
        ({"types": ["weather"]}, "types should be among platform, function, extension"),
        ({"types": [[]]}, "types should be among platform, function, extension"),
        ({"destination": None}, "destination is not provided"),
        (
            {"destination": {"protocol": "HTTPS"}},
            "destination protocol should be HTTP or TCP",
        ),
        ({"destination": {"protocol": "HTTP"}}, "URI is not provided"),
        ({"destination": {"protocol": "TCP"}}, "port is not provided"),
        ({"destination": {"protocol": "TCP", "port": True}}, "port is not provided"),
        ({"destination": {"protocol": "TCP", "port": 65536}}, "port is not provided"),
        ({"destination": {"protocol": "TCP", "port": 9001}}, "port 9001 is reserved"),
        (to("http://sandbox.localdomain"), "URI port is not provided"),
        (to("http://sandbox.localdomain:0"), "URI port is not provided"),
        (to("http://sandbox.localdomain:x"), "URI is invalid"),
        (to("http://sandbox:1/a b"), "URI is invalid"),
        (to("http://[::1"), "URI is invalid"),
        (to("https://sandbox.localdomain:1"), "URI scheme should be http"),
        (to("http://example.com:1"), "URI host should be sandbox.localdomain"),
        (to("http://169.254.169.254:80"), "URI host should be sandbox.localdomain"),
        ({"schemaVersion": "1999-01-01"},
         "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"),
        ({"buffering": []}, "buffering is no JSON object"),
        ({"buffering": {"maxItems": 999}}, "maxItems should be between 1000 and 10000"),
        ({"buffering": {"maxBytes": 1 << 21}}, "maxBytes should be between 262144 and 1048576"),
        ({"buffering": {"timeoutMs": 24}}, "timeoutMs should be between 25 and 30000"),
        ({"buffering": {"timeoutMs": True}}, "timeoutMs should be between 25 and 30000"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_named(changes, text):
    assert wrong(**changes) == text


def test_everything_that_is_wrong_is_named_at_once():
    assert wrong(types=[], **to("http://sandbox.localdomain/")) == (
        "URI port is not provided; types should not be empty"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("types", "destination", "buffering", "schemaVersion"), JSON)
    )
    | JSON,
    st.sampled_from(Kind),
)
def test_any_document_is_a_subscription_or_refused(document, kind):
    try:
        subscription = parse_subscription(kind, json.dumps(document).encode())
    except InvalidSubscriptionError as refusal:
        text = str(refusal)
    else:
        text = f"port {subscription.port}"
    assert text


# Dialects


def said(event, dialect):
    encoded = event.encoded(dialect)
    return None if encoded is None else orjson.loads(encoded)["record"]


START = TelemetryEvent(
    1.5, "platform.start", {"requestId": "r", "version": "1", "tracing": {"value": "t"}}
)
REPORT = TelemetryEvent(
    1.5,
    "platform.report",
    {"requestId": "r", "status": "success", "metrics": {"durationMs": 1, "restoreDurationMs": 2}},
)


def test_the_old_api_knows_fewer_events_and_members():
    assert said(START, Dialect.LOGS_2020) == {"requestId": "r", "version": "1"}
    assert said(REPORT, Dialect.LOGS_2020) == {"requestId": "r", "metrics": {"durationMs": 1}}
    done = TelemetryEvent(1.5, "platform.runtimeDone", {"requestId": "r", "status": "s", "x": 1})
    assert said(done, Dialect.LOGS_2020) is None
    assert said(done, Dialect.LOGS_2021) == {"requestId": "r", "status": "s"}
    assert said(TelemetryEvent(0, "platform.initStart", {}), Dialect.LOGS_2021) is None


def test_the_new_api_has_no_end_and_no_fault():
    for event in (
        TelemetryEvent(0, "platform.end", {"requestId": "r"}),
        TelemetryEvent(0, "platform.fault", "RequestId: r Error"),
    ):
        assert said(event, Dialect.TELEMETRY) is None
        assert said(event, Dialect.LOGS_2020) is not None


@pytest.mark.parametrize(
    ("text", "record"),
    [('{"a":1}', {"a": 1}), ('{"a":', '{"a":'), ("[1]", "[1]"), ("plain", "plain")],
)
def test_a_line_of_a_json_log_is_an_object_if_it_is_one(text, record):
    event = TelemetryEvent(0, "function", text, structured=True)
    assert said(event, Dialect.TELEMETRY) == record
    for old in (Dialect.TELEMETRY_2022_07, Dialect.LOGS_2020):
        assert said(event, old) == text


def test_an_envelope_is_time_type_and_record():
    assert orjson.loads(dropped_event(1.5, 3, 70).encoded(Dialect.LOGS_2020)) == {
        "time": "1970-01-01T00:00:01.500Z",
        "type": "platform.logsDropped",
        "record": {
            "droppedBytes": 70,
            "droppedRecords": 3,
            "reason": "Some logs were dropped because the downstream consumer is slower than the "
            "logs production rate",
        },
    }


@pytest.mark.parametrize(
    ("kind", "schema", "dialect"),
    [
        (Kind.LOGS, "2020-08-15", Dialect.LOGS_2020),
        (Kind.LOGS, "2021-03-18", Dialect.LOGS_2021),
        (Kind.TELEMETRY, "2022-07-01", Dialect.TELEMETRY_2022_07),
        (Kind.TELEMETRY, "2022-12-13", Dialect.TELEMETRY),
        (Kind.TELEMETRY, "2025-01-29", Dialect.TELEMETRY),
    ],
)
def test_each_schema_has_its_dialect(kind, schema, dialect):
    assert dialect_of(parse(kind, schemaVersion=schema)) is dialect


# Buffers


def buffer(items_max=3, bytes_max=100, timeout_s=1.0, budget=1000):
    return Buffer(
        items_max=items_max, bytes_max=bytes_max, timeout_s=timeout_s, budget=Budget(budget)
    )


def test_a_batch_is_due_by_number_size_or_age():
    waiting = buffer()
    assert waiting.due_at_s(0) is None
    waiting.add(b"a", 5.0)
    assert waiting.due_at_s(5.5) == 6.0
    waiting.add(b"b", 5.1)
    waiting.add(b"c", 5.2)
    assert waiting.due_at_s(5.5) == 5.5
    waiting = buffer()
    waiting.add(bytes(100), 5.0)
    assert waiting.due_at_s(5.5) == 5.5


def test_what_does_not_fit_is_counted_and_told_once():
    waiting = buffer(items_max=10)
    for _ in range(5):
        waiting.add(bytes(60), 0.0)
    batches = [waiting.take() for _ in range(4)]
    assert [len(batch) for batch, _ in batches] == [1, 1, 1, 0]
    dropped = [dropped for _, dropped in batches]
    assert dropped == [None, None, Dropped(records=2, n_bytes=120), None]


def test_one_event_may_be_larger_than_a_batch():
    waiting = buffer()
    waiting.add(bytes(500), 0.0)
    assert waiting.take() == ([bytes(500)], None)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 90)),
            st.tuples(st.sampled_from(["take", "sent", "clear"]), st.none()),
        ),
        max_size=60,
    ),
    st.integers(0, 400),
)
def test_nothing_is_lost_unsaid_and_the_budget_is_always_given_back(actions, budget_bytes):
    budget = Budget(budget_bytes)
    waiting = Buffer(items_max=3, bytes_max=100, timeout_s=1, budget=budget)
    n_added = n_taken = n_dropped = n_cleared = 0
    for action, size in actions:
        if action == "add":
            waiting.add(bytes(size), 0.0)
            n_added += 1
        elif action == "take":
            batch, dropped = waiting.take()
            assert len(batch) <= 3
            assert sum(map(len, batch)) <= 100
            n_taken += len(batch)
            n_dropped += dropped.records if dropped else 0
        elif action == "sent":
            waiting.sent()
        else:
            n_cleared += len(waiting)
            waiting.clear()
        assert waiting.held_bytes <= 200
        assert budget._left_bytes == budget_bytes - waiting.held_bytes >= 0
    while True:
        batch, dropped = waiting.take()
        n_taken += len(batch)
        n_dropped += dropped.records if dropped else 0
        if not batch and not dropped:
            break
    assert n_added == n_taken + n_dropped + n_cleared
    waiting.clear()
    assert budget._left_bytes == budget_bytes
