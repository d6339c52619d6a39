"""Decisions about invocations and logs: across accounts, for services, and how long they last."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.policies.compiled import compile_policy
from alonzo.model.access import Access
from alonzo.model.context import ANONYMOUS, Principal, RequestContext, Session
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.logs import LogPermit, LogStream
from alonzo.services.iam import api
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import assumed_role
from alonzo.services.iam.log_rights import RoleLogRights
from alonzo.store.sqlite import SqliteStore

OURS, THEIRS = "111111111111", "222222222222"
FUNCTION = f"arn:aws:lambda:eu-west-1:{OURS}:function:f"
INVOKE = "lambda:InvokeFunction"
ROLE = f"arn:aws:iam::{THEIRS}:role/r"
TOPIC = f"arn:aws:sns:eu-west-1:{THEIRS}:t"
GROUP = "/aws/lambda/g"
STREAM = LogStream(THEIRS, "eu-west-1", GROUP, "2026/[1]a", ROLE, "g")


def statement(effect="Allow", action=INVOKE, on="*", **more):
    return {"Effect": effect, "Action": action, "Resource": on, **more}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


class ResourcePolicies:
    """Policies by ARN, as their services would find them."""

    def __init__(self):
        self.generation = 0
        self._policies = {}

    def put(self, arn, *statements):
        self._policies[arn] = compile_policy(document(*statements))
        self.generation += 1

    async def find(self, arn):
        return self._policies.get(arn)


def root(account):
    return Principal(account, f"arn:aws:iam::{account}:root", account, "", is_root=True)


def service(source):
    return Principal(
        OURS, "sns.amazonaws.com", "sns.amazonaws.com", source, service="sns.amazonaws.com"
    )


def context(principal, **more):
    return RequestContext(
        "r", principal.account, "eu-west-1", principal, "http://localhost", "127.0.0.1", **more
    )


@pytest.fixture
def world(tmp_path):
    """A role of another account, functions of ours, and an authorizer that knows both."""
    clock, ids = ManualClock(1_000_000_000.0), SystemIds()
    runner = asyncio.Runner()
    store = runner.run(SqliteStore.open(tmp_path / "a.db", clock=clock))
    identities = Identities(store, b"s" * 32, clock=clock, ids=ids)
    runner.run(identities.open())
    operations = api.operations(identities)
    resources = ResourcePolicies()

    def call(operation, **params):
        return runner.run(operations[operation](context(root(THEIRS)), params))

    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )
    call("CreateRole", RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
    role = assumed_role(
        Session("g", clock.now_s(), role_arn=ROLE), "ASIA", identities.unique_id(ROLE)
    )

    def let(*statements):
        text = json.dumps(document(*statements))
        call("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=text)

    def authorizer(mode="strict"):
        return Authorizer(identities, resources, {}, mode=mode)

    def invoke(authorizer, principal, **more):
        """Why an invocation is refused, and whether the decision is kept."""
        request = InvokeRequest(
            request_id="r",
            account=OURS,
            region="eu-west-1",
            function_name=FUNCTION,
            qualifier=None,
            invocation_type=InvocationType.EVENT,
            payload=b"",
            principal=principal,
            trace_header=None,
        )
        if authorizer.may_invoke_nowait(request):
            return "", True
        text = ""
        try:
            runner.run(authorizer.authorize_invoke(request, context(principal, **more)))
        except AwsError as error:
            text = error.message
        return text, authorizer.may_invoke_nowait(request)

    yield SimpleNamespace(
        call=call,
        let=let,
        role=role,
        resources=resources,
        authorizer=authorizer,
        identities=identities,
        invoke=invoke,
        run=runner.run,
        clock=clock,
    )
    runner.run(store.close())
    runner.close()


OF_ROLE, OF_ACCOUNT = {"AWS": ROLE}, {"AWS": THEIRS}


@pytest.mark.parametrize(
    ("own", "of_function", "why"),
    [
        ([], [], "because no identity-based policy allows the lambda:InvokeFunction action"),
        ([statement()], [], "because no resource-based policy allows"),
        ([], [statement(Principal=OF_ROLE)], "because no identity-based policy allows"),
        ([statement()], [statement(Principal=OF_ROLE)], ""),
        ([statement()], [statement(Principal=OF_ACCOUNT)], ""),
        ([statement()], [statement(Principal={"AWS": "333333333333"})], "no resource-based policy"),
        (
            [statement()],
            [statement(Principal=OF_ROLE), statement("Deny", Principal="*")],
            "with an explicit deny in a resource-based policy",
        ),
        (
            [statement(), statement("Deny")],
            [statement(Principal=OF_ROLE)],
            "with an explicit deny in an identity-based policy",
        ),
    ],
)
def test_an_invocation_across_accounts_needs_both_sides(world, own, of_function, why):
    world.let(*own, statement(action="nothing:AtAll"))
    if of_function:
        world.resources.put(FUNCTION, *of_function)
    text, kept = world.invoke(world.authorizer(), world.role)
    assert why in text
    assert (text == "") is (why == "") is kept


def test_a_root_user_needs_the_policy_of_another_account(world):
    authorizer = world.authorizer()
    assert "no resource-based policy allows" in world.invoke(authorizer, root(THEIRS))[0]
    assert world.invoke(authorizer, root(OURS)) == ("", True)
    world.resources.put(FUNCTION, statement(Principal=OF_ACCOUNT))
    assert world.invoke(authorizer, root(THEIRS)) == ("", True)


def test_a_decision_is_kept_until_a_policy_changes(world):
    authorizer = world.authorizer()
    world.let(statement())
    world.resources.put(FUNCTION, statement(Principal=OF_ACCOUNT))
    assert world.invoke(authorizer, world.role) == ("", True)
    world.resources.put(FUNCTION, statement("Deny", Principal="*"))
    assert "explicit deny" in world.invoke(authorizer, world.role)[0]
    world.resources.put(FUNCTION, statement(Principal=OF_ACCOUNT))
    assert world.invoke(authorizer, world.role) == ("", True)
    world.let(statement(action="nothing:AtAll"))
    assert "no identity-based policy" in world.invoke(authorizer, world.role)[0]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": THEIRS}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "blue"}}, True),
        ({"ArnEquals": {"lambda:FunctionArn": FUNCTION}}, True),
        ({"StringEquals": {"aws:ResourceAccount": OURS}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False),
        ({"DateGreaterThan": {"aws:TokenIssueTime": "2000-01-01T00:00:00Z"}}, False),
    ],
)
def test_what_may_change_from_call_to_call_is_decided_at_each(world, condition, kept):
    world.call("TagRole", RoleName="r", Tags=[{"Key": "team", "Value": "blue"}])
    world.let(statement(Condition=condition))
    world.resources.put(FUNCTION, statement(Principal=OF_ACCOUNT))
    authorizer = world.authorizer()
    assert world.invoke(authorizer, world.role) == ("", kept)
    world.call("TagRole", RoleName="r", Tags=[{"Key": "team", "Value": "red"}])
    world.clock.advance(10**9)
    text, _ = world.invoke(authorizer, world.role)
    assert (text == "") is not ("team" in str(condition) or "CurrentTime" in str(condition))


def test_a_service_is_let_in_by_the_function_for_one_source(world):
    authorizer = world.authorizer()
    assert "no resource-based policy" in world.invoke(authorizer, service(TOPIC))[0]
    world.resources.put(
        FUNCTION,
        statement(
            Principal={"Service": "sns.amazonaws.com"},
            Condition={
                "ArnLike": {"aws:SourceArn": TOPIC},
                "StringEquals": {"aws:SourceAccount": THEIRS},
            },
        ),
    )
    other = f"{TOPIC}2"
    assert world.invoke(authorizer, service(TOPIC), source_arn=TOPIC) == ("", True)
    refused, kept = world.invoke(authorizer, service(other), source_arn=other)
    assert refused.startswith("User: sns.amazonaws.com is not authorized to perform")
    assert not kept


def test_another_spelling_of_the_partition_names_the_same_resource(world):
    own = f"arn:aws:logs:eu-west-1:{THEIRS}:log-group:g:log-stream:"
    world.let(statement(action="*"), statement("Deny", "logs:*", own))
    for spelled in (own, own.replace(":aws:", ":aws-x:", 1), own.replace(":aws:", "::", 1)):
        access = Access("logs:GetLogEvents", spelled)
        assert world.run(world.authorizer().allows(context(world.role), access))[0] is False
    assert world.run(
        world.authorizer().allows(context(world.role), Access("logs:GetLogEvents", f"{own}2"))
    )[0]


def test_soft_mode_lets_in_whoever_is_of_no_other_account(world):
    soft = world.authorizer("soft")
    ours = TOPIC.replace(THEIRS, OURS)
    assert world.invoke(soft, service(ours), source_arn=ours)[0] == ""
    assert "no resource-based policy" in world.invoke(soft, service(TOPIC), source_arn=TOPIC)[0]
    assert "no identity-based policy allows" in world.invoke(soft, world.role)[0]
    assert "not authorized" in world.invoke(soft, ANONYMOUS)[0]


LOGS = f"arn:aws:logs:eu-west-1:{THEIRS}:log-group:{GROUP}:*"


@pytest.mark.parametrize(
    ("statements", "permit"),
    [
        ([statement()], LogPermit(group=False, stream=False, events=False)),
        ([statement(action="logs:*")], LogPermit(group=True, stream=True, events=True)),
        (
            [statement(action=["logs:CreateLogStream", "logs:PutLogEvents"], on=LOGS)],
            LogPermit(group=False, stream=True, events=True),
        ),
        (
            [statement(action="logs:*", on=LOGS.replace(GROUP, "/other"))],
            LogPermit(group=False, stream=False, events=False),
        ),
        (
            [statement(action="logs:*"), statement("Deny", "logs:PutLogEvents", LOGS)],
            LogPermit(group=True, stream=True, events=False),
        ),
        (
            [
                statement(
                    action="logs:*",
                    Condition={
                        "ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:g"}
                    },
                )
            ],
            LogPermit(group=True, stream=True, events=True),
        ),
    ],
)
def test_a_role_writes_the_log_that_it_may_write(world, statements, permit):
    rights = RoleLogRights(world.authorizer(), world.identities)
    world.let(*statements)
    assert world.run(rights.permit(STREAM)) == permit
    assert world.run(rights.permit(STREAM)) == permit
    world.let(statement("Deny", "*"))
    assert not any(world.run(rights.permit(STREAM)))


@pytest.mark.parametrize("role", [f"{ROLE}-never-made", "no role at all"])
def test_a_role_that_is_none_writes_nothing_but_in_soft_mode(world, role):
    stream = STREAM._replace(role_arn=role)
    strict = RoleLogRights(world.authorizer(), world.identities)
    assert not any(world.run(strict.permit(stream)))
    soft = RoleLogRights(world.authorizer("soft"), world.identities)
    assert all(world.run(soft.permit(stream))) is role.startswith("arn:")
