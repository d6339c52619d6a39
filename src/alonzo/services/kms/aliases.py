"""Operations on aliases. Source: KMS API reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, validation
from alonzo.services.kms import records
from alonzo.services.kms.errors import (
    alias_not_found,
    key_not_found,
    limit_exceeded,
    pending_deletion,
)
from alonzo.services.kms.keys import need_customers
from alonzo.services.kms.limits import ALIASES_PAGE_DEFAULT, ALIASES_PER_KEY_MAX
from alonzo.services.kms.machine import Event, State, step
from alonzo.services.kms.records import Key, Q
from alonzo.services.kms.rules import RESERVED_ALIAS, arn_of, one_page
from alonzo.services.kms.vault import Unit, Vault
from alonzo.store.base import Connection, Row


class AliasOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def create_alias(self, context: RequestContext, params: dict[str, Any]) -> None:
        """CreateAlias."""
        name = _checked(params["AliasName"])

        def work(unit: Unit) -> None:
            key = self._target(unit, context, params)
            step(key.state, Event.EDIT, key.arn)
            row = {
                "account": context.account,
                "region": context.region,
                "name": name,
                "key_id": key.id,
                "now_s": self._vault.clock.now_s(),
            }
            if unit.conn.execute(Q.insert_alias, row) == 0:
                arn = arn_of(context.account, context.region, name)
                raise AwsError(
                    "AlreadyExistsException", f"An alias with the name {arn} already exists"
                )

        await self._vault.change(work)

    async def update_alias(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateAlias. The key that had the alias may be pending deletion, the new one not."""
        name = _checked(params["AliasName"])

        def work(unit: Unit) -> None:
            self._touch_owner(unit, context, name)
            key = self._target(unit, context, params)
            if key.state is State.PENDING_DELETION:
                raise pending_deletion(key.arn)
            unit.conn.execute(
                Q.move_alias,
                {
                    "account": context.account,
                    "region": context.region,
                    "name": name,
                    "key_id": key.id,
                    "now_s": self._vault.clock.now_s(),
                },
            )

        await self._vault.change(work)

    async def delete_alias(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteAlias."""
        name = _checked(params["AliasName"])

        def work(unit: Unit) -> None:
            self._touch_owner(unit, context, name)
            unit.conn.execute(
                Q.delete_alias,
                {"account": context.account, "region": context.region, "name": name},
            )

        await self._vault.change(work)

    async def list_aliases(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListAliases, of the account or of one key."""

        def work(conn: Connection) -> list[Row]:
            if params.get("KeyId") is None:
                scope = {"account": context.account, "region": context.region}
                return conn.all(Q.aliases_of_region, scope)
            key = records.need_key(conn, context, params["KeyId"])
            return conn.all(Q.aliases_of_key, {"key_id": key.id})

        rows = await self._vault.read(work)
        shown, more = one_page(
            [_described(row) for row in rows],
            [row["name"] for row in rows],
            params.get("Limit", ALIASES_PAGE_DEFAULT),
            params.get("Marker"),
        )
        return {"Aliases": shown, **more}

    def _target(self, unit: Unit, context: RequestContext, params: Mapping[str, Any]) -> Key:
        text = params["TargetKeyId"]
        if "alias/" in text:
            raise validation("Aliases must refer to keys. Not aliases")
        key = need_customers(unit.conn, context, text)
        if key.account != context.account:
            raise key_not_found(key.arn)
        if len(unit.conn.all(Q.aliases_of_key, {"key_id": key.id})) >= ALIASES_PER_KEY_MAX:
            raise limit_exceeded(f"A key can have no more than {ALIASES_PER_KEY_MAX} aliases.")
        return unit.touch(key)

    def _touch_owner(self, unit: Unit, context: RequestContext, name: str) -> None:
        where = {"account": context.account, "region": context.region, "name": name}
        row = unit.conn.one(Q.find_alias, where)
        if row is None:
            raise alias_not_found(arn_of(context.account, context.region, name))
        key = records.try_find(unit.conn, row["key_id"])
        assert key is not None
        unit.touch(key)


def _checked(name: str) -> str:
    """Refuse names that are not for customers. The second text is ours.

    Raises:
        AwsError: ValidationException, InvalidAliasNameException.
    """
    if re.fullmatch(r"alias/[a-zA-Z0-9/_-]+", name) is None:
        raise validation("Invalid identifier")
    if name.startswith(RESERVED_ALIAS):
        raise AwsError(
            "InvalidAliasNameException", f"Names that begin with {RESERVED_ALIAS} are reserved."
        )
    return name


def _described(row: Row) -> Mapping[str, Any]:
    return {
        "AliasName": row["name"],
        "AliasArn": arn_of(row["account"], row["region"], row["name"]),
        "TargetKeyId": row["key_id"],
        "CreationDate": row["created_at_s"],
        "LastUpdatedDate": row["updated_at_s"],
    }
