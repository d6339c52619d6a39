"""Calls that a service makes by itself: what the policy of the called thing says, decides."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from alonzo.daemon.service_calls import ServiceCaller
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.policies.compiled import compile_policy
from alonzo.model.access import Access
from alonzo.model.deliveries import ServiceCall, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "123456789012", "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
OTHER_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:other"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


def policy(resource, action, source=None):
    condition = {} if source is None else {"Condition": {"ArnEquals": {"aws:SourceArn": source}}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        **condition,
    }
    return compile_policy({"Statement": [statement]}, resource)


class KnownPolicies:
    generation = 0

    def __init__(self, policies):
        self.policies = policies

    async def find(self, arn):
        return self.policies.get(arn)


class World:
    def __init__(self, caller, sent, requests, policies):
        self.caller, self.sent, self.requests, self.policies = caller, sent, requests, policies

    async def send(self, source=TOPIC):
        call = ServiceCall("sqs", "SendMessage", {"MessageBody": "m"})
        await self.caller.call(call, self.use(source))

    async def invoke(self, source=TOPIC, account=ACCOUNT):
        await self.caller.invoke(FUNCTION, b"{}", self.use(source, account))

    @staticmethod
    def use(source, account=ACCOUNT):
        return ServiceUse("sns.amazonaws.com", source, account, REGION, "r", "Root=1")


class Invoked:
    def __init__(self):
        self.requests = []

    async def invoke(self, request):
        self.requests.append(request)


@asynccontextmanager
async def opened(path, policies):
    clock, ids = ManualClock(1_800_000_000.0), SystemIds()
    store = await SqliteStore.open(path / "a.db", clock=clock)
    try:
        identities = Identities(store, b"k" * 32, clock=clock, ids=ids)
        await identities.open()
        known, invoked, sent = KnownPolicies(policies), Invoked(), []

        async def send(context, params):
            sent.append(context)

        rules = {"sqs": {"SendMessage": lambda context, params: [Access("sqs:SendMessage", QUEUE)]}}
        caller = ServiceCaller(invoked)
        authorizer = Authorizer(identities, known, rules, mode="strict")
        caller.connect({"sqs": {"SendMessage": send}}, authorizer)
        yield World(caller, sent, invoked.requests, known)
    finally:
        await store.close()


def run(tmp_path, policies, scenario):
    async def main():
        async with opened(tmp_path, policies) as world:
            return await scenario(world)

    return asyncio.run(main())


def test_a_queue_takes_what_its_policy_lets_in(tmp_path):
    async def scenario(world):
        await world.send()
        return world.sent

    (context,) = run(tmp_path, {QUEUE: policy(QUEUE, "sqs:SendMessage", TOPIC)}, scenario)
    assert context.principal.service == "sns.amazonaws.com"
    assert (context.source_arn, context.trace_header) == (TOPIC, "Root=1")


@pytest.mark.parametrize(
    "policies",
    [
        {},
        {QUEUE: policy(QUEUE, "sqs:ReceiveMessage")},
        {QUEUE: policy(QUEUE, "sqs:SendMessage", OTHER_TOPIC)},
    ],
    ids=["no policy", "another action", "another source"],
)
def test_a_queue_that_does_not_let_the_service_in_gets_nothing(tmp_path, policies):
    async def scenario(world):
        with pytest.raises(AwsError) as refused:
            await world.send()
        assert world.sent == []
        return refused.value

    assert run(tmp_path, policies, scenario).status == 403


def test_a_function_gets_an_event_from_the_source_that_its_policy_names(tmp_path):
    async def scenario(world):
        await world.invoke()
        await world.invoke()
        with pytest.raises(AwsError, match="not authorized"):
            await world.invoke(OTHER_TOPIC)
        return world.requests

    requests = run(tmp_path, {FUNCTION: policy(FUNCTION, "lambda:*", TOPIC)}, scenario)
    assert [each.invocation_type for each in requests] == [InvocationType.EVENT] * 2
    assert requests[0].trace_header == "Root=1"
    assert json.loads(requests[0].payload) == {}


def test_a_bucket_of_the_same_name_in_another_account_is_another_source(tmp_path):
    """The ARN of a bucket names no account: only ``aws:SourceAccount`` tells them apart."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }

    async def scenario(world):
        await world.invoke("arn:aws:s3:::bucket")
        with pytest.raises(AwsError, match="not authorized"):
            await world.invoke("arn:aws:s3:::bucket", "210987654321")
        return len(world.requests)

    assert run(tmp_path, {FUNCTION: compile_policy({"Statement": [statement]})}, scenario) == 1


def test_what_was_allowed_is_refused_once_the_policy_has_gone(tmp_path):
    async def scenario(world):
        await world.invoke()
        world.policies.policies = {}
        world.policies.generation += 1
        with pytest.raises(AwsError):
            await world.invoke()
        return len(world.requests)

    assert run(tmp_path, {FUNCTION: policy(FUNCTION, "lambda:*", TOPIC)}, scenario) == 1
