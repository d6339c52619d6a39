"""Event source mappings as boto3 makes, reads and deletes them, with times and nested members."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.functions import ADMIN_ROLE

ECHO = "def handler(event, context): return event"
REGION = "us-east-1"


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:000000000000:{resource}"


def settled(client, uuid, eventually):
    def look():
        found = client.get_event_source_mapping(UUID=uuid)
        return found if found["State"] in ("Enabled", "Disabled") else None

    found = eventually(look, 10)
    del found["ResponseMetadata"]
    return found


def test_a_stream_from_its_creation_to_its_end(lambda_client, function, eventually):
    worker = function(ECHO)
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    given = {
        "EventSourceArn": arn("kinesis", "stream/s"),
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": moment,
        "BatchSize": 10000,
        "MaximumBatchingWindowInSeconds": 300,
        "ParallelizationFactor": 10,
        "MaximumRecordAgeInSeconds": 604800,
        "MaximumRetryAttempts": 0,
        "BisectBatchOnFunctionError": True,
        "TumblingWindowInSeconds": 900,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": arn("sqs", "failed")}},
        "FilterCriteria": {"Filters": [{"Pattern": '{"data":{"kind":["order"]}}'}]},
    }
    created = lambda_client.create_event_source_mapping(
        FunctionName=worker.name, Tags={"team": "core"}, **given
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert created["State"] == "Creating"
    uuid = created["UUID"]
    held = settled(lambda_client, uuid, eventually)
    assert {name: held[name] for name in given} == given
    assert held["FunctionArn"] == worker.arn
    assert held["LastProcessingResult"] == "No records processed"
    tags = lambda_client.list_tags(Resource=held["EventSourceMappingArn"])["Tags"]
    assert tags == {"team": "core"}

    lambda_client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert settled(lambda_client, uuid, eventually)["State"] == "Disabled"
    lambda_client.update_event_source_mapping(UUID=uuid, BatchSize=1)
    changed = settled(lambda_client, uuid, eventually)
    assert changed == {
        **held, "State": "Disabled", "BatchSize": 1, "LastModified": changed["LastModified"],
    }  # fmt: skip

    deleted = lambda_client.delete_event_source_mapping(UUID=uuid)
    assert deleted["State"] == "Deleting"

    def gone():
        try:
            lambda_client.get_event_source_mapping(UUID=uuid)
        except ClientError as err:
            return err.response["Error"]
        return None

    assert eventually(gone, 10) == {
        "Code": "ResourceNotFoundException",
        "Message": "The resource you requested does not exist.",
    }


@pytest.mark.parametrize(
    ("service", "resource", "more"),
    [
        ("sqs", "queue", {"ScalingConfig": {"MaximumConcurrency": 2}}),
        ("sqs", "queue.fifo", {"BatchSize": 10}),
        ("dynamodb", "table/t/stream/2026", {"StartingPosition": "LATEST"}),
        ("kafka", "cluster/c/0", {"StartingPosition": "LATEST", "Topics": ["topic"]}),
        (
            "mq",
            "broker:b:b-1",
            {"Queues": ["q"], "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}]},
        ),
        (
            "rds",
            "cluster:c",
            {
                "StartingPosition": "LATEST",
                "DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"},
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}],
            },
        ),
        (
            None,
            None,
            {
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:9092"]}},
                "StartingPosition": "TRIM_HORIZON",
                "Topics": ["topic"],
                "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}],
                "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"},
            },
        ),
    ],
)
def test_every_kind_of_source_reads_back(
    boto, lambda_client, function, eventually, service, resource, more
):
    if service == "sqs":
        fifo = {"FifoQueue": "true"} if resource.endswith(".fifo") else {}
        boto("sqs").create_queue(QueueName=resource, Attributes=fifo)
    worker = function(ECHO, Role=ADMIN_ROLE)
    source = {} if service is None else {"EventSourceArn": arn(service, resource)}
    created = lambda_client.create_event_source_mapping(FunctionName=worker.name, **source, **more)
    held = settled(lambda_client, created["UUID"], eventually)
    assert {name: held[name] for name in (*source, *more)} == {**source, **more}
    listed = lambda_client.list_event_source_mappings(FunctionName=worker.name)
    assert listed["EventSourceMappings"] == [held]
    with pytest.raises(lambda_client.exceptions.ResourceConflictException) as caught:
        lambda_client.create_event_source_mapping(FunctionName=worker.name, **source, **more)
    assert created["UUID"] in str(caught.value)
    lambda_client.delete_event_source_mapping(UUID=created["UUID"])
