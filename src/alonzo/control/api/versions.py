"""Publish, list and delete versions. Source: Lambda API; recorded behaviour where noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import aliases, documents, machine, paging, publishing, records, rules
from alonzo.control.api.addressing import (
    addressed,
    function_not_found,
    get_function_record,
    get_version,
    latest,
)
from alonzo.control.declined import DECLINED_PUBLISHING, check_declined
from alonzo.control.machine import Phase
from alonzo.control.provisioned import records as provisioned
from alonzo.control.records import VersionRecord
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionRef
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def publish_version(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PublishVersion: the same content again gives the same version."""
    ref = latest(context, params)
    check_declined(params, DECLINED_PUBLISHING)

    def store(db: Connection) -> VersionRecord:
        record = get_version(db, ref)
        machine.check_updatable(record.status, ref.key.arn)
        rules.check_revision(params.get("RevisionId"), record.revision_id)
        publishing.check_code(params.get("CodeSha256"), record)
        version, is_new = publish(tools, db, ref, record, params.get("Description"))
        if is_new:
            # Recorded: $LATEST gets a new revision too.
            records.save_version(db, replace(record, revision_id=tools.ids.uuid()))
        return version

    version = await tools.store.tx(store)
    version = await tools.variables.shown(context, version)
    return documents.described(version, arn=ref.key.qualified(version.version))


def publish(
    tools: Tools,
    db: Connection,
    ref: FunctionRef,
    record: VersionRecord,
    description: str | None = None,
) -> tuple[VersionRecord, bool]:
    """Publish ``record``, which is ``$LATEST``, and say whether the version is new.

    Raises:
        AwsError: CodeStorageExceededException.
    """
    function = get_function_record(db, ref)
    digest = publishing.content_digest(record)
    if function.published_digest == digest:
        same = records.find_version(db, ref.key, str(function.last_version))
        # One that failed would be of no use to anybody, and what it failed of may have gone.
        if same is not None and same.status.phase is not Phase.CREATE_FAILED:
            return same, False
    usage = records.find_usage(db, account=ref.key.account, region=ref.key.region)
    rules.check_storage(
        usage.code_bytes, record.code.unzipped_bytes, tools.settings.code_storage_bytes_max
    )
    version = publishing.plan_version(
        record,
        function.last_version + 1,
        description=description,
        revision_id=tools.ids.uuid(),
        now_s=tools.clock.now_s(),
    )
    records.insert_published(db, version, digest)
    return version, True


async def list_versions_by_function(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListVersionsByFunction: ``$LATEST`` comes first, then the versions by number."""
    ref = latest(context, params)
    size = paging.page_size(params)
    after = paging.version_number(paging.read_marker("ListVersionsByFunction", params))

    def read(db: Connection) -> list[VersionRecord]:
        get_version(db, ref)
        return records.list_versions(db, ref.key, after=after, rows_max=size + 1)

    page, last = paging.split_page(await tools.store.read(read), size)
    shown = [await tools.variables.shown(context, record) for record in page]
    answer: dict[str, Any] = {
        "Versions": [
            documents.listed(record, arn=record.key.qualified(record.version)) for record in shown
        ]
    }
    if last is not None:
        answer["NextMarker"] = paging.write_marker(
            "ListVersionsByFunction", (last.key.name, last.version)
        )
    return answer


async def delete_function(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """DeleteFunction: all of it in whatever state, or one version. AWS answers 204, not 200."""
    ref = addressed(context, params)
    if ref.qualifier is not None:
        publishing.check_deletable(ref.qualifier)

    def store(db: Connection) -> None:
        if records.find_function(db, ref.key) is None:
            raise function_not_found(FunctionRef(ref.key, None))
        if ref.qualifier is not None:
            _delete_version(tools, db, ref, ref.qualifier)
            return
        records.let_go_all(db, ref.key, now_s=tools.clock.now_s())
        records.delete_function(db, ref.key)

    if ref.qualifier is None:
        # Before: whoever makes the function anew, once its name is free, must keep what they give.
        await tools.variables.forget(ref.key)
    await tools.store.tx(store)
    return {"StatusCode": 204}


def _delete_version(tools: Tools, db: Connection, ref: FunctionRef, version: str) -> None:
    """Delete one version. A number that no version has is no error; observed from AWS."""
    record = records.find_version(db, ref.key, version)
    if record is None:
        if version.isdecimal():
            return
        raise function_not_found(ref)
    publishing.check_unreferenced(aliases.names_of_version(db, ref.key, version))
    records.let_go(db, record, now_s=tools.clock.now_s())
    provisioned.delete(db, ref.key, version)
    records.delete_version(db, record)
