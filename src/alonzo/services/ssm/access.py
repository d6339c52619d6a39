"""What the operations of Parameter Store need to be allowed.

Source: service authorization reference, AWS Systems Manager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules
from alonzo.model.context import RequestContext
from alonzo.services.ssm.rules import arn_of

#: The parameters that each operation is about.
_NAMED: Mapping[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
    "AddTagsToResource": lambda params: (params["ResourceId"],),
    "DeleteParameter": lambda params: (params["Name"],),
    "DeleteParameters": lambda params: params["Names"],
    "GetParameter": lambda params: (params["Name"],),
    "GetParameterHistory": lambda params: (params["Name"],),
    "GetParameters": lambda params: params["Names"],
    "GetParametersByPath": lambda params: (params["Path"],),
    "LabelParameterVersion": lambda params: (params["Name"],),
    "ListTagsForResource": lambda params: (params["ResourceId"],),
    "PutParameter": lambda params: (params["Name"],),
    "RemoveTagsFromResource": lambda params: (params["ResourceId"],),
    "UnlabelParameterVersion": lambda params: (params["Name"],),
}


def access_rules() -> AccessRules:
    """The rules, by operation."""
    rules = {name: _rule(name) for name in _NAMED}
    rules["DescribeParameters"] = _describe
    return rules


def _rule(name: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        keys: dict[str, str | tuple[str, ...]] = {}
        for member in ("Overwrite", "Recursive"):
            if member in params:
                keys[f"ssm:{member.lower()}"] = str(params[member]).lower()
        wanted = [Access(f"ssm:{name}", _arn(context, each), keys) for each in _NAMED[name](params)]
        if name == "PutParameter" and params.get("Tags"):
            wanted.append(Access("ssm:AddTagsToResource", wanted[0].resource, keys))
        return wanted

    return rule


def _describe(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    return (Access("ssm:DescribeParameters", f"arn:aws:ssm:{context.region}:{context.account}:*"),)


def _arn(context: RequestContext, named: str) -> str:
    """The ARN of a parameter, without the version or label that a name may go on with."""
    if named.startswith("arn:"):
        return ":".join(named.split(":")[:6])
    return arn_of(context.account, context.region, named.partition(":")[0])
