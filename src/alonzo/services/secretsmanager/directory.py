"""Every secret of the platform but for the values: in memory, with the store as the truth.

So a request's secret is known by its ARN before the store is asked, and resource policies are asked
without a query. Whoever changes a secret does it through ``change``: when that returns, every later
request sees it. Implements ``ports.ResourcePolicies`` for secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.secretsmanager import records
from alonzo.services.secretsmanager.errors import marked_for_deletion, no_secret
from alonzo.services.secretsmanager.records import Q, Secret
from alonzo.services.secretsmanager.rules import read_secret_id
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


class Unit:
    """A unit of work that changes secrets. ``touched`` are the ids of those."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.touched: set[str] = set()

    def touch(self, secret: Secret) -> Secret:
        """Note that a secret is changed."""
        self.touched.add(secret.id)
        return secret


class Directory:
    """The secrets of all accounts and regions."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self.clock = clock
        self.ids = ids
        self._secrets: dict[str, Secret] = {}
        self._names: dict[tuple[str, str, str], str] = {}
        self._policies: dict[str, Policy] = {}
        #: Grows with every change.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""
        rows = await self._store.read(lambda conn: conn.all(Q.all_secrets))
        for secret in map(records.secret_from, rows):
            self._apply(secret.id, secret)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that only reads."""
        return await self._store.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work that changes nothing that memory holds."""
        return await self._store.tx(work)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work that changes secrets; all is in force when this returns."""

        def with_secrets(conn: Connection) -> tuple[T, dict[str, Secret | None]]:
            unit = Unit(conn)
            result = work(unit)
            return result, {each: records.try_find(conn, each) for each in unit.touched}

        result, changed = await self._store.tx(with_secrets)
        for secret_id, secret in changed.items():
            self._apply(secret_id, secret)
        return result

    def pick(self, below: int) -> int:
        """An unpredictable number from 0 up to, and without, ``below``."""
        # 64 bits more than needed: no number is likelier than another by more than 2^-64.
        return int(self.ids.hex(12), 16) % below

    def try_find(self, context: RequestContext, text: str) -> Secret | None:
        """The secret that a ``SecretId`` names, deleted or not, or None."""
        try:
            name = read_secret_id(text, account=context.account, region=context.region)
        except AwsError:
            return None
        if name.suffixed is not None:
            whole, suffix = name.suffixed
            secret = self._named(name.account, name.region, whole)
            if secret is not None and secret.suffix == suffix:
                return secret
        return self._named(name.account, name.region, name.name)

    def need(self, context: RequestContext, text: str) -> Secret:
        """The secret that a ``SecretId`` names, deleted or not.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        secret = self.try_find(context, text)
        if secret is None:
            raise no_secret()
        return secret

    def need_live(self, context: RequestContext, text: str) -> Secret:
        """The secret that a ``SecretId`` names.

        Raises:
            AwsError: ResourceNotFoundException, InvalidRequestException: it is deleted.
        """
        secret = self.need(context, text)
        if secret.deletion_at_s is not None:
            raise marked_for_deletion()
        return secret

    def of(self, account: str, region: str) -> list[Secret]:
        """All secrets of an account in a region."""
        return [
            each
            for each in self._secrets.values()
            if (each.account, each.region) == (account, region)
        ]

    def every(self) -> Iterable[Secret]:
        """All secrets there are, as of now."""
        return list(self._secrets.values())

    async def find(self, arn: str) -> Policy | None:
        """The resource policy of a secret, or None if it has none."""
        return self._policies.get(arn)

    def _named(self, account: str, region: str, name: str) -> Secret | None:
        secret_id = self._names.get((account, region, name))
        return None if secret_id is None else self._secrets[secret_id]

    def _apply(self, secret_id: str, secret: Secret | None) -> None:
        self.generation += 1
        old = self._secrets.pop(secret_id, None)
        if old is not None:
            self._names.pop((old.account, old.region, old.name), None)
            self._policies.pop(old.arn, None)
        if secret is not None:
            self._secrets[secret_id] = secret
            self._names[secret.account, secret.region, secret.name] = secret_id
            text = secret.document.get("Policy")
            if text:
                self._policies[secret.arn] = _compiled(text, secret.arn)


def fresh(unit: Unit, secret: Secret) -> Secret:
    """The secret as it is now, inside a unit of work that will change it.

    Raises:
        AwsError: it was deleted since.
    """
    now = records.try_find(unit.conn, secret.id)
    if now is None:
        raise no_secret()
    if now.deletion_at_s is not None and secret.deletion_at_s is None:
        raise marked_for_deletion()
    return unit.touch(now)


def _compiled(text: str, name: str) -> Policy:
    try:
        return compile_policy(json.loads(text), name)
    except (PolicyError, ValueError):
        return _DENY_ALL
