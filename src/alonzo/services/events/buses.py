"""The operations on event buses: their life and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from alonzo.lib.clock import utc
from alonzo.lib.policies.compiled import PolicyError
from alonzo.lib.policies.grammar import read_resource_based
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, validation
from alonzo.services.events.arns import DEFAULT, bus_arn, is_bus_arn, one_page
from alonzo.services.events.directory import Directory, Unit
from alonzo.services.events.errors import exists, invalid, limit_exceeded, no_bus, not_supported
from alonzo.services.events.limits import BUSES_MAX, POLICY_BYTES_MAX
from alonzo.services.events.records import Bus, Q
from alonzo.services.events.tags import read_tags

Answer = Mapping[str, Any]

#: Members that would do nothing here, and why.
_NOT_HERE = {
    "KmsKeyIdentifier": "events are not encrypted with keys of KMS.",
    "DeadLetterConfig": "it is for events that a key of KMS cannot encrypt.",
    "LogConfig": "buses write no logs.",
    "EventSourceName": "there are no partner event sources.",
}


class BusOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def create_event_bus(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """CreateEventBus."""
        name: str = params["Name"]
        _refuse_missing(params)
        if "/" in name:
            raise invalid("Name", "Event bus name must not contain '/'.")
        if name == DEFAULT:
            raise exists("Event bus", name)
        arn = bus_arn(context, name)
        if len(self._directory.buses_of(context.account, context.region)) > BUSES_MAX:
            raise limit_exceeded("The requested resource exceeds the maximum number allowed.")
        now_s = self._directory.clock.now_s()
        tags = read_tags(params.get("Tags"))
        bus = Bus(arn, now_s, now_s, params.get("Description"), tags=tags)

        def work(unit: Unit) -> None:
            if unit.db.one(Q.find_bus, {"arn": arn}) is not None:
                raise exists("Event bus", name)
            unit.save_bus(bus)

        await self._directory.change(work)
        return {"EventBusArn": arn} | _description(bus)

    async def delete_event_bus(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteEventBus. There may be no such bus."""
        name: str = params["Name"]
        if name == DEFAULT:
            raise validation(f"Cannot delete event bus {name}.")
        arn = bus_arn(context, name)

        def work(unit: Unit) -> None:
            row = unit.db.one(Q.count_rules, {"bus_arn": arn})
            if row is not None and row["n"]:
                raise validation("Cannot delete event bus since it has rules.")
            unit.delete(Q.delete_bus, arn)

        await self._directory.change(work)

    async def update_event_bus(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """UpdateEventBus."""
        _refuse_missing(params)
        arn = bus_arn(context, params.get("Name"))
        found = self._directory.need_bus(arn)

        def work(unit: Unit) -> Bus:
            live = unit.bus(arn, found)
            description = params.get("Description", live.description)
            bus = replace(live, description=description, changed_at_s=self._now_s())
            unit.save_bus(bus)
            return bus

        bus = await self._directory.change(work)
        return {"Arn": arn, "Name": bus.name} | _description(bus)

    async def describe_event_bus(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """DescribeEventBus."""
        return _shown(self._directory.need_bus(bus_arn(context, params.get("Name"))))

    async def list_event_buses(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListEventBuses."""
        prefix = params.get("NamePrefix") or ""
        found = self._directory.buses_of(context.account, context.region)
        every = [bus for bus in found if bus.name.startswith(prefix)]
        page, token = one_page(every, params, lambda bus: bus.name)
        return {"EventBuses": [_shown(bus) for bus in page]} | token

    async def put_permission(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutPermission: one statement, or a whole policy."""
        arn = bus_arn(context, params.get("EventBusName"))
        found = self._directory.need_bus(arn)
        text = params.get("Policy")
        single = [_statement(arn, params)] if text is None else []
        whole = [] if text is None else _statements(text)

        def work(unit: Unit) -> None:
            live = unit.bus(arn, found)
            sids = {each["Sid"] for each in single}
            kept = [each for each in live.statements if each.get("Sid") not in sids]
            self._save(unit, live, whole if text is not None else [*kept, *single])

        await self._directory.change(work)

    async def remove_permission(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RemovePermission."""
        arn = bus_arn(context, params.get("EventBusName"))
        found = self._directory.need_bus(arn)
        sid = params.get("StatementId")
        if not params.get("RemoveAllPermissions") and not sid:
            raise validation("Parameter StatementId must be specified.")

        def work(unit: Unit) -> None:
            live = unit.bus(arn, found)
            if params.get("RemoveAllPermissions"):
                self._save(unit, live, [])
                return
            kept = [each for each in live.statements if each.get("Sid") != sid]
            if not live.statements:
                raise AwsError("ResourceNotFoundException", "EventBus does not have a policy.")
            if len(kept) == len(live.statements):
                raise AwsError(
                    "ResourceNotFoundException",
                    "Statement with the provided id does not exist.",
                )
            self._save(unit, live, kept)

        await self._directory.change(work)

    def _save(self, unit: Unit, bus: Bus, statements: Sequence[Mapping[str, Any]]) -> None:
        if len(_policy_text(statements).encode()) > POLICY_BYTES_MAX:
            raise AwsError(
                "PolicyLengthExceededException",
                f"The policy is longer than {POLICY_BYTES_MAX} bytes.",
            )
        unit.save_bus(replace(bus, statements=statements, changed_at_s=self._now_s()))

    def _now_s(self) -> float:
        return self._directory.clock.now_s()


def checked_bus_arn(directory: Directory, arn: str) -> str:
    """The ARN of a bus that is there.

    Raises:
        AwsError: ValidationException, ResourceNotFoundException.
    """
    if not is_bus_arn(arn):
        raise invalid("EventSourceArn", "Must contain an event bus ARN.")
    if directory.try_bus(arn) is None:
        raise no_bus(arn.rpartition("/")[2])
    return arn


def _refuse_missing(params: Mapping[str, Any]) -> None:
    for member, why in _NOT_HERE.items():
        if params.get(member):
            raise not_supported(member, why)


def _statement(arn: str, params: Mapping[str, Any]) -> dict[str, Any]:
    for member in ("Action", "Principal", "StatementId"):
        if not params.get(member):
            raise validation(f"Parameter {member} must be specified.")
    if params["Action"] != "events:PutEvents":
        raise validation("Provided value in parameter 'action' is not supported.")
    account: str = params["Principal"]
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if account == "*" else {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": params["Action"],
        "Resource": arn,
    }
    condition = params.get("Condition")
    if condition:
        if (condition["Type"], condition["Key"]) != ("StringEquals", "aws:PrincipalOrgID"):
            raise invalid("Condition", "only StringEquals of aws:PrincipalOrgID is supported.")
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


def _statements(text: str) -> list[dict[str, Any]]:
    """The statements of a policy that was checked."""
    try:
        document, _ = read_resource_based(text, "policy")
    except PolicyError as error:
        raise invalid("Policy", str(error)) from error
    found: Any = document["Statement"]
    return cast("list[dict[str, Any]]", found if isinstance(found, list) else [found])


def _policy_text(statements: Sequence[Mapping[str, Any]]) -> str:
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":"))


def _description(bus: Bus) -> dict[str, Any]:
    return {} if bus.description is None else {"Description": bus.description}


def _shown(bus: Bus) -> dict[str, Any]:
    found: dict[str, Any] = {"Name": bus.name, "Arn": bus.arn} | _description(bus)
    if bus.created_at_s:
        found["CreationTime"] = utc(bus.created_at_s)
    if bus.changed_at_s:
        found["LastModifiedTime"] = utc(bus.changed_at_s)
    if bus.statements:
        found["Policy"] = _policy_text(bus.statements)
    return found
