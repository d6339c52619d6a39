"""Operations on secrets themselves, their policies and their tags.

Source: Secrets Manager API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from alonzo.lib.policies.compiled import Policy, PolicyError
from alonzo.lib.policies.grammar import read_resource_based
from alonzo.model.context import RequestContext
from alonzo.model.ports.identity import Sealed
from alonzo.services.secretsmanager import records
from alonzo.services.secretsmanager.directory import Directory, Unit, fresh
from alonzo.services.secretsmanager.errors import (
    already_exists,
    invalid_parameter,
    limit_exceeded,
    malformed_policy,
    name_waits_for_deletion,
    public_policy,
)
from alonzo.services.secretsmanager.limits import PAGE, SECRETS_MAX, TAGS_MAX
from alonzo.services.secretsmanager.listing import check_filters, filtered, one_page
from alonzo.services.secretsmanager.records import Q, Secret, Version
from alonzo.services.secretsmanager.rules import (
    arn_of,
    check_name,
    random_suffix,
    read_secret_id,
    read_tags,
    recovery_s,
    value_of,
)
from alonzo.services.secretsmanager.stages import CURRENT, PENDING, PREVIOUS
from alonzo.services.secretsmanager.values import Values, store_value
from alonzo.services.secretsmanager.versions import VersionOperations
from alonzo.store.base import Connection

#: Members of a secret's document that are answered as they are.
_SHOWN = (
    "Description",
    "KmsKeyId",
    "RotationLambdaARN",
    "RotationRules",
    "LastRotatedDate",
    "LastChangedDate",
    "LastAccessedDate",
    "NextRotationDate",
)


class SecretOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, directory: Directory, values: Values, versions: VersionOperations) -> None:
        self._directory = directory
        self._values = values
        self._versions = versions

    async def create_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """CreateSecret. With the same token and value once more, it is the one that there is."""
        name = params["Name"]
        check_name(name)
        _check_unsupported(params)
        tags = read_tags(params.get("Tags") or ())
        value = value_of(params)
        version_id = params.get("ClientRequestToken") or self._directory.ids.uuid()
        there = self._directory.try_find(context, name)
        if there is not None:
            return await self._again(context, there, version_id, value)
        suffix = random_suffix(self._directory.pick)
        arn = arn_of(context.account, context.region, name, suffix)
        key_id = params.get("KmsKeyId")
        sealed = None
        if value is not None:
            sealed = await self._values.seal(context, arn, version_id, value[1], key_id)
        now_s = self._directory.clock.now_s()
        document = {
            "Description": params.get("Description"),
            "KmsKeyId": key_id,
            "Tags": tags,
            "LastChangedDate": now_s,
        }

        def work(unit: Unit) -> Secret:
            where = {"account": context.account, "region": context.region, "name": name}
            if unit.conn.one(Q.find_by_name, where) is not None:
                raise already_exists(name)
            if len(self._directory.of(context.account, context.region)) >= SECRETS_MAX:
                raise limit_exceeded(f"The account has {SECRETS_MAX} secrets in this region.")
            kept = {member: given for member, given in document.items() if given}
            secret_id = self._directory.ids.uuid()
            row = {
                **where,
                "id": secret_id,
                "suffix": suffix,
                "created_at_s": now_s,
                "document": orjson.dumps(kept).decode(),
            }
            unit.conn.execute(Q.insert_secret, row)
            secret = records.try_find(unit.conn, secret_id)
            assert secret is not None
            if sealed is not None and value is not None:
                store_value(unit.conn, secret, version_id, value[0], sealed, now_s)
                records.save_stages(unit.conn, secret, {version_id: (CURRENT,)})
            return unit.touch(secret)

        secret = await self._directory.change(work)
        return secret.names if sealed is None else {**secret.names, "VersionId": version_id}

    async def update_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """UpdateSecret: description, key, and a value as a new version."""
        secret = self._directory.need_live(context, params["SecretId"])
        value = value_of(params)
        changes: dict[str, Any] = {
            # An empty text takes the member away.
            member: params[member] or None
            for member in ("Description", "KmsKeyId")
            if member in params
        }
        if changes.get("KmsKeyId", secret.document.get("KmsKeyId")) != secret.document.get(
            "KmsKeyId"
        ):
            await self._seal_anew(context, secret, changes["KmsKeyId"])
        if changes:
            changes["LastChangedDate"] = self._directory.clock.now_s()

            def work(unit: Unit) -> None:
                records.save_document(unit.conn, fresh(unit, secret), **changes)

            await self._directory.change(work)
        if value is None:
            return secret.names
        version_id = params.get("ClientRequestToken") or self._directory.ids.uuid()
        secret = self._directory.need_live(context, secret.arn)
        await self._versions.put(context, secret, version_id, value, [CURRENT])
        return {**secret.names, "VersionId": version_id}

    async def describe_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeSecret. Versions without a label are left out."""
        secret = self._directory.need(context, params["SecretId"])
        held = await self._directory.read(lambda conn: records.stages_of(conn, secret))
        labelled = {version: list(labels) for version, labels in held.items() if labels}
        shown = _described(secret)
        if labelled:
            shown["VersionIdsToStages"] = labelled
        return shown

    async def list_secrets(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListSecrets."""
        filters = params.get("Filters") or ()
        check_filters(filters)
        fitting = [
            each
            for each in self._directory.of(context.account, context.region)
            if (each.deletion_at_s is None or params.get("IncludePlannedDeletion"))
            and filtered(each, filters)
        ]
        page, more = one_page(fitting, params, PAGE)

        def work(conn: Connection) -> list[dict[str, Any]]:
            entries: list[dict[str, Any]] = []
            for secret in page:
                held = records.stages_of(conn, secret)
                labelled = {version: list(labels) for version, labels in held.items() if labels}
                entries.append({**_described(secret), "SecretVersionsToStages": labelled})
            return entries

        return {"SecretList": await self._directory.read(work), **more}

    async def delete_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DeleteSecret, at once or when the recovery window is over."""
        window_s = recovery_s(params)
        now_s = self._directory.clock.now_s()
        if window_s == 0:
            return await self._delete_now(context, params["SecretId"], now_s)
        secret = self._directory.need_live(context, params["SecretId"])

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            row = {"id": live.id, "deletion_at_s": now_s + window_s}
            unit.conn.execute(Q.set_deletion, row)
            records.save_document(unit.conn, live, DeletedDate=now_s)

        await self._directory.change(work)
        return {**secret.names, "DeletionDate": now_s + window_s}

    async def restore_secret(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """RestoreSecret."""
        secret = self._directory.need(context, params["SecretId"])

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            unit.conn.execute(Q.set_deletion, {"id": live.id, "deletion_at_s": None})
            records.save_document(unit.conn, live, DeletedDate=None)

        await self._directory.change(work)
        return secret.names

    async def put_resource_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutResourcePolicy."""
        policy = _read_policy(params["ResourcePolicy"])
        if params.get("BlockPublicPolicy") and _is_public(policy):
            raise public_policy()
        secret = self._directory.need_live(context, params["SecretId"])
        await self._save(secret, Policy=params["ResourcePolicy"])
        return secret.names

    async def get_resource_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetResourcePolicy."""
        secret = self._directory.need_live(context, params["SecretId"])
        policy = secret.document.get("Policy")
        return {**secret.names, **({"ResourcePolicy": policy} if policy else {})}

    async def delete_resource_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DeleteResourcePolicy."""
        secret = self._directory.need_live(context, params["SecretId"])
        await self._save(secret, Policy=None)
        return secret.names

    async def validate_resource_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ValidateResourcePolicy: whether it is one, and lets not everybody in."""
        if params.get("SecretId"):
            self._directory.need_live(context, params["SecretId"])
        errors: list[Mapping[str, str]] = []
        if _is_public(_read_policy(params["ResourcePolicy"])):
            errors = [{"CheckName": "PUBLIC_POLICY", "ErrorMessage": public_policy().message}]
        return {"PolicyValidationPassed": not errors, "ValidationErrors": errors}

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagResource."""
        added = read_tags(params["Tags"])
        secret = self._directory.need_live(context, params["SecretId"])

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            tags = {**live.tags, **added}
            if len(tags) > TAGS_MAX:
                raise limit_exceeded(f"A secret can have no more than {TAGS_MAX} tags.")
            records.save_document(unit.conn, live, Tags=tags)

        await self._directory.change(work)

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagResource."""
        gone = set(params["TagKeys"])
        secret = self._directory.need_live(context, params["SecretId"])

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            tags = {key: value for key, value in live.tags.items() if key not in gone}
            records.save_document(unit.conn, live, Tags=tags)

        await self._directory.change(work)

    async def _save(self, secret: Secret, **changes: Any) -> None:
        await self._directory.change(
            lambda unit: records.save_document(unit.conn, fresh(unit, secret), **changes)
        )

    async def _again(
        self,
        context: RequestContext,
        there: Secret,
        version_id: str,
        value: tuple[str, bytes] | None,
    ) -> Mapping[str, Any]:
        if there.deletion_at_s is not None:
            raise name_waits_for_deletion()
        row = {"secret_id": there.id, "id": version_id}
        known = await self._directory.read(lambda conn: conn.one(Q.find_version, row))
        if known is None or value is None:
            raise already_exists(there.name)
        await self._versions.put(context, there, version_id, value, [])
        return {**there.names, "VersionId": version_id}

    async def _delete_now(
        self, context: RequestContext, secret_id: str, now_s: float
    ) -> Mapping[str, Any]:
        secret = self._directory.try_find(context, secret_id)
        if secret is None:
            # AWS answers so for one that is long gone, too: who deletes twice has what they want.
            name = read_secret_id(secret_id, account=context.account, region=context.region)
            suffix = random_suffix(self._directory.pick)
            arn = arn_of(name.account, name.region, name.name, suffix)
            return {"ARN": arn, "Name": name.name, "DeletionDate": now_s}

        def work(unit: Unit) -> None:
            unit.conn.execute(Q.delete_secret, {"id": unit.touch(secret).id})

        await self._directory.change(work)
        return {**secret.names, "DeletionDate": now_s}

    async def _seal_anew(self, context: RequestContext, secret: Secret, key_id: str | None) -> None:
        """Put the versions that are in use under another key."""
        every = await self._directory.read(lambda conn: records.versions(conn, secret))
        used = {CURRENT, PREVIOUS, PENDING}
        sealed: list[tuple[Version, Sealed]] = []
        for version in every:
            if version.sealed is not None and used & set(version.stages):
                plaintext = await self._values.open(context, secret, version)
                sealed.append(
                    (
                        version,
                        await self._values.seal(context, secret.arn, version.id, plaintext, key_id),
                    )
                )

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            for version, value in sealed:
                store_value(
                    unit.conn, live, version.id, version.kind or "", value, version.created_at_s
                )

        await self._directory.change(work)


def _described(secret: Secret) -> dict[str, Any]:
    document = secret.document
    shown: dict[str, Any] = {
        **secret.names,
        "CreatedDate": secret.created_at_s,
        **{name: document[name] for name in _SHOWN if name in document},
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
    }
    if "RotationEnabled" in document:
        shown["RotationEnabled"] = document["RotationEnabled"]
    if secret.deletion_at_s is not None:
        shown["DeletedDate"] = document["DeletedDate"]
    return shown


def _check_unsupported(params: Mapping[str, Any]) -> None:
    """Refuse what needs more than one region. The texts are ours.

    Raises:
        AwsError: InvalidParameterException.
    """
    if params.get("AddReplicaRegions") or params.get("CrossAccountPrimaryARN"):
        raise invalid_parameter("Replicas of secrets are not supported.")
    if params.get("Type"):
        raise invalid_parameter("Managed external secrets are not supported.")


def _read_policy(text: str) -> Policy:
    try:
        return read_resource_based(text)[1]
    except PolicyError as error:
        raise malformed_policy(str(error)) from error


def _is_public(policy: Policy) -> bool:
    """Whether a statement lets everybody in without a condition."""
    return any(
        statement.principals is not None
        and statement.principals.everyone
        and not statement.conditions.keys
        for statement in policy.allows
    )
