"""PutParameter, deletions, labels and tags. Source: Systems Manager API reference."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, validation
from alonzo.services.ssm import records
from alonzo.services.ssm.errors import (
    already_exists,
    invalid_resource,
    limit_exceeded,
    not_found,
    oldest_is_labelled,
    too_many_labels,
    too_many_tags,
    type_mismatch,
    version_not_found,
)
from alonzo.services.ssm.limits import LABELS_MAX, PARAMETERS_MAX, TAGS_MAX, VERSIONS_MAX
from alonzo.services.ssm.records import Parameter, Q, Version
from alonzo.services.ssm.rules import (
    check_name,
    check_value,
    decide_tier,
    is_label,
    read_selector,
)
from alonzo.services.ssm.values import DEFAULT_KEY, Values
from alonzo.store.base import Connection, Store

_TEXT = "text"


class WritingOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, values: Values, clock: Clock) -> None:
        self._store = store
        self._values = values
        self._clock = clock

    async def put_parameter(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutParameter."""
        name = _plain_name(context, params["Name"])
        _check_members(params)
        tags = _read_tags(params.get("Tags") or ())
        before = await self._store.read(lambda conn: _newest(conn, context, name))
        document = _document(params, before, context)
        tier = document["Tier"]
        pattern = document.get("AllowedPattern")
        await asyncio.to_thread(check_value, params["Value"], pattern)
        value = await self._values.stored(
            context, name, params["Value"], document.get("KeyId"), tier=tier
        )
        now_s = self._clock.now_s()

        def work(conn: Connection) -> int:
            parameter = records.try_find(conn, context, name)
            if parameter is None:
                parameter = _insert(conn, context, name, tier, tags)
                number = 1
            else:
                number = _make_room(conn, parameter, params, document)
                conn.execute(Q.set_tier, {"id": parameter.id, "tier": tier})
            conn.execute(
                Q.insert_version,
                {
                    "parameter_id": parameter.id,
                    "number": number,
                    "created_at_s": now_s,
                    "document": orjson.dumps(document).decode(),
                    "value": value,
                },
            )
            return number

        return {"Version": await self._store.tx(work), "Tier": tier}

    async def delete_parameter(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteParameter, with all its versions."""
        if await self._delete(context, [params["Name"]]):
            raise not_found(params["Name"])

    async def delete_parameters(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DeleteParameters."""
        names: list[str] = list(dict.fromkeys(params["Names"]))
        missing = await self._delete(context, names)
        return {
            "DeletedParameters": [name for name in names if name not in missing],
            "InvalidParameters": [name for name in names if name in missing],
        }

    async def label_parameter_version(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """LabelParameterVersion. A label that another version has moves."""
        selector = read_selector(params["Name"], account=context.account, region=context.region)
        labels: list[str] = list(dict.fromkeys(params["Labels"]))
        valid = [label for label in labels if is_label(label)]

        def work(conn: Connection) -> int:
            parameter = records.need(conn, context, selector)
            every = records.versions(conn, parameter)
            number = params.get("ParameterVersion") or every[-1].number
            target = _of_number(parameter, every, number)
            if len(set(target.labels) | set(valid)) > LABELS_MAX:
                raise too_many_labels()
            for version in every:
                kept = [label for label in version.labels if label not in valid]
                if version is target:
                    kept += valid
                if kept != version.labels:
                    records.save_version(conn, parameter, version, Labels=kept)
            return number

        number = await self._store.tx(work)
        return {
            "InvalidLabels": [label for label in labels if label not in valid],
            "ParameterVersion": number,
        }

    async def unlabel_parameter_version(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """UnlabelParameterVersion."""
        selector = read_selector(params["Name"], account=context.account, region=context.region)
        labels: list[str] = list(dict.fromkeys(params["Labels"]))

        def work(conn: Connection) -> list[str]:
            parameter = records.need(conn, context, selector)
            every = records.versions(conn, parameter)
            version = _of_number(parameter, every, params["ParameterVersion"])
            kept = [label for label in version.labels if label not in labels]
            records.save_version(conn, parameter, version, Labels=kept)
            return [label for label in labels if label in version.labels]

        removed = await self._store.tx(work)
        return {
            "RemovedLabels": removed,
            "InvalidLabels": [label for label in labels if label not in removed],
        }

    async def add_tags_to_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """AddTagsToResource."""
        added = _read_tags(params["Tags"])

        def work(conn: Connection) -> None:
            parameter = _tagged(conn, context, params)
            tags = {**parameter.tags, **added}
            if len(tags) > TAGS_MAX:
                raise too_many_tags()
            records.save_tags(conn, parameter, tags)

        await self._store.tx(work)

    async def remove_tags_from_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """RemoveTagsFromResource."""
        gone = set(params["TagKeys"])

        def work(conn: Connection) -> None:
            parameter = _tagged(conn, context, params)
            kept = {key: value for key, value in parameter.tags.items() if key not in gone}
            records.save_tags(conn, parameter, kept)

        await self._store.tx(work)

    async def list_tags_for_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListTagsForResource."""
        tags = await self._store.read(lambda conn: _tagged(conn, context, params).tags)
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def _delete(self, context: RequestContext, names: Sequence[str]) -> set[str]:
        """Delete parameters; answers the names of those that there are not."""

        def work(conn: Connection) -> set[str]:
            missing: set[str] = set()
            for name in names:
                parameter = _find(conn, context, name)
                if parameter is None:
                    missing.add(name)
                else:
                    conn.execute(Q.delete_parameter, {"id": parameter.id})
            return missing

        return await self._store.tx(work)


def _plain_name(context: RequestContext, text: str) -> str:
    """The name to put; an ARN is taken for the fully qualified name in it."""
    if text.startswith("arn:"):
        text = read_selector(text, account=context.account, region=context.region).names[0]
    check_name(text)
    return text


def _find(conn: Connection, context: RequestContext, text: str) -> Parameter | None:
    try:
        selector = read_selector(text, account=context.account, region=context.region)
        return None if selector.text else records.need(conn, context, selector)
    except AwsError:
        return None


def _newest(conn: Connection, context: RequestContext, name: str) -> Version | None:
    parameter = records.try_find(conn, context, name)
    return None if parameter is None else records.newest(conn, parameter)


def _check_members(params: Mapping[str, Any]) -> None:
    """Refuse what does not go together, and what is not offered. The last text is ours.

    Raises:
        AwsError: ValidationException.
    """
    if params.get("Overwrite") and params.get("Tags"):
        raise validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter "
            "with tags, please remove overwrite flag. To update tags for an existing parameter, "
            "please use AddTagsToResource or RemoveTagsFromResource."
        )
    data_type = params.get("DataType") or _TEXT
    if data_type != _TEXT:
        raise validation(
            f"The following data type is not supported: {data_type} (Data type names are all "
            "lowercase.)"
        )
    if params.get("KeyId") and params.get("Type", "SecureString") != "SecureString":
        raise validation("KeyId is required for SecureString type parameter only.")
    if params.get("Policies") and params["Policies"].strip() not in ("[]", "{}"):
        raise validation("Parameter policies are not supported.")


def _document(
    params: Mapping[str, Any], before: Version | None, context: RequestContext
) -> dict[str, Any]:
    """The members of a new version; what is not given stays as it was.

    Raises:
        AwsError: it cannot follow the version before, or cannot be the first.
    """
    if before is not None and not params.get("Overwrite"):
        raise already_exists()
    earlier: Mapping[str, Any] = {} if before is None else before.document
    kind = params.get("Type") or earlier.get("Type")
    if kind is None:
        raise validation("A parameter type is required when you create a parameter.")
    if before is not None and kind != earlier["Type"]:
        raise type_mismatch()
    document: dict[str, Any] = {
        "Type": kind,
        "DataType": _TEXT,
        "LastModifiedUser": context.principal.arn,
        "Tier": decide_tier(params.get("Tier"), params["Value"], earlier.get("Tier")),
    }
    for member in ("Description", "AllowedPattern"):
        value = params.get(member, earlier.get(member))
        if value:
            document[member] = value
    if kind == "SecureString":
        document["KeyId"] = params.get("KeyId") or earlier.get("KeyId") or DEFAULT_KEY
    return document


def _insert(
    conn: Connection, context: RequestContext, name: str, tier: str, tags: Mapping[str, str]
) -> Parameter:
    scope = {"account": context.account, "region": context.region, "tier": tier}
    count = conn.one(Q.count_parameters, scope)
    if count is not None and count["count"] >= PARAMETERS_MAX[tier]:
        raise limit_exceeded(tier)
    document = orjson.dumps({"tags": tags}).decode()
    conn.one(Q.insert_parameter, {**scope, "name": name, "document": document})
    parameter = records.try_find(conn, context, name)
    assert parameter is not None
    return parameter


def _make_room(
    conn: Connection, parameter: Parameter, params: Mapping[str, Any], document: Mapping[str, Any]
) -> int:
    """The number of a new version; the oldest one goes if there are too many.

    Raises:
        AwsError: somebody was quicker, or the oldest version has a label.
    """
    every = records.versions(conn, parameter)
    # Asked again: another call may have made the parameter since.
    if not params.get("Overwrite"):
        raise already_exists()
    if every[-1].document["Type"] != document["Type"]:
        raise type_mismatch()
    if len(every) >= VERSIONS_MAX:
        oldest = every[0]
        if oldest.labels:
            raise oldest_is_labelled(parameter.name, oldest.number)
        conn.execute(Q.delete_version, {"parameter_id": parameter.id, "number": oldest.number})
    return every[-1].number + 1


def _of_number(parameter: Parameter, every: Sequence[Version], number: int) -> Version:
    for version in every:
        if version.number == number:
            return version
    raise version_not_found(parameter.name, number)


def _read_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    found = {tag["Key"]: tag["Value"] for tag in tags}
    if len(found) > TAGS_MAX:
        raise too_many_tags()
    return found


def _tagged(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Parameter:
    kind, name = params["ResourceType"], params["ResourceId"]
    parameter = _find(conn, context, name) if kind == "Parameter" else None
    if parameter is None:
        raise invalid_resource(kind, name)
    return parameter
