"""The operations on rules: their life and their tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import validation
from alonzo.model.ports.identity import RoleTrust
from alonzo.services.events.arns import DEFAULT, bus_arn, name_of, one_page, rule_arn
from alonzo.services.events.directory import Directory, Unit
from alonzo.services.events.errors import invalid, limit_exceeded, no_bus, no_rule
from alonzo.services.events.limits import RULES_OF_BUS_MAX
from alonzo.services.events.patterns import read_pattern
from alonzo.services.events.records import Bus, Q, Rule, find_rule
from alonzo.services.events.schedule import read_schedule
from alonzo.services.events.tags import read_tags, shown
from alonzo.services.events.target_operations import check_role

Answer = Mapping[str, Any]
#: What becomes of tags.
_Change = Callable[[Mapping[str, str]], Mapping[str, str]]


class RuleOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory, trust: RoleTrust) -> None:
        self._directory = directory
        self._trust = trust

    async def put_rule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """PutRule: makes a rule, or replaces all of one but its targets and tags."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        _check_rule(bus, params)
        arn = rule_arn(bus.arn, params["Name"])
        tags = read_tags(params.get("Tags"))
        if params.get("RoleArn"):
            await check_role(self._trust, params["RoleArn"], arn)
        if self._directory.count_rules(bus.arn) >= RULES_OF_BUS_MAX:
            raise limit_exceeded("The requested resource exceeds the maximum number allowed.")

        def work(unit: Unit) -> None:
            if bus.name != DEFAULT and unit.db.one(Q.find_bus, {"arn": bus.arn}) is None:
                raise no_bus(bus.name)
            live = find_rule(unit.db, arn)
            old, due_at_s = live if live is not None else (None, None)
            rule = Rule(
                arn=arn,
                bus_arn=bus.arn,
                name=params["Name"],
                state=params.get("State") or "ENABLED",
                created_by=context.account if old is None else old.created_by,
                anchor_s=0.0 if old is None else old.anchor_s,
                pattern=params.get("EventPattern") or None,
                schedule=params.get("ScheduleExpression") or None,
                description=params.get("Description"),
                role_arn=params.get("RoleArn"),
                targets=() if old is None else old.targets,
                tags=tags if old is None else old.tags,
            )
            if old is not None and (old.schedule, old.is_enabled) == (
                rule.schedule,
                rule.is_enabled,
            ):
                unit.save_rule(rule, due_at_s)
            else:
                self._save_started(unit, rule)

        await self._directory.change(work)
        return {"RuleArn": arn}

    async def delete_rule(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteRule. There may be no such rule."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        arn = rule_arn(bus.arn, params["Name"])

        def work(unit: Unit) -> None:
            found = find_rule(unit.db, arn)
            if found is not None and found[0].targets:
                raise validation("Rule can't be deleted since it has targets.")
            unit.delete(Q.delete_rule, arn)

        await self._directory.change(work)

    async def describe_rule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """DescribeRule."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        rule = self._directory.try_rule(rule_arn(bus.arn, params["Name"]))
        if rule is None:
            raise no_rule(params["Name"], bus.name)
        return _shown(rule) | {"CreatedBy": rule.created_by}

    async def list_rules(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListRules."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        prefix = params.get("NamePrefix") or ""
        every = [r for r in self._directory.rules_of(bus.arn) if r.name.startswith(prefix)]
        page, token = one_page(every, params, lambda rule: rule.name)
        return {"Rules": [_shown(rule) for rule in page]} | token

    async def list_rule_names_by_target(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """ListRuleNamesByTarget."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        names = [
            rule.name
            for rule in self._directory.rules_of(bus.arn)
            if any(target["Arn"] == params["TargetArn"] for target in rule.targets)
        ]
        page, token = one_page(names, params, str)
        return {"RuleNames": list(page)} | token

    async def enable_rule(self, context: RequestContext, params: dict[str, Any]) -> None:
        """EnableRule."""
        await self._switch(context, params, "ENABLED")

    async def disable_rule(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DisableRule."""
        await self._switch(context, params, "DISABLED")

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagResource."""
        await self._tag(params["ResourceARN"], lambda old: read_tags(params["Tags"], old))

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagResource."""
        gone = set(params["TagKeys"])
        await self._tag(
            params["ResourceARN"],
            lambda old: {key: value for key, value in old.items() if key not in gone},
        )

    async def list_tags_for_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """ListTagsForResource."""
        return {"Tags": shown(self._tagged(params["ResourceARN"]).tags)}

    async def _tag(self, arn: str, change: _Change) -> None:
        found = self._tagged(arn)

        def work(unit: Unit) -> None:
            if isinstance(found, Bus):
                bus = unit.bus(arn, found)
                unit.save_bus(replace(bus, tags=change(bus.tags or {})))
            else:
                rule, due_at_s = unit.rule(arn, found.bus_arn, found.name)
                unit.save_rule(replace(rule, tags=change(rule.tags or {})), due_at_s)

        await self._directory.change(work)

    def _tagged(self, arn: str) -> Bus | Rule:
        rest = arn.split(":", 5)[-1]
        if rest.startswith("event-bus/"):
            return self._directory.need_bus(arn)
        if not rest.startswith("rule/"):
            raise invalid("ResourceARN", "Provided Arn is not in correct format.")
        rule = self._directory.try_rule(arn)
        if rule is None:
            bus_name, _, name = rest.removeprefix("rule/").rpartition("/")
            raise no_rule(name, bus_name or DEFAULT)
        return rule

    async def _switch(self, context: RequestContext, params: dict[str, Any], state: str) -> None:
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        arn = rule_arn(bus.arn, params["Name"])

        def work(unit: Unit) -> None:
            rule, due_at_s = unit.rule(arn, bus.arn, params["Name"])
            changed = replace(rule, state=state)
            if changed.is_enabled is rule.is_enabled:
                unit.save_rule(changed, due_at_s)
            else:
                self._save_started(unit, changed)

        await self._directory.change(work)

    def _save_started(self, unit: Unit, rule: Rule) -> None:
        """Write a rule whose schedule begins now, if it has one and is enabled."""
        if rule.schedule is None or not rule.is_enabled:
            unit.save_rule(rule, None)
            return
        now_s = float(int(self._directory.clock.now_s()))
        due_at_s = read_schedule(rule.schedule).next_after(now_s, now_s)
        unit.save_rule(replace(rule, anchor_s=now_s), due_at_s)


def _check_rule(bus: Bus, params: Mapping[str, Any]) -> None:
    pattern, schedule = params.get("EventPattern"), params.get("ScheduleExpression")
    if not pattern and not schedule:
        raise validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule:
        if bus.name != DEFAULT:
            raise validation("ScheduleExpression is supported only on the default event bus.")
        read_schedule(schedule)
    if pattern:
        read_pattern(pattern)


def _shown(rule: Rule) -> dict[str, Any]:
    found: Mapping[str, Any] = {
        "Name": rule.name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern,
        "State": rule.state,
        "Description": rule.description,
        "ScheduleExpression": rule.schedule,
        "RoleArn": rule.role_arn,
        "EventBusName": name_of(rule.bus_arn),
    }
    return {name: value for name, value in found.items() if value is not None}
