"""The operations on the targets of rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import validation
from alonzo.model.ports.identity import RoleTrust
from alonzo.services.events.arns import account_of, bus_arn, one_page, rule_arn
from alonzo.services.events.directory import Directory, Unit
from alonzo.services.events.errors import limit_exceeded, no_rule
from alonzo.services.events.limits import TARGETS_OF_RULE_MAX
from alonzo.services.events.target_checks import SERVICE, check_target

Answer = Mapping[str, Any]


class TargetOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory, trust: RoleTrust) -> None:
        self._directory = directory
        self._trust = trust

    async def put_targets(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """PutTargets: adds targets, and replaces those with the same ids. All of them, or none."""
        bus = bus_arn(context, params.get("EventBusName"))
        self._directory.need_bus(bus)
        arn = rule_arn(bus, params["Rule"])
        given = {target["Id"]: target for target in params["Targets"]}
        for target in params["Targets"]:
            check_target(target, bus)
        for role in {target["RoleArn"] for target in given.values() if target.get("RoleArn")}:
            await check_role(self._trust, role, arn)

        def work(unit: Unit) -> None:
            rule, due_at_s = unit.rule(arn, bus, params["Rule"])
            targets = {target["Id"]: target for target in rule.targets} | given
            if len(targets) > TARGETS_OF_RULE_MAX:
                raise limit_exceeded("The requested resource exceeds the maximum number allowed.")
            unit.save_rule(replace(rule, targets=list(targets.values())), due_at_s)

        await self._directory.change(work)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def remove_targets(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """RemoveTargets. An id that is not there is said to have failed."""
        bus = bus_arn(context, params.get("EventBusName"))
        self._directory.need_bus(bus)
        arn = rule_arn(bus, params["Rule"])
        gone = set(params["Ids"])

        def work(unit: Unit) -> set[str]:
            rule, due_at_s = unit.rule(arn, bus, params["Rule"])
            kept = [target for target in rule.targets if target["Id"] not in gone]
            unit.save_rule(replace(rule, targets=kept), due_at_s)
            return gone - {target["Id"] for target in rule.targets}

        missing = await self._directory.change(work)
        failed = [
            {
                "TargetId": each,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Target {each} does not exist.",
            }
            for each in sorted(missing)
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    async def list_targets_by_rule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListTargetsByRule."""
        bus = self._directory.need_bus(bus_arn(context, params.get("EventBusName")))
        rule = self._directory.try_rule(rule_arn(bus.arn, params["Rule"]))
        if rule is None:
            raise no_rule(params["Rule"], bus.name)
        every = sorted(rule.targets, key=_id_of)
        page, token = one_page(every, params, _id_of)
        return {"Targets": [dict(target) for target in page]} | token


async def check_role(trust: RoleTrust, role_arn: str, arn: str) -> None:
    """Refuse a role that EventBridge may not use for a rule.

    Raises:
        AwsError: ValidationException.
    """
    account = account_of(arn)
    if not await trust.lets_in(role_arn, SERVICE, account=account, source_arn=arn):
        raise validation(f"Provided role '{role_arn}' cannot be assumed by principal '{SERVICE}'.")


def _id_of(target: Mapping[str, Any]) -> str:
    return str(target["Id"])
