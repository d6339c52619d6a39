"""What the control plane asks of a source before it maps it, and in which order it does things."""

import asyncio

import pytest

from alonzo.model.errors import AwsError
from alonzo.model.ports.event_sources import SourceFault, SourceState
from alonzo.testing.control import open_control
from alonzo.testing.event_sources import LEAST, create_mapping, settled_mapping

QUEUE = LEAST["sqs"]["EventSourceArn"]


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    assert caught.value.code == "InvalidParameterValueException"
    return caught.value.message


TEXTS = {
    SourceState(SourceFault.FORBIDDEN): "The function execution role does not have permissions to "
    "call ReceiveMessage on SQS",
    SourceState(SourceFault.MISSING): "Error occurred while ReceiveMessage. SQS Error Code: "
    "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not "
    "exist for this wsdl version.",
    SourceState(visibility_timeout_s=6): "Queue visibility timeout: 6 seconds is less than "
    "Function timeout: 7 seconds",
}


def test_a_source_that_cannot_be_read_is_not_mapped(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await rig.create_active("f", Timeout=7)
            rig.sources.kinds = {"sqs"}
            for state, text in TEXTS.items():
                rig.sources.states[QUEUE] = state
                assert await refused(create_mapping(rig, "sqs")) == text
            text = await refused(create_mapping(rig, "sqs", FunctionName="none"))
            assert text == "Function does not exist"
            assert (await rig.call("ListEventSourceMappings"))["EventSourceMappings"] == []
            rig.sources.states[QUEUE] = SourceState(visibility_timeout_s=7)
            made = await settled_mapping(rig, await create_mapping(rig, "sqs"))

            # An update that leaves it enabled is held to the same; one that disables it is not.
            for state, text in TEXTS.items():
                rig.sources.states[QUEUE] = state
                call = rig.call("UpdateEventSourceMapping", UUID=made["UUID"], BatchSize=5)
                assert await refused(call) == text
            await rig.call("UpdateEventSourceMapping", UUID=made["UUID"], Enabled=False)
            assert (await settled_mapping(rig, made))["State"] == "Disabled"

    asyncio.run(main())


class Slow:
    """``Pollers`` that write down what they are told, and stop when ``gate`` is opened."""

    def __init__(self):
        self.told = []
        self.gate = asyncio.Event()

    async def apply(self, mapping):
        self.told.append((mapping.id, mapping.document["BatchSize"]))

    async def stop(self, arn):
        self.told.append(arn.rsplit(":", 1)[1])
        await self.gate.wait()


def test_a_mapping_is_disabling_until_its_last_batch_is_over(tmp_path):
    async def main():
        async with open_control(tmp_path, deploying=False) as rig:
            rig.pollers = pollers = Slow()
            await rig.create("f")
            ids = [(await create_mapping(rig, kind))["UUID"] for kind in ("sqs", "kinesis")]
            assert await rig.reconcile_mappings() == 2
            assert sorted(pollers.told) == sorted([(ids[0], 10), (ids[1], 100)])
            reconciler = rig.new_reconciler()
            await rig.call("UpdateEventSourceMapping", UUID=ids[0], Enabled=False)
            await rig.call("DeleteEventSourceMapping", UUID=ids[1])
            assert await reconciler.reconcile() == 2
            await asyncio.sleep(0)
            assert sorted(pollers.told[2:]) == sorted(ids)
            # What waits for its end is left alone, and holds up nobody.
            assert await reconciler.reconcile() == 0
            other = await create_mapping(rig, "documentdb")
            assert await reconciler.reconcile() == 1
            assert (await settled_mapping(rig, other))["State"] == "Enabled"
            shown = await rig.call("ListEventSourceMappings")
            states = {each["UUID"]: each["State"] for each in shown["EventSourceMappings"]}
            assert states == {ids[0]: "Disabling", ids[1]: "Deleting", other["UUID"]: "Enabled"}
            pollers.gate.set()
            await reconciler.drain()
            shown = await rig.call("ListEventSourceMappings")
            states = {each["UUID"]: each["State"] for each in shown["EventSourceMappings"]}
            assert states == {ids[0]: "Disabled", other["UUID"]: "Enabled"}

    asyncio.run(main())


def test_every_enabled_mapping_runs_after_a_start(tmp_path):
    async def main():
        async with open_control(tmp_path, deploying=False) as rig:
            await rig.create("f")
            on = await create_mapping(rig, "sqs")
            await create_mapping(rig, "kinesis", Enabled=False)
            busy = await create_mapping(rig, "documentdb")
            gone = await create_mapping(rig, "mq")
            await rig.reconcile_mappings()
            await rig.call("UpdateEventSourceMapping", UUID=busy["UUID"], BatchSize=7)
            await rig.call("DeleteEventSourceMapping", UUID=gone["UUID"])
            rig.pollers = pollers = Slow()
            pollers.gate.set()
            running = asyncio.ensure_future(rig.new_reconciler().run())
            assert (await settled_mapping(rig, busy))["BatchSize"] == 7
            running.cancel()
            await asyncio.wait({running})
            assert set(pollers.told[:2]) == {(on["UUID"], 10), (busy["UUID"], 7)}
            assert gone["UUID"] in pollers.told

    asyncio.run(main())
