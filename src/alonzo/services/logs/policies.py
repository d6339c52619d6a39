"""Policies by which log groups let services in: in memory, with the store as the truth.

Implements ``ports.ResourcePolicies``. A group is under the policies of its account in the region,
and under one of its own. They are about services alone: what they say of users, roles and other
accounts has no effect, as on AWS.

On AWS the console writes a policy when a rule gets a log group under ``/aws/events/`` as its
target. Here it is always there, as long as the account puts none of the same name in its place.

Source: CloudWatch Logs API reference, PutResourcePolicy; EventBridge user guide, permissions of
targets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from alonzo.lib.policies.compiled import Policy, PolicyError, Statement, compile_policy
from alonzo.lib.policies.conditions import Conditions, compile_conditions
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Connection, Row, Store

#: The name of the policy that the console writes for rules, and the groups that it is about.
EVENTS_POLICY = "TrustEventsToStoreLogEvents"
EVENTS_GROUPS = "/aws/events/"

_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


#: Only services write by these policies.
_SERVICES = compile_conditions({"Bool": {"aws:PrincipalIsAWSService": "true"}}, variables=False)


class _Place(NamedTuple):
    """An account in a region."""

    account: str
    region: str


@dataclass(slots=True)
class _Held:
    """The policies of a place: its own by name, and those of groups by the group's name."""

    own: dict[str, Policy] = field(default_factory=dict[str, Policy])
    groups: dict[str, Policy] = field(default_factory=dict[str, Policy])


class PolicyBook:
    """The policies of all accounts and regions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[_Place, _Held] = {}
        #: So that what was read later is taken later.
        self._reading = asyncio.Lock()
        #: Grows with every change of any of them.
        self.generation = 0

    async def open(self) -> None:
        """Read them all, before the first request."""
        rows = await self._store.read(lambda db: db.all(Q.all_policies))
        self._take(rows)

    async def refresh(self, account: str, region: str) -> None:
        """Read those of one place again: they have changed."""
        async with self._reading:
            rows = await self._store.read(lambda db: policies_of(db, account, region))
            self._places.pop(_Place(account, region), None)
            self._take(rows)

    async def find(self, arn: str) -> Policy | None:
        """The policies of a log group, or of a stream in it, as one."""
        parts = arn.split(":", 7)
        if len(parts) < 7 or parts[5] != "log-group":
            return None
        region, account, group = parts[3], parts[4], parts[6]
        held = self._places.get(_Place(account, region), _Held())
        found = [*held.own.values()]
        if group in held.groups:
            found.append(held.groups[group])
        if group.startswith(EVENTS_GROUPS) and EVENTS_POLICY not in held.own:
            found.append(_policy_for_rules(account))
        return _together(found) if found else None

    def _take(self, rows: Sequence[Row]) -> None:
        self.generation += 1
        for row in rows:
            held = self._places.setdefault(_Place(row["account"], row["region"]), _Held())
            policy = _compiled(row["document"], row["name"])
            if row["group_name"] is None:
                held.own[row["name"]] = policy
            else:
                held.groups[row["group_name"]] = policy


def policies_of(db: Connection, account: str, region: str) -> list[Row]:
    """The policies of a place as stored, by name; then those of groups, by the group's."""
    return db.all(Q.policies_of_region, {"account": account, "region": region})


def group_policy(db: Connection, key: GroupKey) -> Row | None:
    """The policy of a group as stored."""
    rows = policies_of(db, key.account, key.region)
    return next((row for row in rows if row["group_name"] == key.name), None)


def of_services(policy: Policy) -> Policy:
    """A policy with all that it says narrowed to services; its own conditions hold beside that."""
    return Policy(
        policy.name,
        tuple(map(_narrowed, policy.allows)),
        tuple(map(_narrowed, policy.denies)),
        policy.context_keys | _SERVICES.keys,
    )


def _narrowed(statement: Statement) -> Statement:
    own = statement.conditions
    both = Conditions((*_SERVICES.tests, *own.tests), own.keys | _SERVICES.keys)
    return replace(statement, conditions=both)


def _compiled(text: str, name: str) -> Policy:
    try:
        return of_services(compile_policy(json.loads(text), name))
    except (PolicyError, ValueError):
        return _DENY_ALL


def _together(policies: Sequence[Policy]) -> Policy:
    if len(policies) == 1:
        return policies[0]
    return Policy(
        "log policies",
        tuple(each for policy in policies for each in policy.allows),
        tuple(each for policy in policies for each in policy.denies),
        frozenset(key for policy in policies for key in policy.context_keys),
    )


@lru_cache(maxsize=256)
def _policy_for_rules(account: str) -> Policy:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:*:{account}:log-group:{EVENTS_GROUPS}*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return compile_policy({"Version": "2012-10-17", "Statement": statement}, EVENTS_POLICY)
