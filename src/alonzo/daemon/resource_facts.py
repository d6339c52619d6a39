"""What policies may ask of a resource: tags, boundaries, the function of an event source mapping.

Implements ``ports.ResourceFacts``. Nothing is read unless a policy in play asks for it, so it is
read the way that anybody reads it: by the operations of the service. Services whose tables of
access know the tags already (KMS, Secrets Manager) are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.operations import Operations

_Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Arn:
    """The parts of an ARN that matter here."""

    text: str
    service: str
    region: str
    account: str
    rest: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """An operation that lists tags: its parameters for an ARN, None for what has none."""

    operation: str
    params: Callable[[_Arn], _Params | None]
    member: str = "Tags"


def _lambda(arn: _Arn) -> _Params | None:
    kind, _, rest = arn.rest.partition(":")
    if kind not in ("function", "event-source-mapping", "code-signing-config"):
        return None
    head = arn.text.removesuffix(arn.rest)
    # Versions and aliases have the tags of their function.
    return {"Resource": f"{head}{kind}:{rest.partition(':')[0]}"}


def _log_group(arn: _Arn) -> _Params | None:
    if not arn.rest.startswith("log-group:"):
        return None
    return {"resourceArn": arn.text.partition(":log-stream:")[0].removesuffix(":*")}


def _parameter(arn: _Arn) -> _Params | None:
    kind, _, name = arn.rest.partition("/")
    if kind != "parameter":
        return None
    # A name with slashes begins with one, which its ARN leaves out.
    return {"ResourceType": "Parameter", "ResourceId": f"/{name}" if "/" in name else name}


def _queue(arn: _Arn) -> _Params | None:
    return {"QueueUrl": f"http://localhost/{arn.account}/{arn.rest}"}


def _topic(arn: _Arn) -> _Params | None:
    # A subscription's ARN is its topic's and an id; it has no tags.
    return None if ":" in arn.rest else {"ResourceArn": arn.text}


def _rule_or_bus(arn: _Arn) -> _Params | None:
    tagged = arn.rest.startswith(("rule/", "event-bus/"))
    return {"ResourceARN": arn.text} if tagged else None


def _alarm(arn: _Arn) -> _Params | None:
    return {"ResourceARN": arn.text} if arn.rest.startswith("alarm:") else None


def _schedule_group(arn: _Arn) -> _Params | None:
    return {"ResourceArn": arn.text} if arn.rest.startswith("schedule-group/") else None


def _iam(kind: str, operation: str, member: str, *, by_arn: bool = False) -> _Reader:
    def params(arn: _Arn) -> _Params | None:
        found, _, path = arn.rest.partition("/")
        if found != kind:
            return None
        return {member: arn.text if by_arn else path.rpartition("/")[2]}

    return _Reader(operation, params)


#: By the name of the service in ARNs.
READERS: Mapping[str, Sequence[_Reader]] = {
    "lambda": (_Reader("ListTags", _lambda),),
    "logs": (_Reader("ListTagsForResource", _log_group, "tags"),),
    "ssm": (_Reader("ListTagsForResource", _parameter, "TagList"),),
    "sqs": (_Reader("ListQueueTags", _queue),),
    "sns": (_Reader("ListTagsForResource", _topic),),
    "events": (_Reader("ListTagsForResource", _rule_or_bus),),
    "scheduler": (_Reader("ListTagsForResource", _schedule_group),),
    "cloudwatch": (_Reader("ListTagsForResource", _alarm),),
    "iam": (
        _iam("user", "ListUserTags", "UserName"),
        _iam("role", "ListRoleTags", "RoleName"),
        _iam("policy", "ListPolicyTags", "PolicyArn", by_arn=True),
        _iam(
            "oidc-provider",
            "ListOpenIDConnectProviderTags",
            "OpenIDConnectProviderArn",
            by_arn=True,
        ),
        _iam("instance-profile", "ListInstanceProfileTags", "InstanceProfileName"),
    ),
}


#: Services that have a name of their own for ``aws:ResourceTag``.
_OWN_NAMES = frozenset({"iam", "ssm"})
_FUNCTION_ARN = "lambda:functionarn"
_MAPPING = "event-source-mapping:"
_BOUNDARY = "iam:permissionsboundary"
#: What shows the boundary of a user or role: operation, the parameter, the member of the answer.
_BOUNDED = {"user": ("GetUser", "UserName", "User"), "role": ("GetRole", "RoleName", "Role")}


#: The tags of an object, which have a name of their own.
_OBJECT_TAG = "s3:existingobjecttag/"


class FactsByService:
    """Asks the service that an ARN belongs to. What is not there has no tags."""

    def __init__(self, operations: Mapping[str, Operations]) -> None:
        """``operations`` are by service."""
        self._operations = operations

    async def find(self, arn: str, asked: frozenset[str]) -> Mapping[str, str]:
        """Keys of a request's context that are about the resource, as far as they are asked for."""
        tagged = any(":resourcetag/" in key for key in asked)
        parts = arn.split(":", 5)
        if parts[2:3] == ["s3"] and any(key.startswith(_OBJECT_TAG) for key in asked):
            return await self._tags_of_object(arn)
        if len(parts) < 6 or not (tagged or not asked.isdisjoint((_FUNCTION_ARN, _BOUNDARY))):
            return {}
        named = _Arn(arn, parts[2], parts[3], parts[4], parts[5])
        if named.service not in self._operations:
            return {}
        found = _as_keys(named.service, await self._tags(named)) if tagged else {}
        if _FUNCTION_ARN in asked and named.service == "lambda":
            found |= await self._function_of(named)
        if _BOUNDARY in asked and named.service == "iam":
            found |= await self._boundary_of(named)
        return found

    async def _tags(self, arn: _Arn) -> Mapping[str, str]:
        for reader in READERS.get(arn.service, ()):
            params = reader.params(arn)
            if params is not None:
                return _tags(await self._read(arn, reader.operation, params, reader.member))
        return {}

    async def _function_of(self, arn: _Arn) -> dict[str, str]:
        if not arn.rest.startswith(_MAPPING):
            return {}
        params = {"UUID": arn.rest.removeprefix(_MAPPING)}
        function = await self._read(arn, "GetEventSourceMapping", params, "FunctionArn")
        return {} if function is None else {_FUNCTION_ARN: str(function)}

    async def _tags_of_object(self, text: str) -> dict[str, str]:
        """Of the newest version, whichever is asked for."""
        arn = _Arn(text, "s3", "", "", text.rpartition(":::")[2])
        bucket, _, key = arn.rest.partition("/")
        if not key or "s3" not in self._operations:
            return {}
        params = {"Bucket": bucket, "Key": key}
        tags = _tags(await self._read(arn, "GetObjectTagging", params, "TagSet"))
        return {f"{_OBJECT_TAG}{name.lower()}": value for name, value in tags.items()}

    async def _boundary_of(self, arn: _Arn) -> dict[str, str]:
        kind, _, path = arn.rest.partition("/")
        if kind not in _BOUNDED:
            return {}
        operation, member, answered = _BOUNDED[kind]
        entity: Any = await self._read(arn, operation, {member: path.rpartition("/")[2]}, answered)
        boundary = None if entity is None else entity.get("PermissionsBoundary")
        return {} if boundary is None else {_BOUNDARY: boundary["PermissionsBoundaryArn"]}

    async def _read(self, arn: _Arn, operation: str, params: _Params, member: str) -> Any:
        """A member of an operation's answer; None if there is nothing of that name."""
        context = RequestContext(
            request_id="",
            account=arn.account,
            region=arn.region,
            principal=_root_user(arn.account),
            endpoint="",
            source_ip="",
        )
        try:
            answer = await self._operations[arn.service][operation](context, dict(params))
        except AwsError:
            return None
        return None if answer is None else answer.get(member)


def _root_user(account: str) -> Principal:
    return Principal(account, f"arn:aws:iam::{account}:root", account, "", is_root=True)


def _as_keys(service: str, tags: Mapping[str, str]) -> dict[str, str]:
    names = ["aws", service] if service in _OWN_NAMES else ["aws"]
    return {
        f"{name}:resourcetag/{key.lower()}": value for name in names for key, value in tags.items()
    }


def _tags(found: Any) -> Mapping[str, str]:
    if isinstance(found, Mapping):
        return cast("Mapping[str, str]", found)
    pairs = cast("Sequence[Mapping[str, str]]", found or ())
    return {pair["Key"]: pair.get("Value", "") for pair in pairs}
