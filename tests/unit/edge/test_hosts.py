"""Names that a platform is known by, and requests that a web page may have sent."""

from __future__ import annotations

import pytest

from alonzo.edge.hosts import HostRules
from alonzo.edge.http1.head import Head

OURS = HostRules(("alonzo.example", "box", "10.0.0.7"))
THIS_MACHINE = HostRules(("127.0.0.1",), only_this_machine=True)


def head(fields: dict[str, str] | None = None, **more: str) -> Head:
    pairs = [(name.encode(), text.encode()) for name, text in {**(fields or {}), **more}.items()]
    return Head("GET", b"/", b"", pairs)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:4566", "localhost.", "lambda.us-east-1.localhost:4566"),
        *("127.0.0.1", "127.0.0.1:4566", "[::1]:4566", "10.9.8.7", "[fe80::1]"),
    ],
)
def test_names_of_this_machine_and_addresses_are_known_everywhere(host: str) -> None:
    assert OURS.refusal(head(host=host)) is None
    assert THIS_MACHINE.refusal(head(host=host)) is None


@pytest.mark.parametrize("host", ["alonzo.example", "Alonzo.Example.:443", "a.b.alonzo.example"])
def test_a_name_that_was_given_is_known_with_all_below_it(host: str) -> None:
    assert OURS.refusal(head(host=host)) is None
    assert THIS_MACHINE.refusal(head(host=host)) is not None


def test_a_name_without_a_dot_is_known_unless_only_this_machine_is() -> None:
    assert OURS.refusal(head(host="alonzo:4566")) is None
    assert THIS_MACHINE.refusal(head(host="alonzo:4566")) is not None


@pytest.mark.parametrize(
    "host",
    ["stream-127.0.0.1:4566", "Stream-localhost:4566", "streaming-10.9.8.7", "stream-localhost."],
)
def test_a_host_prefix_of_the_sdks_may_stand_before_an_address_or_a_name(host: str) -> None:
    assert OURS.refusal(head(host=host)) is None
    assert THIS_MACHINE.refusal(head(host=host)) is None
    assert THIS_MACHINE.refusal_of_page(head(origin=f"http://{host}")) is not None


def test_a_host_prefix_opens_no_name_that_somebody_else_may_have() -> None:
    for host in ("stream-alonzo.example", "stream-127.0.0.1.example.org", "sync-127.0.0.1"):
        assert OURS.refusal(head(host=host)) is not None
    for host in ("stream-evil", "stream-", "stream-stream-localhost"):
        assert THIS_MACHINE.refusal(head(host=host)) is not None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:4566", "notlocalhost.example", "localhost.evil.example"),
        *("xalonzo.example", "127.0.0.1.evil.example", "127.0.0.1.nip.io", "0x7f.1", "."),
        *("id.lambda-url.us-east-1.evil.example", "example", "1.2.3"),
    ],
)
def test_other_names_are_refused_and_the_refusal_says_what_to_do(host: str) -> None:
    said = THIS_MACHINE.refusal(head(host=host))
    assert said is not None
    assert f"--hostname {host.partition(':')[0]}" in said


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, False),
        ({"origin": "http://localhost:3000"}, False),
        ({"origin": "https://127.0.0.1"}, False),
        ({"origin": "http://[::1]:80"}, False),
        ({"origin": "http://localhost:3000", "sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "null"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "http://10.0.0.1"}, True),
        ({"origin": "http://[fe80::1]:80"}, True),
        ({"origin": "http://["}, True),
        ({"origin": ""}, True),
        ({"origin": "chrome-extension://abcdef"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"origin": "http://localhost", "sec-fetch-site": "cross-site"}, True),
    ],
)
def test_what_pages_of_other_sites_send_is_refused(fields: dict[str, str], refused: bool) -> None:
    assert (THIS_MACHINE.refusal_of_page(head(fields, host="localhost")) is not None) is refused
