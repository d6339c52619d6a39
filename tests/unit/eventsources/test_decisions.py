"""The engine's decisions: answers, retries, bisecting, concurrency, pauses, loops, filters."""

import json

import pytest

from alonzo.eventsources.backoff import (
    CALL_S_MAX,
    SOURCE_S_MAX,
    call_pause_s,
    may_call_again,
    source_pause_s,
    usable_window_s,
)
from alonzo.eventsources.batching import BatchRule, OpenBatch, payload_of, without_groups
from alonzo.eventsources.filtering import read_filters, split
from alonzo.eventsources.items import Item
from alonzo.eventsources.loops import runs_of, split_loop, trace_of
from alonzo.eventsources.responses import failed_items
from alonzo.eventsources.retrying import (
    Attempted,
    Condition,
    Discard,
    after_failure,
    split_expired,
)
from alonzo.eventsources.scaling import Bounds, Scaling, bounds_of
from alonzo.eventsources.settings import Settings, read_settings


def item(name="a", *, body="", group=None, trace=None, arrived_at_s=0.0, **metadata):
    return Item(
        id=name,
        document=json.dumps({"id": name}).encode(),
        metadata=metadata,
        data=body,
        data_key="body",
        handle=name,
        arrived_at_s=arrived_at_s,
        group=group,
        trace_header=trace,
    )


BATCH = [item("a"), item("b"), item("c")]


def reported(*identifiers):
    return json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]})


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("", ""),
        ("null", ""),
        ("{}", ""),
        ('""', ""),
        ("[]", ""),
        ('{"batchItemFailures": null}', ""),
        (reported(), ""),
        (reported("b"), "b"),
        (reported("c", "a", "a"), "ac"),
        (reported("d"), "abc"),
        (reported("a", "d"), "abc"),
        (reported(""), "abc"),
        (reported(None), "abc"),
        ('{"batchItemFailures": [{"itemIdentifiers": "a"}]}', "abc"),
        ('{"batchItemFailures": ["a"]}', "abc"),
        ('{"batchItemFailures": {"itemIdentifier": "a"}}', "abc"),
        ('"text"', "abc"),
        ("[1]", "abc"),
        ("7", "abc"),
        ("no JSON", "abc"),
        ("[" * 100_000, "abc"),
        ("\x00", "abc"),
    ],
)
def test_what_a_partial_response_says(answer, failed):
    found = failed_items(BATCH, answer.encode(), errored=False, partial=True)
    assert "".join(each.id for each in found) == failed
    assert failed_items(BATCH, answer.encode(), errored=False, partial=False) == []
    assert failed_items(BATCH, answer.encode(), errored=True, partial=True) == BATCH


def test_a_batch_is_closed_by_its_number_and_by_its_length():
    by_number = OpenBatch(BatchRule(2, 1000))
    by_number.add(BATCH, 5.0)
    assert [[each.id for each in batch] for batch in by_number.take()] == [["a", "b"], ["c"]]
    assert (by_number.room, by_number.opened_at_s, len(by_number)) == (0, 5.0, 3)
    two = len(payload_of(BATCH[:2]))
    by_length = OpenBatch(BatchRule(10, two))
    by_length.add(BATCH[:2], 0.0)
    assert by_length.room == 8
    by_length.add(BATCH[2:], 0.0)
    assert by_length.room == 0
    assert max(len(payload_of(batch)) for batch in by_length.take()) == two
    too_long = OpenBatch(BatchRule(10, 20))
    too_long.add(BATCH, 0.0)
    assert [len(batch) for batch in too_long.take()] == [1, 1, 1]
    assert OpenBatch(BatchRule(1, 1)).take() == []


def test_items_of_a_blocked_group_are_held():
    items = [item("a", group="g"), item("b", group="h"), item("c")]
    free, held = without_groups(items, {"g"})
    assert ([each.id for each in free], [each.id for each in held]) == (["b", "c"], ["a"])


def test_a_document_is_read_as_aws_means_it():
    document = {
        "BatchSize": 100,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 60,
        "ProvisionedPollerConfig": {"MinimumPollers": 3},
        "DestinationConfig": {"OnFailure": {}},
    }
    read = read_settings(document)
    assert (read.retries_max, read.record_age_s_max, read.on_failure) == (None, 60, None)
    assert read.pollers == (3, 200)
    assert read_settings({"BatchSize": 1, "MaximumRetryAttempts": 0}).retries_max == 0


# Concurrency.


@pytest.mark.parametrize(
    ("members", "reserved", "bounds"),
    [
        ({}, None, Bounds(5, 1250, 5)),
        ({"concurrency_max": 2}, None, Bounds(2, 2, 5)),
        ({"concurrency_max": 40}, 7, Bounds(5, 7, 5)),
        ({}, 0, Bounds(1, 1, 5)),
        ({"pollers": (2, 200)}, None, Bounds(20, 2000, 1000 / 60)),
    ],
)
def test_concurrency_has_bounds(members, reserved, bounds):
    assert bounds_of(Settings(10, **members), reserved) == bounds


def test_concurrency_grows_while_there_is_more_and_falls_back():
    scaling = Scaling(bounds_of(Settings(10), None))
    assert scaling.allowed() == 5
    scaling.waited(60)
    assert scaling.allowed() == 305
    scaling.waited(3600)
    assert scaling.allowed() == 1250
    scaling.throttled()
    assert scaling.allowed() == 625
    scaling.failed()
    assert scaling.allowed() == 562
    for _ in range(50):
        scaling.throttled()
    assert scaling.allowed() == 1
    scaling.waited(1)
    assert scaling.allowed() == 6
    scaling.set_bounds(Bounds(2, 3, 5))
    assert scaling.allowed() == 3
    scaling.saw_end()
    assert scaling.allowed() == 2


def test_pauses_grow_to_a_bound():
    calls = [call_pause_s(tries, lambda: 1.0) for tries in range(1, 40)]
    assert calls[:3] == [0.1, 0.2, 0.4]
    assert max(calls) == CALL_S_MAX
    sources = [source_pause_s(failures, lambda: 0.0) for failures in range(1, 4000)]
    assert sources[:2] == [0.25, 0.5]
    assert max(sources) == SOURCE_S_MAX / 2


def test_a_call_begins_only_if_it_ends_while_its_messages_are_hidden():
    given = {"pause_s": 1.0, "hidden_until_s": 130.5, "timeout_s": 9}
    assert may_call_again(now_s=120.0, **given)
    assert not may_call_again(now_s=120.1, **given)


@pytest.mark.parametrize(("hidden_s", "usable_s"), [(40, 20), (25, 14.5), (10, 0), (0, 20)])
def test_a_window_leaves_time_for_the_call(hidden_s, usable_s):
    assert usable_window_s(20, hidden_s=hidden_s, timeout_s=10) == usable_s


# Shards.


def attempted(ids, retries=0):
    return Attempted(tuple(item(each) for each in ids), retries)


def shown(following):
    return [("".join(each.id for each in batch.items), batch.retries) for batch in following]


@pytest.mark.parametrize(
    ("batch", "failed", "settings", "expected"),
    [
        (("abcd", 0), "abcd", {}, [("abcd", 1)]),
        (("abcd", 4), "cd", {"retries_max": 9}, [("cd", 5)]),
        (("abcd", 0), "db", {}, [("bcd", 1)]),
        (("abcde", 2), "abcde", {"bisect": True}, [("abc", 2), ("de", 2)]),
        (("abcde", 2), "c", {"bisect": True}, [("cde", 2)]),
        (("e", 2), "e", {"bisect": True}, [("e", 3)]),
        (("ab", 0), "b", {"bisect": True, "retries_max": 1}, [("b", 1)]),
    ],
)
def test_a_failed_batch_is_handed_over_again(batch, failed, settings, expected):
    tried = attempted(*batch)
    failures = [each for each in tried.items if each.id in failed]
    assert shown(after_failure(tried, failures, Settings(10, **settings))) == expected


def test_a_batch_out_of_retries_is_given_up():
    tried = attempted("abc", 2)
    over = after_failure(tried, tried.items[1:], Settings(10, retries_max=2))
    assert over == Discard(tried.items[1:], Condition.RETRIES, 3)


def test_old_records_are_given_up_before_the_call():
    old, young = item("a", arrived_at_s=0.0), item("b", arrived_at_s=50.0)
    batch = Attempted((old, young), 3)
    kept, over = split_expired(batch, Settings(10, record_age_s_max=60), 61.0)
    assert (kept, over) == (Attempted((young,), 3), Discard((old,), Condition.AGE, 3))
    assert split_expired(batch, Settings(10, record_age_s_max=60), 60.0) == (batch, None)
    assert split_expired(batch, Settings(10), 1e9) == (batch, None)


# Loops.


def header(*runs):
    entries = "|".join(f"{number:08x}:{each}" for number, each in enumerate(runs))
    return f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=1:{entries}"


@pytest.mark.parametrize(
    ("text", "runs"),
    [(None, -1), ("Root=1-0-0", -1), (header(3), 3), (header(3, 16, 0), 16), ("Lineage=x", -1)],
)
def test_a_trace_header_says_how_long_a_way_was(text, runs):
    assert runs_of(text) == runs


def test_the_longest_way_goes_with_the_batch_and_is_to_blame():
    plain, short, long = item("a"), item("b", trace=header(2)), item("c", trace=header(9))
    assert trace_of([plain]) is None
    assert trace_of([plain, short, long]) == header(9)
    assert split_loop([plain, short, long]) == ([long], [plain, short])
    assert split_loop([plain]) == ([plain], [])


# Filters.


@pytest.mark.parametrize(
    ("pattern", "body", "passes"),
    [
        ({"body": {"a": [1]}}, '{"a": 1, "b": 2}', True),
        ({"body": {"a": [1]}}, '{"a": 2}', False),
        ({"body": {"a": [1]}}, "plain", False),
        ({"body": {"a": [1]}}, "[1]", False),
        ({"body": ["plain"]}, "plain", True),
        ({"body": ["plain"]}, '{"plain": 1}', False),
        ({"body": [{"prefix": "pl"}]}, "plain", True),
        ({"messageId": ["m"]}, "no matter what", True),
        ({"messageId": ["n"]}, "no matter what", False),
        ({"messageId": ["m"], "body": {"a": [1]}}, '{"a": 1}', True),
        ({"messageId": ["m"], "body": {"a": [1]}}, "plain", False),
        ({"$or": [{"body": {"a": [1]}}, {"messageId": ["n"]}]}, '{"a": 1}', True),
        ({"$or": [{"body": {"a": [1]}}, {"messageId": ["n"]}]}, '{"a": 2}', False),
        ({"$or": [{"body": {"a": [1]}}, {"messageId": ["m"]}]}, "plain", True),
        ({"$or": [{"body": {"a": [1]}}, {"messageId": ["n"]}]}, "plain", False),
        ({"body": {"a": [{"exists": False}]}}, "plain", False),
    ],
)
def test_what_a_filter_lets_through(pattern, body, passes):
    filters = read_filters({"Filters": [{"Pattern": json.dumps(pattern)}]})
    message = item("m", body=body, messageId="m")
    assert split(filters, [message]) == (([message], []) if passes else ([], [message]))


def test_one_filter_of_several_is_enough_and_none_lets_all_through():
    patterns = [{"Pattern": json.dumps({"body": [word]})} for word in ("a", "b")]
    items = [item("1", body="a"), item("2", body="b"), item("3", body="c")]
    passed, dropped = split(read_filters({"Filters": patterns}), items)
    assert ([each.id for each in passed], [each.id for each in dropped]) == (["1", "2"], ["3"])
    assert split(read_filters(None), items) == (items, [])
