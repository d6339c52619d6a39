"""Who else may use a layer version. Source: Lambda API; recorded behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control.api.layers import own_layer_version
from alonzo.control.layers import records
from alonzo.control.layers.names import LayerVersionKey
from alonzo.control.layers.records import LayerVersionRecord
from alonzo.control.policies import rules
from alonzo.control.policies.documents import Policy, dump, layer_statement
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter, not_found
from alonzo.store.base import Connection

#: The call that shows the revision, as AWS's messages name it.
_API = "GetLayerPolicy"


async def add_layer_version_permission(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """AddLayerVersionPermission."""
    key = own_layer_version(context, params, "AddLayerVersionPermission")
    if params.get("OrganizationId") and params["Principal"] != "*":
        # AWS documents the rule; this text is ours.
        raise invalid_parameter("OrganizationId: the principal must be *.")
    statement = layer_statement(params, key.arn)
    revision_id = tools.ids.uuid()

    def store(db: Connection) -> Policy:
        current = _guarded(db, key, params)
        policy = rules.plan_added(current, statement, revision_id)
        records.set_policy(db, key, policy)
        return policy

    policy = await tools.store.tx(store)
    return {"Statement": dump(statement), "RevisionId": policy.revision_id}


async def get_layer_version_policy(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetLayerVersionPolicy."""
    key = own_layer_version(context, params, "GetLayerVersionPolicy")
    policy = (await tools.store.read(lambda db: _existing(db, key))).policy
    if policy is None:
        raise rules.no_policy()
    return {"Policy": policy.text, "RevisionId": policy.revision_id}


async def remove_layer_version_permission(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """RemoveLayerVersionPermission. Functions that have the layer keep it."""
    key = own_layer_version(context, params, "RemoveLayerVersionPermission")
    revision_id = tools.ids.uuid()

    def store(db: Connection) -> None:
        current = _guarded(db, key, params)
        records.set_policy(db, key, rules.plan_removed(current, params["StatementId"], revision_id))

    await tools.store.tx(store)


def _existing(db: Connection, key: LayerVersionKey) -> LayerVersionRecord:
    record = records.find_version(db, key)
    if record is None:
        raise not_found(f"Layer version {key.arn} does not exist.")
    return record


def _guarded(db: Connection, key: LayerVersionKey, params: Mapping[str, Any]) -> Policy | None:
    """The policy that a request changes, if it was made for its revision."""
    policy = _existing(db, key).policy
    rules.check_revision(params.get("RevisionId"), policy and policy.revision_id, _API)
    return policy
