"""Permissions, statement by statement. Source: Lambda API; recorded texts where noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.api.addressing import addressed
from alonzo.control.policies import resources, rules
from alonzo.control.policies.documents import dump, function_statement
from alonzo.control.policies.principals import plan_principal
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter, not_found
from alonzo.store.base import Connection

#: The call that shows the revision, as AWS's messages name it.
_API = "GetPolicy"


async def add_permission(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """AddPermission, to the policy of the function, of a version or of an alias."""
    ref = addressed(context, params)
    rules.check_qualifier(ref.qualifier)
    _check_conditions(params)
    statement = function_statement(params, plan_principal(params["Principal"]), ref.arn)
    revision_id = tools.ids.uuid()

    def store(db: Connection) -> None:
        resource = resources.get(db, ref)
        rules.check_revision(params.get("RevisionId"), resource.revision_id, _API)
        policy = rules.plan_added(resource.policy, statement, revision_id)
        resources.change(db, resource, policy, revision_id=revision_id)

    await tools.store.tx(store)
    return {"Statement": dump(statement)}


def _check_conditions(params: Mapping[str, Any]) -> None:
    action = params["Action"]
    if params.get("FunctionUrlAuthType") and action != "lambda:InvokeFunctionUrl":
        # Source: public error reports of Lambda.
        raise invalid_parameter(
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
        )
    if params.get("InvokedViaFunctionUrl") and action != "lambda:InvokeFunction":
        # AWS documents the rule; this text is ours.
        raise invalid_parameter(
            "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action"
        )


async def remove_permission(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """RemovePermission. With the last statement the policy goes."""
    ref = addressed(context, params)
    revision_id = tools.ids.uuid()

    def store(db: Connection) -> None:
        if records.find_version(db, ref.key, LATEST) is None:
            # Recorded: here, and nowhere else.
            raise not_found(f"No policy found for: {ref.key.arn}")
        resource = resources.get(db, ref)
        if resource.policy is None:
            raise rules.no_policy()
        rules.check_revision(params.get("RevisionId"), resource.revision_id, _API)
        policy = rules.plan_removed(resource.policy, params["StatementId"], revision_id)
        resources.change(db, resource, policy, revision_id=revision_id)

    await tools.store.tx(store)


async def get_policy(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetPolicy. Recorded: a qualifier that names nothing is answered as one without a policy."""
    ref = addressed(context, params)

    def read(db: Connection) -> Mapping[str, Any]:
        if records.find_version(db, ref.key, LATEST) is None:
            raise not_found(f"Function not found: {ref.key.arn}")
        found = resources.try_find(db, ref)
        if found is None or found.policy is None:
            raise no_such_resource()
        return {"Policy": found.policy.text, "RevisionId": found.policy.revision_id}

    return await tools.store.read(read)
