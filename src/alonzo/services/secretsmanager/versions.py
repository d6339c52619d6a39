"""Operations on versions of secrets and their values. Source: Secrets Manager API reference."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.secretsmanager import records, stages
from alonzo.services.secretsmanager.directory import Directory, Unit, fresh
from alonzo.services.secretsmanager.errors import (
    invalid_parameter,
    invalid_request,
    invalid_token,
    limit_exceeded,
    no_value_of_stage,
    no_value_of_version,
    token_in_use,
)
from alonzo.services.secretsmanager.limits import (
    BATCH_PAGE,
    DAY_S,
    PAGE,
    STAGES_PER_VERSION_MAX,
)
from alonzo.services.secretsmanager.listing import check_filters, filtered, one_page
from alonzo.services.secretsmanager.records import Q, Secret, Version
from alonzo.services.secretsmanager.rules import random_password, read_token, value_of, write_token
from alonzo.services.secretsmanager.stages import CURRENT, holder
from alonzo.services.secretsmanager.values import Values, shown_value, store_value
from alonzo.store.base import Connection

#: As ``ports.Authorizer.authorize``.
Authorize = Callable[[RequestContext, str, str, Mapping[str, Any]], Awaitable[None]]


class VersionOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, directory: Directory, values: Values, authorize: Authorize) -> None:
        self._directory = directory
        self._values = values
        self._authorize = authorize

    async def put_secret_value(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutSecretValue. The same value under the same token once more changes nothing."""
        value = value_of(params)
        if value is None:
            raise invalid_request("You must provide either SecretString or SecretBinary.")
        secret = self._directory.need_live(context, params["SecretId"])
        version_id = params.get("ClientRequestToken") or self._directory.ids.uuid()
        labels: list[str] = params.get("VersionStages") or [CURRENT]
        await self.put(context, secret, version_id, value, labels)
        after = await self._directory.read(lambda conn: records.stages_of(conn, secret))
        return {
            **secret.names,
            "VersionId": version_id,
            "VersionStages": list(after.get(version_id, ())),
        }

    async def put(
        self,
        context: RequestContext,
        secret: Secret,
        version_id: str,
        value: tuple[str, bytes],
        labels: list[str],
    ) -> None:
        """Give a version its value, and labels.

        Raises:
            AwsError: ResourceExistsException: it has another value. Others as of KMS.
        """
        kind, plaintext = value
        before = await self._directory.read(lambda conn: _version(conn, secret, version_id))
        if before is not None and before.sealed is not None:
            same = hmac.compare_digest(await self._values.open(context, secret, before), plaintext)
            if not same or before.kind != kind:
                raise token_in_use(version_id, secret.arn)
            return
        sealed = await self._values.seal(
            context, secret.arn, version_id, plaintext, secret.document.get("KmsKeyId")
        )
        now_s = self._directory.clock.now_s()

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            found = _version(unit.conn, live, version_id)
            if found is not None and found.sealed is not None:
                raise token_in_use(version_id, live.arn)
            had = records.stages_of(unit.conn, live)
            first = not any(had.values())
            store_value(unit.conn, live, version_id, kind, sealed, now_s)
            wanted = [*labels, *([CURRENT] if first and CURRENT not in labels else [])]
            after = stages.attached(had, version_id, wanted)
            _check_count(after[version_id])
            records.save_stages(unit.conn, live, after)
            records.save_document(unit.conn, live, LastChangedDate=now_s)

        await self._directory.change(work)

    async def get_secret_value(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetSecretValue, of a version or of what has a label."""
        secret = self._directory.need_live(context, params["SecretId"])
        version_id, label = params.get("VersionId"), params.get("VersionStage")
        version = await self._directory.read(
            lambda conn: _wanted(records.versions(conn, secret), version_id, label)
        )
        return await self._shown(context, secret, version)

    async def batch_get_secret_value(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """BatchGetSecretValue. What the caller may not read is among the errors."""
        ids, filters = params.get("SecretIdList"), params.get("Filters")
        if bool(ids) == bool(filters):
            raise invalid_parameter("Specify either SecretIdList or Filters.")
        more: Mapping[str, Any] = {}
        if filters:
            check_filters(filters)
            several = [
                each
                for each in self._directory.of(context.account, context.region)
                if each.deletion_at_s is None and filtered(each, filters)
            ]
            page, more = one_page(several, params, BATCH_PAGE)
            ids = [secret.arn for secret in page]
        elif params.get("MaxResults") or params.get("NextToken"):
            raise invalid_parameter("MaxResults and NextToken go with Filters.")
        found: list[Mapping[str, Any]] = []
        errors: list[Mapping[str, Any]] = []
        for secret_id in ids or ():
            try:
                wanted = {"SecretId": secret_id}
                await self._authorize(context, "secretsmanager", "GetSecretValue", wanted)
                found.append(await self.get_secret_value(context, wanted))
            except AwsError as error:
                errors.append(
                    {"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message}
                )
        return {"SecretValues": found, "Errors": errors, **more}

    async def list_secret_version_ids(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListSecretVersionIds."""
        secret = self._directory.need(context, params["SecretId"])
        every = await self._directory.read(lambda conn: records.versions(conn, secret))
        token, limit = params.get("NextToken"), int(params.get("MaxResults", PAGE))
        after = (0.0, "") if token is None else read_token(token)
        if not isinstance(after[0], int | float):
            raise invalid_token()
        shown = [
            each
            for each in every
            if (each.stages or params.get("IncludeDeprecated"))
            and (each.created_at_s, each.id) > after
        ]
        answer: dict[str, Any] = {
            **secret.names,
            "Versions": [_described(each) for each in shown[:limit]],
        }
        if len(shown) > limit:
            last = shown[limit - 1]
            answer["NextToken"] = write_token([last.created_at_s, last.id])
        return answer

    async def update_secret_version_stage(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """UpdateSecretVersionStage."""
        secret = self._directory.need_live(context, params["SecretId"])

        def work(unit: Unit) -> None:
            live = fresh(unit, secret)
            after = stages.moved(
                records.stages_of(unit.conn, live),
                params["VersionStage"],
                to=params.get("MoveToVersionId"),
                away_from=params.get("RemoveFromVersionId"),
            )
            for labels in after.values():
                _check_count(labels)
            records.save_stages(unit.conn, live, after)
            now_s = self._directory.clock.now_s()
            records.save_document(unit.conn, live, LastChangedDate=now_s)

        await self._directory.change(work)
        return secret.names

    async def get_random_password(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetRandomPassword."""
        return {"RandomPassword": random_password(params, self._directory.pick)}

    async def _shown(
        self, context: RequestContext, secret: Secret, version: Version
    ) -> Mapping[str, Any]:
        plaintext = await self._values.open(context, secret, version)
        await self._note_access(secret, version)
        return {
            **secret.names,
            "VersionId": version.id,
            **shown_value(version.kind, plaintext),
            "VersionStages": list(version.stages),
            "CreatedDate": version.created_at_s,
        }

    async def _note_access(self, secret: Secret, version: Version) -> None:
        """Write the day of the last access, once a day."""
        today_s = self._directory.clock.now_s() // DAY_S * DAY_S
        if version.accessed_at_s != today_s:
            row = {"secret_id": secret.id, "id": version.id, "now_s": today_s}
            await self._directory.write(lambda conn: conn.execute(Q.set_accessed, row))
        if secret.document.get("LastAccessedDate") != today_s:

            def work(unit: Unit) -> None:
                found = records.try_find(unit.conn, secret.id)
                if found is not None:
                    records.save_document(unit.conn, unit.touch(found), LastAccessedDate=today_s)

            await self._directory.change(work)


def _version(conn: Connection, secret: Secret, version_id: str) -> Version | None:
    row = conn.one(Q.find_version, {"secret_id": secret.id, "id": version_id})
    return None if row is None else records.version_from(row)


def _wanted(every: list[Version], version_id: str | None, label: str | None) -> Version:
    by_id = {version.id: version for version in every}
    if version_id is not None:
        version = by_id.get(version_id)
        if version is None or version.sealed is None:
            raise no_value_of_version(version_id)
        if label is not None and label not in version.stages:
            raise invalid_request(
                "You provided a VersionStage that is not associated to the provided VersionId."
            )
        return version
    label = label or CURRENT
    held = holder({each.id: each.stages for each in every}, label)
    if held is None or by_id[held].sealed is None:
        raise no_value_of_stage(label)
    return by_id[held]


def _described(version: Version) -> Mapping[str, Any]:
    """A SecretVersionsListEntry."""
    shown: dict[str, Any] = {
        "VersionId": version.id,
        "VersionStages": list(version.stages),
        "CreatedDate": version.created_at_s,
    }
    if version.accessed_at_s is not None:
        shown["LastAccessedDate"] = version.accessed_at_s
    if version.key_arn is not None:
        shown["KmsKeyIds"] = [version.key_arn]
    return shown


def _check_count(labels: tuple[str, ...]) -> None:
    if len(labels) > STAGES_PER_VERSION_MAX:
        raise limit_exceeded(
            f"A version can have no more than {STAGES_PER_VERSION_MAX} staging labels."
        )
