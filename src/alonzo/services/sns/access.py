"""What the operations of SNS need to be allowed.

The actions that read, change and end a subscription name no resource.

Source: service authorization reference, Amazon SNS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext
from alonzo.services.sns.arns import topic_arn

_ON_TOPIC = {
    "AddPermission": "TopicArn",
    "ConfirmSubscription": "TopicArn",
    "DeleteTopic": "TopicArn",
    "GetTopicAttributes": "TopicArn",
    "ListSubscriptionsByTopic": "TopicArn",
    "ListTagsForResource": "ResourceArn",
    "PublishBatch": "TopicArn",
    "RemovePermission": "TopicArn",
    "SetTopicAttributes": "TopicArn",
    "Subscribe": "TopicArn",
    "TagResource": "ResourceArn",
    "UntagResource": "ResourceArn",
}
_ON_ALL = (
    "GetSubscriptionAttributes",
    "ListSubscriptions",
    "ListTopics",
    "SetSubscriptionAttributes",
    "Unsubscribe",
)

_Keys = dict[str, str | tuple[str, ...]]


def access_rules() -> AccessRules:
    """The rules, by operation."""
    rules: dict[str, AccessRule] = {
        name: _on_topic(name, member) for name, member in _ON_TOPIC.items()
    }
    rules |= {name: on_all(f"sns:{name}") for name in _ON_ALL}
    rules["CreateTopic"] = _create
    rules["Publish"] = _publish
    return rules


def _on_topic(name: str, member: str) -> AccessRule:
    action = "sns:Publish" if name == "PublishBatch" else f"sns:{name}"

    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        arn = str(params[member])
        keys = _keys(context)
        if name == "Subscribe":
            keys["sns:protocol"] = str(params["Protocol"])
            keys["sns:endpoint"] = str(params.get("Endpoint", ""))
        return (Access(action, arn, keys),)

    return rule


def _publish(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    arn = str(params.get("TopicArn") or params.get("TargetArn") or "*")
    return (Access("sns:Publish", arn, _keys(context)),)


def _create(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    arn = topic_arn(context.account, context.region, str(params["Name"]))
    made = Access("sns:CreateTopic", arn)
    return (made, Access("sns:TagResource", arn)) if params.get("Tags") else (made,)


def _keys(context: RequestContext) -> _Keys:
    # Known for calls that services make, and only for these.
    # Source: SNS developer guide, example cases for access control.
    return {"aws:sourceowner": context.account} if context.principal.service else {}
