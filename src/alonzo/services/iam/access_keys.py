"""Operations on the access keys of users."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.identities import Unit
from alonzo.services.iam.key_ids import access_key_id, secret_access_key
from alonzo.services.iam.limits import KEYS_PER_USER_MAX
from alonzo.services.iam.operations import IamOperations
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.store.base import Connection, Row


class AccessKeyOperations(IamOperations):
    """CreateAccessKey and its like."""

    async def create_access_key(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateAccessKey. The secret is shown this once."""
        key_id = access_key_id("AKIA", self._identities.ids, context.account)
        secret = secret_access_key(self._identities.ids)
        now_s = float(int(self._now_s()))

        def work(unit: Unit) -> dict[str, Any]:
            conn = unit.conn
            user = find_user(conn, context, params)
            if len(conn.all(Q.keys_of_user, {"user_id": user.unique_id})) >= KEYS_PER_USER_MAX:
                raise errors.limit_exceeded("AccessKeysPerUser", KEYS_PER_USER_MAX)
            conn.execute(
                Q.insert_key,
                {
                    "id": key_id,
                    "user_id": unit.touch(user).unique_id,
                    "secret": self._identities.seal(secret, key_id),
                    "created_at_s": now_s,
                },
            )
            return {
                **_name(user),
                "AccessKeyId": key_id,
                "Status": "Active",
                "SecretAccessKey": secret,
                "CreateDate": now_s,
            }

        return {"AccessKey": await self._identities.change(work)}

    async def list_access_keys(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListAccessKeys."""

        def work(conn: Connection) -> dict[str, Any]:
            user = find_user(conn, context, params)
            rows = conn.all(Q.keys_of_user, {"user_id": user.unique_id})
            shown, answer = one_page(
                "AccessKeyMetadata",
                sorted(rows, key=lambda row: row["id"]),
                params,
                lambda row: row["id"],
            )
            answer["AccessKeyMetadata"] = [
                {
                    **_name(user),
                    "AccessKeyId": row["id"],
                    "Status": "Active" if row["active"] else "Inactive",
                    "CreateDate": row["created_at_s"],
                }
                for row in shown
            ]
            return answer

        return await self._identities.read(work)

    async def update_access_key(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateAccessKey: an inactive key signs nothing."""
        active = int(params["Status"] == "Active")

        def work(unit: Unit) -> None:
            user = find_user(unit.conn, context, params)
            row = _find_key(unit.conn, user, params["AccessKeyId"])
            unit.conn.execute(Q.set_key_active, {"id": row["id"], "active": active})
            unit.touch(user)

        await self._identities.change(work)

    async def delete_access_key(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteAccessKey."""

        def work(unit: Unit) -> None:
            user = find_user(unit.conn, context, params)
            row = _find_key(unit.conn, user, params["AccessKeyId"])
            unit.conn.execute(Q.delete_key, {"id": row["id"]})
            unit.touch(user)

        await self._identities.change(work)

    async def get_access_key_last_used(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetAccessKeyLastUsed."""

        def work(conn: Connection) -> dict[str, Any]:
            row = conn.one(Q.find_key, {"id": params["AccessKeyId"]})
            user = None if row is None else records.try_find_by_id(conn, row["user_id"])
            if row is None or user is None or user.account != context.account:
                raise errors.no_such_entity(
                    f"The Access Key with id {params['AccessKeyId']} cannot be found."
                )
            return {**_name(user), "AccessKeyLastUsed": last_used(row["last_used"])}

        return await self._identities.read(work)


def _name(user: Entity) -> dict[str, str]:
    """The user's name as a member; the root user has none."""
    return {} if user.kind is Kind.ROOT else {"UserName": user.name}


def last_used(document: str | None) -> dict[str, Any]:
    """``AccessKeyLastUsed``, from what is stored."""
    if document is None:
        return {"ServiceName": "N/A", "Region": "N/A"}
    used = json.loads(document)
    return {
        "LastUsedDate": used["at_s"],
        "ServiceName": used["service"],
        "Region": used["region"],
    }


def find_user(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
    """The user that is named, or else the one who asks, the root user included.

    Raises:
        AwsError: NoSuchEntity, or ValidationError if whoever asks is no user.
    """
    name = params.get("UserName")
    if name:
        return records.find(conn, context.account, Kind.USER, name)
    principal = context.principal
    is_root = principal.is_root and principal.session is None
    unique_id = context.account if is_root else principal.identity_id
    user = records.try_find_by_id(conn, unique_id)
    if user is None or user.kind not in (Kind.USER, Kind.ROOT):
        raise errors.validation_error(
            "Must specify userName when calling with non-User credentials"
        )
    return user


def _find_key(conn: Connection, user: Entity, key_id: str) -> Row:
    row = conn.one(Q.find_key, {"id": key_id})
    if row is None or row["user_id"] != user.unique_id:
        raise errors.no_such_entity(f"The Access Key with id {key_id} cannot be found.")
    return row
