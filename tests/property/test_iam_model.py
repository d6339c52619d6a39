"""Identities against a model: after every change everybody may do exactly what the model says."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.policies.compiled import Policy
from alonzo.model.access import on_all
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.iam import api
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import KeyRing
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
ACTIONS = ("svc:One", "svc:Two")

USERS = st.sampled_from(["Ada", "ada", "Bob"])
GROUPS = st.sampled_from(["g", "h"])
POLICIES = st.sampled_from(["p", "q"])
STATEMENTS = st.sampled_from(
    [(effect, action) for effect in ("Allow", "Deny") for action in (*ACTIONS, "svc:*")]
)


def document(statement: tuple[str, str]) -> str:
    effect, action = statement
    one = {"Effect": effect, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": one})


def says(statement: tuple[str, str], action: str) -> str | None:
    effect, pattern = statement
    return effect if pattern in (action, "svc:*") else None


class NoPolicies:
    """No resource has a policy here."""

    generation = 0

    async def find(self, arn: str) -> Policy | None:
        return None


@dataclass
class Holder:
    """A user or group of the model."""

    inline: dict[str, tuple[str, str]] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    boundary: str | None = None


class IdentitiesAndModel(RuleBasedStateMachine):
    """Users, groups and managed policies come, change and go; the platform restarts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.users: dict[str, Holder] = {}
        self.groups: dict[str, Holder] = {}
        self.members: set[tuple[str, str]] = set()
        self.policies: dict[str, tuple[str, str]] = {}
        self.keys: dict[str, str] = {}
        self.runner.run(self.open())

    async def open(self) -> None:
        clock, ids = ManualClock(), SystemIds()
        folder = Path(self.folder.name)
        self.store = await SqliteStore.open(folder / "a.db", clock=clock)
        identities = Identities(self.store, b"s" * 32, clock=clock, ids=ids)
        await identities.open()
        self.ring = KeyRing(folder, clock=clock, ids=ids, identities=identities)
        self.operations = api.operations(identities)
        rules = {"svc": {action: on_all(action) for action in ACTIONS}}
        self.authorizer = Authorizer(identities, NoPolicies(), rules, mode="strict")

    def call(self, operation: str, **params: Any) -> Any:
        """The answer, or the code of the refusal."""
        context = self.context(ROOT)
        try:
            return self.runner.run(self.operations[operation](context, params))
        except AwsError as error:
            return error.code.removesuffix("Exception")

    def context(self, principal: Principal) -> RequestContext:
        return RequestContext("r", ACCOUNT, "us-east-1", principal, "http://localhost", "127.0.0.1")

    @rule(name=USERS)
    def create_user(self, name: str) -> None:
        answer = self.call("CreateUser", UserName=name)
        if name.lower() in self.users:
            assert answer == "EntityAlreadyExists"
            return
        assert answer["User"]["UserName"] == name
        self.users[name.lower()] = Holder()
        key = self.call("CreateAccessKey", UserName=name.upper())["AccessKey"]
        self.keys[name.lower()] = key["AccessKeyId"]

    @rule(name=USERS)
    def delete_user(self, name: str) -> None:
        key = name.lower()
        user = self.users.get(key)
        if user is None:
            assert self.call("DeleteUser", UserName=name) == "NoSuchEntity"
            return
        self.call("DeleteAccessKey", UserName=name, AccessKeyId=self.keys.pop(key))
        held = user.inline or user.attached or any(who == key for _, who in self.members)
        answer = self.call("DeleteUser", UserName=name)
        if held:
            assert answer == "DeleteConflict"
            made = self.call("CreateAccessKey", UserName=name)["AccessKey"]
            self.keys[key] = made["AccessKeyId"]
        else:
            assert answer is None
            del self.users[key]

    @rule(name=GROUPS)
    def create_group(self, name: str) -> None:
        answer = self.call("CreateGroup", GroupName=name)
        if name in self.groups:
            assert answer == "EntityAlreadyExists"
        else:
            self.groups[name] = Holder()

    @rule(name=GROUPS)
    def delete_group(self, name: str) -> None:
        group = self.groups.get(name)
        answer = self.call("DeleteGroup", GroupName=name)
        if group is None:
            assert answer == "NoSuchEntity"
        elif group.inline or group.attached or any(g == name for g, _ in self.members):
            assert answer == "DeleteConflict"
        else:
            assert answer is None
            del self.groups[name]

    @rule(group=GROUPS, user=USERS, joins=st.booleans())
    def change_membership(self, group: str, user: str, *, joins: bool) -> None:
        operation = "AddUserToGroup" if joins else "RemoveUserFromGroup"
        answer = self.call(operation, GroupName=group, UserName=user)
        if group not in self.groups or user.lower() not in self.users:
            assert answer == "NoSuchEntity"
        elif joins:
            self.members.add((group, user.lower()))
        else:
            self.members.discard((group, user.lower()))

    def holder(self, kind: str, user: str, group: str) -> tuple[dict[str, str], Holder | None]:
        if kind == "User":
            return {"UserName": user}, self.users.get(user.lower())
        return {"GroupName": group}, self.groups.get(group)

    @rule(kind=st.sampled_from(["User", "Group"]), user=USERS, group=GROUPS, name=POLICIES,
          statement=st.none() | STATEMENTS)  # fmt: skip
    def change_inline(
        self, kind: str, user: str, group: str, name: str, statement: tuple[str, str] | None
    ) -> None:
        at, holder = self.holder(kind, user, group)
        if statement is None:
            answer = self.call(f"Delete{kind}Policy", PolicyName=name, **at)
            if holder is None or name not in holder.inline:
                assert answer == "NoSuchEntity"
            else:
                del holder.inline[name]
            return
        text = document(statement)
        answer = self.call(f"Put{kind}Policy", PolicyName=name, PolicyDocument=text, **at)
        if holder is None:
            assert answer == "NoSuchEntity"
        else:
            holder.inline[name] = statement

    @rule(name=POLICIES, statement=STATEMENTS)
    def write_managed(self, name: str, statement: tuple[str, str]) -> None:
        text = document(statement)
        if name not in self.policies:
            assert self.call("CreatePolicy", PolicyName=name, PolicyDocument=text)["Policy"]
        else:
            arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
            old = self.call("GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
            self.call("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
            assert self.call("DeletePolicyVersion", PolicyArn=arn, VersionId=old) is None
        self.policies[name] = statement

    @rule(name=POLICIES)
    def delete_managed(self, name: str) -> None:
        answer = self.call("DeletePolicy", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{name}")
        holders = (*self.users.values(), *self.groups.values())
        if name not in self.policies:
            assert answer == "NoSuchEntity"
        elif any(name in each.attached or each.boundary == name for each in holders):
            assert answer == "DeleteConflict"
        else:
            del self.policies[name]

    @rule(kind=st.sampled_from(["User", "Group"]), user=USERS, group=GROUPS, name=POLICIES,
          attaches=st.booleans())  # fmt: skip
    def change_attachment(
        self, kind: str, user: str, group: str, name: str, *, attaches: bool
    ) -> None:
        at, holder = self.holder(kind, user, group)
        operation = f"{'Attach' if attaches else 'Detach'}{kind}Policy"
        answer = self.call(operation, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{name}", **at)
        if holder is None or (name not in (self.policies if attaches else holder.attached)):
            assert answer == "NoSuchEntity"
        elif attaches:
            holder.attached.add(name)
        else:
            holder.attached.discard(name)

    @rule(user=USERS, name=st.none() | POLICIES)
    def change_boundary(self, user: str, name: str | None) -> None:
        holder = self.users.get(user.lower())
        if name is None:
            answer = self.call("DeleteUserPermissionsBoundary", UserName=user)
            missing = holder is None or holder.boundary is None
        else:
            arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
            answer = self.call("PutUserPermissionsBoundary", UserName=user, PermissionsBoundary=arn)
            missing = holder is None or name not in self.policies
        if missing:
            assert answer == "NoSuchEntity"
        else:
            assert holder is not None
            holder.boundary = name

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.runner.run(self.open())

    def may(self, name: str, action: str) -> bool:
        user = self.users[name]
        groups = [self.groups[group] for group, who in self.members if who == name]
        said = {
            says(statement, action)
            for each in (user, *groups)
            for statement in (
                *each.inline.values(),
                *(self.policies[policy] for policy in each.attached),
            )
        }
        limit = None
        if user.boundary is not None:
            limit = says(self.policies[user.boundary], action)
        if "Deny" in said or limit == "Deny":
            return False
        return "Allow" in said and (user.boundary is None or limit == "Allow")

    @invariant()
    def everybody_may_what_the_model_says(self) -> None:
        for name, key_id in self.keys.items():
            key = self.ring.find(key_id, None)
            assert key is not None
            for action in ACTIONS:
                asked = self.authorizer.authorize(self.context(key.principal), "svc", action, {})
                try:
                    self.runner.run(asked)
                    allowed = True
                except AwsError:
                    allowed = False
                assert allowed is self.may(name, action), (name, action)

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


TestIdentitiesAndModel = IdentitiesAndModel.TestCase
TestIdentitiesAndModel.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
