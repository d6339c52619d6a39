"""Every operation of every service: refused without an allow, let through with it, refused with a
deny. The tables of the services are the real ones, and so are IAM and the store."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import botocore.session
import pytest

from alonzo.daemon import catalog
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.iam import api
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import KeyRing
from alonzo.services.sqs.handles import task_handle
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.service_tables import tables

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
LAYER = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:l:1"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
GROUP = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:g"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"
DEAD_LETTERS = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:d"
#: Operations that need no permission; AssumeRole asks the trust policy itself, and those of S3 ask
#: while they run: about each key of a list, and for an upload by what it began with.
FREE = {
    ("s3", "CompleteMultipartUpload"),
    ("s3", "DeleteObjects"),
    ("s3", "UploadPart"),
    ("sts", "AssumeRole"),
    ("sts", "AssumeRoleWithWebIdentity"),
    ("sts", "GetCallerIdentity"),
    ("sts", "GetSessionToken"),
}
#: Services whose client errors are all 400.
PLAIN_JSON = {"events", "kms", "logs", "secretsmanager", "ssm"}
#: Values by the names of members; others are made from their shapes.
VALUES = {
    "Role": ROLE,
    "Layers": [LAYER],
    "Arn": LAYER,
    "Tags": None,
    "OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/x",
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p",
    "PolicySourceArn": ROLE,
    "AWSServiceName": "replicator.lambda.amazonaws.com",
    "RoleArn": ROLE,
    "RoleName": "worker",
    "Path": "/",
    "Resource": FUNCTION,
    "ResourceArn": FUNCTION,
    "ResourceARN": f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/r",
    "resourceArn": GROUP,
    "CodeSigningConfigArn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:code-signing-config:c",
    "Qualifier": "1",
    "SubscriptionArn": f"{TOPIC}:00000000-0000-4000-8000-000000000000",
    "TopicArn": TOPIC,
    "TargetArn": TOPIC,
    "QueueOwnerAWSAccountId": ACCOUNT,
    "SourceArn": DEAD_LETTERS,
    "DestinationArn": QUEUE,
    "TaskHandle": task_handle("t", DEAD_LETTERS),
    "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]},
}


class NoPolicies:
    """No resource has a policy here."""

    generation = 0

    async def find(self, arn):
        return None


def value_of(shape, name=""):
    if name in VALUES:
        return VALUES[name]
    if shape.type_name in ("integer", "long", "double", "float"):
        return 1
    if shape.type_name == "list":
        return [value_of(shape.member)]
    if shape.type_name == "map":
        return {"k": value_of(shape.value)}
    if shape.type_name == "structure":
        return {key: value_of(member, key) for key, member in shape.members.items()}
    return {"boolean": True, "blob": b"x"}.get(shape.type_name, "x")


def parameters(model):
    """Every member that a request may have, so that every rule has all to look at."""
    if model.input_shape is None:
        return {}
    members = model.input_shape.members
    found = {name: value_of(shape, name) for name, shape in members.items()}
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def iam(tmp_path):
    """Runs coroutines, with IAM as it is behind the door."""
    clock, ids = ManualClock(), SystemIds()
    runner = asyncio.Runner()
    store = runner.run(SqliteStore.open(tmp_path / "a.db", clock=clock))
    identities = Identities(store, b"s" * 32, clock=clock, ids=ids)
    runner.run(identities.open())
    ring = KeyRing(tmp_path, clock=clock, ids=ids, identities=identities)
    operations = api.operations(identities)

    def context(principal):
        return RequestContext("r", ACCOUNT, "eu-west-1", principal, "http://localhost", "127.0.0.1")

    def call(operation, **params):
        return runner.run(operations[operation](context(ROOT), params))

    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    call("CreateRole", RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))
    call("CreateUser", UserName="u")
    key = call("CreateAccessKey", UserName="u")["AccessKey"]
    user = ring.find(key["AccessKeyId"], None).principal
    _, rules = tables(tmp_path, identities)
    authorizer = Authorizer(identities, NoPolicies(), rules, mode="strict")

    def let(*statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        call("PutUserPolicy", UserName="u", PolicyName="p", PolicyDocument=document)

    def refusal(service, operation, params):
        try:
            runner.run(authorizer.authorize(context(user), service, operation, params))
        except AwsError as error:
            return error
        return None

    yield SimpleNamespace(let=let, refusal=refusal, rules=rules, context=context(user))
    runner.run(store.close())
    runner.close()


@pytest.mark.parametrize("service", [each.name for each in catalog.SERVICES])
def test_every_operation(iam, service):
    model = botocore.session.Session().get_service_model(service)
    for operation, rule in iam.rules[service].items():
        params = parameters(model.operation_model(operation))
        wanted = rule(iam.context, params)
        if (service, operation) in FREE:
            assert not wanted
            continue
        assert wanted, operation
        statements = [
            {"Effect": "Allow", "Action": each.action, "Resource": each.resource} for each in wanted
        ]
        iam.let({"Effect": "Allow", "Action": "nothing:AtAll", "Resource": "*"})
        refused = iam.refusal(service, operation, params)
        assert refused is not None, operation
        assert refused.status == (400 if service in PLAIN_JSON else 403)
        why = f"no identity-based policy allows the {wanted[0].action} action"
        assert why.lower() in refused.message.lower()
        iam.let(*statements)
        assert iam.refusal(service, operation, params) is None, operation
        for each in wanted:
            denying = {"Effect": "Deny", "Action": each.action, "Resource": each.resource}
            iam.let(*statements, denying)
            refused = iam.refusal(service, operation, params)
            assert refused is not None, operation
            assert refused.message.endswith("with an explicit deny in an identity-based policy")
        # Each of several permissions is needed.
        for left_out in range(len(statements)):
            rest = [each for place, each in enumerate(statements) if place != left_out]
            # The same twice differs in its conditions.
            if rest and statements[left_out] not in rest:
                iam.let(*rest)
                assert iam.refusal(service, operation, params) is not None, operation
