"""Tags of functions. Nothing else that AWS can tag exists here yet. Source: Lambda API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import machine, records, rules
from alonzo.control.api.addressing import function_not_found, get_version
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionRef, parse_function_ref
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter, not_found
from alonzo.store.base import Connection

#: What AWS says of a missing resource, by the word in its ARN.
_MISSING = {
    "capacity-provider": "Capacity provider not found: {arn}",
    "code-signing-config": "The Lambda code signing configuration {arn} can not be found.",
    "event-source-mapping": "Event source mapping not found: {arn}",
    "network-connector": "The resource you requested does not exist.",
}


async def tag_resource(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """TagResource: add tags, or give new values to old ones. Refused during an update."""
    ref = _function(context, params["Resource"])
    added: Mapping[str, str] = params["Tags"]
    if not added:
        raise invalid_parameter("An error occurred and the request cannot be processed.")

    def store(db: Connection) -> None:
        tags = _tags(db, ref)
        machine.check_taggable(get_version(db, ref).status, ref.arn)
        records.set_tags(db, ref.key, rules.plan_tags(tags, added))

    await tools.store.tx(store)


async def untag_resource(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """UntagResource. Keys that the function does not have are no error."""
    ref = _function(context, params["Resource"])
    removed = frozenset(params["TagKeys"])

    def store(db: Connection) -> None:
        tags = _tags(db, ref)
        kept = {key: value for key, value in tags.items() if key not in removed}
        records.set_tags(db, ref.key, kept)

    await tools.store.tx(store)


async def list_tags(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListTags."""
    ref = _function(context, params["Resource"])
    return {"Tags": await tools.store.read(lambda db: _tags(db, ref))}


def _function(context: RequestContext, resource: str) -> FunctionRef:
    """The function that an ARN names. The edge has not checked the pattern of a very long one.

    Raises:
        AwsError: the ARN is qualified or none, or names something that cannot exist here.
    """
    kind = next(iter(resource.split(":")[5:]), "")
    if kind in _MISSING:
        raise not_found(_MISSING[kind].format(arn=resource))
    ref = parse_function_ref(resource, account=context.account, region=context.region)
    if ref.qualifier is not None:
        raise invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return ref


def _tags(db: Connection, ref: FunctionRef) -> dict[str, str]:
    tags = records.find_tags(db, ref.key)
    if tags is None:
        raise function_not_found(ref)
    return tags
