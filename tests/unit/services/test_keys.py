"""Access keys: the root key on disk, and sessions that are their own record."""

import base64
import re
from pathlib import Path

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds, SystemIds
from alonzo.model.context import Session
from alonzo.services.iam.key_ids import account_of_key
from alonzo.services.iam.keys import KeyFileError, KeyRing, assumed_role
from alonzo.store.data_dir import DataDirError

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/blue/worker"


def open_ring(folder: Path, clock: ManualClock | None = None) -> KeyRing:
    return KeyRing(folder, clock=clock or ManualClock(), ids=SystemIds(), account=ACCOUNT)


def test_the_root_key_looks_like_an_aws_key_and_stays_the_same(tmp_path: Path) -> None:
    root = open_ring(tmp_path).root
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", root.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", root.secret_access_key)
    assert root.principal.arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert root.principal.is_root
    assert open_ring(tmp_path).root == root


def test_key_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    open_ring(tmp_path)
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in tmp_path.iterdir()} == {
        "root.json": "0o600",
        "sessions.key": "0o600",
    }


def test_a_root_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_ring(tmp_path)
    (tmp_path / "root.json").chmod(0o640)
    with pytest.raises(DataDirError, match=r"root.json is a secret that others can read"):
        open_ring(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{"])
def test_a_damaged_root_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    open_ring(tmp_path)
    (tmp_path / "root.json").write_bytes(content)
    with pytest.raises(KeyFileError, match=r"root.json is not a root key file"):
        open_ring(tmp_path)


def test_find_knows_the_root_key_without_a_token_only(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    assert ring.find(ring.root.access_key_id, None) is ring.root
    assert ring.find(ring.root.access_key_id, "token") is None
    assert ring.find("AKIAIOSFODNN7EXAMPLE", None) is None


def test_a_session_survives_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    key = open_ring(tmp_path, clock).issue(role_arn=ROLE, session_name="f", duration_s=900)
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", key.access_key_id)
    assert key.expires_at_s == 1900.0
    assert open_ring(tmp_path).find(key.access_key_id, key.session_token) == key


def test_a_session_is_the_assumed_role(tmp_path: Path) -> None:
    key = open_ring(tmp_path).issue(role_arn=ROLE, session_name="f", duration_s=1)
    assert key.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/f"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}:f", key.principal.user_id)
    assert key.principal.account == ACCOUNT
    assert not key.principal.is_root
    session = Session("f", ManualClock().now_s(), role_arn=ROLE)
    assert key.principal == assumed_role(session, key.access_key_id)


def test_a_token_serves_no_other_key(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    one = ring.issue(role_arn=ROLE, session_name="a", duration_s=1)
    other = ring.issue(role_arn=ROLE, session_name="a", duration_s=1)
    assert ring.find(one.access_key_id, other.session_token) is None
    assert ring.find(one.access_key_id, None) is None


def test_a_token_of_another_platform_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    key = open_ring(tmp_path / "a").issue(role_arn=ROLE, session_name="f", duration_s=1)
    assert open_ring(tmp_path / "b").find(key.access_key_id, key.session_token) is None


def test_no_changed_byte_of_a_token_goes_unnoticed(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    key = ring.issue(role_arn=ROLE, session_name="f", duration_s=1)
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
        open_ring(tmp_path).issue(role_arn=arn, session_name="f", duration_s=1)


def test_secrets_come_from_the_id_source(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path, clock=ManualClock(), ids=SequentialIds(), account=ACCOUNT)
    assert ring.root.access_key_id.endswith("AAAAC")
    assert account_of_key(ring.root.access_key_id) == ACCOUNT
