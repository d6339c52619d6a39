"""Access keys: sessions that are their own record."""

import base64
import re
from pathlib import Path

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Session
from alonzo.services.iam.keys import KeyRing, assumed_role

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/blue/worker"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"


def open_ring(folder: Path, clock: ManualClock | None = None) -> KeyRing:
    return KeyRing(folder, clock=clock or ManualClock(), ids=SystemIds())


def test_key_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    open_ring(tmp_path)
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in tmp_path.iterdir()} == {
        "sessions.key": "0o600"
    }


def test_a_session_survives_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    key = open_ring(tmp_path, clock).issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=900)
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", key.access_key_id)
    assert key.expires_at_s == 1900.0
    assert open_ring(tmp_path).find(key.access_key_id, key.session_token) == key


def test_a_session_is_the_assumed_role(tmp_path: Path) -> None:
    key = open_ring(tmp_path).issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=1)
    assert key.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/f"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}:f", key.principal.user_id)
    assert key.principal.account == ACCOUNT
    assert not key.principal.is_root
    session = Session("f", ManualClock().now_s(), role_arn=ROLE, function_arn=FUNCTION)
    assert key.principal == assumed_role(session, key.access_key_id)


def test_a_token_serves_no_other_key(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    one = ring.issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=1)
    other = ring.issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=1)
    assert ring.find(one.access_key_id, other.session_token) is None
    assert ring.find(one.access_key_id, None) is None


def test_a_token_of_another_platform_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    key = open_ring(tmp_path / "a").issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=1)
    assert open_ring(tmp_path / "b").find(key.access_key_id, key.session_token) is None


def test_no_changed_byte_of_a_token_goes_unnoticed(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    key = ring.issue(role_arn=ROLE, function_arn=FUNCTION, duration_s=1)
    raw = base64.b64decode(key.session_token or "")
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1
        token = base64.b64encode(changed).decode()
        assert ring.find(key.access_key_id, token) is None


@pytest.mark.parametrize("token", ["", "x", "é", "AQ==", "A" * 100, "A" * 100_000, "a b\n"])
def test_a_text_that_is_no_token_is_unknown(tmp_path: Path, token: str) -> None:
    assert open_ring(tmp_path).find("ASIAIOSFODNN7EXAMPLE", token) is None


@pytest.mark.parametrize("arn", ["", "worker", f"arn:aws:iam::{ACCOUNT}:user/x", ROLE + ":x"])
def test_a_session_of_no_role_is_refused(tmp_path: Path, arn: str) -> None:
    with pytest.raises(ValueError, match="not the ARN of a role"):
        open_ring(tmp_path).issue(role_arn=arn, function_arn=FUNCTION, duration_s=1)
