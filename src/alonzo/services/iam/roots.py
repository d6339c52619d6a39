"""The root users of accounts and their keys. An account is there once its root user has a key.

The store has the keys, sealed as those of users are, and IAM's own operations list, make, switch
off and delete them, as on AWS: at most two for each root user. ``root.json`` of the key folder is a
copy of one of the platform's own account, for the commands on this machine:

* What is in the file when the platform starts works, whatever was deleted or left half done.
* Without a file, all keys of that root user are replaced by a new one. That is the way back in.
* A key is in the store before it is in the file: a platform that ends in between starts as above.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

from alonzo.services.iam import records
from alonzo.services.iam.identities import Identities, Unit
from alonzo.services.iam.key_ids import access_key_id, secret_access_key
from alonzo.services.iam.keys import KeyFileError
from alonzo.services.iam.limits import KEYS_PER_USER_MAX
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.store.base import Connection, Row
from alonzo.store.data_dir import read_if_there, write_secret

log = logging.getLogger("alonzo.iam")

ROOT_FILE = "root.json"

#: Accounts of one platform.
ACCOUNTS_MAX = 1000


class TooManyError(Exception):
    """There is no room for another. The text is fit for a client."""


def read_root_file(path: Path) -> tuple[str, str] | None:
    """The id and the secret in the file; None: there is no file.

    Raises:
        KeyFileError: it is damaged.
        DataDirError: it cannot be read, or can be by others.
    """
    document = read_if_there(path)
    if document is None:
        return None
    try:
        fields: dict[str, Any] = json.loads(document)
        return str(fields["access_key_id"]), str(fields["secret_access_key"])
    except (ValueError, TypeError, KeyError) as error:
        raise KeyFileError(f"{path} is not a root key file: {error!r}") from error


def write_root_file(path: Path, key_id: str, secret: str) -> None:
    """Put a key in place of the one in the file, in one step.

    Raises:
        DataDirError: the file cannot be written.
    """
    fields = {"access_key_id": key_id, "secret_access_key": secret}
    write_secret(path, json.dumps(fields, indent=2).encode() + b"\n")


class Roots:
    """The root users of all accounts. ``account`` is the platform's own."""

    def __init__(self, identities: Identities, keys: Path, account: str) -> None:
        """``keys`` is the key folder."""
        self._identities = identities
        self._path = keys / ROOT_FILE
        self._account = account

    async def enroll(self) -> None:
        """Bring the file and the store together, before the first request.

        Raises:
            KeyFileError: the file is damaged.
            DataDirError: the file cannot be used.
        """
        held = read_root_file(self._path)
        key_id, secret = await self._identities.change(lambda unit: self._chosen(unit, held))
        if (key_id, secret) != held:
            write_root_file(self._path, key_id, secret)

    def _chosen(self, unit: Unit, held: tuple[str, str] | None) -> tuple[str, str]:
        """The key that the file is to have, which the store then has too."""
        conn, account = unit.conn, self._account
        root = records.try_find_by_id(conn, account)
        known = root is not None
        root = root or self._make_root(unit, account)
        rows = conn.all(Q.keys_of_user, {"user_id": root.unique_id})
        if held is None:
            self._delete(unit, root, rows)
            return self._add(unit, root)
        row = conn.one(Q.find_key, {"id": held[0]})
        if row is None and not known:
            # A platform of before: its key was nowhere but in the file.
            return self._add(unit, root, held)
        usable = [each for each in rows if each["active"]]
        if row is not None and row["user_id"] == account and row["active"]:
            return held[0], self._identities.unseal(row["secret"], held[0])
        if usable:
            newest = usable[-1]
            return newest["id"], self._identities.unseal(newest["secret"], newest["id"])
        log.warning("iam.root_key_made", extra={"account": account})
        return self._add(unit, root)

    async def accounts(self) -> list[dict[str, Any]]:
        """Every account, with the ids of its root user's keys."""

        def work(conn: Connection) -> list[dict[str, Any]]:
            return [
                {
                    "account": row["account"],
                    "root_keys": [
                        {
                            "access_key_id": key["id"],
                            "active": bool(key["active"]),
                            "created_at_s": key["created_at_s"],
                        }
                        for key in conn.all(Q.keys_of_user, {"user_id": row["unique_id"]})
                    ],
                }
                for row in sorted(
                    conn.all(Q.all_of_kind, {"kind": Kind.ROOT}), key=lambda row: row["account"]
                )
            ]

        return await self._identities.read(work)

    async def create(self, account: str, *, replace: bool = False) -> tuple[str, str]:
        """A new root key of an account, which is made if there is none; its id and its secret.

        ``replace`` deletes those that the account has.

        Raises:
            TooManyError: the account has two, or the platform too many accounts.
        """

        def work(unit: Unit) -> tuple[str, str]:
            root = records.try_find_by_id(unit.conn, account)
            if root is None:
                if len(unit.conn.all(Q.all_of_kind, {"kind": Kind.ROOT})) >= ACCOUNTS_MAX:
                    raise TooManyError(f"A platform has at most {ACCOUNTS_MAX} accounts.")
                root = self._make_root(unit, account)
            rows = unit.conn.all(Q.keys_of_user, {"user_id": account})
            if replace:
                self._delete(unit, root, rows)
            elif len(rows) >= KEYS_PER_USER_MAX:
                ids = " and ".join(row["id"] for row in rows)
                raise TooManyError(
                    f"The root user of {account} has two keys, {ids}. Revoke one, or replace both."
                )
            return self._add(unit, root)

        key_id, secret = await self._identities.change(work)
        if replace and account == self._account:
            await asyncio.to_thread(write_root_file, self._path, key_id, secret)
        return key_id, secret

    async def rotate(self) -> tuple[str, str]:
        """A new key for the platform's own root user, in the file too. The others still work.

        Raises:
            TooManyError: there are two already.
        """
        key_id, secret = await self.create(self._account)
        await asyncio.to_thread(write_root_file, self._path, key_id, secret)
        return key_id, secret

    def _make_root(self, unit: Unit, account: str) -> Entity:
        now_s = float(int(self._identities.clock.now_s()))
        root = Entity(account, account, Kind.ROOT, "", "", now_s, {})
        unit.conn.execute(
            Q.insert_entity,
            {
                "unique_id": account,
                "account": account,
                "kind": Kind.ROOT,
                "name_key": "",
                "name": "",
                "path": "",
                "created_at_s": now_s,
                "document": "{}",
            },
        )
        return root

    def _add(self, unit: Unit, root: Entity, key: tuple[str, str] | None = None) -> tuple[str, str]:
        ids = self._identities.ids
        key_id, secret = key or (
            access_key_id("AKIA", ids, root.account),
            secret_access_key(ids),
        )
        unit.conn.execute(
            Q.insert_key,
            {
                "id": key_id,
                "user_id": unit.touch(root).unique_id,
                "secret": self._identities.seal(secret, key_id),
                "created_at_s": float(int(self._identities.clock.now_s())),
            },
        )
        return key_id, secret

    def _delete(self, unit: Unit, root: Entity, rows: list[Row]) -> None:
        for row in rows:
            unit.conn.execute(Q.delete_key, {"id": row["id"]})
        unit.touch(root)
