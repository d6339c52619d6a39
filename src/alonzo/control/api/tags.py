"""Tags of functions, event source mappings and code signing configurations. Source: Lambda API.

Nothing else that AWS can tag exists here yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from alonzo.control import machine, records, rules
from alonzo.control.api.addressing import function_not_found, get_version
from alonzo.control.api.code_signing import get_config
from alonzo.control.api.event_sources import get_tagged
from alonzo.control.code_signing import records as signing_records
from alonzo.control.event_sources import records as mapping_records
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionRef, parse_function_ref
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, invalid_parameter, not_found
from alonzo.store.base import Connection

Tags = Mapping[str, str]

#: What cannot exist here, by the word in its ARN, and what AWS says of one that does not.
_MISSING: Mapping[str, Callable[[str], AwsError]] = {
    "capacity-provider": lambda arn: not_found(f"Capacity provider not found: {arn}"),
    "network-connector": lambda arn: no_such_resource(),
}


@dataclass(frozen=True, slots=True)
class _Tagged:
    """Something that has tags, within a unit of work.

    ``read`` raises if it is not there; ``check_changeable`` if it takes no new tags now.
    """

    read: Callable[[Connection], Tags]
    write: Callable[[Connection, Tags], None]
    check_changeable: Callable[[Connection], None]


async def tag_resource(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """TagResource: add tags, or give new values to old ones. Refused during an update."""
    tagged = _tagged(context, params["Resource"])
    added: Tags = params["Tags"]
    if not added:
        raise invalid_parameter("An error occurred and the request cannot be processed.")

    def store(db: Connection) -> None:
        tags = tagged.read(db)
        tagged.check_changeable(db)
        tagged.write(db, rules.plan_tags(tags, added))

    await tools.store.tx(store)


async def untag_resource(tools: Tools, context: RequestContext, params: dict[str, Any]) -> None:
    """UntagResource. Keys that the resource does not have are no error."""
    tagged = _tagged(context, params["Resource"])
    removed = frozenset(params["TagKeys"])

    def store(db: Connection) -> None:
        tags = tagged.read(db)
        tagged.write(db, {key: value for key, value in tags.items() if key not in removed})

    await tools.store.tx(store)


async def list_tags(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListTags."""
    return {"Tags": await tools.store.read(_tagged(context, params["Resource"]).read)}


def _tagged(context: RequestContext, resource: str) -> _Tagged:
    """What an ARN names. The edge has not checked the pattern of a very long one.

    Raises:
        AwsError: the ARN is of something that cannot exist here, or cannot be tagged.
    """
    kind = next(iter(resource.split(":")[5:]), "")
    if kind in _MISSING:
        raise _MISSING[kind](resource)
    if kind == "code-signing-config":
        return _config(context, resource)
    if kind == "event-source-mapping":
        return _mapping(context, resource)
    return _function(context, resource)


def _config(context: RequestContext, arn: str) -> _Tagged:
    def write(db: Connection, tags: Tags) -> None:
        signing_records.save(db, replace(get_config(db, context, arn), tags=tags))

    return _Tagged(
        read=lambda db: get_config(db, context, arn).tags,
        write=write,
        check_changeable=lambda db: None,
    )


def _mapping(context: RequestContext, arn: str) -> _Tagged:
    def write(db: Connection, tags: Tags) -> None:
        mapping_records.save(db, replace(get_tagged(db, context, arn), tags=tags))

    return _Tagged(
        read=lambda db: get_tagged(db, context, arn).tags,
        write=write,
        check_changeable=lambda db: None,
    )


def _function(context: RequestContext, resource: str) -> _Tagged:
    ref = parse_function_ref(resource, account=context.account, region=context.region)
    if ref.qualifier is not None:
        raise invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return _Tagged(
        read=lambda db: _tags_of_function(db, ref),
        write=lambda db, tags: records.set_tags(db, ref.key, tags),
        check_changeable=lambda db: machine.check_taggable(get_version(db, ref).status, ref.arn),
    )


def _tags_of_function(db: Connection, ref: FunctionRef) -> Tags:
    tags = records.find_tags(db, ref.key)
    if tags is None:
        raise function_not_found(ref)
    return tags
