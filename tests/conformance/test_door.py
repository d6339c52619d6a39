"""What a web page in a browser on this machine gets out of a platform: nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from alonzo.cli.http import open_connection
from alonzo.testing.daemon import DaemonProcess

EVIL = "evil.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WHO = "Action=GetCallerIdentity&Version=2011-06-15"


def ask(
    daemon: DaemonProcess,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: str | None = None,
) -> tuple[int, Mapping[str, str], str]:
    """The answer to what a browser would send."""
    with closing(open_connection(daemon.endpoint, timeout_s=20)) as connection:
        connection.request(method, path, body, {"Host": "127.0.0.1", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def refused(answer: tuple[int, Mapping[str, str], str]) -> bool:
    status, headers, text = answer
    assert not [name for name in headers if name.lower().startswith("access-control-")]
    return status == 403 and "AccessDeniedException" in text


def test_without_authentication_no_page_of_another_site_calls_anything(own_platform: Any) -> None:
    names = ("--hostname", "localhost", "--hostname", "alonzo.example")
    daemon = own_platform("--auth", "off", *names)
    assert urlsplit(daemon.endpoint).hostname == "localhost"
    assert ask(daemon, f"/?{WHO}")[0] == 200
    assert ask(daemon, "/", FORM, method="POST", body=WHO)[0] == 200
    # The page's own name leads here now: every path is refused, to the last.
    for path in (f"/?{WHO}", "/2015-03-31/functions", "/_alonzo/health", "/_alonzo/metrics"):
        for host in (EVIL, f"{EVIL}:4566", f"localhost.{EVIL}"):
            assert refused(ask(daemon, path, {"Host": host})), (path, host)
        assert not refused(ask(daemon, path, {"Host": "alonzo.example"}))
    # The page calls us by our name: an image, a form, a script.
    for said in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": f"https://{EVIL}"},
        {"Origin": "null"},
    ):
        assert refused(ask(daemon, f"/?{WHO}", said))
        assert refused(ask(daemon, "/", {**FORM, **said}, method="POST", body=WHO))
        assert refused(ask(daemon, "/2015-03-31/functions", said, method="OPTIONS"))
    assert ask(daemon, f"/?{WHO}", {"Origin": "http://localhost:3000"})[0] == 200


def test_with_authentication_only_what_is_unsigned_asks_for_the_host(
    platform: DaemonProcess,
) -> None:
    for path in ("/_alonzo/health", "/_localstack/health", "/_alonzo/metrics", "/_alonzo/code/x"):
        assert refused(ask(platform, path, {"Host": EVIL})), path
    for host in ("localhost", "127.0.0.1:1", "[::1]", "alonzo", "a.localhost"):
        assert json.loads(ask(platform, "/_alonzo/health", {"Host": host})[2])["status"] == "ok"
    unsigned = ask(platform, f"/?{WHO}", {"Host": EVIL})
    assert (unsigned[0], "MissingAuthenticationToken" in unsigned[2]) == (403, True)


@pytest.mark.parametrize(
    "path", ["/_alonzo/health", "/", "/2015-03-31/functions", "/_alonzo/usage"]
)
def test_nobody_is_told_that_other_sites_may_read_answers(
    platform: DaemonProcess, path: str
) -> None:
    wish = {"Origin": f"https://{EVIL}", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS", "POST"):
        _, headers, _ = ask(platform, path, wish, method=method)
        assert not [name for name in headers if name.lower().startswith("access-control-")]
