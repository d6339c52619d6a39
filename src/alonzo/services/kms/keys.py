"""Operations on keys themselves, their policies and their tags. Source: KMS API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.kms import records
from alonzo.services.kms.errors import limit_exceeded, managed_by_aws, unsupported
from alonzo.services.kms.limits import (
    DAY_S,
    DELETION_DAYS_DEFAULT,
    DELETION_DAYS_MAX,
    DELETION_DAYS_MIN,
    KEYS_MAX,
    KEYS_PAGE_DEFAULT,
    POLICY_BYTES_MAX,
    TAGS_PAGE_DEFAULT,
)
from alonzo.services.kms.machine import Event, State, step
from alonzo.services.kms.policies import POLICY_NAME, check_policy, default_policy
from alonzo.services.kms.records import Key, Q
from alonzo.services.kms.rules import (
    arn_of,
    check_range,
    check_tag_count,
    one_page,
    parse_key_name,
    read_tags,
)
from alonzo.services.kms.vault import Unit, Vault
from alonzo.store.base import Connection


class KeyOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def create_key(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateKey."""
        _check_kind(params)
        tags = read_tags(params.get("Tags") or ())
        policy = params.get("Policy")
        if policy is None:
            policy = default_policy(context.account)
        else:
            _check_policy_size(policy)
            check_policy(
                policy,
                key_arn=arn_of(context.account, context.region, "key/new"),
                principal=context.principal,
                bypass=params.get("BypassPolicyLockoutSafetyCheck", False),
            )
        document = {
            "description": params.get("Description", ""),
            "manager": "CUSTOMER",
            "policy": policy,
            "tags": tags,
        }

        def work(unit: Unit) -> Mapping[str, Any]:
            scope = {"account": context.account, "region": context.region}
            count = unit.conn.one(Q.count_keys, scope)
            if count is not None and count["count"] >= KEYS_MAX:
                raise limit_exceeded(f"The account has {KEYS_MAX} keys in this region.")
            key = self._vault.make_key(unit, context.account, context.region, document)
            return described(unit.conn, key)

        return {"KeyMetadata": await self._vault.change(work)}

    async def describe_key(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeKey. A service's own alias gets its key here at the latest."""
        name = parse_key_name(params["KeyId"], account=context.account, region=context.region)
        await self._vault.ensure_managed(name)
        return await self._vault.read(
            lambda conn: {"KeyMetadata": described(conn, records.need_named(conn, name))}
        )

    async def list_keys(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListKeys."""
        scope = {"account": context.account, "region": context.region}
        rows = await self._vault.read(lambda conn: conn.all(Q.keys_of_region, scope))
        names = [row["id"] for row in rows]
        shown, more = one_page(
            names, names, params.get("Limit", KEYS_PAGE_DEFAULT), params.get("Marker")
        )
        keys = [
            {"KeyId": name, "KeyArn": arn_of(context.account, context.region, f"key/{name}")}
            for name in shown
        ]
        return {"Keys": keys, **more}

    async def enable_key(self, context: RequestContext, params: dict[str, Any]) -> None:
        """EnableKey."""
        await self._change_state(context, params, Event.ENABLE)

    async def disable_key(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DisableKey."""
        await self._change_state(context, params, Event.DISABLE)

    async def schedule_key_deletion(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ScheduleKeyDeletion. ``keeper.py`` deletes the key when its time has come."""
        days = params.get("PendingWindowInDays", DELETION_DAYS_DEFAULT)
        check_range(days, DELETION_DAYS_MIN, DELETION_DAYS_MAX, "pendingWindowInDays")
        deletion_at_s = self._vault.clock.now_s() + days * DAY_S
        key = await self._change_state(context, params, Event.SCHEDULE, deletion_at_s=deletion_at_s)
        return {
            "KeyId": key.arn,
            "DeletionDate": deletion_at_s,
            "KeyState": State.PENDING_DELETION,
            "PendingWindowInDays": days,
        }

    async def cancel_key_deletion(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CancelKeyDeletion. The key is disabled then."""
        key = await self._change_state(context, params, Event.CANCEL)
        return {"KeyId": key.arn}

    async def update_key_description(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateKeyDescription."""

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.EDIT, key.arn)
            records.save_document(unit.conn, unit.touch(key), description=params["Description"])

        await self._vault.change(work)

    async def put_key_policy(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutKeyPolicy."""
        _check_policy_name(params)
        _check_policy_size(params["Policy"])

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            check_policy(
                params["Policy"],
                key_arn=key.arn,
                principal=context.principal,
                bypass=params.get("BypassPolicyLockoutSafetyCheck", False),
            )
            records.save_document(unit.conn, unit.touch(key), policy=params["Policy"])

        await self._vault.change(work)

    async def get_key_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetKeyPolicy."""
        _check_policy_name(params)
        key = await self._need(context, params)
        return {"Policy": key.policy, "PolicyName": POLICY_NAME}

    async def list_key_policies(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListKeyPolicies. There is one."""
        await self._need(context, params)
        return {"PolicyNames": [POLICY_NAME], "Truncated": False}

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagResource."""
        added = read_tags(params["Tags"])

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.EDIT, key.arn)
            tags = {**key.tags, **added}
            check_tag_count(tags)
            records.save_document(unit.conn, unit.touch(key), tags=tags)

        await self._vault.change(work)

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagResource."""
        gone = set(params["TagKeys"])

        def work(unit: Unit) -> None:
            key = need_customers(unit.conn, context, params["KeyId"])
            step(key.state, Event.EDIT, key.arn)
            tags = {name: value for name, value in key.tags.items() if name not in gone}
            records.save_document(unit.conn, unit.touch(key), tags=tags)

        await self._vault.change(work)

    async def list_resource_tags(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListResourceTags."""
        key = await self._need(context, params)
        names = sorted(key.tags)
        shown, more = one_page(
            names, names, params.get("Limit", TAGS_PAGE_DEFAULT), params.get("Marker")
        )
        return {
            "Tags": [{"TagKey": name, "TagValue": key.tags[name]} for name in shown],
            **more,
        }

    async def _need(self, context: RequestContext, params: Mapping[str, Any]) -> Key:
        return await self._vault.read(lambda conn: records.need_key(conn, context, params["KeyId"]))

    async def _change_state(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        event: Event,
        *,
        deletion_at_s: float | None = None,
    ) -> Key:
        def work(unit: Unit) -> Key:
            key = need_customers(unit.conn, context, params["KeyId"])
            after = step(key.state, event, key.arn)
            records.set_state(unit.conn, unit.touch(key), after, deletion_at_s=deletion_at_s)
            return key

        return await self._vault.change(work)


def need_customers(conn: Connection, context: RequestContext, named: str) -> Key:
    """The key that a ``KeyId`` names, which must not be a service's own.

    Raises:
        AwsError: NotFoundException, AccessDeniedException.
    """
    key = records.need_key(conn, context, named)
    if key.is_managed:
        raise managed_by_aws(key.arn)
    return key


def described(conn: Connection, key: Key) -> dict[str, Any]:
    """A KeyMetadata."""
    shown: dict[str, Any] = {
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at_s,
        "Enabled": key.state is State.ENABLED,
        "Description": key.document.get("description", ""),
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state,
        "Origin": "AWS_KMS",
        "KeyManager": key.document.get("manager", "CUSTOMER"),
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    material = conn.one(Q.current_material, {"key_id": key.id})
    if material is not None:
        shown["CurrentKeyMaterialId"] = material["id"]
    if key.deletion_at_s is not None:
        shown["DeletionDate"] = key.deletion_at_s
    return shown


def _check_kind(params: Mapping[str, Any]) -> None:
    """Refuse every kind of key but symmetric ones that are made here. The texts are ours.

    Raises:
        AwsError: UnsupportedOperationException, ValidationException.
    """
    spec = params.get("KeySpec") or params.get("CustomerMasterKeySpec") or "SYMMETRIC_DEFAULT"
    usage = params.get("KeyUsage", "ENCRYPT_DECRYPT")
    if spec != "SYMMETRIC_DEFAULT" or usage != "ENCRYPT_DECRYPT":
        raise unsupported(
            f"Keys of {spec} for {usage} are not supported: this KMS has symmetric encryption "
            "keys (SYMMETRIC_DEFAULT)."
        )
    if params.get("Origin", "AWS_KMS") != "AWS_KMS":
        raise unsupported("Imported key material and custom key stores are not supported.")
    if params.get("CustomKeyStoreId") or params.get("XksKeyId"):
        raise unsupported("Custom key stores are not supported.")
    if params.get("MultiRegion"):
        raise unsupported("Multi-Region keys are not supported.")


def _check_policy_name(params: Mapping[str, Any]) -> None:
    name = params.get("PolicyName", POLICY_NAME)
    if name != POLICY_NAME:
        raise AwsError("NotFoundException", f"No such policy exists: {name}")


def _check_policy_size(text: str) -> None:
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise limit_exceeded(f"A key policy has at most {POLICY_BYTES_MAX} bytes.")
