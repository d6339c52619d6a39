"""What the platform must know of identities at every request, in memory.

The store has the truth. Kept beside it are the access keys of users, and which users and roles
there are, so that a signature is checked without a query; and the policies of those who called
lately, made ready, so that a decision needs none either. Whoever changes an identity does it
through ``change``: when that returns, every later request sees it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import Policy
from alonzo.model.context import Principal
from alonzo.model.ports.identity import AccessKey
from alonzo.services.iam import managed, records
from alonzo.services.iam.key_ids import unknown_role_id
from alonzo.services.iam.records import Entity, Kind, Q
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: Identities whose policies stay ready; one more costs a query.
HOLDINGS_MAX = 4096

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Holdings:
    """The policies of a user or role, made ready. A missing boundary policy allows nothing."""

    arn: str
    identity: tuple[Policy, ...]
    boundary: Policy | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What memory holds of one entity. Without an ARN it is gone."""

    arn: str | None
    keys: tuple[AccessKey, ...]


class Unit:
    """A unit of work that changes identities. ``touched`` are the unique ids of those."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.touched: set[str] = set()

    def touch(self, entity: Entity) -> Entity:
        """Note that an entity is changed, or one whose policies depend on it."""
        self.touched.add(entity.unique_id)
        return entity


class Identities:
    """Every identity of the platform, in all its accounts."""

    def __init__(self, store: Store, secret: bytes, *, clock: Clock, ids: IdSource) -> None:
        """``secret`` (32 bytes) seals the secrets of access keys in the store."""
        self._store = store
        self._cipher = AESGCM(secret)
        self.clock = clock
        self.ids = ids
        self._keys: dict[str, AccessKey] = {}
        self._keys_of: dict[str, tuple[str, ...]] = {}
        self._arns: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._names: dict[tuple[str, str, str], str] = {}
        self._deleted_roles: set[str] = set()
        self._holdings: OrderedDict[str, Holdings] = OrderedDict()
        #: Counts changes, so that what was read before one is not kept after it.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""

        def work(conn: Connection) -> tuple[dict[str, _Facts], set[str]]:
            entities = [
                records.entity_from(row)
                for kind in (Kind.USER, Kind.GROUP, Kind.ROLE, Kind.PROFILE, Kind.ROOT)
                for row in conn.all(Q.all_of_kind, {"kind": kind})
            ]
            deleted = {row["arn"] for row in conn.all(Q.deleted_roles)}
            return {each.unique_id: self._facts(conn, each) for each in entities}, deleted

        facts, self._deleted_roles = await self._store.read(work)
        self._apply(facts)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that only reads."""
        return await self._store.read(work)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work that changes identities; they are in force when this returns."""

        def with_facts(conn: Connection) -> tuple[T, dict[str, _Facts]]:
            unit = Unit(conn)
            result = work(unit)
            return result, {each: self._facts_of(conn, each) for each in unit.touched}

        result, facts = await self._store.tx(with_facts)
        self._apply(facts)
        return result

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that changes nothing that a decision depends on."""
        return await self._store.tx(work)

    def access_key(self, key_id: str) -> AccessKey | None:
        """The active key of a user, or None."""
        return self._keys.get(key_id)

    def unique_id(self, arn: str) -> str | None:
        """The unique id of the user or role that has the ARN, or None."""
        return self._ids.get(arn)

    def arn(self, unique_id: str) -> str | None:
        """The ARN of a user or role, or None if it is gone."""
        return self._arns.get(unique_id)

    def was_role(self, arn: str) -> bool:
        """Whether a role had the ARN, was deleted, and no other took its place."""
        return arn in self._deleted_roles

    def identity_of(self, principal: Principal) -> str | None:
        """The unique id of the user or role whose policies count; None if IAM knows none.

        A role that a function had before IAM knew it is the role of that ARN from then on.
        """
        if principal.identity_id in self._arns:
            return principal.identity_id
        role_arn = None if principal.session is None else principal.session.role_arn
        if role_arn is None or principal.identity_id != unknown_role_id(role_arn):
            return None
        return self._ids.get(role_arn)

    def arn_of_name(self, account: str, kind: Kind, name: str) -> str | None:
        """The ARN of the entity of that name, or None. Not for managed policies."""
        return self._names.get((account, kind, name.lower()))

    def holdings_nowait(self, unique_id: str) -> Holdings | None:
        """The policies of an identity, if they are ready."""
        return self._holdings.get(unique_id)

    async def holdings(self, unique_id: str) -> Holdings | None:
        """The policies of an identity; None if there is none of that id."""
        ready = self._holdings.get(unique_id)
        if ready is not None:
            self._holdings.move_to_end(unique_id)
            return ready
        generation = self.generation
        found = await self._store.read(lambda conn: read_holdings(conn, unique_id))
        if found is not None and generation == self.generation:
            self._holdings[unique_id] = found
            if len(self._holdings) > HOLDINGS_MAX:
                self._holdings.popitem(last=False)
        return found

    def seal(self, secret: str, key_id: str) -> str:
        """A secret as it is stored."""
        nonce = bytes.fromhex(self.ids.hex(_NONCE_BYTES))
        return (nonce + self._cipher.encrypt(nonce, secret.encode(), key_id.encode())).hex()

    def unseal(self, sealed: str, key_id: str) -> str:
        """A secret, from how it is stored."""
        raw = bytes.fromhex(sealed)
        nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, rest, key_id.encode()).decode()

    def _facts_of(self, conn: Connection, unique_id: str) -> _Facts:
        entity = records.try_find_by_id(conn, unique_id)
        return _Facts(None, ()) if entity is None else self._facts(conn, entity)

    def _facts(self, conn: Connection, entity: Entity) -> _Facts:
        if entity.kind not in (Kind.USER, Kind.ROOT):
            return _Facts(entity.arn, ())
        keys = tuple(
            AccessKey(
                row["id"],
                self.unseal(row["secret"], row["id"]),
                _principal(entity, row["id"]),
            )
            for row in conn.all(Q.keys_of_user, {"user_id": entity.unique_id})
            if row["active"]
        )
        # A root user is nobody whose policies are asked for, and never goes.
        return _Facts(None if entity.kind is Kind.ROOT else entity.arn, keys)

    def _apply(self, facts: Mapping[str, _Facts]) -> None:
        self.generation += 1
        # Groups and managed policies reach many; reading a few again is cheaper than knowing whom.
        self._holdings.clear()
        for unique_id, each in facts.items():
            old = self._arns.pop(unique_id, None)
            if old is not None and self._ids.get(old) == unique_id:
                del self._ids[old]
                self._names.pop(_name_of(old), None)
                if ":role/" in old:
                    self._deleted_roles.add(old)
            for key_id in self._keys_of.pop(unique_id, ()):
                self._keys.pop(key_id, None)
            if each.arn is not None:
                self._arns[unique_id] = each.arn
                self._ids[each.arn] = unique_id
                self._names[_name_of(each.arn)] = each.arn
                self._deleted_roles.discard(each.arn)
            if each.keys:
                self._keys.update({key.access_key_id: key for key in each.keys})
                self._keys_of[unique_id] = tuple(key.access_key_id for key in each.keys)


def _name_of(arn: str) -> tuple[str, str, str]:
    account, rest = arn.split(":", 5)[4:]
    kind, _, path = rest.partition("/")
    return account, kind, path.rpartition("/")[2].lower()


def _principal(holder: Entity, access_key_id: str) -> Principal:
    if holder.kind is Kind.ROOT:
        return root_principal(holder.account, access_key_id)
    return user_principal(holder, access_key_id)


def root_principal(account: str, access_key_id: str) -> Principal:
    """The root user of an account as a caller."""
    return Principal(
        account=account,
        arn=f"arn:aws:iam::{account}:root",
        user_id=account,
        access_key_id=access_key_id,
        is_root=True,
    )


def user_principal(user: Entity, access_key_id: str) -> Principal:
    """A user as a caller."""
    return Principal(
        account=user.account,
        arn=user.arn,
        user_id=user.unique_id,
        access_key_id=access_key_id,
        identity_id=user.unique_id,
    )


def read_holdings(conn: Connection, unique_id: str) -> Holdings | None:
    """The policies of a user, with those of their groups, or of a role. Part of a unit of work."""
    entity = records.try_find_by_id(conn, unique_id)
    if entity is None:
        return None
    sources = [entity]
    if entity.kind is Kind.USER:
        sources += records.groups_of(conn, entity)
    policies: list[Policy] = []
    for source in sources:
        for name, text in records.inline(conn, source).items():
            policies.append(managed.ready(text, f"{source.kind}_{source.name}_{name}"))
        for arn in records.attached(conn, source):
            found = managed.try_ready(conn, entity.account, arn)
            if found is not None:
                policies.append(found)
    limit = records.boundary(conn, entity)
    boundary = None
    if limit is not None:
        boundary = managed.try_ready(conn, entity.account, limit) or _NOTHING
    return Holdings(entity.arn, tuple(policies), boundary, entity.tags)


_NOTHING = Policy("", (), (), frozenset())


def used_document(service: str, region: str, now_s: float) -> str:
    """Where and when a key was last used, as it is stored."""
    used: dict[str, Any] = {"service": service, "region": region, "at_s": now_s}
    return json.dumps(used)
