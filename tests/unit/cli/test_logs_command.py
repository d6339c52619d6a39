"""The decisions behind ``alonzo logs``."""

import click
import pytest

from alonzo.cli.logs import LATE_MS_MAX, Cursor, log_group, parse_since, printable

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        ("0s", NOW_S * 1000),
        ("30s", (NOW_S - 30) * 1000),
        ("10m", (NOW_S - 600) * 1000),
        ("2h", (NOW_S - 7200) * 1000),
        ("1d", (NOW_S - 86400) * 1000),
        ("2w", (NOW_S - 1209600) * 1000),
        ("2026-11-20T10:00:00Z", 1795168800000),
        ("2026-11-20T10:00:00", 1795168800000),
        ("2026-11-20T12:00:00+02:00", 1795168800000),
    ],
)
def test_since_is_an_age_or_a_time(value, expected_ms):
    assert parse_since(value, now_s=NOW_S) == expected_ms


@pytest.mark.parametrize("value", ["", "10", "m", "10 m", "-5m", "yesterday", "1.5h"])
def test_since_refuses_what_it_does_not_understand(value):
    with pytest.raises(click.BadParameter, match="neither an age"):
        parse_since(value, now_s=NOW_S)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("hello", "/aws/lambda/hello"),
        ("hello:prod", "/aws/lambda/hello"),
        ("000000000000:function:hello", "/aws/lambda/hello"),
        ("arn:aws:lambda:us-east-1:000000000000:function:hello", "/aws/lambda/hello"),
        ("arn:aws:lambda:us-east-1:000000000000:function:hello:7", "/aws/lambda/hello"),
        ("/my/own/group", "/my/own/group"),
        ("function", "/aws/lambda/function"),
    ],
)
def test_the_log_group_is_found_from_every_spelling_of_a_name(name, group):
    assert log_group(name) == group


def event(number, at_ms):
    return {"eventId": f"e{number}", "timestamp": at_ms, "message": "m"}


def test_a_cursor_shows_each_event_once_and_late_ones_too():
    cursor = Cursor(since_ms=0)
    first, second, late = event(1, 50_000), event(2, 60_000), event(3, 55_000)
    assert cursor.unseen([second, first]) == [first, second]
    assert cursor.start_ms == 60_000 - LATE_MS_MAX
    assert cursor.unseen([first, late, second]) == [late]
    assert cursor.unseen([first, late, second]) == []


def test_a_cursor_never_looks_before_its_start():
    cursor = Cursor(since_ms=100_000)
    cursor.unseen([event(1, 100_500)])
    assert cursor.start_ms == 100_000


def test_a_cursor_forgets_what_it_will_not_be_shown_again():
    cursor = Cursor(since_ms=0)
    for number in range(100):
        cursor.unseen([event(number, number * 1000)])
    assert len(cursor._seen) <= LATE_MS_MAX / 1000 + 1


def test_control_characters_are_shown_and_not_sent_to_the_terminal():
    assert printable("a\tü\n\x1b[2J\r\x00\x9b") == "a\tü\n\\x1b[2J\\r\\x00\\x9b"
