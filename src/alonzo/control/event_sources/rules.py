"""What an event source mapping may say. Pure.

A *document* is the part of an EventSourceMappingConfiguration that callers set: members as in the
service model. Texts are AWS's where a recording of them exists; the others follow their form.

Source: Lambda API, CreateEventSourceMapping; Lambda developer guide, a page for each source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from alonzo.control.event_sources.kinds import COMMON, KINDS, SQS_FIFO, Kind
from alonzo.control.refusals import check_least, check_most
from alonzo.lib.event_patterns import PatternError, parse
from alonzo.model.errors import AwsError, conflict, invalid_parameter

Document = dict[str, Any]

#: Filters of one mapping. AWS raises it to 10 on request.
FILTERS_MAX = 5
#: SQS batches longer than this need a window to fill in.
_BATCH_WITHOUT_WINDOW_MAX = 10
_RECORD_AGE_S_MIN = 60

_SETTABLE = COMMON.union(*(kind.members for kind in KINDS.values()))
#: An empty value of these takes them away.
_CLEARED_WHEN_EMPTY = frozenset(
    {
        "FilterCriteria",
        "LoggingConfig",
        "MetricsConfig",
        "ProvisionedPollerConfig",
        "ScalingConfig",
        "SourceAccessConfigurations",
    }
)


def plan_creation(kind: Kind, params: Mapping[str, Any], mapping_id: str) -> Document:
    """The document of a new mapping.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    _check_required(kind, params)
    document: Document = {"BatchSize": kind.batch_default, **kind.defaults}
    if kind.group_config is not None:
        document[kind.group_config] = {"ConsumerGroupId": mapping_id}
    if kind.name == "documentdb":
        document["DocumentDBEventSourceConfig"] = {"FullDocument": "Default"}
    return _applied(kind, document, params, creating=True)


def plan_update(kind: Kind, current: Mapping[str, Any], params: Mapping[str, Any]) -> Document:
    """The document after UpdateEventSourceMapping: members left out stay as they are.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    return _applied(kind, dict(current), params, creating=False)


def _applied(
    kind: Kind, document: Document, params: Mapping[str, Any], *, creating: bool
) -> Document:
    if params.get("KMSKeyArn"):
        raise invalid_parameter("KMSKeyArn: Customer managed keys are not supported.")
    allowed = COMMON | kind.members
    for member in sorted(_SETTABLE & params.keys()):
        value = params[member]
        if value is None:
            continue
        if member not in allowed:
            if _says_something(value):
                raise _unsupported(member, params.get("EventSourceArn"))
        elif member in _CLEARED_WHEN_EMPTY and not _says_something(value):
            document.pop(member, None)
        else:
            document[member] = _PLANNERS.get(member, _as_given)(document, value, creating)
    for check in _CHECKS:
        check(kind, document, params)
    return document


def _says_something(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_says_something(each) for each in cast(dict[str, Any], value).values())
    return value not in (None, [], "", False)


def _unsupported(member: str, arn: str | None) -> AwsError:
    if member == "StartingPosition":
        return invalid_parameter(f"Unsupported starting position for arn type: {arn}")
    return invalid_parameter(f"Unsupported {member} parameter for given event source mapping type.")


def _check_required(kind: Kind, params: Mapping[str, Any]) -> None:
    for member in kind.required:
        if params.get(member):
            continue
        path = member[0].lower() + member[1:]
        if member == "StartingPosition" and not _reads_a_queue(params):
            raise invalid_parameter(
                f"1 validation error detected: Value null at '{path}' failed to satisfy "
                "constraint: Member must not be null."
            )
        if member != "StartingPosition":
            raise invalid_parameter(f"Required '{path}' parameter is missing.")


def _reads_a_queue(params: Mapping[str, Any]) -> bool:
    """Kafka's share groups have no position to start at."""
    config: Mapping[str, Any] = params.get("SelfManagedKafkaEventSourceConfig") or {}
    return config.get("ConsumptionMode") == "Queue"


# How a member is taken over: the document so far, the value, and whether the mapping is new.


def _as_given(document: Document, value: Any, creating: bool) -> Any:
    return value


def _destination(document: Document, value: Mapping[str, Any], creating: bool) -> Any:
    on_success: Mapping[str, str] = value.get("OnSuccess") or {}
    if on_success.get("Destination"):
        raise _unsupported("DestinationConfig", None)
    on_failure: Mapping[str, str] = value.get("OnFailure") or {}
    arn = on_failure.get("Destination")
    return {"OnFailure": {"Destination": arn} if arn else {}}


def _timestamp(document: Document, value: datetime | float, creating: bool) -> float:
    return value.timestamp() if isinstance(value, datetime) else value


def _group(member: str) -> Callable[[Document, Mapping[str, Any], bool], Any]:
    def merge(document: Document, value: Mapping[str, Any], creating: bool) -> Any:
        held: Mapping[str, Any] = document.get(member) or {}
        group = value.get("ConsumerGroupId")
        if not creating and group not in (None, held.get("ConsumerGroupId")):
            raise invalid_parameter(f"{member}: the ConsumerGroupId cannot be changed.")
        return {**held, **{name: part for name, part in value.items() if part is not None}}

    return merge


def _merged(document: Document, value: Mapping[str, Any], creating: bool) -> Any:
    held: Mapping[str, Any] = document.get("DocumentDBEventSourceConfig") or {}
    return {**held, **{name: part for name, part in value.items() if part is not None}}


_PLANNERS: Mapping[str, Callable[[Document, Any, bool], Any]] = {
    "AmazonManagedKafkaEventSourceConfig": _group("AmazonManagedKafkaEventSourceConfig"),
    "DestinationConfig": _destination,
    "DocumentDBEventSourceConfig": _merged,
    "SelfManagedKafkaEventSourceConfig": _group("SelfManagedKafkaEventSourceConfig"),
    "StartingPositionTimestamp": _timestamp,
}


# What must hold of a whole document. ``params`` are those of the request, for their ARN.

_Check = Callable[[Kind, Mapping[str, Any], Mapping[str, Any]], None]


def _check_bounds(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    batch, window = document["BatchSize"], document.get("MaximumBatchingWindowInSeconds", 0)
    check_most("batchSize", batch, kind.batch_max)
    if window > kind.window_max:
        raise _unsupported("MaximumBatchingWindowInSeconds", None)
    queue = kind.name.startswith("sqs") and kind is not SQS_FIFO
    if queue and batch > _BATCH_WITHOUT_WINDOW_MAX and window == 0:
        raise invalid_parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
    age_s = document.get("MaximumRecordAgeInSeconds", -1)
    if -1 < age_s < _RECORD_AGE_S_MIN:
        check_least("maximumRecordAgeInSeconds", age_s, _RECORD_AGE_S_MIN)


def _check_position(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    position, moment = document.get("StartingPosition"), document.get("StartingPositionTimestamp")
    if position is not None and position not in kind.positions:
        raise _unsupported("StartingPosition", params.get("EventSourceArn"))
    if (position == "AT_TIMESTAMP") != (moment is not None):
        raise invalid_parameter(
            "StartingPositionTimestamp: it goes with the StartingPosition AT_TIMESTAMP, and only "
            "with that."
        )


def _check_filters(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    criteria: Mapping[str, Any] = document.get("FilterCriteria") or {}
    filters: list[Mapping[str, Any]] = criteria.get("Filters") or []
    if len(filters) > FILTERS_MAX:
        raise invalid_parameter(f"FilterCriteria: there are more than {FILTERS_MAX} filters.")
    for each in filters:
        try:
            parse(each.get("Pattern") or "")
        except PatternError as err:
            raise invalid_parameter("Invalid filter pattern definition.") from err


def _check_access(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    configurations: list[Mapping[str, Any]] = document.get("SourceAccessConfigurations") or []
    for each in configurations:
        if each.get("Type") not in kind.access or not each.get("URI"):
            raise invalid_parameter(
                "SourceAccessConfigurations: each needs a URI and one of the types "
                f"[{', '.join(kind.access)}]."
            )


def _check_metrics(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    config: Mapping[str, Any] = document.get("MetricsConfig") or {}
    metrics: list[str] = config.get("Metrics") or []
    if not set(metrics) <= set(kind.metrics):
        raise invalid_parameter(
            f"MetricsConfig: this event source has [{', '.join(kind.metrics)}]."
        )


def _check_pollers(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    config: Mapping[str, Any] | None = document.get("ProvisionedPollerConfig")
    if config is None:
        return
    if document.get("ScalingConfig"):
        raise invalid_parameter("ProvisionedPollerConfig: it does not go with a ScalingConfig.")
    least, most = config.get("MinimumPollers"), config.get("MaximumPollers")
    for path, value, limit in (
        ("minimumPollers", least, kind.pollers_min_max),
        ("maximumPollers", most, kind.pollers_max_max),
    ):
        if value is not None:
            check_least(f"provisionedPollerConfig.{path}", value, kind.pollers_least)
            check_most(f"provisionedPollerConfig.{path}", value, limit)
    if least is not None and most is not None and least > most:
        raise invalid_parameter("ProvisionedPollerConfig: MinimumPollers exceeds MaximumPollers.")


def _check_database(kind: Kind, document: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    if kind.name == "documentdb":
        config: Mapping[str, Any] = document["DocumentDBEventSourceConfig"]
        if not config.get("DatabaseName"):
            raise invalid_parameter(
                "Required 'documentDBEventSourceConfig.databaseName' parameter is missing."
            )


_CHECKS: tuple[_Check, ...] = (
    _check_bounds,
    _check_position,
    _check_filters,
    _check_access,
    _check_metrics,
    _check_pollers,
    _check_database,
)


def check_function(kind: Kind, configuration: Mapping[str, Any]) -> None:
    """Refuse a function that this kind of source cannot call. ``configuration`` is a version's.

    AWS documents both rules; the texts are ours.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if "TenancyConfig" in configuration:
        raise invalid_parameter("Functions that isolate tenants have no event source mappings.")
    if kind.timeout_s_max is not None and configuration["Timeout"] > kind.timeout_s_max:
        raise invalid_parameter(
            f"Event sources of this type call functions with a timeout of {kind.timeout_s_max} "
            "seconds at most."
        )


def source_key(arn: str | None, document: Mapping[str, Any]) -> str:
    """What a mapping reads, and which part of it: the same for two mappings that read the same."""
    self_managed: Mapping[str, Any] = document.get("SelfManagedEventSource") or {}
    database: Mapping[str, Any] = document.get("DocumentDBEventSourceConfig") or {}
    parts = [
        arn or self_managed.get("Endpoints"),
        document.get("Topics"),
        document.get("Queues"),
        database.get("DatabaseName"),
        database.get("CollectionName"),
    ]
    return json.dumps(parts, separators=(",", ":"), sort_keys=True)


def duplicate(
    kind: Kind, arn: str | None, document: Mapping[str, Any], function: str, mapping_id: str
) -> AwsError:
    """The error of a second mapping of the same source. ``function`` is its ARN."""
    name = function.split(":")[6]
    end = f"already exists. Please update or delete the existing mapping with UUID {mapping_id}"
    if kind.name.startswith("sqs"):
        return conflict(
            f'An event source mapping with SQS arn (" {arn} ") and function (" {name} ") {end}'
        )
    if arn is None:
        servers = ",".join(
            document["SelfManagedEventSource"]["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"]
        )
        topics = ",".join(document["Topics"])
        return conflict(
            f'An event source mapping with event source ("{servers}"), function ("{function}"), '
            f'topics ("{topics}") {end}'
        )
    return conflict(
        f'The event source arn (" {arn} ") and function (" {name} ") provided mapping {end}'
    )
