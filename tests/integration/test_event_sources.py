"""Event source mappings of every kind: what may be said, and that it reads back."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from alonzo.control.event_sources.kinds import COMMON, KINDS
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION
from alonzo.testing.event_sources import (
    FILTERS,
    LEAST,
    TO_QUEUE,
    VALUES,
    arn,
    create_mapping,
    get_mapping,
    open_with_function,
    settled_mapping,
)

NONE = "00000000-0000-4000-8000-00000000dead"


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


def ipv(message):
    return "InvalidParameterValueException", message


@pytest.mark.parametrize("kind", LEAST)
def test_every_member_of_every_kind_reads_back(tmp_path, kind):
    async def main():
        async with open_with_function(tmp_path) as rig:
            least = await create_mapping(rig, kind)
            assert least["State"] == "Creating"
            held = await settled_mapping(rig, least)
            assert held == {**least, "State": "Enabled"}
            settable = {m: v for m, v in VALUES.items() if m in COMMON | KINDS[kind].members}
            if kind == "sqs-fifo":
                del settable["MaximumBatchingWindowInSeconds"]
            for member, value in settable.items():
                given = {"UUID": least["UUID"], member: value}
                answer = await rig.call("UpdateEventSourceMapping", **given)
                assert (answer["State"], answer[member]) == ("Updating", value)
                held = {**held, member: value}
                assert await settled_mapping(rig, least) == held
            empty = await rig.call("UpdateEventSourceMapping", UUID=least["UUID"])
            assert {**empty, "State": "Enabled"} == await settled_mapping(rig, least) == held
            deleted = await rig.call("DeleteEventSourceMapping", UUID=least["UUID"])
            assert deleted == {**held, "State": "Deleting"}
            await gone(rig, least)
            whole = await create_mapping(rig, kind, **settable)
            for member in (*settable, *(LEAST[kind].keys() - {"DocumentDBEventSourceConfig"})):
                assert whole[member] == {**LEAST[kind], **settable}[member], member

    asyncio.run(main())


async def gone(rig, mapping):
    """Wait until a mapping has been deleted."""
    found = True
    async with asyncio.timeout(10):
        while found:
            page = await rig.call("ListEventSourceMappings")
            found = mapping["UUID"] in [each["UUID"] for each in page["EventSourceMappings"]]
            await asyncio.sleep(0.002)
    missing = "The resource you requested does not exist."
    error = await refused(get_mapping(rig, mapping))
    assert error == ("ResourceNotFoundException", missing)


def test_what_nobody_set_is_shown_as_aws_shows_it(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            common = {
                "FunctionArn": arn("lambda", "function:f"),
                "LastModified": rig.clock.now_s(),
                "State": "Creating",
            }
            stream = await create_mapping(rig, "kinesis")
            uuid = stream["UUID"]
            assert stream == common | {
                "UUID": uuid,
                "EventSourceMappingArn": arn("lambda", f"event-source-mapping:{uuid}"),
                "EventSourceArn": arn("kinesis", "stream/s"),
                "StartingPosition": "LATEST",
                "BatchSize": 100,
                "MaximumBatchingWindowInSeconds": 0,
                "ParallelizationFactor": 1,
                "DestinationConfig": {"OnFailure": {}},
                "MaximumRecordAgeInSeconds": -1,
                "BisectBatchOnFunctionError": False,
                "MaximumRetryAttempts": -1,
                "TumblingWindowInSeconds": 0,
                "FunctionResponseTypes": [],
                "LastProcessingResult": "No records processed",
                "StateTransitionReason": "User action",
            }
            queue = await create_mapping(rig, "sqs")
            uuid = queue["UUID"]
            assert queue == common | {
                "UUID": uuid,
                "EventSourceMappingArn": arn("lambda", f"event-source-mapping:{uuid}"),
                "EventSourceArn": arn("sqs", "q"),
                "BatchSize": 10,
                "MaximumBatchingWindowInSeconds": 0,
                "FunctionResponseTypes": [],
                "StateTransitionReason": "USER_INITIATED",
            }
            kafka = await create_mapping(rig, "self-managed-kafka")
            assert kafka["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": kafka["UUID"]}
            assert "EventSourceArn" not in kafka

    asyncio.run(main())


DUPLICATES = {
    "sqs": 'An event source mapping with SQS arn (" {arn} ") and function (" f ") already exists. '
    "Please update or delete the existing mapping with UUID {uuid}",
    "kinesis": 'The event source arn (" {arn} ") and function (" f ") provided mapping already '
    "exists. Please update or delete the existing mapping with UUID {uuid}",
    "self-managed-kafka": 'An event source mapping with event source ("a:9092,b:9092"), function '
    '("{function}"), topics ("t") already exists. Please update or delete the existing mapping '
    "with UUID {uuid}",
}


@pytest.mark.parametrize("kind", DUPLICATES)
def test_a_function_reads_a_source_once(tmp_path, kind):
    async def main():
        async with open_with_function(tmp_path) as rig:
            held = await create_mapping(rig, kind)
            text = DUPLICATES[kind].format(
                arn=held.get("EventSourceArn"), uuid=held["UUID"], function=held["FunctionArn"]
            )
            assert await refused(create_mapping(rig, kind)) == ("ResourceConflictException", text)
            await rig.create_active("g")
            other = await settled_mapping(rig, await create_mapping(rig, kind, FunctionName="g"))
            moving = {"UUID": other["UUID"], "FunctionName": "f"}
            error = await refused(rig.call("UpdateEventSourceMapping", **moving))
            assert error == ("ResourceConflictException", text)
            await settled_mapping(rig, held)
            await rig.call("DeleteEventSourceMapping", UUID=held["UUID"])
            await gone(rig, held)
            moved = await rig.call("UpdateEventSourceMapping", **moving)
            assert moved["FunctionArn"] == held["FunctionArn"]

    asyncio.run(main())


def test_an_update_is_held_to_the_same_rules_and_changes_nothing_when_refused(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            queue = await settled_mapping(rig, await create_mapping(rig, "sqs"))
            for members in (
                {"BatchSize": 11},
                {"DestinationConfig": TO_QUEUE},
                {"FilterCriteria": {"Filters": [{"Pattern": "[]"}]}},
                {"FunctionName": "none"},
            ):
                call = rig.call("UpdateEventSourceMapping", UUID=queue["UUID"], **members)
                assert (await refused(call))[0] == "InvalidParameterValueException"
                assert await get_mapping(rig, queue) == queue
            group = await settled_mapping(rig, await create_mapping(rig, "msk"))
            config = {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "other"}}
            call = rig.call("UpdateEventSourceMapping", UUID=group["UUID"], **config)
            assert await refused(call) == ipv(
                "AmazonManagedKafkaEventSourceConfig: the ConsumerGroupId cannot be changed."
            )

    asyncio.run(main())


def test_an_update_does_not_make_a_second_mapping_of_the_same(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            await create_mapping(rig, "documentdb")
            other = {"DocumentDBEventSourceConfig": {"DatabaseName": "other"}}
            second = await create_mapping(rig, "documentdb", **other)
            await settled_mapping(rig, second)
            same = {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}}
            call = rig.call("UpdateEventSourceMapping", UUID=second["UUID"], **same)
            assert (await refused(call))[0] == "ResourceConflictException"

    asyncio.run(main())


def test_an_empty_value_takes_a_setting_away(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            queue = await create_mapping(
                rig, "sqs", FilterCriteria=FILTERS, ScalingConfig={"MaximumConcurrency": 2}
            )
            await settled_mapping(rig, queue)
            for member, empty in (("FilterCriteria", {"Filters": []}), ("ScalingConfig", {})):
                given = {"UUID": queue["UUID"], member: empty}
                assert member not in await rig.call("UpdateEventSourceMapping", **given)
                await settled_mapping(rig, queue)
            stream = await settled_mapping(
                rig, await create_mapping(rig, "kinesis", DestinationConfig=TO_QUEUE)
            )
            none = {"OnFailure": {"Destination": ""}}
            answer = await rig.call(
                "UpdateEventSourceMapping", UUID=stream["UUID"], DestinationConfig=none
            )
            assert answer["DestinationConfig"] == {"OnFailure": {}}

    asyncio.run(main())


def test_a_moment_to_start_at_reads_back(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
            stream = await create_mapping(
                rig, "kinesis", StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment
            )
            assert stream["StartingPositionTimestamp"] == moment.timestamp()
            assert (await get_mapping(rig, stream))[
                "StartingPositionTimestamp"
            ] == moment.timestamp()

    asyncio.run(main())


def test_states_are_durable_and_a_busy_mapping_takes_no_request(tmp_path):
    async def main():
        async with open_with_function(tmp_path, deploying=False) as rig:
            on = await create_mapping(rig, "sqs")
            off = await create_mapping(rig, "kinesis", Enabled=False)
            assert (on["State"], off["State"]) == ("Creating", "Disabled")
            for operation, verb in (
                ("UpdateEventSourceMapping", "update"),
                ("DeleteEventSourceMapping", "delete"),
            ):
                text = f"Cannot {verb} the event source mapping because it is in use."
                error = await refused(rig.call(operation, UUID=on["UUID"]))
                assert error == ("ResourceInUseException", text)
            assert await rig.reconcile_mappings() == 1
            assert (await get_mapping(rig, on))["State"] == "Enabled"
            for mapping, enabled, busy, then in (
                (on, False, "Disabling", "Disabled"),
                (off, True, "Enabling", "Enabled"),
                (on, False, "Updating", "Disabled"),
            ):
                answer = await rig.call(
                    "UpdateEventSourceMapping", UUID=mapping["UUID"], Enabled=enabled
                )
                assert answer["State"] == busy
                # What a daemon finds after its start is what the last one left.
                assert await rig.reconcile_mappings() == 1
                assert (await get_mapping(rig, mapping))["State"] == then
            await rig.call("DeleteEventSourceMapping", UUID=on["UUID"])
            assert (await get_mapping(rig, on))["State"] == "Deleting"
            assert await rig.reconcile_mappings() == 1
            await gone(rig, on)

    asyncio.run(main())


def test_lists_are_filtered_and_paged(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            await rig.settled("f")
            await rig.create_active("g")
            await rig.call("PublishVersion", FunctionName="g")
            made = [
                await create_mapping(
                    rig, "sqs", FunctionName=name, EventSourceArn=arn("sqs", queue)
                )
                for name in ("f", "g", "g:1")
                for queue in ("one", "two", "three")
            ]

            async def listed(**filters):
                seen, more = [], {}
                while True:
                    page = await rig.call("ListEventSourceMappings", MaxItems=2, **filters, **more)
                    seen += [each["UUID"] for each in page["EventSourceMappings"]]
                    if "NextMarker" not in page:
                        return seen
                    more = {"Marker": page["NextMarker"]}

            def ids(*, name="", queue=""):
                return sorted(
                    each["UUID"]
                    for each in made
                    if name in each["FunctionArn"] and each["EventSourceArn"].endswith(queue)
                )

            assert await listed() == ids()
            assert await listed(FunctionName="g") == ids(name=":g")
            assert await listed(FunctionName="g:1") == ids(name=":g:1")
            assert await listed(EventSourceArn=arn("sqs", "one")) == ids(queue=":one")
            both = {"FunctionName": "f", "EventSourceArn": arn("sqs", "two")}
            assert await listed(**both) == ids(name=":function:f", queue=":two")
            assert await listed(FunctionName="none") == []

    asyncio.run(main())


def test_a_mapping_outlives_its_function_and_keeps_its_tags(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            queue = await settled_mapping(rig, await create_mapping(rig, "sqs", Tags={"a": "1"}))
            resource = {"Resource": queue["EventSourceMappingArn"]}
            await rig.call("TagResource", **resource, Tags={"b": "2"})
            await rig.call("UntagResource", **resource, TagKeys=["a"])
            await rig.settled("f")
            await rig.call("DeleteFunction", FunctionName="f")
            assert await get_mapping(rig, queue) == queue
            assert await rig.call("ListTags", **resource) == {"Tags": {"b": "2"}}
            off = await rig.call("UpdateEventSourceMapping", UUID=queue["UUID"], Enabled=False)
            assert off["State"] == "Disabling"
            none = arn("lambda", f"event-source-mapping:{NONE}")
            for operation, more in (("ListTags", {}), ("TagResource", {"Tags": {"a": "b"}})):
                assert await refused(rig.call(operation, Resource=none, **more)) == (
                    "ResourceNotFoundException", f"Event source mapping not found: {none}"
                )  # fmt: skip

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["msk", "self-managed-kafka", "mq", "documentdb"])
def test_some_sources_call_no_function_that_may_run_long(tmp_path, kind):
    async def main():
        async with open_with_function(tmp_path) as rig:
            await rig.create_active("slow", Timeout=841)
            await rig.create_active("quick", Timeout=840)
            await create_mapping(rig, kind, FunctionName="quick")
            assert await refused(create_mapping(rig, kind, FunctionName="slow")) == ipv(
                "Event sources of this type call functions with a timeout of 840 seconds at most."
            )

    asyncio.run(main())


def test_functions_that_isolate_tenants_have_no_mappings(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            tenancy = {"TenantIsolationMode": "PER_TENANT"}
            await rig.create_active("t", TenancyConfig=tenancy)
            assert await refused(create_mapping(rig, "sqs", FunctionName="t")) == ipv(
                "Functions that isolate tenants have no event source mappings."
            )

    asyncio.run(main())


def test_no_list_reads_the_whole_table(tmp_path):
    async def main():
        async with open_with_function(tmp_path) as rig:
            from alonzo.control.event_sources.records import Q

            values = {
                "account": ACCOUNT, "region": REGION, "function_name": "f",
                "function_qualifier": None, "source_arn": "s", "source_key": json.dumps([]),
                "after": "", "rows_max": 1, "id": "",
            }  # fmt: skip
            for name in (
                "find_same", "list_mappings", "list_mappings_of_function",
                "list_mappings_of_source", "list_busy",
            ):  # fmt: skip
                sql = f"EXPLAIN QUERY PLAN {getattr(Q, name)}"
                rows = await rig.store.read(lambda db, sql=sql: db.all(sql, values))
                plan = [row["detail"] for row in rows]
                assert all("USING INDEX" in each or "PRIMARY KEY" in each for each in plan), plan
                assert not any("TEMP B-TREE" in each for each in plan), plan

    asyncio.run(main())
