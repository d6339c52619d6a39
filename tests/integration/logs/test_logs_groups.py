"""Groups, streams, tags and retention over a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.logs.retention import Reaper

DAY_S = 86_400
DAY_MS = 1000 * DAY_S


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as refused:
        await call
    return refused.value.code, refused.value.message


def test_a_group_is_shown_as_aws_shows_it(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("/a/g", "s")
            arn = "arn:aws:logs:eu-west-1:000000000000:log-group:/a/g"
            brief = {
                "logGroupName": "/a/g",
                "creationTime": logs.now_ms,
                "metricFilterCount": 0,
                "arn": f"{arn}:*",
                "logGroupArn": arn,
                "logGroupClass": "STANDARD",
            }
            whole = brief | {"storedBytes": 0, "deletionProtectionEnabled": False}
            assert await logs.call("DescribeLogGroups") == {"logGroups": [whole]}
            found = await logs.call("DescribeLogGroups", logGroupNamePattern="/g")
            assert found == {"logGroups": [brief]}
            await logs.put("/a/g", "s", [(logs.now_ms, "12345")])
            found = await logs.call("DescribeLogGroups", logGroupNamePrefix="/a")
            assert found["logGroups"][0]["storedBytes"] == 5 + 26

    asyncio.run(main())


def test_groups_are_listed_by_prefix_pattern_and_name_in_pages(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            names = sorted(f"/{'xyz'[i % 3]}/Group.{i:03d}" for i in range(130))
            for name in names:
                await logs.call("CreateLogGroup", logGroupName=name)

            async def listed(**params: Any) -> list[str]:
                pages = await logs.pages("DescribeLogGroups", **params)
                assert all(len(page["logGroups"]) <= params.get("limit", 50) for page in pages)
                return [group["logGroupName"] for page in pages for group in page["logGroups"]]

            assert await listed() == names
            assert await listed(limit=7, logGroupNamePrefix="/y/") == [
                name for name in names if name.startswith("/y/")
            ]
            assert await listed(limit=10, logGroupNamePattern="Group.1") == [
                name for name in names if "Group.1" in name
            ]
            assert await listed(logGroupIdentifiers=[names[3], "no"]) == [names[3]]
            await logs.call("CreateLogGroup", logGroupName="e", logGroupClass="ESSENTIALS")
            assert await listed(logGroupClass="STANDARD") == names
            for log_class in ("ESSENTIALS", "INFREQUENT_ACCESS"):
                assert await listed(logGroupClass=log_class) == ["e"]
            both = {"logGroupNamePrefix": "a", "logGroupNamePattern": "a"}
            assert await refusal(logs.call("DescribeLogGroups", **both)) == (
                "InvalidParameterException",
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            )

    asyncio.run(main())


def test_names_in_use_reserved_and_unknown_are_refused(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            stream = {"logGroupName": "g", "logStreamName": "s"}
            exists, missing = "ResourceAlreadyExistsException", "ResourceNotFoundException"
            assert await refusal(logs.call("CreateLogGroup", logGroupName="g")) == (
                exists,
                "The specified log group already exists",
            )
            assert await refusal(logs.call("CreateLogStream", **stream)) == (
                exists,
                "The specified log stream already exists",
            )
            assert await refusal(logs.call("DeleteLogGroup", logGroupName="no")) == (
                missing,
                "The specified log group does not exist.",
            )
            stream["logStreamName"] = "no"
            assert await refusal(logs.call("DeleteLogStream", **stream)) == (
                missing,
                "The specified log stream does not exist.",
            )
            code, _ = await refusal(logs.call("CreateLogGroup", logGroupName="aws/x"))
            assert code == "InvalidParameterException"
            kms = {"logGroupName": "k", "kmsKeyId": "arn:aws:kms:eu-west-1:000000000000:key/x"}
            code, _ = await refusal(logs.call("CreateLogGroup", **kms))
            assert code == "InvalidParameterException"

    asyncio.run(main())


def test_a_deleted_group_takes_everything_with_it(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            for i in range(1200):
                logs.write("g", f"s{i}", (logs.now_ms, "x"))
            await logs.call("DeleteLogStream", logGroupName="g", logStreamName="s7")
            (group,) = (await logs.call("DescribeLogGroups"))["logGroups"]
            assert group["storedBytes"] == 1199 * (len("x\n") + 26)
            await logs.call("DeleteLogGroup", logGroupName="g")
            for table in ("log_group", "log_stream", "log_chunk"):
                count = f"SELECT count(*) AS n FROM {table}"
                assert (await logs.store.read(lambda conn, sql=count: conn.one(sql)))["n"] == 0

    asyncio.run(main())


def test_deletion_protection_is_kept_until_it_is_lifted(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.call("CreateLogGroup", logGroupName="g", deletionProtectionEnabled=True)
            await logs.call("CreateLogStream", logGroupName="g", logStreamName="s")
            stream = {"logGroupName": "g", "logStreamName": "s"}
            for call in (
                logs.call("DeleteLogGroup", logGroupName="g"),
                logs.call("DeleteLogStream", **stream),
            ):
                assert (await refusal(call))[0] == "ValidationException"
            await logs.call(
                "PutLogGroupDeletionProtection",
                logGroupIdentifier="g",
                deletionProtectionEnabled=False,
            )
            await logs.call("DeleteLogStream", **stream)
            await logs.call("DeleteLogGroup", logGroupName="g")

    asyncio.run(main())


def test_a_stream_is_shown_with_its_times(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "a", "b")
            now = logs.now_ms
            await logs.put("g", "a", [(now - 5, "x"), (now, "y")])
            await logs.put("g", "a", [(now - 9, "w")])
            page = await logs.call("DescribeLogStreams", logGroupName="g")
            arn = "arn:aws:logs:eu-west-1:000000000000:log-group:g:log-stream:"
            empty = {
                "logStreamName": "b",
                "creationTime": now,
                "arn": f"{arn}b",
                "storedBytes": 0,
            }
            shown, other = page["logStreams"]
            assert other == empty
            token = shown.pop("uploadSequenceToken")
            assert len(token) == 56
            assert shown == empty | {
                "logStreamName": "a",
                "arn": f"{arn}a",
                "firstEventTimestamp": now - 9,
                "lastEventTimestamp": now,
                "lastIngestionTime": now,
            }

    asyncio.run(main())


def test_a_thousand_streams_are_listed_in_every_order(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "empty")
            times = {f"{i % 3}/{i:04d}": logs.now_ms + i * 7919 % 997 for i in range(999)}
            for name, time in times.items():
                logs.write("g", name, (time, "x"))
            times["empty"] = 0

            async def listed(**params: Any) -> list[str]:
                pages = await logs.pages("DescribeLogStreams", logGroupName="g", **params)
                assert all(len(page["logStreams"]) <= 50 for page in pages)
                return [one["logStreamName"] for page in pages for one in page["logStreams"]]

            by_name = sorted(times)
            by_time = sorted(times, key=lambda name: (times[name], name))
            assert await listed() == by_name
            assert await listed(descending=True) == by_name[::-1]
            assert await listed(orderBy="LastEventTime") == by_time
            assert await listed(orderBy="LastEventTime", descending=True) == by_time[::-1]
            assert await listed(logStreamNamePrefix="1/") == [
                name for name in by_name if name.startswith("1/")
            ]
            assert await listed(logStreamNamePrefix="1/", descending=True) == [
                name for name in by_name[::-1] if name.startswith("1/")
            ]
            both = {"orderBy": "LastEventTime", "logStreamNamePrefix": "1"}
            assert await refusal(logs.call("DescribeLogStreams", logGroupName="g", **both)) == (
                "InvalidParameterException",
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            )
            for token in ("x", "!", "MTIz", "é"):
                code, _ = await refusal(
                    logs.call("DescribeLogStreams", logGroupName="g", nextToken=token)
                )
                assert code == "InvalidParameterException"

    asyncio.run(main())


def test_expired_events_are_hidden_at_once_and_deleted_by_the_reaper(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            await logs.make("kept", "s")
            for group in ("g", "kept"):
                await logs.put(group, "s", [(logs.now_ms - 2 * DAY_MS, "old")])
                await logs.put(group, "s", [(logs.now_ms, "new")])
            await logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
            reaper = Reaper(logs.store, logs.clock)

            async def texts(group: str) -> list[str]:
                by_stream = await logs.call("GetLogEvents", logGroupName=group, logStreamName="s")
                by_group = await logs.call("FilterLogEvents", logGroupName=group)
                found = [event["message"] for event in by_group["events"]]
                assert found == [event["message"] for event in by_stream["events"]]
                return found

            assert await texts("g") == ["new"]
            assert await reaper.reap() == 1
            await logs.call("DeleteRetentionPolicy", logGroupName="g")
            assert await texts("g") == ["new"]
            groups = (await logs.call("DescribeLogGroups"))["logGroups"]
            assert [group["storedBytes"] for group in groups] == [29, 58]
            stream = (await logs.call("DescribeLogStreams", logGroupName="g"))["logStreams"][0]
            assert stream["firstEventTimestamp"] == logs.now_ms

            await logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
            logs.clock.advance(2 * DAY_S)
            assert await reaper.reap() == 1
            assert await texts("g") == []
            assert await texts("kept") == ["old", "new"]
            assert await reaper.reap() == 0

    asyncio.run(main())


def test_the_reaper_deletes_more_than_one_unit_of_work_takes(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            for i in range(1100):
                logs.write("g", f"{i}", (logs.now_ms, "x"))
            await logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
            logs.clock.advance(2 * DAY_S)
            assert await Reaper(logs.store, logs.clock).reap() == 1100

    asyncio.run(main())


@pytest.mark.parametrize("days", [0, 2, -1, 3654])
def test_only_the_offered_retentions_are_taken(open_logs: Any, days: int) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g")
            policy = {"logGroupName": "g", "retentionInDays": days}
            code, _ = await refusal(logs.call("PutRetentionPolicy", **policy))
            assert code == "InvalidParameterException"
            group = (await logs.call("DescribeLogGroups"))["logGroups"][0]
            assert "retentionInDays" not in group

    asyncio.run(main())


def test_tags_are_one_set_under_both_kinds_of_operations(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.call("CreateLogGroup", logGroupName="g", tags={"env": "one"})
            arn = "arn:aws:logs:eu-west-1:000000000000:log-group:g"

            async def tags() -> dict[str, str]:
                by_name = await logs.call("ListTagsLogGroup", logGroupName="g")
                assert by_name == await logs.call("ListTagsForResource", resourceArn=arn)
                return by_name["tags"]

            await logs.call("TagResource", resourceArn=arn, tags={"a": "1", "b": "2"})
            await logs.call("TagLogGroup", logGroupName="g", tags={"c": "3", "a": "9"})
            assert await tags() == {"env": "one", "a": "9", "b": "2", "c": "3"}
            await logs.call("UntagLogGroup", logGroupName="g", tags=["c"])
            await logs.call("UntagResource", resourceArn=arn, tagKeys=["env", "a", "no"])
            assert await tags() == {"b": "2"}
            many = {f"t{i}": "" for i in range(50)}
            refused = logs.call("TagResource", resourceArn=arn, tags=many)
            assert (await refusal(refused))[0] == "TooManyTagsException"
            assert await tags() == {"b": "2"}

    asyncio.run(main())


def test_groups_are_found_by_patterns_of_names_and_of_tags(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            for name, tags in {
                "/aws/lambda/a": {"stage": "Prod-1"},
                "/aws/lambda/b": {"stage": "test", "team": "x"},
                "other/aws": {},
            }.items():
                await logs.call("CreateLogGroup", logGroupName=name, tags=tags)

            async def found(*values: str, **params: Any) -> str:
                if values:
                    params["logGroupTags"] = [{"key": "stage", "values": list(values)}]
                pages = await logs.pages("ListLogGroups", limit=1, **params)
                names = [each["logGroupName"] for page in pages for each in page["logGroups"]]
                return " ".join(name[-1] for name in names)

            assert await found() == "a b s"
            assert await found(logGroupNamePattern="^/aws") == "a b"
            assert await found(logGroupNamePattern="^/aws/lambda/b|aws/x|other") == "b s"
            assert await found("prod*") == await found("*-1") == await found("*ro*1*") == "a"
            assert await found("Prod-1", "test") == await found("*") == "a b"
            assert await found("prod-1") == ""
            assert await found("!Prod-1") == await found("!prod*") == "b"
            assert await found(logGroupTags=[{"key": "stage"}, {"key": "team"}]) == "b"
            assert await found(logGroupClass="INFREQUENT_ACCESS") == ""
            assert await found(fieldIndexNames=["x"]) == ""

    asyncio.run(main())
