"""The operations on topics: their life, attributes, permissions and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from alonzo.model.context import RequestContext
from alonzo.services.sns import topic_attributes
from alonzo.services.sns.arns import check_arn, check_name, is_text, one_page, topic_arn
from alonzo.services.sns.directory import Directory, Unit
from alonzo.services.sns.errors import invalid, limit_exceeded, no_resource, not_supported
from alonzo.services.sns.limits import DELETED_MAX, FIFO_TOPICS_MAX, TAGS_MAX, TOPICS_MAX
from alonzo.services.sns.records import Q, Topic

Answer = Mapping[str, Any]


class TopicOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def create_topic(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """CreateTopic: makes one, or finds the one of that name if it is the same."""
        name: str = params["Name"]
        given: Mapping[str, str] = params.get("Attributes") or {}
        if params.get("DataProtectionPolicy"):
            raise not_supported(
                "DataProtectionPolicy", "messages are not searched for sensitive data."
            )
        fifo = topic_attributes.is_fifo(given)
        check_name(name, fifo=fifo)
        arn = topic_arn(context.account, context.region, name)
        tags = _tags(params.get("Tags") or [])
        attributes = topic_attributes.new_attributes(arn, context.account, given)
        if self._directory.try_topic(arn) is None:
            self._check_room(context, fifo=fifo)
        await self._directory.change(lambda unit: self._create(unit, arn, given, attributes, tags))
        return {"TopicArn": arn}

    def _create(
        self,
        unit: Unit,
        arn: str,
        given: Mapping[str, str],
        attributes: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        row = unit.conn.one(Q.find_topic, {"arn": arn})
        if row is None:
            now_s = self._directory.clock.now_s()
            unit.save_topic(Topic(arn, now_s, attributes, tags))
            return
        live = unit.topic(arn)
        names = (name for name in given if name != "FifoTopic")
        if any(live.attributes.get(name) != attributes.get(name) for name in names):
            raise invalid("Attributes Reason: Topic already exists with different attributes")
        if any(live.tags.get(key) != value for key, value in tags.items()):
            raise invalid("Tags Reason: Topic already exists with different tags")

    def _check_room(self, context: RequestContext, *, fifo: bool) -> None:
        count = self._directory.count_topics(context.account, context.region, fifo=fifo)
        if count >= (FIFO_TOPICS_MAX if fifo else TOPICS_MAX):
            raise limit_exceeded("Topic", "Topic limit exceeded")

    async def delete_topic(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteTopic, with subscriptions and what is on its way. There may be no such topic."""
        arn = check_arn(params["TopicArn"], context.region)
        some = {"topic_arn": arn, "limit": DELETED_MAX}

        def delete_some(unit: Unit) -> bool:
            unit.topics.add(arn)
            if unit.conn.execute(Q.delete_some_messages, some) == DELETED_MAX:
                return False
            unit.conn.execute(Q.delete_topic, {"arn": arn})
            return True

        while not await self._directory.change(delete_some):
            pass  # Between two units others get their turn.

    async def list_topics(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListTopics."""
        every = self._directory.topics_of(context.account, context.region)
        page, token = one_page(every, params.get("NextToken"), lambda topic: topic.arn)
        found: dict[str, Any] = {"Topics": [{"TopicArn": topic.arn} for topic in page]}
        return found | ({"NextToken": token} if token else {})

    async def get_topic_attributes(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """GetTopicAttributes."""
        topic = self._need(context, params["TopicArn"])
        subscriptions = self._directory.subscriptions_of(topic.arn)
        return {"Attributes": topic_attributes.shown(topic, subscriptions)}

    async def set_topic_attributes(self, context: RequestContext, params: dict[str, Any]) -> None:
        """SetTopicAttributes."""
        topic = self._need(context, params["TopicArn"])
        name, text = params["AttributeName"], params.get("AttributeValue")
        value = topic_attributes.checked(topic.arn, name, text, fifo=topic.is_fifo)

        def work(unit: Unit) -> None:
            live = unit.topic(topic.arn)
            kept = {each: old for each, old in live.attributes.items() if each != name}
            attributes = kept if value is None else {**kept, name: value}
            unit.save_topic(replace(live, attributes=attributes))

        if name == "MaximumMessageSize" and value is not None:
            every = self._directory.subscriptions_of(topic.arn)
            topic_attributes.check_large(int(value), [(s.protocol, s.endpoint) for s in every])
        await self._directory.change(work)

    async def add_permission(self, context: RequestContext, params: dict[str, Any]) -> None:
        """AddPermission: a statement of its own in the topic's policy."""
        topic = self._need(context, params["TopicArn"])
        label = params["Label"]
        accounts, actions = params["AWSAccountId"], params["ActionName"]
        if not accounts or not all(len(each) == 12 and each.isdigit() for each in accounts):
            raise invalid("AWSAccountId Reason: an account has 12 digits")
        if not actions or not set(actions) <= {*topic_attributes.ACTIONS, "Receive"}:
            raise invalid("Policy statement action out of service scope!")
        principals = [f"arn:aws:iam::{each}:root" for each in accounts]
        names = [f"SNS:{each}" for each in actions]
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": names[0] if len(names) == 1 else names,
            "Resource": topic.arn,
        }

        def work(unit: Unit) -> None:
            live = unit.topic(topic.arn)
            document, statements = _policy_of(live)
            if any(each.get("Sid") == label for each in statements):
                raise invalid("Statement already exists")
            _save_policy(unit, live, {**document, "Statement": [*statements, statement]})

        await self._directory.change(work)

    async def remove_permission(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RemovePermission. There may be no such statement."""
        topic = self._need(context, params["TopicArn"])

        def work(unit: Unit) -> None:
            live = unit.topic(topic.arn)
            document, statements = _policy_of(live)
            left = [each for each in statements if each.get("Sid") != params["Label"]]
            if not left:
                raise invalid("Label Reason: a policy must keep a statement")
            _save_policy(unit, live, {**document, "Statement": left})

        await self._directory.change(work)

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagResource."""
        topic = self._need_resource(context, params["ResourceArn"])
        added = _tags(params["Tags"])

        def work(unit: Unit) -> None:
            live = unit.topic(topic.arn)
            tags = {**live.tags, **added}
            if len(tags) > TAGS_MAX:
                raise limit_exceeded(
                    "Tag", "Could not complete request: tag quota of per resource exceeded"
                )
            unit.save_topic(replace(live, tags=tags))

        await self._directory.change(work)

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagResource."""
        topic = self._need_resource(context, params["ResourceArn"])

        def work(unit: Unit) -> None:
            live = unit.topic(topic.arn)
            tags = {k: value for k, value in live.tags.items() if k not in params["TagKeys"]}
            unit.save_topic(replace(live, tags=tags))

        await self._directory.change(work)

    async def list_tags_for_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """ListTagsForResource."""
        topic = self._need_resource(context, params["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in topic.tags.items()]}

    def _need(self, context: RequestContext, arn: str) -> Topic:
        return self._directory.need_topic(check_arn(arn, context.region))

    def _need_resource(self, context: RequestContext, arn: str) -> Topic:
        topic = self._directory.try_topic(check_arn(arn, context.region, "ResourceArn"))
        if topic is None:
            raise no_resource()
        return topic


def _policy_of(topic: Topic) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    document = json.loads(topic.attributes["Policy"])
    found = document["Statement"]
    return document, cast("list[dict[str, Any]]", found if isinstance(found, list) else [found])


def _save_policy(unit: Unit, topic: Topic, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, separators=(",", ":"))
    checked = topic_attributes.checked_policy(topic.arn, text)
    unit.save_topic(replace(topic, attributes={**topic.attributes, "Policy": checked}))


def _tags(tags: list[Mapping[str, str]]) -> dict[str, str]:
    found = {tag["Key"]: tag["Value"] for tag in tags}
    if len(found) < len(tags):
        raise invalid("Duplicated keys are not allowed.")
    if not is_text(*found, *found.values()):
        raise invalid("Tags Reason: they are not UTF-8")
    if any(key.lower().startswith("aws:") for key in found):
        raise invalid("Tag keys must not begin with aws:")
    if len(found) > TAGS_MAX:
        raise limit_exceeded(
            "Tag", "Could not complete request: tag quota of per resource exceeded"
        )
    return found
