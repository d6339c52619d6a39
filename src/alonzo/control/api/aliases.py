"""Create, read, list, change and delete aliases. Source: Lambda API; recorded texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import aliases, documents, paging, routing, rules
from alonzo.control.aliases import AliasRecord
from alonzo.control.api.addressing import function_not_found, get_function_record, unqualified
from alonzo.control.provisioned import records as provisioned
from alonzo.control.provisioned.rules import check_move, check_version
from alonzo.control.records import VersionRecord, find_version
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import RequestContext
from alonzo.model.errors import conflict, not_found
from alonzo.store.base import Connection


async def create_alias(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """CreateAlias."""
    ref = unqualified(context, params)
    record = AliasRecord(
        key=ref.key,
        name=params["Name"],
        version=params["FunctionVersion"],
        routing=None,
        description=params.get("Description") or "",
        revision_id=tools.ids.uuid(),
    )

    def store(db: Connection) -> AliasRecord:
        get_function_record(db, ref)
        if aliases.find(db, ref.key, record.name) is not None:
            raise conflict(f"Alias already exists: {record.arn}")
        created = _routed(db, record, params)
        aliases.insert(db, created)
        return created

    return documents.alias(await tools.store.tx(store))


async def get_alias(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetAlias."""
    ref = unqualified(context, params)
    record = await tools.store.read(lambda db: aliases.find(db, ref.key, params["Name"]))
    if record is None:
        raise not_found(f"Cannot find alias arn: {ref.key.qualified(params['Name'])}")
    return documents.alias(record)


async def list_aliases(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListAliases, by name; with ``FunctionVersion``, those that send that version calls."""
    ref = unqualified(context, params)
    size = paging.page_size(params)
    after = paging.read_marker("ListAliases", params)[0]

    def read(db: Connection) -> list[AliasRecord]:
        get_function_record(db, ref)
        version = params.get("FunctionVersion")
        return aliases.page(db, ref.key, version=version, after=after, rows_max=size + 1)

    shown, last = paging.split_page(await tools.store.read(read), size)
    answer: dict[str, Any] = {"Aliases": [documents.alias(record) for record in shown]}
    if last is not None:
        answer["NextMarker"] = paging.write_marker("ListAliases", (last.name, ""))
    return answer


async def update_alias(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateAlias: members left out stay as they are, an empty RoutingConfig ends the sharing."""
    ref = unqualified(context, params)

    def store(db: Connection) -> AliasRecord:
        record = _found(db, ref, params["Name"])
        rules.check_revision(params.get("RevisionId"), record.revision_id)
        updated = _routed(db, _changed(record, params, tools.ids.uuid()), params)
        _check_provisioned(db, updated)
        aliases.save(db, updated)
        return updated

    return documents.alias(await tools.store.tx(store))


async def delete_alias(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """DeleteAlias. One that is not there is no error, its function must be; recorded."""
    ref = unqualified(context, params)

    def store(db: Connection) -> None:
        get_function_record(db, ref)
        provisioned.delete(db, ref.key, params["Name"])
        aliases.delete(db, ref.key, params["Name"])

    await tools.store.tx(store)


def _found(db: Connection, ref: FunctionRef, name: str) -> AliasRecord:
    get_function_record(db, ref)
    record = aliases.find(db, ref.key, name)
    if record is None:
        raise not_found(f"Alias not found: {ref.key.qualified(name)}")
    return record


def _changed(record: AliasRecord, params: Mapping[str, Any], revision_id: str) -> AliasRecord:
    description = params.get("Description")
    return replace(
        record,
        version=params.get("FunctionVersion") or record.version,
        description=record.description if description is None else description,
        revision_id=revision_id,
    )


def _routed(db: Connection, record: AliasRecord, params: Mapping[str, Any]) -> AliasRecord:
    """The alias with the ``RoutingConfig`` of a request, or with its own where there is none.

    Raises:
        AwsError: a version does not exist, or the two do not fit together.
    """
    main = _version(db, record.key, record.version)
    if params.get("RoutingConfig") is None:
        shares = record.routing
        routing.check_routing(record.version, shares)
    else:
        shares = routing.plan_routing(record.version, params["RoutingConfig"])
    if shares is not None:
        routing.check_alike(main, _version(db, record.key, shares.additional_version))
    return replace(record, routing=shares)


def _check_provisioned(db: Connection, alias: AliasRecord) -> None:
    """Refuse to move an alias where its provisioned concurrency, if it has some, cannot go."""
    if provisioned.find(db, alias.key, alias.name) is not None:
        also = () if alias.routing is None else (alias.routing.additional_version,)
        for version in (alias.version, *also):
            check_move(alias, provisioned.users_of_version(db, alias.key, version))
            check_version(_version(db, alias.key, version))


def _version(db: Connection, key: FunctionKey, version: str) -> VersionRecord:
    record = find_version(db, key, version)
    if record is None:
        raise function_not_found(FunctionRef(key, version))
    return record
