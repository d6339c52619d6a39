"""Every key of the platform: the store has the truth, and what each request must know is in memory.

In memory are which keys and aliases there are, their tags, policies and grants: so that the tables
of ``access.py`` can say which key a request means, and policies are asked without a query.
Materials are only in the store. Whoever changes keys does it through ``change``: when that returns,
every later request sees it. Implements ``ports.ResourcePolicies`` for keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.kms import delegation, records
from alonzo.services.kms.machine import State
from alonzo.services.kms.policies import managed_policy
from alonzo.services.kms.records import Grant, Key, Q
from alonzo.services.kms.rules import (
    MANAGED_ALIASES,
    KeyName,
    parse_key_name,
)
from alonzo.services.kms.sealing import MaterialSafe, Origin
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: Compiled policies kept; when there are more, all are made anew.
POLICIES_MAX = 4096

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What memory holds of one key."""

    key: Key
    aliases: tuple[str, ...]
    grants: tuple[Grant, ...]


class Unit:
    """A unit of work that changes keys. ``touched`` are the ids of those."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.touched: set[str] = set()

    def touch(self, key: Key) -> Key:
        """Note that a key is changed, or its aliases or grants are."""
        self.touched.add(key.id)
        return key


class Vault:
    """The keys of all accounts and regions."""

    def __init__(self, store: Store, secret: bytes, *, clock: Clock, ids: IdSource) -> None:
        """``secret`` (32 bytes) seals the materials of keys in the store."""
        self._store = store
        self._safe = MaterialSafe(secret, ids)
        self.clock = clock
        self.ids = ids
        self._facts: dict[str, Facts] = {}
        self._aliases: dict[tuple[str, str, str], str] = {}
        self._policies: dict[str, Policy] = {}
        #: Grows with every change.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""

        def work(conn: Connection) -> dict[str, Facts | None]:
            keys = map(records.key_from, conn.all(Q.all_keys))
            return {key.id: _facts_of(conn, key) for key in keys}

        self._apply(await self._store.read(work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that only reads."""
        return await self._store.read(work)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work that changes keys; they are in force when this returns."""

        def with_facts(conn: Connection) -> tuple[T, dict[str, Facts | None]]:
            unit = Unit(conn)
            result = work(unit)
            found = {each: records.try_find(conn, each) for each in unit.touched}
            return result, {
                key_id: None if key is None else _facts_of(conn, key)
                for key_id, key in found.items()
            }

        result, facts = await self._store.tx(with_facts)
        self._apply(facts)
        return result

    def facts(self, context: RequestContext, text: str) -> Facts | None:
        """What is known of the key that a ``KeyId`` names, or None if it names none."""
        try:
            name = parse_key_name(text, account=context.account, region=context.region)
        except AwsError:
            return None
        key_id = name.key_id or self._aliases.get((name.account, name.region, name.alias or ""))
        found = None if key_id is None else self._facts.get(key_id)
        if found is None or (found.key.account, found.key.region) != (name.account, name.region):
            return None
        return found

    def facts_by_id(self, key_id: str) -> Facts | None:
        """What is known of the key of that id, whosever it is."""
        return self._facts.get(key_id)

    def due_for_rotation(self, now_s: float) -> list[str]:
        """The ids of enabled keys whose automatic rotation is due."""
        return [
            key_id
            for key_id, facts in self._facts.items()
            if facts.key.state is State.ENABLED
            and facts.key.rotates_at_s is not None
            and facts.key.rotates_at_s <= now_s
        ]

    async def find(self, arn: str) -> Policy | None:
        """The policy of a key, with what its grants allow, or None if there is no such key."""
        found = self._facts.get(arn.rpartition("/")[2])
        if found is None or found.key.arn != arn:
            return None
        policy = self._policies.get(arn)
        if policy is None:
            policy = _compiled(found)
            if len(self._policies) >= POLICIES_MAX:
                self._policies.clear()
            self._policies[arn] = policy
        return policy

    async def ensure_managed(self, name: KeyName) -> None:
        """Make the key of a service's alias, unless there is one. Others are left as they are."""
        service = MANAGED_ALIASES.get(name.alias or "")
        if service is None or (name.account, name.region, name.alias) in self._aliases:
            return
        policy = managed_policy(service, name.account, name.region)
        document = {
            "description": _DESCRIPTIONS[service],
            "manager": "AWS",
            "policy": policy,
        }

        def work(unit: Unit) -> None:
            where = {"account": name.account, "region": name.region, "name": name.alias}
            if unit.conn.one(Q.find_alias, where) is None:
                key = self.make_key(unit, name.account, name.region, document)
                row = {**where, "key_id": key.id, "now_s": self.clock.now_s()}
                unit.conn.execute(Q.insert_alias, row)

        await self.change(work)

    async def drop_grants(self, account: str, region: str, prefix: str) -> None:
        """Take back the grants on keys of the region whose names begin so."""
        keys = [
            facts.key.id
            for facts in self._facts.values()
            if (facts.key.account, facts.key.region) == (account, region)
            and any(str(g.document.get("Name", "")).startswith(prefix) for g in facts.grants)
        ]

        def work(unit: Unit) -> None:
            for key_id in keys:
                key = records.try_find(unit.conn, key_id)
                if key is None:
                    continue
                for grant in map(
                    records.grant_from, unit.conn.all(Q.grants_of_key, {"key_id": key_id})
                ):
                    if str(grant.document.get("Name", "")).startswith(prefix):
                        unit.conn.execute(Q.delete_grant, {"id": grant.id, "key_id": key_id})
                unit.touch(key)

        if keys:
            await self.change(work)

    def make_key(
        self, unit: Unit, account: str, region: str, document: Mapping[str, object]
    ) -> Key:
        """A new key with its first material. Part of a unit of work."""
        key_id, now_s = self.ids.uuid(), self.clock.now_s()
        unit.conn.execute(
            Q.insert_key,
            {
                "id": key_id,
                "account": account,
                "region": region,
                "created_at_s": now_s,
                "state": "Enabled",
                "document": json.dumps(document),
            },
        )
        key = records.try_find(unit.conn, key_id)
        assert key is not None
        self.add_material(unit, key, number=1, cause="")
        return unit.touch(key)

    def add_material(self, unit: Unit, key: Key, *, number: int, cause: str) -> None:
        """New material of a key, which encrypts from now on. Part of a unit of work."""
        sealed, material_id = self._safe.make(Origin(key.id, number))
        unit.conn.execute(
            Q.insert_material,
            {
                "key_id": key.id,
                "number": number,
                "id": material_id,
                "created_at_s": self.clock.now_s(),
                "cause": cause,
                "sealed": sealed,
            },
        )
        unit.touch(key)

    def open_material(self, conn: Connection, key: Key, number: int | None) -> Material | None:
        """The material of that number, or the newest. None if there is none."""
        if number is None:
            row = conn.one(Q.current_material, {"key_id": key.id})
        else:
            row = conn.one(Q.find_material, {"key_id": key.id, "number": number})
        if row is None:
            return None
        origin = Origin(key.id, row["number"])
        return Material(origin, row["id"], self._safe.open(row["sealed"], origin))

    def _apply(self, facts: Mapping[str, Facts | None]) -> None:
        self.generation += 1
        for key_id, new in facts.items():
            old = self._facts.pop(key_id, None)
            if old is not None:
                self._policies.pop(old.key.arn, None)
                for alias in old.aliases:
                    name = (old.key.account, old.key.region, alias)
                    if self._aliases.get(name) == key_id:
                        del self._aliases[name]
            if new is not None:
                self._facts[key_id] = new
        # Names last: an alias may have gone from one of these keys to another.
        for key_id, new in facts.items():
            if new is not None:
                for alias in new.aliases:
                    self._aliases[new.key.account, new.key.region, alias] = key_id


@dataclass(frozen=True, slots=True)
class Material:
    """Material of a key, open. Not to be kept longer than a call takes."""

    origin: Origin
    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Material({self.origin})"


_DESCRIPTIONS = {
    "lambda": "Default key that protects my Lambda functions when no other key is defined",
    "s3": "Default key that protects my S3 objects when no other key is defined",
    "secretsmanager": "Default key that protects my Secrets Manager data when no other key is "
    "defined",
    "sns": "Default key that protects my SNS data when no other key is defined",
    "sqs": "Default key that protects my SQS messages when no other key is defined",
    "ssm": "Default key that protects my SSM parameters when no other key is defined",
}


def _facts_of(conn: Connection, key: Key) -> Facts:
    of_key = {"key_id": key.id}
    return Facts(
        key,
        tuple(row["name"] for row in conn.all(Q.aliases_of_key, of_key)),
        tuple(map(records.grant_from, conn.all(Q.grants_of_key, of_key))),
    )


def _compiled(facts: Facts) -> Policy:
    try:
        policy = compile_policy(json.loads(facts.key.policy), facts.key.arn)
        if not facts.grants:
            return policy
        granted = compile_policy({"Statement": delegation.statements(facts.grants)}, facts.key.arn)
    except (PolicyError, ValueError):
        return _DENY_ALL
    return Policy(
        policy.name,
        policy.allows + granted.allows,
        policy.denies,
        policy.context_keys | granted.context_keys,
    )
