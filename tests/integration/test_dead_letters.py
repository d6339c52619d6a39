"""DeadLetterConfig and destinations of other services: what may be said, kept and published."""

import asyncio
import json

import pytest

from alonzo.invoke.directory import Directory
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.destinations import TargetFault, TargetKind
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ROLE, open_control

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
OTHER = f"arn:aws:sqs:{REGION}:{ACCOUNT}:other"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b"
BUCKET = "arn:aws:s3:::b"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g"


def letters(arn):
    return {"DeadLetterConfig": {"TargetArn": arn}}


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


def test_dead_letters_are_kept_changed_and_taken_away(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            rig.targets.kinds |= {TargetKind.QUEUE, TargetKind.TOPIC}
            created = await rig.create_active("f", **letters(QUEUE))
            assert created["DeadLetterConfig"] == {"TargetArn": QUEUE}
            update = "UpdateFunctionConfiguration"
            await rig.call(update, FunctionName="f", Description="d")
            assert (await rig.settled("f"))["DeadLetterConfig"] == {"TargetArn": QUEUE}
            await rig.call(update, FunctionName="f", **letters(TOPIC))
            assert (await rig.settled("f"))["DeadLetterConfig"] == {"TargetArn": TOPIC}
            await rig.call(update, FunctionName="f", **letters(""))
            assert "DeadLetterConfig" not in await rig.settled("f")
            assert json.loads((await rig.row("f"))["serving"])["dead_letter"] is None

    asyncio.run(main())


def test_a_version_keeps_the_dead_letters_that_it_was_published_with(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig, TaskScope() as scope:
            directory = Directory(rig.store, scope, lambda *_: None, chance=lambda: 0.0)
            try:
                rig.targets.kinds.add(TargetKind.QUEUE)
                await rig.create_active("f", **letters(QUEUE))
                await rig.call("PublishVersion", FunctionName="f")
                await rig.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
                await rig.call("UpdateFunctionConfiguration", FunctionName="f", **letters(OTHER))
                await rig.settled("f")
                key = FunctionKey(ACCOUNT, REGION, "f")
                for qualifier, target in ((None, OTHER), ("1", QUEUE), ("live", QUEUE)):
                    policy = await directory.event_policy(FunctionRef(key, qualifier))
                    assert (policy.dead_letter, policy.role) == (target, ROLE)
                assert (await directory.event_policy(FunctionRef(key, "none"))).dead_letter is None
                await rig.call("PublishVersion", FunctionName="f")
                weights = {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}}
                text = await refused(
                    rig.call("UpdateAlias", FunctionName="f", Name="live", **weights)
                )
                assert "different dead-letter queues" in text
            finally:
                directory.close()

    asyncio.run(main())


KINDS = "DeadLetterConfig: the target must be a standard SQS queue or a standard SNS topic."


@pytest.mark.parametrize(
    ("arn", "fault", "text"),
    [
        (FUNCTION, None, KINDS),
        (f"{QUEUE}.fifo", None, KINDS),
        (TOPIC, None, "DeadLetterConfig: SNS topics are not supported yet."),
        (QUEUE, TargetFault.MISSING, f"DeadLetterConfig: {QUEUE} does not exist."),
        (
            QUEUE,
            TargetFault.FORBIDDEN,
            "The provided execution role does not have permissions to call SendMessage on SQS",
        ),
    ],
)
def test_dead_letters_to_what_cannot_take_them_are_refused(tmp_path, arn, fault, text):
    async def main():
        async with open_control(tmp_path) as rig:
            rig.targets.kinds.add(TargetKind.QUEUE)
            if fault is not None:
                rig.targets.faults[arn] = fault
            assert await refused(rig.create("f", **letters(arn))) == text
            await rig.create_active("f")
            update = rig.call("UpdateFunctionConfiguration", FunctionName="f", **letters(arn))
            assert await refused(update) == text

    asyncio.run(main())


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUS, BUCKET, FUNCTION])
def test_a_destination_of_every_kind_is_checked_and_kept(tmp_path, arn):
    async def main():
        async with open_control(tmp_path) as rig:
            rig.targets.kinds = set(TargetKind)
            for name in ("f", "g"):
                await rig.create_active(name)
            config = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
            for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"):
                kept = await rig.call(operation, FunctionName="f", **config)
                assert kept["DestinationConfig"]["OnFailure"] == {"Destination": arn}
                rig.targets.faults[arn] = TargetFault.MISSING
                text = await refused(rig.call(operation, FunctionName="f", **config))
                assert text == f"The destination ARN {arn} is invalid."
                rig.targets.faults[arn] = TargetFault.FORBIDDEN
                text = await refused(rig.call(operation, FunctionName="f", **config))
                assert text.startswith("The function's execution role does not have permissions")
                assert text.endswith(f" on {arn}")
                rig.targets.faults.clear()

    asyncio.run(main())
