"""The engine is ready for streams: retries, bisecting, ages, discarded records, checkpoints."""

import asyncio
import json

import pytest

from alonzo.testing.memory_stream import STREAM_ARN
from alonzo.testing.poller_rig import FUNCTION, WAIT_S, at_work, fill
from alonzo.testing.worlds import StreamWorld

TARGET = {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failed"}}


def run(main):
    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def poison(*bad):
    async def handle(records):
        if any(record["body"] in bad for record in records):
            raise ValueError("poison")

    return handle


def one_group(count):
    return [f"g0/{number:03d}" for number in range(count)]


def test_a_batch_out_of_retries_goes_to_the_destination_and_the_shard_goes_on():
    async def main():
        world = StreamWorld()
        await fill(world, one_group(4))
        members = {"BatchSize": 2, "MaximumRetryAttempts": 1, "DestinationConfig": TARGET}
        async with at_work(world, poison("g0/001"), **members) as rig:
            await rig.until_done()
            first, rest = ["g0/000", "g0/001"], ["g0/002", "g0/003"]
            assert rig.calls == [first, first, rest]
            (delivery,) = rig.delivered
            assert delivery.target_arn == TARGET["OnFailure"]["Destination"]
            assert delivery.sender_arn == FUNCTION.key.qualified("$LATEST")
            record = json.loads(delivery.document)
            assert list(record) == [
                "requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo"
            ]  # fmt: skip
            assert record["requestContext"] == {
                "requestId": delivery.request_id,
                "functionArn": FUNCTION.arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 2,
            }
            assert record["responseContext"] == {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            }
            info = record["KinesisBatchInfo"]
            assert (info["startSequenceNumber"], info["endSequenceNumber"]) == ("0001", "0002")
            assert (info["batchSize"], info["streamArn"]) == (2, STREAM_ARN)

    run(main)


def test_bisecting_finds_the_record_that_fails_and_costs_no_retry():
    async def main():
        world = StreamWorld()
        await fill(world, one_group(8))
        members = {
            "BatchSize": 8, "MaximumRetryAttempts": 0, "DestinationConfig": TARGET,
            "BisectBatchOnFunctionError": True,
        }  # fmt: skip
        async with at_work(world, poison("g0/005"), **members) as rig:
            await rig.until_done()
            assert [len(call) for call in rig.calls] == [8, 4, 4, 2, 1, 1, 2]
            (delivery,) = rig.delivered
            info = json.loads(delivery.document)["KinesisBatchInfo"]
            assert info["startSequenceNumber"] == info["endSequenceNumber"] == "0006"

    run(main)


def test_a_partial_response_moves_the_checkpoint_to_the_lowest_failure():
    async def main():
        world = StreamWorld()
        await fill(world, one_group(5))
        answers = [["0004", "0003"], ["0004"], []]

        async def report(records):
            failures = [{"itemIdentifier": number} for number in answers.pop(0)]
            return {"batchItemFailures": failures}

        members = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
        async with at_work(world, report, **members) as rig:
            await rig.until_done()
            assert [call[0] for call in rig.calls] == ["g0/000", "g0/002", "g0/003"]
            commits = [number for _, number in world.stream.commits]
            assert commits[:3] == ["0002", "0003", "0005"]

    run(main)


def test_old_records_are_discarded_without_a_call():
    async def main():
        world = StreamWorld()
        await fill(world, one_group(2))
        members = {"MaximumRecordAgeInSeconds": 60, "DestinationConfig": TARGET}
        async with at_work(world, **members) as rig:
            await rig.until_done()
            assert rig.calls == []
            record = json.loads(rig.delivered[0].document)
            assert record["requestContext"]["condition"] == "RecordAgeExceeded"
            assert "responseContext" not in record

    run(main)


@pytest.mark.parametrize("factor", [1, 3])
def test_a_checkpoint_never_passes_what_is_not_done(factor):
    async def main():
        world = StreamWorld()
        bodies = [f"g{n % 4}/{n:03d}" for n in range(40)]
        await fill(world, bodies)
        done = set()

        async def handle(records):
            await asyncio.sleep(0.001 * (int(records[0]["group"][1]) % 3))
            done.update(record["body"] for record in records)

        async with at_work(world, handle, BatchSize=3, ParallelizationFactor=factor) as rig:
            for so_many in (5, 15, 25):
                await rig.until(lambda so_many=so_many: len(done) >= so_many)
                await rig.kill()
                assert set(bodies) - set(world.stream.left()) <= done
                await rig.start()
            await rig.until_done()
            assert done == set(bodies)

    run(main)
