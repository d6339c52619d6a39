"""Policies of functions and layers, ready to be asked. Implements ``ports.ResourcePolicies``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alonzo.control.layers import records as layer_records
from alonzo.control.layers.names import is_provided, parse_layer_version
from alonzo.control.policies.resources import Q
from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.model.arns import parse_function_ref
from alonzo.model.errors import AwsError
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.store.base import Connection, Store

#: Policies kept; when there are more, all are read again.
KEPT_MAX = 10_000

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


class FunctionPolicies:
    """Finds the policy of a function, version or alias, or of a layer's version, by its ARN."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Policy | None] = {}
        #: Grows with every change, so that nobody keeps what depends on an older policy.
        self.generation = 0
        self._unsubscribe = store.subscribe(CHANGES_TOPIC, self._changed)

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    async def find(self, arn: str) -> Policy | None:
        """The policy of what the ARN names, or None if it has none.

        Those of layers are read each time: no invocation asks for them.
        """
        if ":layer:" in arn:
            return await self._store.read(lambda db: _read_layer(db, arn))
        if ":function:" not in arn:
            return None
        if arn in self._kept:
            return self._kept[arn]
        generation = self.generation
        policy = await self._store.read(lambda db: _read(db, arn))
        if generation == self.generation:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[arn] = policy
        return policy

    def _changed(self, _path: str) -> None:
        self.generation += 1
        self._kept.clear()


def _read(db: Connection, arn: str) -> Policy | None:
    parts = arn.split(":")
    try:
        ref = parse_function_ref(arn, account=parts[4], region=parts[3])
    except (AwsError, IndexError):
        return None
    row = db.one(
        Q.find_policy,
        {
            "account": ref.key.account,
            "region": ref.key.region,
            "name": ref.key.name,
            "qualifier": ref.qualifier or "",
        },
    )
    return None if row is None else _ready(json.loads(row["document"]), arn)


def _read_layer(db: Connection, arn: str) -> Policy | None:
    key = parse_layer_version(arn)
    record = None if key is None else layer_records.find_version(db, key)
    if record is None and is_provided(arn):
        return _ready(_FOR_ALL, arn)
    if record is None or record.policy is None:
        return None
    return _ready(record.policy.document, arn)


#: AWS lets everybody use those of its layers that the platform stands in for.
_FOR_ALL: Mapping[str, Any] = {
    "Statement": {"Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion"}
}


def _ready(document: Mapping[str, Any], arn: str) -> Policy:
    try:
        return compile_policy(document, arn)
    except PolicyError:
        return _DENY_ALL
