"""Every kind of event source as one row: what a mapping of it may say, must say, and says unasked.

Source: Lambda API, CreateEventSourceMapping; Lambda developer guide, a page for each source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alonzo.model.errors import invalid_parameter

#: What every mapping may say.
COMMON = frozenset({"BatchSize", "MaximumBatchingWindowInSeconds", "MetricsConfig"})

_FILTERS = frozenset({"FilterCriteria"})
_PARTIAL = frozenset({"FunctionResponseTypes"})
_POLLERS = frozenset({"ProvisionedPollerConfig"})
_ACCESS = frozenset({"SourceAccessConfigurations"})
_START = frozenset({"StartingPosition", "StartingPositionTimestamp"})
_RETRIES = frozenset(
    {
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
    }
)
_STREAM = (
    _FILTERS
    | _PARTIAL
    | _START
    | _RETRIES
    | frozenset({"ParallelizationFactor", "TumblingWindowInSeconds"})
)
_KAFKA = _FILTERS | _PARTIAL | _START | _RETRIES | _POLLERS | _ACCESS | {"Topics", "LoggingConfig"}

#: What streams show though nobody set it.
_STREAM_DEFAULTS: Mapping[str, Any] = {
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}

_SASL = ("SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH")
_NETWORK = ("VPC_SUBNET", "VPC_SECURITY_GROUP")
_CERTIFICATES = ("CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE")
_OAUTH = (
    "OAUTHBEARER_AUTH",
    "OAUTHBEARER_SCOPE",
    "OAUTHBEARER_AUDIENCE",
    "OAUTHBEARER_LOGICAL_CLUSTER",
    "OAUTHBEARER_IDENTITY_POOL",
    "IAM_AUTH",
    "IAM_OAUTHBEARER_AUTH",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source.

    ``members`` beside ``COMMON`` may be set; those in ``required`` must be. ``defaults`` are shown
    though nobody set them. ``access`` are its types of SourceAccessConfigurations. ``group_config``
    is the member that names the consumer group. ``timeout_s_max`` bounds the function's timeout.
    Provisioned pollers: ``pollers_least`` bounds MinimumPollers and MaximumPollers from below,
    ``pollers_min_max`` and ``pollers_max_max`` from above. ``is_stream``: AWS words some answers
    differently.
    """

    name: str
    members: frozenset[str]
    required: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    batch_default: int = 100
    batch_max: int = 10_000
    window_max: int = 300
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    access: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("EventCount",)
    timeout_s_max: int | None = None
    pollers_min_max: int = 200
    pollers_max_max: int = 2000
    pollers_least: int = 1
    is_stream: bool = False
    group_config: str | None = None

    @property
    def reason(self) -> str:
        """``StateTransitionReason``; recorded."""
        return "User action" if self.is_stream else "USER_INITIATED"


_ALL_POSITIONS = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")
_KAFKA_METRICS = ("EventCount", "ErrorCount", "KafkaMetrics")

_SQS = Kind(
    name="sqs",
    members=_FILTERS | _PARTIAL | _POLLERS | {"ScalingConfig"},
    batch_default=10,
    defaults={"MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []},
    pollers_least=2,
    pollers_max_max=10_000,
)
SQS_FIFO = Kind(
    name="sqs-fifo",
    members=_SQS.members,
    batch_default=10,
    batch_max=10,
    window_max=0,
    defaults=_SQS.defaults,
    pollers_least=2,
    pollers_max_max=10_000,
)
KINESIS = Kind(
    name="kinesis",
    members=_STREAM,
    required=("StartingPosition",),
    positions=_ALL_POSITIONS,
    defaults=_STREAM_DEFAULTS,
    is_stream=True,
)
DYNAMODB = Kind(
    name="dynamodb",
    members=_STREAM,
    required=("StartingPosition",),
    positions=("TRIM_HORIZON", "LATEST"),
    defaults=_STREAM_DEFAULTS,
    is_stream=True,
)
MSK = Kind(
    name="msk",
    members=_KAFKA | {"AmazonManagedKafkaEventSourceConfig"},
    required=("StartingPosition", "Topics"),
    positions=_ALL_POSITIONS,
    access=("SASL_SCRAM_512_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"),
    metrics=_KAFKA_METRICS,
    timeout_s_max=840,
    group_config="AmazonManagedKafkaEventSourceConfig",
)
SELF_MANAGED_KAFKA = Kind(
    name="self-managed-kafka",
    members=_KAFKA | {"SelfManagedKafkaEventSourceConfig", "SelfManagedEventSource"},
    required=("SourceAccessConfigurations", "StartingPosition", "Topics"),
    positions=_ALL_POSITIONS,
    access=("BASIC_AUTH", *_SASL, *_NETWORK, *_CERTIFICATES, *_OAUTH),
    metrics=_KAFKA_METRICS,
    timeout_s_max=840,
    group_config="SelfManagedKafkaEventSourceConfig",
)
MQ = Kind(
    name="mq",
    members=_FILTERS | _ACCESS | {"Queues"},
    required=("SourceAccessConfigurations", "Queues"),
    access=("BASIC_AUTH", "VIRTUAL_HOST"),
    timeout_s_max=840,
)
DOCUMENTDB = Kind(
    name="documentdb",
    members=_ACCESS | _START | {"DocumentDBEventSourceConfig"},
    required=("SourceAccessConfigurations", "StartingPosition", "DocumentDBEventSourceConfig"),
    positions=_ALL_POSITIONS,
    access=("BASIC_AUTH",),
    timeout_s_max=840,
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (_SQS, SQS_FIFO, KINESIS, DYNAMODB, MSK, SELF_MANAGED_KAFKA, MQ, DOCUMENTDB)
}

#: Service and resource of a source's ARN. The first that fits decides.
_ARNS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"sqs:[a-zA-Z0-9-_]{1,75}\.fifo"), SQS_FIFO),
    (re.compile(r"sqs:[a-zA-Z0-9-_]{1,80}"), _SQS),
    (re.compile(r"kinesis:stream/[a-zA-Z0-9-_.]+(/consumer/[a-zA-Z0-9-_.]+(:\d+)?)?"), KINESIS),
    (re.compile(r"dynamodb:table/[a-zA-Z0-9-_.]+/stream/[^/]+"), DYNAMODB),
    (re.compile(r"kafka:(cluster|vpc-connection)/.+"), MSK),
    (re.compile(r"mq:broker:[^:]+:[^:]+"), MQ),
    (re.compile(r"rds:cluster:[a-zA-Z0-9-]+"), DOCUMENTDB),
)
_PLACED = re.compile(r"arn:aws[a-zA-Z0-9-]*:(?P<service>[^:]+):[^:]+:\d{12}:(?P<resource>.+)")


def kind_of(params: Mapping[str, Any]) -> Kind:
    """The kind of source that a CreateEventSourceMapping request names.

    Raises:
        AwsError: InvalidParameterValueException; recorded text.
    """
    arn: str | None = params.get("EventSourceArn")
    self_managed = params.get("SelfManagedEventSource") is not None
    if self_managed and not arn:
        return SELF_MANAGED_KAFKA
    found = None if arn is None or self_managed else _PLACED.fullmatch(arn)
    if found is not None:
        source = f"{found['service']}:{found['resource']}"
        for pattern, kind in _ARNS:
            if pattern.fullmatch(source):
                return kind
    raise invalid_parameter("Unrecognized event source.")
