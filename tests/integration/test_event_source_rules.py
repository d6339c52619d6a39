"""What an event source mapping cannot say, with AWS's words for it."""

import asyncio

import pytest

from alonzo.model.errors import AwsError
from alonzo.testing.event_sources import (
    FILTERS,
    LEAST,
    SERVERS,
    TO_QUEUE,
    arn,
    create_mapping,
    open_with_function,
)


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def ipv(message):
    return "InvalidParameterValueException", message


POSITION = "Unsupported starting position for arn type: {arn}"
MEMBER = "Unsupported {member} parameter for given event source mapping type."
BOUND = (
    "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
    "Member must have value {than} than or equal to {limit}"
)
PATTERN = "Invalid filter pattern definition."
REFUSED = [
    ("sqs", {"EventSourceArn": arn("sns", "t")}, "Unrecognized event source."),
    ("sqs", {"EventSourceArn": None}, "Unrecognized event source."),
    ("sqs", {"EventSourceArn": arn("kinesis", "s")}, "Unrecognized event source."),
    ("sqs", {"SelfManagedEventSource": SERVERS}, "Unrecognized event source."),
    ("sqs", {"FunctionName": "none"}, "Function does not exist"),
    ("sqs", {"FunctionName": "f:1"}, "Function does not exist"),
    ("sqs", {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0 if maximum "
     "batch size is greater than 10"),
    ("sqs-fifo", {"BatchSize": 11}, BOUND.format(
        value=11, path="batchSize", than="less", limit=10)),
    ("sqs-fifo", {"MaximumBatchingWindowInSeconds": 1},
     MEMBER.format(member="MaximumBatchingWindowInSeconds")),
    ("sqs", {"DestinationConfig": TO_QUEUE}, MEMBER.format(member="DestinationConfig")),
    ("sqs", {"StartingPosition": "LATEST"}, POSITION.format(arn=arn("sqs", "q"))),
    ("sqs", {"ParallelizationFactor": 2}, MEMBER.format(member="ParallelizationFactor")),
    ("sqs", {"Topics": ["t"]}, MEMBER.format(member="Topics")),
    ("sqs", {"KMSKeyArn": arn("kms", "key/k")},
     "KMSKeyArn: Customer managed keys are not supported."),
    ("sqs", {"ScalingConfig": {"MaximumConcurrency": 2}, "ProvisionedPollerConfig":
     {"MinimumPollers": 2}}, "ProvisionedPollerConfig: it does not go with a ScalingConfig."),
    ("sqs", {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, BOUND.format(
        value=1, path="provisionedPollerConfig.minimumPollers", than="greater", limit=2)),
    ("msk", {"ProvisionedPollerConfig": {"MaximumPollers": 2001}}, BOUND.format(
        value=2001, path="provisionedPollerConfig.maximumPollers", than="less", limit=2000)),
    ("msk", {"ProvisionedPollerConfig": {"MaximumPollers": 2, "MinimumPollers": 3}},
     "ProvisionedPollerConfig: MinimumPollers exceeds MaximumPollers."),
    ("sqs", {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}},
     "MetricsConfig: this event source has [EventCount]."),
    ("kinesis", {"StartingPosition": None}, "1 validation error detected: Value null at "
     "'startingPosition' failed to satisfy constraint: Member must not be null."),
    ("kinesis", {"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp: it goes with the "
     "StartingPosition AT_TIMESTAMP, and only with that."),
    ("dynamodb", {"StartingPosition": "AT_TIMESTAMP"},
     POSITION.format(arn=LEAST["dynamodb"]["EventSourceArn"])),
    ("kinesis", {"MaximumRecordAgeInSeconds": 59}, BOUND.format(
        value=59, path="maximumRecordAgeInSeconds", than="greater", limit=60)),
    ("kinesis", {"ScalingConfig": {"MaximumConcurrency": 2}},
     MEMBER.format(member="ScalingConfig")),
    ("kinesis", {"DestinationConfig": {"OnSuccess": {"Destination": arn("sqs", "q")}}},
     MEMBER.format(member="DestinationConfig")),
    ("msk", {"Topics": None}, "Required 'topics' parameter is missing."),
    ("self-managed-kafka", {"SourceAccessConfigurations": None},
     "Required 'sourceAccessConfigurations' parameter is missing."),
    ("self-managed-kafka", {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]},
     None),
    ("mq", {"Queues": None}, "Required 'queues' parameter is missing."),
    ("mq", {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH"}]},
     "SourceAccessConfigurations: each needs a URI and one of the types "
     "[BASIC_AUTH, VIRTUAL_HOST]."),
    ("documentdb", {"FilterCriteria": FILTERS}, MEMBER.format(member="FilterCriteria")),
    ("documentdb", {"DocumentDBEventSourceConfig": {"CollectionName": "c"}},
     "Required 'documentDBEventSourceConfig.databaseName' parameter is missing."),
    ("sqs", {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, PATTERN),
    ("sqs", {"FilterCriteria": {"Filters": [{}]}}, PATTERN),
    ("sqs", {"FilterCriteria": {"Filters": [{"Pattern": '{"body":"x"}'}]}}, PATTERN),
    ("sqs", {"FilterCriteria": {"Filters": [FILTERS["Filters"][0]] * 6}},
     "FilterCriteria: there are more than 5 filters."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "members", "message"), REFUSED)
def test_what_cannot_be_is_refused_on_create(tmp_path, kind, members, message):
    async def main():
        async with open_with_function(tmp_path) as rig:
            error = await refused(create_mapping(rig, kind, **members))
            assert error[0] == "InvalidParameterValueException"
            assert message in (None, error[1])
            listed = await rig.call("ListEventSourceMappings")
            assert listed == {"EventSourceMappings": []}

    asyncio.run(main())
