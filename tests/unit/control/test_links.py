"""Links to packages: they open one package, for ten minutes, and cannot be bent."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

import pytest

from alonzo.control.documents import timestamp
from alonzo.control.links import CODE_PATH, LINK_S, CodeLinks, LinkError
from alonzo.control.paging import START, read_marker, split_page, write_marker
from alonzo.lib.clock import ManualClock
from alonzo.model.errors import AwsError

SHA = "ab" * 32


def parts(url: str) -> tuple[bytes, bytes]:
    found = urlsplit(url)
    return found.path.encode(), found.query.encode()


def test_a_link_opens_its_package_until_its_time_is_over() -> None:
    clock = ManualClock()
    links = CodeLinks(b"key", clock)
    url = links.url("http://h:1/", SHA)
    assert url.startswith(f"http://h:1{CODE_PATH}{SHA}?expires=")
    assert links.open(*parts(url)) == SHA
    clock.advance(LINK_S - 1)
    assert links.open(*parts(url)) == SHA
    clock.advance(1)
    with pytest.raises(LinkError) as caught:
        links.open(*parts(url))
    assert caught.value.expired


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (rb"ab", b"cd"),
        (rb"expires=\d", b"expires=9"),
        (rb"expires=", b"expires=0"),
        (rb"expires=\d+&", b""),
        (rb"expires=\d+", b"expires=\xff"),
        (rb"signature=.", b"signature=z"),
        (rb"signature=.*", b"signature=\xc3\xa9"),
        (rb"&signature=.*", b""),
        (rb"\?.*", b""),
        (rb"/_alonzo/code/", b"/_alonzo/code/../code/"),
        (rb"/_alonzo/code/", b"/other/"),
    ],
)
def test_a_bent_link_opens_nothing(pattern: bytes, replacement: bytes) -> None:
    links = CodeLinks(b"key", ManualClock())
    path, query = parts(links.url("http://h", SHA))
    bent = re.sub(pattern, replacement, path + b"?" + query, count=1)
    bent_path, _, bent_query = bent.partition(b"?")
    with pytest.raises(LinkError) as caught:
        links.open(bent_path, bent_query)
    assert not caught.value.expired


def test_links_of_another_key_open_nothing() -> None:
    clock = ManualClock()
    with pytest.raises(LinkError):
        CodeLinks(b"one", clock).open(*parts(CodeLinks(b"two", clock).url("http://h", SHA)))


def test_many_query_members_are_no_way_to_keep_us_busy() -> None:
    with pytest.raises(LinkError):
        CodeLinks(b"k", ManualClock()).open(f"{CODE_PATH}{SHA}".encode(), b"a=1&" * 1000)


def test_a_marker_is_read_back() -> None:
    assert read_marker(write_marker(("name", "$LATEST"))) == ("name", "$LATEST")
    assert read_marker(None) == read_marker("") == START


LONE_SURROGATE = base64.urlsafe_b64encode(rb'["\ud800", ""]').decode()


@pytest.mark.parametrize(
    "marker",
    ["x", "é", "W10=", "bnVsbA==", "WzEsMl0=", "[" * 10_000, "e30=", LONE_SURROGATE],
)
def test_a_marker_of_somebody_else_is_refused(marker: str) -> None:
    with pytest.raises(AwsError) as caught:
        read_marker(marker)
    assert caught.value.code == "InvalidParameterValueException"


def test_a_page_knows_whether_more_follows() -> None:
    assert split_page([1, 2, 3], 2) == ([1, 2], 2)
    assert split_page([1, 2], 2) == ([1, 2], None)


def test_timestamps_have_milliseconds_and_an_offset_without_a_colon() -> None:
    assert timestamp(1_795_168_800.0019) == "2026-11-20T10:00:00.001+0000"
    assert timestamp(1_795_168_800.999_9) == "2026-11-20T10:00:00.999+0000"
