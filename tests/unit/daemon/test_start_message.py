"""What ``alonzo serve`` says of the door once it is ready, and what it refuses before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from alonzo.daemon.config import Config, ConfigError
from alonzo.daemon.door import address_of
from alonzo.daemon.serve import NOT_ENCRYPTED, start_message
from alonzo.daemon.wiring import Platform


def said(certificate: Any = None, **options: Any) -> str:
    platform = SimpleNamespace(
        endpoint="http://127.0.0.1:1",
        isolation="namespaces",
        isolated=True,
        layers=(),
        certificate=certificate,
    )
    return start_message(Config(Path("/data"), **options), cast("Platform", platform))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "alonzo.example"])
def test_a_platform_that_others_reach_without_tls_is_warned_of_once(host: str) -> None:
    assert said(host=host).count(NOT_ENCRYPTED) == 1
    assert NOT_ENCRYPTED not in said(SimpleNamespace(warning=lambda: None), host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_platform_that_only_this_machine_reaches_needs_no_tls(host: str) -> None:
    assert "WARNING" not in said(host=host)


def test_whoever_gives_up_a_protection_is_told_so() -> None:
    assert "WARNING    --auth off" in said(auth="off")
    assert "WARNING    --iam soft" in said(iam="soft")


def test_a_certificate_that_is_over_is_warned_of() -> None:
    over = SimpleNamespace(warning=lambda: "the TLS certificate expired on 2026-01-01")
    assert "WARNING    the TLS certificate expired on 2026-01-01" in said(over)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tls_cert": Path("a")}, "TLS takes both files"),
        ({"tls_key": Path("a")}, "TLS takes both files"),
        ({"hostnames": ("http://a",)}, "--hostname takes a name"),
        ({"hostnames": ("a:1",)}, "--hostname takes a name"),
        ({"hostnames": ("",)}, "--hostname takes a name"),
        ({"hostnames": ("a" * 64,)}, "--hostname takes a name"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Config(Path("/data"), **options).check()


def test_the_address_is_as_clients_write_it() -> None:
    assert address_of(Config(Path("/data"), host="::1"), None, 7) == ("http://[::1]:7", None)
    named = Config(Path("/data"), host="0.0.0.0", hostnames=("a.example", "b.example"))
    assert address_of(named, None, 7) == ("http://a.example:7", None)
