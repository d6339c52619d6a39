"""Policies as whole documents: what AddPermission adds to, replaced at once. Source: Lambda API.

No response of these operations has been recorded; where nothing is said of a case, it is answered
as its twin in ``permissions`` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control.policies import grammar, resources, rules
from alonzo.control.policies.documents import Policy
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionRef, parse_function_ref
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection

_API = "GetResourcePolicy"


async def put_resource_policy(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutResourcePolicy: the policy becomes this document, whatever it was."""
    ref = _addressed(context, params)
    rules.check_qualifier(ref.qualifier)
    policy = Policy(grammar.parse(params["Policy"]), tools.ids.uuid())
    rules.check_size(policy.text)

    def store(db: Connection) -> None:
        resource = resources.get(db, ref)
        rules.check_revision(params.get("RevisionId"), resource.revision_id, _API)
        resources.change(db, resource, policy, revision_id=policy.revision_id)

    await tools.store.tx(store)
    return _described(policy)


async def get_resource_policy(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetResourcePolicy, however the policy came about."""
    ref = _addressed(context, params)
    resource = await tools.store.read(lambda db: resources.get(db, ref))
    if resource.policy is None:
        raise no_such_resource()
    return _described(resource.policy)


async def delete_resource_policy(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteResourcePolicy, with every statement in it."""
    ref = _addressed(context, params)

    def store(db: Connection) -> None:
        resource = resources.get(db, ref)
        if resource.policy is None:
            raise rules.no_policy()
        rules.check_revision(params.get("RevisionId"), resource.revision_id, _API)
        resources.change(db, resource, None, revision_id=tools.ids.uuid())

    await tools.store.tx(store)


def _addressed(context: RequestContext, params: Mapping[str, Any]) -> FunctionRef:
    """The function, version or alias of an ARN, whose form the edge has checked."""
    arn = params["ResourceArn"]
    if arn.split(":")[5:6] != ["function"]:
        # Customer-managed runtimes, of which there are none.
        raise no_such_resource()
    return parse_function_ref(arn, account=context.account, region=context.region)


def _described(policy: Policy) -> Mapping[str, Any]:
    return {"Policy": policy.text, "RevisionId": policy.revision_id}
