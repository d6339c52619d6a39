"""Operations on grants. They are in force when they are answered. Source: KMS API reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from alonzo.model.context import RequestContext
from alonzo.model.errors import validation
from alonzo.services.kms import records
from alonzo.services.kms.delegation import OPERATIONS
from alonzo.services.kms.errors import (
    dry_run,
    invalid_arn,
    invalid_grant_id,
    invalid_grant_token,
    limit_exceeded,
    unsupported,
)
from alonzo.services.kms.grant_tokens import GrantToken, try_read_token, write_token
from alonzo.services.kms.limits import GRANTS_PAGE_DEFAULT, GRANTS_PER_KEY_MAX
from alonzo.services.kms.machine import Event, step
from alonzo.services.kms.records import Grant, Key, Q
from alonzo.services.kms.rules import one_page
from alonzo.services.kms.vault import Unit, Vault
from alonzo.store.base import Connection

_PRINCIPAL = re.compile(
    r"arn:aws[a-zA-Z-]*:(?:iam::\d{12}:(?:root|(?:user|role)/.+)|sts::\d{12}:assumed-role/.+)"
)
#: Members of CreateGrant that a grant is.
_MEMBERS = ("GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name")
_CONSTRAINTS = ("EncryptionContextSubset", "EncryptionContextEquals")


class GrantOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def create_grant(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateGrant. The same named grant once more is the one that there is."""
        document = _checked(params)
        document["IssuingAccount"] = context.principal.account

        def work(unit: Unit) -> GrantToken:
            key = records.need_key(unit.conn, context, params["KeyId"])
            step(key.state, Event.USE, key.arn)
            grants = [
                records.grant_from(row)
                for row in unit.conn.all(Q.grants_of_key, {"key_id": key.id})
            ]
            for grant in grants:
                if "Name" in document and grant.document == document:
                    return GrantToken(key.id, grant.id)
            if len(grants) >= GRANTS_PER_KEY_MAX:
                raise limit_exceeded(f"A key can have no more than {GRANTS_PER_KEY_MAX} grants.")
            if params.get("DryRun"):
                raise dry_run()
            token = GrantToken(key.id, self._vault.ids.hex(32))
            unit.conn.execute(
                Q.insert_grant,
                {
                    "id": token.grant_id,
                    "key_id": key.id,
                    "created_at_s": self._vault.clock.now_s(),
                    "document": orjson.dumps(document).decode(),
                },
            )
            unit.touch(key)
            return token

        token = await self._vault.change(work)
        return {"GrantToken": write_token(token), "GrantId": token.grant_id}

    async def list_grants(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListGrants of one key."""
        if params.get("GranteeServicePrincipal"):
            raise unsupported("Grants to service principals are not supported.")

        def work(conn: Connection) -> list[tuple[Grant, Key]]:
            key = records.need_key(conn, context, params["KeyId"])
            rows = conn.all(Q.grants_of_key, {"key_id": key.id})
            return [(records.grant_from(row), key) for row in rows]

        found = await self._vault.read(work)
        wanted_id, grantee = params.get("GrantId"), params.get("GranteePrincipal")
        fitting = [
            (grant, key)
            for grant, key in found
            if wanted_id in (None, grant.id)
            and grantee in (None, grant.document["GranteePrincipal"])
        ]
        return _page(fitting, params)

    async def list_retirable_grants(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListRetirableGrants of the account's keys in this region."""
        retiring = params.get("RetiringPrincipal")
        if retiring is None:
            raise unsupported("Grants to service principals are not supported.")

        def work(conn: Connection) -> list[tuple[Grant, Key]]:
            scope = {"account": context.account, "region": context.region}
            found: list[tuple[Grant, Key]] = []
            for grant in map(records.grant_from, conn.all(Q.grants_of_account, scope)):
                key = records.try_find(conn, grant.key_id)
                if key is not None and grant.document.get("RetiringPrincipal") == retiring:
                    found.append((grant, key))
            return found

        return _page(await self._vault.read(work), params)

    async def retire_grant(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RetireGrant, by its token, or by its key and its id."""
        token = params.get("GrantToken")
        if token is not None:
            read = try_read_token(token)
            if read is None:
                raise invalid_grant_token()
            named, grant_id = None, read.grant_id
        elif params.get("KeyId") and params.get("GrantId"):
            read, named, grant_id = None, params["KeyId"], params["GrantId"]
        else:
            raise validation("Specify either a grant token, or a key ARN and a grant ID.")

        def work(unit: Unit) -> None:
            if named is None:
                assert read is not None
                key = records.try_find(unit.conn, read.key_id)
                if key is None:
                    raise invalid_grant_token()
            else:
                key = records.need_key(unit.conn, context, named)
            self._remove(unit, key, grant_id, params)

        await self._vault.change(work)

    async def revoke_grant(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RevokeGrant."""

        def work(unit: Unit) -> None:
            key = records.need_key(unit.conn, context, params["KeyId"])
            self._remove(unit, key, params["GrantId"], params)

        await self._vault.change(work)

    def _remove(self, unit: Unit, key: Key, grant_id: str, params: Mapping[str, Any]) -> None:
        if unit.conn.execute(Q.delete_grant, {"id": grant_id, "key_id": key.id}) == 0:
            raise invalid_grant_id(grant_id)
        if params.get("DryRun"):
            raise dry_run()
        unit.touch(key)


def _checked(params: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a grant.

    Raises:
        AwsError: they make none.
    """
    if params.get("GranteeServicePrincipal") or params.get("RetiringServicePrincipal"):
        raise unsupported("Grants to service principals are not supported.")
    if params.get("GranteePrincipal") is None:
        raise validation("GranteePrincipal is a required parameter.")
    for member in ("GranteePrincipal", "RetiringPrincipal"):
        principal = params.get(member)
        if principal is not None and _PRINCIPAL.fullmatch(principal) is None:
            raise invalid_arn(principal)
    operations = params["Operations"]
    if not operations:
        raise validation("A grant needs at least one operation.")
    others = sorted(set(operations) - OPERATIONS)
    if others:
        raise validation(
            f"Operations {', '.join(others)} are not supported for symmetric encryption keys."
        )
    constraints: Mapping[str, Any] = params.get("Constraints") or {}
    if constraints.get("SourceArn") or constraints.keys() - set(_CONSTRAINTS):
        raise unsupported("Constraints other than of the encryption context are not supported.")
    if len(constraints) > 1:
        raise validation("Only one encryption context constraint can be given.")
    document = {member: params[member] for member in _MEMBERS if params.get(member)}
    document["Operations"] = sorted(set(operations))
    return document


def _page(found: list[tuple[Grant, Key]], params: Mapping[str, Any]) -> Mapping[str, Any]:
    found.sort(key=lambda each: each[0].id)
    shown, more = one_page(
        [_described(grant, key) for grant, key in found],
        [grant.id for grant, _ in found],
        params.get("Limit", GRANTS_PAGE_DEFAULT),
        params.get("Marker"),
    )
    return {"Grants": shown, **more}


def _described(grant: Grant, key: Key) -> Mapping[str, Any]:
    """A GrantListEntry."""
    members = {name: value for name, value in grant.document.items() if name != "IssuingAccount"}
    return {
        "KeyId": key.arn,
        "GrantId": grant.id,
        "CreationDate": grant.created_at_s,
        "IssuingAccount": f"arn:aws:iam::{grant.document['IssuingAccount']}:root",
        **members,
    }
