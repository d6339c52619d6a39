"""Resource policies of log groups: kept, bounded, and in force for services alone."""

import asyncio
import functools
import json

import pytest

from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.policies.principals import service, user
from alonzo.model.errors import AwsError

START = "arn:aws:logs:eu-west-1:000000000000:log-group:"
DNS = "route53.amazonaws.com"


def in_a_loop(test):
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


def policy(principal, effect="Allow", resource="*", **more):
    statement = {"Effect": effect, "Principal": principal, "Action": "logs:PutLogEvents"}
    statement |= {"Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def lets_in(logs, group, caller=None, **context):
    """Whether the policies of a group let a service write into it."""
    caller = service(DNS) if caller is None else caller
    arn = f"{START}{group}:log-stream:s"
    found = await logs.parts.policies.find(arn)
    is_service = "true" if caller.account is None else "false"
    keys = {"aws:principalisawsservice": is_service} | context
    request = Request("logs:PutLogEvents", arn, caller, "000000000000", keys)
    return evaluate(request, Policies((), None, None, found)).allowed


@in_a_loop
async def test_policies_are_kept_listed_changed_and_deleted(open_logs):
    async with open_logs() as logs:
        await logs.make("g")
        document = policy({"Service": DNS})
        for name in ("b", "a"):
            await logs.call("PutResourcePolicy", policyName=name, policyDocument=document)
        own = policy({"Service": DNS}, resource=f"{START}g:*")
        about = {"policyName": "own", "resourceArn": f"{START}g"}
        put = await logs.call("PutResourcePolicy", policyDocument=own, **about)
        assert put["resourcePolicy"]["policyScope"] == "RESOURCE"
        with pytest.raises(AwsError) as caught:
            await logs.call("PutResourcePolicy", policyDocument=own, **about)
        assert caught.value.code == "OperationAbortedException"
        again = await logs.call(
            "PutResourcePolicy", policyDocument=own, expectedRevisionId=put["revisionId"], **about
        )
        assert again["revisionId"] != put["revisionId"]
    async with open_logs() as logs:
        pages = await logs.pages("DescribeResourcePolicies", limit=1)
        names = [each["policyName"] for page in pages for each in page["resourcePolicies"]]
        assert names == ["a", "b"]
        of_group = await logs.call("DescribeResourcePolicies", resourceArn=f"{START}g")
        assert [each["policyDocument"] for each in of_group["resourcePolicies"]] == [own]
        assert await lets_in(logs, "g")
        assert await lets_in(logs, "h")
        for name in ("a", "b"):
            await logs.call("DeleteResourcePolicy", policyName=name)
        assert await lets_in(logs, "g")
        assert not await lets_in(logs, "h")
        with pytest.raises(AwsError, match=r"Policy with name \[a\] does not exist"):
            await logs.call("DeleteResourcePolicy", policyName="a")
        # A group takes its own along.
        await logs.call("DeleteLogGroup", logGroupName="g")
        assert not await lets_in(logs, "g")
        everything = await logs.call("DescribeResourcePolicies", policyScope="RESOURCE")
        assert everything == {"resourcePolicies": []}


@in_a_loop
async def test_policies_are_about_services_alone(open_logs):
    ann = user("arn:aws:iam::000000000000:user/ann", "000000000000", "AIDA")
    rule = service("events.amazonaws.com")
    own, foreign = ({"aws:sourceaccount": each * 12} for each in "01")
    async with open_logs() as logs:
        # Rules may write under /aws/events/ without anybody's doing, from the same account.
        assert await lets_in(logs, "/aws/events/x", rule, **own)
        assert not await lets_in(logs, "/aws/events/x", rule, **foreign)
        assert not await lets_in(logs, "g", rule, **own)
        await logs.call("PutResourcePolicy", policyName="all", policyDocument=policy("*"))
        assert await lets_in(logs, "g", rule)
        assert await lets_in(logs, "g")
        assert not await lets_in(logs, "g", ann)
        denial = policy({"Service": "events.amazonaws.com"}, "Deny")
        await logs.call("PutResourcePolicy", policyName="no", policyDocument=denial)
        assert not await lets_in(logs, "/aws/events/x", rule, **own)
        await logs.call("DeleteResourcePolicy", policyName="no")
        await logs.call("DeleteResourcePolicy", policyName="all")
        # A policy of that name takes the place of the one that is always there.
        name = "TrustEventsToStoreLogEvents"
        await logs.call(
            "PutResourcePolicy", policyName=name, policyDocument=policy({"Service": DNS})
        )
        assert not await lets_in(logs, "/aws/events/x", rule, **own)


@in_a_loop
async def test_a_policy_for_all_but_services_lets_no_service_in(open_logs):
    ann = user("arn:aws:iam::000000000000:user/ann", "000000000000", "AIDA")
    async with open_logs() as logs:
        await logs.make("g")
        for value, lets in (("false", False), (["false"], False), ("true", True)):
            for key in ("aws:PrincipalIsAWSService", "AWS:principalisawsservice"):
                document = policy("*", Condition={"Bool": {key: value}})
                await logs.call("PutResourcePolicy", policyName="p", policyDocument=document)
                assert await lets_in(logs, "g") is lets
                assert not await lets_in(logs, "g", ann)


@in_a_loop
async def test_what_is_no_policy_is_refused(open_logs):
    fits = policy({"Service": DNS})
    async with open_logs() as logs:
        for params, text in (
            ({"policyDocument": fits}, "A policyName of 1 to 255"),
            ({"policyName": "n"}, "A policyDocument is required"),
            ({"policyName": "n", "policyDocument": "{"}, "The policy document is not valid"),
            ({"policyName": "n", "policyDocument": fits + " " * 5120}, "or equal to 5120"),
            (
                {"policyName": "n", "policyDocument": policy({"Service": DNS}, Condition=[])},
                "not valid",
            ),
            (
                {"policyName": "n", "policyDocument": fits, "resourceArn": f"{START}none"},
                "does not exist",
            ),
        ):
            with pytest.raises(AwsError, match=text):
                await logs.call("PutResourcePolicy", **params)
        for n in range(10):
            await logs.call("PutResourcePolicy", policyName=f"n{n}", policyDocument=fits)
        with pytest.raises(AwsError, match="Resource limit exceeded"):
            await logs.call("PutResourcePolicy", policyName="more", policyDocument=fits)
        await logs.call("PutResourcePolicy", policyName="n1", policyDocument=fits)
