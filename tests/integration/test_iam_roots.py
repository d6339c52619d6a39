"""Root keys in a real store: the first start, the file, several accounts, what a crash leaves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.ports.identity import AccessKey
from alonzo.services.iam import roots
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.key_ids import account_of_key
from alonzo.services.iam.keys import KeyFileError
from alonzo.services.iam.roots import Roots, TooManyError, read_root_file, write_root_file
from alonzo.store.data_dir import DataDirError
from alonzo.store.sqlite import SqliteStore

T = TypeVar("T")
ACCOUNT, OTHER = "123456789012", "210987654321"


class Platform:
    """What a start of the platform does about root keys, as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "root.json"
        self.clock = ManualClock(1000.0)

    def run(
        self, work: Callable[[Roots, Identities], Coroutine[Any, Any, T]], account: str = ACCOUNT
    ) -> T:
        """Start, work, stop."""

        async def main() -> T:
            store = await SqliteStore.open(self.folder / "a.db", clock=self.clock)
            try:
                identities = Identities(store, b"s" * 32, clock=self.clock, ids=SystemIds())
                await identities.open()
                made = Roots(identities, self.folder, account)
                await made.enroll()
                return await work(made, identities)
            finally:
                await store.close()

        return asyncio.run(main())

    def held(self) -> tuple[str, str]:
        """The key in the file."""
        found = read_root_file(self.file)
        assert found is not None
        return found

    def key(self, key_id: str, account: str = ACCOUNT) -> AccessKey | None:
        """The key after a restart."""

        async def work(_: Roots, identities: Identities) -> AccessKey | None:
            return identities.access_key(key_id)

        return self.run(work, account)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


async def nothing(_: Roots, __: Identities) -> None:
    pass


async def rotate(made: Roots, _: Identities) -> tuple[str, str]:
    return await made.rotate()


def test_the_first_start_makes_a_key_like_aws_s_and_the_next_keeps_it(platform: Platform) -> None:
    platform.run(nothing)
    key_id, secret = platform.held()
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", secret)
    assert account_of_key(key_id) == ACCOUNT
    assert platform.file.stat().st_mode & 0o777 == 0o600
    found = platform.key(key_id)
    assert platform.held() == (key_id, secret)
    assert found is not None
    assert found.secret_access_key == secret
    principal = found.principal
    assert (principal.arn, principal.is_root) == (f"arn:aws:iam::{ACCOUNT}:root", True)


def test_a_file_that_others_can_read_or_that_is_damaged_is_refused(platform: Platform) -> None:
    platform.run(nothing)
    platform.file.chmod(0o640)
    with pytest.raises(DataDirError, match=r"root.json is a secret that others can read"):
        platform.run(nothing)
    platform.file.chmod(0o600)
    for content in (b"", b"[]", b"{}", b"{"):
        platform.file.write_bytes(content)
        with pytest.raises(KeyFileError, match=r"root.json is not a root key file"):
            platform.run(nothing)


def test_the_key_of_a_platform_of_before_goes_on_working(platform: Platform) -> None:
    write_root_file(platform.file, "AKIAOFBEFORE", "its secret")
    found = platform.key("AKIAOFBEFORE")
    assert found is not None
    assert found.secret_access_key == "its secret"
    assert platform.held() == ("AKIAOFBEFORE", "its secret")


def test_rotation_makes_a_second_key_and_a_third_is_refused(platform: Platform) -> None:
    platform.run(nothing)
    first = platform.held()
    second = platform.run(rotate)
    assert platform.held() == second != first
    assert platform.key(first[0]) is not None
    with pytest.raises(TooManyError, match=f"{first[0]}.*{second[0]}|{second[0]}.*{first[0]}"):
        platform.run(rotate)
    assert platform.held() == second


def test_a_deleted_key_stays_deleted_and_the_file_gets_one_that_works(platform: Platform) -> None:
    platform.run(nothing)
    first = platform.held()
    second = platform.run(rotate)
    # As if the platform had ended before the file was written.
    write_root_file(platform.file, *first)
    platform.run(nothing)
    assert platform.held() == first

    async def delete(made: Roots, identities: Identities) -> None:
        def work(unit: Any) -> None:
            unit.conn.execute(roots.Q.delete_key, {"id": first[0]})
            unit.touched.add(ACCOUNT)

        await identities.change(work)
        assert identities.access_key(first[0]) is None

    platform.run(delete)
    assert platform.key(first[0]) is None
    assert platform.held() == second


def test_without_the_file_all_keys_are_replaced(platform: Platform) -> None:
    platform.run(nothing)
    old = [platform.held(), platform.run(rotate)]
    platform.file.unlink()
    platform.run(nothing)
    new = platform.held()
    assert platform.key(new[0]) is not None
    assert [platform.key(key_id) for key_id, _ in old] == [None, None]


def test_another_account_of_the_platform_has_a_key_of_its_own(platform: Platform) -> None:
    platform.run(nothing)
    first = platform.held()
    other = platform.key(first[0], OTHER)
    second = platform.held()
    # The old account's key still is the old account's.
    assert other is not None
    assert other.principal.account == ACCOUNT
    found = platform.key(second[0])
    assert found is not None
    assert found.principal.account == OTHER
    assert platform.held() == first


def test_accounts_are_made_listed_and_have_two_keys_at_most(platform: Platform) -> None:
    async def work(made: Roots, identities: Identities) -> None:
        key_id, secret = await made.create(OTHER)
        found = identities.access_key(key_id)
        assert found is not None
        assert (found.secret_access_key, found.principal.account) == (secret, OTHER)
        await made.create(OTHER)
        with pytest.raises(TooManyError, match="has two keys"):
            await made.create(OTHER)
        only, _ = await made.create(OTHER, replace=True)
        assert identities.access_key(key_id) is None
        own, other = await made.accounts()
        assert (own["account"], other["account"]) == (ACCOUNT, OTHER)
        assert other["root_keys"] == [
            {"access_key_id": only, "active": True, "created_at_s": 1000.0}
        ]
        assert secret not in json.dumps([own, other])

    platform.run(work)


def test_the_number_of_accounts_has_an_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "ACCOUNTS_MAX", 2)

    async def work(made: Roots, _: Identities) -> None:
        await made.create(OTHER)
        with pytest.raises(TooManyError, match="at most 2 accounts"):
            await made.create("1" * 12)

    platform.run(work)
