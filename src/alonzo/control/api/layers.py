"""Layers and their versions. Source: Lambda API; recorded behaviour where noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import documents, paging
from alonzo.control import records as function_records
from alonzo.control import rules as function_rules
from alonzo.control.layers import records, rules
from alonzo.control.layers.names import (
    NUMBER_MAX,
    LayerKey,
    LayerVersionKey,
    parse_layer,
    parse_layer_version,
)
from alonzo.control.layers.records import Filter, LayerVersionRecord
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter
from alonzo.store.base import Connection


async def publish_layer_version(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PublishLayerVersion: each call makes a version, whatever it holds."""
    layer = own_layer(context, params, "PublishLayerVersion")
    rules.check_runtimes(params.get("CompatibleRuntimes") or (), tools.rules())
    data = await _package(tools, context, params["Content"])
    code = await tools.packages.inspect(data)
    await tools.packages.keep(data, code)
    document = rules.plan_version(params, documents.timestamp(tools.clock.now_s()))

    def store(db: Connection) -> LayerVersionRecord:
        usage = function_records.find_usage(db, account=layer.account, region=layer.region)
        function_rules.check_storage(
            usage.code_bytes, code.unzipped_bytes, tools.settings.code_storage_bytes_max
        )
        tools.packages.rely_on(db, code.sha256)
        return records.insert_next(db, layer, document, code)

    return _described(tools, context, await tools.store.tx(store))


async def _package(tools: Tools, context: RequestContext, content: Mapping[str, Any]) -> bytes:
    """The bytes of the zip. The texts of both refusals are ours."""
    zip_file = content.get("ZipFile")
    in_s3 = content.get("S3Bucket") or content.get("S3Key")
    if zip_file is not None and in_s3:
        raise invalid_parameter(
            "Please do not provide other Content parameters when providing a ZipFile."
        )
    if zip_file is not None:
        return zip_file
    if not content.get("S3Bucket") or not content.get("S3Key"):
        raise invalid_parameter("Please provide a source for layer content.")
    return await tools.package(context, content, None)


async def get_layer_version(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetLayerVersion, of the caller's layers and of those that others share."""
    return await _get(tools, context, layer_version(context, params))


async def get_layer_version_by_arn(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetLayerVersionByArn."""
    key = parse_layer_version(params["Arn"])
    if key is None or key.layer.region != context.region:
        raise no_such_resource()
    return await _get(tools, context, key)


async def _get(tools: Tools, context: RequestContext, key: LayerVersionKey) -> Mapping[str, Any]:
    record = await tools.store.read(lambda db: records.find_version(db, key))
    if key.layer.account != context.account and (
        record is None or not rules.may_use(record.policy, context.account)
    ):
        raise rules.denied(context.principal, "lambda:GetLayerVersion", key.arn)
    if record is None:
        raise no_such_resource()
    return _described(tools, context, record)


async def list_layers(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListLayers, by name, each with its latest version that passes the filters."""
    size = paging.page_size(params)
    after = paging.read_marker("ListLayers", params)[0]
    only = _filter(tools, params)
    rows = await tools.store.read(
        lambda db: records.list_latest(
            db,
            account=context.account,
            region=context.region,
            shown=only,
            after=after,
            rows_max=size + 1,
        )
    )
    shown, last = paging.split_page(rows, size)
    answer: dict[str, Any] = {
        "Layers": [
            {
                "LayerName": record.key.layer.name,
                "LayerArn": record.key.layer.arn,
                "LatestMatchingVersion": _listed(record),
            }
            for record in shown
        ]
    }
    return answer | _next_marker("ListLayers", last)


async def list_layer_versions(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListLayerVersions, the newest first. Recorded: a layer that never was has no versions."""
    layer = own_layer(context, params, "ListLayerVersions")
    size = paging.page_size(params)
    place = paging.read_marker("ListLayerVersions", params)
    before = NUMBER_MAX if place == paging.START else paging.version_number(place)
    only = _filter(tools, params)
    rows = await tools.store.read(
        lambda db: records.list_versions(db, layer, shown=only, before=before, rows_max=size + 1)
    )
    shown, last = paging.split_page(rows, size)
    return {"LayerVersions": [_listed(record) for record in shown]} | _next_marker(
        "ListLayerVersions", last
    )


async def delete_layer_version(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteLayerVersion. Recorded: one that is not there is no error."""
    key = own_layer_version(context, params, "DeleteLayerVersion")

    def store(db: Connection) -> None:
        record = records.find_version(db, key)
        if record is not None:
            records.delete_version(db, key)
            function_records.touch_package(db, record.code.sha256, now_s=tools.clock.now_s())

    await tools.store.tx(store)


def own_layer(context: RequestContext, params: Mapping[str, Any], operation: str) -> LayerKey:
    """The layer that a request names, which must be the caller's own.

    Raises:
        AwsError: AccessDeniedException: the layer is another account's.
    """
    layer = parse_layer(params["LayerName"], context)
    if layer.account != context.account:
        raise rules.denied(context.principal, f"lambda:{operation}", layer.arn)
    return layer


def layer_version(context: RequestContext, params: Mapping[str, Any]) -> LayerVersionKey:
    """The version that ``LayerName`` and ``VersionNumber`` name.

    Raises:
        AwsError: InvalidParameterValueException: no version has such a number.
    """
    layer = parse_layer(params["LayerName"], context)
    rules.check_number(params["VersionNumber"])
    return LayerVersionKey(layer, params["VersionNumber"])


def own_layer_version(
    context: RequestContext, params: Mapping[str, Any], operation: str
) -> LayerVersionKey:
    """The version that a request names, of a layer that must be the caller's own.

    Raises:
        AwsError: as ``own_layer`` and ``layer_version``.
    """
    own_layer(context, params, operation)
    return layer_version(context, params)


def _filter(tools: Tools, params: Mapping[str, Any]) -> Filter:
    runtime = params.get("CompatibleRuntime")
    rules.check_runtime_filter(runtime, tools.runtimes.names)
    return Filter(runtime, params.get("CompatibleArchitecture"))


def _next_marker(listing: str, last: LayerVersionRecord | None) -> dict[str, str]:
    if last is None:
        return {}
    place = (last.key.layer.name, str(last.key.number))
    return {"NextMarker": paging.write_marker(listing, place)}


def _listed(record: LayerVersionRecord) -> dict[str, Any]:
    return {
        **record.document,
        "LayerVersionArn": record.key.arn,
        "Version": record.key.number,
    }


def _described(tools: Tools, context: RequestContext, record: LayerVersionRecord) -> dict[str, Any]:
    code = record.code
    return {
        **_listed(record),
        "LayerArn": record.key.layer.arn,
        "Content": {
            "CodeSha256": documents.code_sha256(code),
            "CodeSize": code.zipped_bytes,
            "Location": tools.links.url(context.endpoint, code.sha256),
        },
    }
