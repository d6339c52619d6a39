"""Event invoke configurations: what may be said, what is read back, and who hears of it."""

import asyncio

import pytest

from alonzo.invoke.directory import Directory
from alonzo.invoke.event_life import EventPolicy
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ROLE, open_control

PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
NOW_S = 1_795_168_800.0


def lambda_arn(name):
    return PREFIX + name


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def functions(rig, *names):
    for name in names:
        await rig.create_active(name)


def test_put_replaces_update_merges_and_both_read_back(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await functions(rig, "f", "good", "bad")
            name = {"FunctionName": "f"}
            destinations = {
                "OnSuccess": {"Destination": lambda_arn("good")},
                "OnFailure": {"Destination": lambda_arn("bad:$LATEST")},
            }
            whole = await rig.call(
                "PutFunctionEventInvokeConfig",
                **name,
                MaximumRetryAttempts=0,
                MaximumEventAgeInSeconds=60,
                DestinationConfig=destinations,
            )
            assert whole == {
                "LastModified": NOW_S,
                "FunctionArn": lambda_arn("f:$LATEST"),
                "MaximumRetryAttempts": 0,
                "MaximumEventAgeInSeconds": 60,
                "DestinationConfig": destinations,
            }
            assert await rig.call("GetFunctionEventInvokeConfig", **name) == whole
            rig.clock.advance(5)
            merged = await rig.call(
                "UpdateFunctionEventInvokeConfig", **name, MaximumRetryAttempts=2
            )
            assert merged == {**whole, "MaximumRetryAttempts": 2, "LastModified": NOW_S + 5}
            cleared = await rig.call(
                "UpdateFunctionEventInvokeConfig",
                **name,
                DestinationConfig={"OnSuccess": {"Destination": ""}, "OnFailure": {}},
            )
            assert cleared["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
            assert cleared["MaximumEventAgeInSeconds"] == 60
            replaced = await rig.call(
                "PutFunctionEventInvokeConfig", **name, MaximumEventAgeInSeconds=21600
            )
            assert "MaximumRetryAttempts" not in replaced
            assert replaced["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}

    asyncio.run(main())


def test_each_qualifier_has_its_own_and_they_are_listed_in_pages(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await functions(rig, "f")
            await rig.call("PublishVersion", FunctionName="f")
            await rig.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
            for attempts, qualifier in enumerate(["$LATEST", "1", "live"]):
                await rig.call(
                    "PutFunctionEventInvokeConfig",
                    FunctionName="f",
                    Qualifier=qualifier,
                    MaximumRetryAttempts=attempts,
                )
            seen, marker = [], None
            while True:
                page = await rig.call(
                    "ListFunctionEventInvokeConfigs",
                    FunctionName="f", MaxItems=2, **({"Marker": marker} if marker else {}),
                )  # fmt: skip
                seen += page["FunctionEventInvokeConfigs"]
                marker = page.get("NextMarker")
                if marker is None:
                    break
            assert [(c["FunctionArn"], c["MaximumRetryAttempts"]) for c in seen] == [
                (lambda_arn("f:$LATEST"), 0),
                (lambda_arn("f:1"), 1),
                (lambda_arn("f:live"), 2),
            ]
            await rig.call("DeleteAlias", FunctionName="f", Name="live")
            await rig.call("DeleteFunction", FunctionName="f", Qualifier="1")
            listed = await rig.call("ListFunctionEventInvokeConfigs", FunctionName="f")
            assert len(listed["FunctionEventInvokeConfigs"]) == 1
            await rig.call("DeleteFunction", FunctionName="f")
            await functions(rig, "f")
            listed = await rig.call("ListFunctionEventInvokeConfigs", FunctionName="f")
            assert listed == {"FunctionEventInvokeConfigs": []}

    asyncio.run(main())


def test_what_is_missing_is_named_as_aws_names_it(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await functions(rig, "f")
            none = "The function {} doesn't have an EventInvokeConfig"
            for operation, more in (
                ("GetFunctionEventInvokeConfig", {}),
                ("DeleteFunctionEventInvokeConfig", {}),
                ("UpdateFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1}),
            ):
                for qualifier in (None, "1", "live"):
                    given = {} if qualifier is None else {"Qualifier": qualifier}
                    arn = lambda_arn(f"f:{qualifier or '$LATEST'}")
                    error = await refused(rig.call(operation, FunctionName="f", **given, **more))
                    assert error == ("ResourceNotFoundException", none.format(arn))
            gone = ("ResourceNotFoundException", "The function doesn't exist.")
            put = {"MaximumRetryAttempts": 1}
            for name in ("none", "f:1", "f:live", "f:$LATEST.PUBLISHED"):
                call = rig.call("PutFunctionEventInvokeConfig", FunctionName=name, **put)
                assert await refused(call) == gone
            call = rig.call("ListFunctionEventInvokeConfigs", FunctionName="none")
            assert await refused(call) == gone

    asyncio.run(main())


SELF = "You can't specify the function as a destination for itself."
NO_FUNCTION = "The destination ARN {arn} is invalid."
NOT_YET = "DestinationConfig: {what} are not supported as destinations yet."
NEVER = (
    "The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) "
    "is invalid."
)


def never(on, arn):
    """AWS's text for a destination of a kind that cannot be one."""
    parts = {"OnSuccess": "null", "OnFailure": "null", on: f"{on}(destination={arn})"}
    return NEVER.format(success=parts["OnSuccess"], failure=parts["OnFailure"])


def arn_of(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@pytest.mark.parametrize(
    ("on", "arn", "message"),
    [
        ("OnSuccess", lambda_arn("f"), SELF),
        ("OnFailure", lambda_arn("f:$LATEST"), SELF),
        ("OnFailure", lambda_arn("none"), NO_FUNCTION),
        ("OnFailure", lambda_arn("g:none"), NO_FUNCTION),
        ("OnFailure", lambda_arn("g").replace(REGION, "us-east-1"), NO_FUNCTION),
        ("OnFailure", lambda_arn("g").replace(ACCOUNT, "0" * 12), NO_FUNCTION),
        ("OnFailure", arn_of("sqs", "q"), NOT_YET.format(what="SQS queues")),
        ("OnSuccess", arn_of("sns", "t"), NOT_YET.format(what="SNS topics")),
        ("OnFailure", arn_of("events", "event-bus/b"), NOT_YET.format(what="EventBridge buses")),
        ("OnFailure", "arn:aws:s3:::bucket", NOT_YET.format(what="S3 buckets")),
        ("OnSuccess", "arn:aws:s3:::bucket", never("OnSuccess", "arn:aws:s3:::bucket")),
        ("OnFailure", arn_of("sqs", "q.fifo"), never("OnFailure", arn_of("sqs", "q.fifo"))),
        ("OnFailure", arn_of("iam", "role/r"), never("OnFailure", arn_of("iam", "role/r"))),
        ("OnFailure", "kafka://topic", never("OnFailure", "kafka://topic")),
    ],
)
def test_a_destination_that_cannot_be_one_is_refused(tmp_path, on, arn, message):
    async def main():
        async with open_control(tmp_path) as rig:
            await functions(rig, "f", "g")
            for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"):
                config = {on: {"Destination": arn}}
                error = await refused(
                    rig.call(operation, FunctionName="f", DestinationConfig=config)
                )
                assert error == ("InvalidParameterValueException", message.format(arn=arn))
                await rig.call(
                    "PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0
                )

    asyncio.run(main())


def test_a_request_that_sets_nothing_is_refused(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig:
            await functions(rig, "f")
            for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"):
                assert await refused(rig.call(operation, FunctionName="f")) == (
                    "InvalidParameterValueException",
                    "You must specify at least one of error handling or destination setting.",
                )

    asyncio.run(main())


def test_the_data_plane_follows_every_change(tmp_path):
    async def main():
        async with open_control(tmp_path) as rig, TaskScope() as scope:
            directory = Directory(rig.store, scope, lambda *_: None, chance=lambda: 0.0)
            try:
                await functions(rig, "f", "g")
                key = FunctionKey(ACCOUNT, REGION, "f")
                await rig.call("PublishVersion", FunctionName="f")

                async def policy(qualifier=None):
                    return await directory.event_policy(FunctionRef(key, qualifier))

                assert await policy() == EventPolicy(2, 21_600, role=ROLE)
                await rig.call(
                    "PutFunctionEventInvokeConfig",
                    FunctionName="f",
                    MaximumRetryAttempts=1,
                    MaximumEventAgeInSeconds=99,
                    DestinationConfig={"OnFailure": {"Destination": lambda_arn("g")}},
                )
                mine = EventPolicy(1, 99, on_failure=lambda_arn("g"), role=ROLE)
                assert await policy() == await policy("$LATEST") == mine
                assert await policy("1") == EventPolicy(role=ROLE)
                await rig.call(
                    "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0
                )
                assert (await policy()).blocked
                assert (await policy("1")).blocked
                await rig.call("DeleteFunctionConcurrency", FunctionName="f")
                assert await policy() == mine
                await rig.call("DeleteFunctionEventInvokeConfig", FunctionName="f")
                assert await policy() == EventPolicy(role=ROLE)
                await rig.call("DeleteFunction", FunctionName="f")
                assert await policy() == EventPolicy()
            finally:
                directory.close()

    asyncio.run(main())
