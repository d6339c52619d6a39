"""Which tags are asked for, and where."""

import asyncio

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.resource_facts import READERS, FactsByService
from alonzo.edge.models import service_model
from alonzo.model.errors import AwsError

ACCOUNT = "123456789012"
TAGS = frozenset({"aws:resourcetag/team"})
#: Services whose tables of access know the tags of what they are asked about.
KNOW_THEIR_TAGS = {"kms", "secretsmanager"}


@pytest.mark.parametrize("service", [each.name for each in catalog.SERVICES])
def test_whatever_lists_tags_is_asked_for_them(service):
    if service in KNOW_THEIR_TAGS:
        return
    listing = {
        (service, name)
        for name in service_model(service).operation_names
        if name.startswith("List") and "Tags" in name and name != "ListTagsLogGroup"
    }
    unsupported = next(each for each in catalog.SERVICES if each.name == service).unsupported
    listing -= {(service, name) for name in unsupported}
    asked = {(service, reader.operation) for reader in READERS.get(service, ())}
    assert listing <= asked


class Asked:
    """Operations that answer a tag, and what they were called with."""

    def __init__(self):
        self.calls = []

    def __getitem__(self, name):
        async def operation(context, params):
            assert context.principal.is_root
            self.calls.append((context.account, context.region, name, params))
            if "none" in str(params):
                raise AwsError("NoSuchEntity", "none")
            pairs = [{"Key": "Team", "Value": "blue"}]
            plain = {"Team": "blue"}
            uses_pairs = name not in ("ListTags", "ListQueueTags") and "resourceArn" not in params
            return {
                "Tags": pairs if uses_pairs else plain,
                "TagList": pairs,
                "tags": plain,
                "FunctionArn": "arn:f",
            }

        return operation


def found(arn, asked=TAGS):
    operations = Asked()
    facts = FactsByService(dict.fromkeys(READERS, operations))
    return asyncio.run(facts.find(arn, asked)), operations.calls


def arn(service, rest, region="eu-west-1"):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (arn("lambda", "function:f"), {"Resource": arn("lambda", "function:f")}),
        (arn("lambda", "function:f:prod"), {"Resource": arn("lambda", "function:f")}),
        (arn("lambda", "layer:l:1"), None),
        (
            arn("logs", "log-group:/a/b:log-stream:s"),
            {"resourceArn": arn("logs", "log-group:/a/b")},
        ),
        (arn("ssm", "parameter/plain"), {"ResourceType": "Parameter", "ResourceId": "plain"}),
        (arn("ssm", "parameter/a/b"), {"ResourceType": "Parameter", "ResourceId": "/a/b"}),
        (arn("sqs", "q"), {"QueueUrl": f"http://localhost/{ACCOUNT}/q"}),
        (arn("sns", "t"), {"ResourceArn": arn("sns", "t")}),
        (arn("sns", "t:1-2"), None),
        (arn("cloudwatch", "alarm:a"), {"ResourceARN": arn("cloudwatch", "alarm:a")}),
        (arn("events", "rule/r"), {"ResourceARN": arn("events", "rule/r")}),
        (arn("iam", "role/a/b/r", ""), {"RoleName": "r"}),
        (arn("iam", "user/u", ""), {"UserName": "u"}),
        (arn("iam", "policy/p", ""), {"PolicyArn": arn("iam", "policy/p", "")}),
        (arn("kms", "key/1"), None),
        ("arn:aws:s3:::bucket", None),
        ("*", None),
    ],
)
def test_the_service_of_the_arn_is_asked(text, params):
    keys, calls = found(text)
    assert [call[3] for call in calls] == ([] if params is None else [params])
    assert keys.get("aws:resourcetag/team") == (None if params is None else "blue")
    assert ("iam:resourcetag/team" in keys) is (":iam:" in text)


def test_nothing_is_read_that_no_policy_asks_for():
    assert found(arn("lambda", "function:f"), frozenset({"aws:sourceip"})) == ({}, [])


def test_what_is_not_there_has_no_tags():
    assert found(arn("iam", "role/none", ""))[0] == {}


def test_a_mapping_has_a_function():
    keys, calls = found(arn("lambda", "event-source-mapping:u"), frozenset({"lambda:functionarn"}))
    assert keys == {"lambda:functionarn": "arn:f"}
    assert calls == [(ACCOUNT, "eu-west-1", "GetEventSourceMapping", {"UUID": "u"})]
