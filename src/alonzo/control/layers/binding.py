"""From the layer ARNs of a request to what a function keeps of each.

A function keeps its layers' packages, not their names: a version that is deleted, or whose
permission is taken back, goes on serving the functions that have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alonzo.control.layers import records, rules
from alonzo.control.layers.names import is_provided, parse_layer_version
from alonzo.control.layers.records import LayerVersionRecord
from alonzo.control.records import NO_CODE, BoundLayer, VersionRecord
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection

_ACTION = "lambda:GetLayerVersion"


def bind(db: Connection, context: RequestContext, arns: Sequence[str]) -> tuple[BoundLayer, ...]:
    """The layers of those ARNs, in their order. The edge has checked the form of each.

    Raises:
        AwsError: InvalidParameterValueException, or AccessDeniedException for a layer of another
            account that gives no leave.
    """
    rules.check_count(arns)
    bound: list[BoundLayer] = []
    for arn in arns:
        record = _usable(db, context, arn)
        if record is None:
            rules.check_distinct(arn, bound)
            bound.append(BoundLayer(arn, NO_CODE))
            continue
        rules.check_distinct(record.key.arn, bound)
        bound.append(BoundLayer(record.key.arn, record.code))
    return tuple(bound)


def _usable(db: Connection, context: RequestContext, arn: str) -> LayerVersionRecord | None:
    """The layer's version; None for one of AWS's that the platform stands in for."""
    key = parse_layer_version(arn)
    if key is None:
        raise rules.missing_for_function(arn)
    if key.layer.account == context.account:
        rules.check_region(key.layer.region, context.region)
        record = records.find_version(db, key)
        if record is None:
            raise rules.missing_for_function(arn)
        return record
    record = records.find_version(db, key) if key.layer.region == context.region else None
    if record is None and is_provided(arn) and key.layer.region == context.region:
        return None
    if record is None or not rules.may_use(record.policy, context.account):
        raise rules.denied(context.principal, _ACTION, arn)
    return record


def rebind(
    db: Connection,
    context: RequestContext,
    record: VersionRecord,
    params: Mapping[str, Any],
    *,
    bytes_max: int,
) -> VersionRecord:
    """``record`` with the layers that a request asks for; without ``Layers`` with those it has.

    ``bytes_max`` is what its code may be unpacked, all layers included.

    Raises:
        AwsError: as ``bind``, or InvalidParameterValueException: it is too large with its layers.
    """
    arns = params.get("Layers")
    layers = record.layers if arns is None else bind(db, context, arns)
    rules.check_total(record.code, layers, bytes_max)
    configuration = {k: v for k, v in record.configuration.items() if k != "Layers"}
    if layers:
        configuration["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.code.zipped_bytes} for layer in layers
        ]
    return replace(record, layers=layers, configuration=configuration)
