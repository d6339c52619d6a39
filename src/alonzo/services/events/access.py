"""What the operations of EventBridge need to be allowed.

Source: service authorization reference, Amazon EventBridge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext
from alonzo.services.events.arns import DEFAULT, arn_of
from alonzo.services.events.target_checks import SERVICE

_Params = Mapping[str, Any]

#: Operations on a bus, and the member that names it.
_ON_BUS = {
    "CreateEventBus": "Name",
    "DeleteEventBus": "Name",
    "DescribeEventBus": "Name",
    "ListRuleNamesByTarget": "EventBusName",
    "ListRules": "EventBusName",
    "PutPermission": "EventBusName",
    "RemovePermission": "EventBusName",
    "UpdateEventBus": "Name",
}
#: Operations on a rule, and the member that names it.
_ON_RULE = {
    "DeleteRule": "Name",
    "DescribeRule": "Name",
    "DisableRule": "Name",
    "EnableRule": "Name",
    "ListTargetsByRule": "Rule",
    "PutRule": "Name",
    "PutTargets": "Rule",
    "RemoveTargets": "Rule",
}
_ON_ARCHIVE = ("CreateArchive", "DeleteArchive", "DescribeArchive", "UpdateArchive")
_ON_REPLAY = ("CancelReplay", "DescribeReplay", "StartReplay")
_ON_ARN = ("ListTagsForResource", "TagResource", "UntagResource")
_ON_ALL = ("ListArchives", "ListEventBuses", "ListReplays", "TestEventPattern")

_Keys = dict[str, str | tuple[str, ...]]


def access_rules() -> AccessRules:
    """The rules, by operation."""
    rules: dict[str, AccessRule] = {name: on_all(f"events:{name}") for name in _ON_ALL}
    rules |= {name: _on_bus(name, member) for name, member in _ON_BUS.items()}
    rules |= {name: _on_rule(name, member) for name, member in _ON_RULE.items()}
    rules |= {name: _named(name, "archive", "ArchiveName") for name in _ON_ARCHIVE}
    rules |= {name: _named(name, "replay", "ReplayName") for name in _ON_REPLAY}
    rules |= {name: _on_arn(name) for name in _ON_ARN}
    rules["PutEvents"] = _put_events
    return rules


def _bus(context: RequestContext, named: str | None) -> str:
    named = named or DEFAULT
    if named.startswith("arn:"):
        return named
    return arn_of(context.account, context.region, f"event-bus/{named}")


def _rule_arn(context: RequestContext, bus_named: str | None, name: str) -> str:
    bus = _bus(context, bus_named)
    head, _, bus_name = bus.partition(":event-bus/")
    return f"{head}:rule/{name}" if bus_name == DEFAULT else f"{head}:rule/{bus_name}/{name}"


def _on_bus(name: str, member: str) -> AccessRule:
    def rule(context: RequestContext, params: _Params) -> Sequence[Access]:
        arn = _bus(context, params.get(member))
        wanted = [Access(f"events:{name}", arn)]
        if name == "CreateEventBus" and params.get("Tags"):
            wanted.append(Access("events:TagResource", arn))
        return wanted

    return rule


def _on_rule(name: str, member: str) -> AccessRule:
    def rule(context: RequestContext, params: _Params) -> Sequence[Access]:
        arn = _rule_arn(context, params.get("EventBusName"), str(params[member]))
        targets: Sequence[_Params] = params.get("Targets") or ()
        keys: _Keys = {"events:creatoraccount": context.account}
        if targets:
            keys["events:targetarn"] = tuple(str(each["Arn"]) for each in targets)
        wanted = [Access(f"events:{name}", arn, keys)]
        if name == "PutRule" and params.get("Tags"):
            wanted.append(Access("events:TagResource", arn, keys))
        roles = {str(each["RoleArn"]) for each in (params, *targets) if each.get("RoleArn")}
        passed: _Keys = {"iam:passedtoservice": SERVICE, "iam:associatedresourcearn": arn}
        return wanted + [Access("iam:PassRole", role, passed) for role in sorted(roles)]

    return rule


def _named(name: str, kind: str, member: str) -> AccessRule:
    def rule(context: RequestContext, params: _Params) -> Sequence[Access]:
        arn = arn_of(context.account, context.region, f"{kind}/{params[member]}")
        return (Access(f"events:{name}", arn),)

    return rule


def _on_arn(name: str) -> AccessRule:
    def rule(_context: RequestContext, params: _Params) -> Sequence[Access]:
        return (Access(f"events:{name}", str(params["ResourceARN"])),)

    return rule


def _put_events(context: RequestContext, params: _Params) -> Sequence[Access]:
    wanted: dict[tuple[str, str, str], Access] = {}
    for entry in params["Entries"]:
        if context.principal.service and not entry.get("EventBusName"):
            continue  # What services have to say comes to the default bus of itself.
        arn = _bus(context, entry.get("EventBusName"))
        source, detail_type = str(entry.get("Source") or ""), str(entry.get("DetailType") or "")
        keys: _Keys = {"events:source": source, "events:detail-type": detail_type}
        wanted[arn, source, detail_type] = Access("events:PutEvents", arn, keys)
    return list(wanted.values())
