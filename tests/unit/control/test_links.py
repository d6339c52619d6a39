"""Links to packages: they open one package, for ten minutes, and cannot be bent."""

from __future__ import annotations

import base64
import hashlib
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
    marker = write_marker("ListThings", ("name", "$LATEST"))
    assert read_marker("ListThings", {"Marker": marker}) == ("name", "$LATEST")
    assert read_marker("ListThings", {}) == read_marker("ListThings", {"Marker": ""}) == START


def sealed(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:6] + text).decode()


def assert_refused(marker: str) -> None:
    with pytest.raises(AwsError) as caught:
        read_marker("ListThings", {"Marker": marker})
    assert caught.value.code == "InvalidParameterValueException"


@pytest.mark.parametrize("marker", ["x", "é", "W10=", "bnVsbA==", "WzEsMl0=", "[" * 10_000, "e30="])
def test_what_is_no_marker_is_refused(marker: str) -> None:
    assert_refused(marker)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b'"ListThings"',
        b'["ListThings"]',
        b'["ListThings", "a"]',
        b'["ListThings", "a", "b", "c"]',
        b'["ListThings", 1, "b"]',
        b'["ListOthers", "a", "b"]',
        rb'["ListThings", "\ud800", ""]',
    ],
)
def test_a_marker_that_somebody_makes_is_a_place_in_the_list_or_refused(text: bytes) -> None:
    assert_refused(sealed(text))


def test_a_marker_that_was_altered_anywhere_is_refused() -> None:
    marker = write_marker("ListThings", ("name", "12"))
    for place in range(len(marker.rstrip("="))):
        for other in "Az":
            altered = marker[:place] + other + marker[place + 1 :]
            if base64.urlsafe_b64decode(altered) != base64.urlsafe_b64decode(marker):
                assert_refused(altered)
        assert_refused(marker[:place] or "-")


def test_a_page_knows_whether_more_follows() -> None:
    assert split_page([1, 2, 3], 2) == ([1, 2], 2)
    assert split_page([1, 2], 2) == ([1, 2], None)


def test_timestamps_have_milliseconds_and_an_offset_without_a_colon() -> None:
    assert timestamp(1_795_168_800.0019) == "2026-11-20T10:00:00.001+0000"
    assert timestamp(1_795_168_800.999_9) == "2026-11-20T10:00:00.999+0000"
