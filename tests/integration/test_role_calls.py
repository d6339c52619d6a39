"""Deliveries with the rights of a function's role: to functions, and to a service that is here."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from alonzo.daemon.role_calls import RoleCaller
from alonzo.invoke.destinations import RoutedDestinations, TargetChecks
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.access import Access
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import DeadLetter, Delivery
from alonzo.model.destinations import TargetFault, TargetKind
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType
from alonzo.services.iam import api
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "123456789012", "eu-west-1"
SENDER = FunctionKey(ACCOUNT, REGION, "f")
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", is_root=True)
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}


class NoPolicies:
    generation = 0

    async def find(self, arn):
        return None


class Invoked:
    """An ``Invoker`` that remembers what it was asked."""

    def __init__(self):
        self.requests = []

    async def invoke(self, request):
        self.requests.append(request)


class Queue:
    """The two operations of SQS that matter here, over one queue."""

    def __init__(self):
        self.sent = []
        self.operations = {"SendMessage": self.send, "GetQueueAttributes": self.attributes}

    async def send(self, context, params):
        self.sent.append((context, params))

    async def attributes(self, context, params):
        if not params["QueueUrl"].endswith(f"/{ACCOUNT}/q"):
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")


def _needs(action):
    return lambda context, params: [Access(action, QUEUE)]


class World:
    def __init__(self, iam, context, queue, calls):
        self._iam, self._context = iam, context
        self.queue, self.calls = queue, calls
        self.invoked = Invoked()
        self.destinations = RoutedDestinations(self.invoked, calls)
        self.checks = TargetChecks(calls)

    async def let(self, *actions):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        await self._iam["PutRolePolicy"](
            self._context, {"RoleName": "worker", "PolicyName": "p", "PolicyDocument": document}
        )


@asynccontextmanager
async def opened(tmp_path, mode="strict"):
    clock, ids = ManualClock(), SystemIds()
    store = await SqliteStore.open(tmp_path / "db", clock=clock)
    try:
        identities = Identities(store, b"s" * 32, clock=clock, ids=ids)
        await identities.open()
        iam = api.operations(identities)
        context = RequestContext("r", ACCOUNT, REGION, ROOT, "http://localhost", "127.0.0.1")
        await iam["CreateRole"](
            context, {"RoleName": "worker", "AssumeRolePolicyDocument": json.dumps(TRUST)}
        )
        queue = Queue()
        rules = {"sqs": {name: _needs(f"sqs:{name}") for name in queue.operations}}
        calls = RoleCaller(identities, clock)
        operations = {"lambda": {}, "sqs": queue.operations}
        calls.connect(operations, Authorizer(identities, NoPolicies(), rules, mode=mode))
        yield World(iam, context, queue, calls)
    finally:
        await store.close()


def delivery(target_arn, **more):
    values = {"role_arn": ROLE, "ended_at_s": 1.0, **more}
    return Delivery("d-1", f"{SENDER.arn}:$LATEST", target_arn, "Root=1", b'{"n":1}', **values)


async def refused(call):
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code


def test_a_function_gets_an_event_from_the_role_if_the_role_may_invoke_it(tmp_path):
    async def main():
        async with opened(tmp_path) as world:
            assert await refused(world.destinations.deliver(delivery(FUNCTION))) == (
                "AccessDeniedException"
            )
            assert await world.checks.fault(FUNCTION, SENDER, ROLE) is TargetFault.FORBIDDEN
            await world.let("lambda:InvokeFunction")
            assert await world.checks.fault(FUNCTION, SENDER, ROLE) is None
            await world.destinations.deliver(delivery(FUNCTION))
            (request,) = world.invoked.requests
            assert request.invocation_type is InvocationType.EVENT
            assert (request.function_name, request.payload) == (FUNCTION, b'{"n":1}')
            assert (request.trace_header, request.is_record) == ("Root=1", True)
            assert request.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/f"
            other = delivery(FUNCTION, role_arn=f"{ROLE}2")
            assert await refused(world.destinations.deliver(other)) == "AccessDeniedException"
            await world.destinations.deliver(delivery(FUNCTION))
            await world.let("lambda:GetFunction")
            assert await refused(world.destinations.deliver(delivery(FUNCTION))) == (
                "AccessDeniedException"
            )

    asyncio.run(main())


def test_a_queue_gets_a_message_from_the_role_if_the_role_may_send(tmp_path):
    async def main():
        async with opened(tmp_path) as world:
            letter = delivery(QUEUE, dead_letter=DeadLetter("r", 200, "no"))
            assert await refused(world.destinations.deliver(letter)) == "AccessDeniedException"
            assert await world.checks.fault(QUEUE, SENDER, ROLE) is TargetFault.FORBIDDEN
            assert await world.checks.fault(f"{QUEUE}2", SENDER, ROLE) is TargetFault.MISSING
            await world.let("sqs:SendMessage")
            assert await world.checks.fault(QUEUE, SENDER, ROLE) is None
            assert world.queue.sent == []
            await world.destinations.deliver(letter)
            ((context, params),) = world.queue.sent
            assert (context.account, context.region) == (ACCOUNT, REGION)
            assert params["MessageBody"] == '{"n":1}'
            assert params["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"

    asyncio.run(main())


def test_a_service_that_is_not_here_is_no_end_of_a_delivery(tmp_path):
    async def main():
        async with opened(tmp_path) as world:
            topic = QUEUE.replace("sqs", "sns")
            assert await refused(world.destinations.deliver(delivery(topic))) == "ServiceException"
            assert await world.checks.fault(topic, SENDER, ROLE) is TargetFault.MISSING
            assert [kind for kind in TargetKind if world.checks.offers(kind)] == ["lambda", "sqs"]

    asyncio.run(main())


@pytest.mark.parametrize(("mode", "allowed"), [("strict", False), ("soft", True)])
def test_a_role_that_was_never_made_delivers_nothing_where_policies_count(tmp_path, mode, allowed):
    async def main():
        async with opened(tmp_path, mode) as world:
            call = world.destinations.deliver(delivery(FUNCTION, role_arn=f"{ROLE}2"))
            if allowed:
                await call
                assert len(world.invoked.requests) == 1
            else:
                assert await refused(call) == "AccessDeniedException"

    asyncio.run(main())


@pytest.mark.parametrize("role_arn", ["", "role", "arn:aws:iam::123456789012:user/u"])
def test_what_is_no_role_delivers_nothing(tmp_path, role_arn):
    async def main():
        async with opened(tmp_path, "soft") as world:
            call = world.destinations.deliver(delivery(FUNCTION, role_arn=role_arn))
            assert await refused(call) == "AccessDeniedException"

    asyncio.run(main())
