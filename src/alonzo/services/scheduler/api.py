"""EventBridge Scheduler as a service: its parts put together, and its operations by name."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.chance import Chance
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ApiCalls, RoleCalls
from alonzo.model.ports.identity import RoleTrust
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.scheduler.carrier import ScheduleCarrier
from alonzo.services.scheduler.groups import GroupOperations
from alonzo.services.scheduler.schedules import ScheduleOperations
from alonzo.services.scheduler.targets import Offers
from alonzo.services.scheduler.ticker import Ticker
from alonzo.store.base import Store
from alonzo.store.outbox import Outbox


class Schedules:
    """The parts of Scheduler, put together."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        calls: RoleCalls,
        api: ApiCalls,
        trust: RoleTrust,
        *,
        clock: Clock,
        ids: IdSource,
        chance: Chance,
    ) -> None:
        """``chance`` says when within a flexible window a target is called."""
        outbox = Outbox(store, clock, "scheduler")
        carrier = ScheduleCarrier(invoker, calls, api, trust, clock=clock, ids=ids)
        self.ticker = Ticker(store, clock, outbox, chance)
        self.groups = GroupOperations(store, clock)
        self.schedules = ScheduleOperations(
            store, clock, trust, Offers(calls.offers, api.is_offered)
        )
        self._outbox = outbox
        self.carrier = carrier

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            "schedules": self.ticker.run(),
            "schedule deliveries": self._outbox.run(self.carrier),
        }


def operations(parts: Schedules) -> Operations:
    """The operations of Scheduler."""
    groups, schedules = parts.groups, parts.schedules
    return {
        "CreateSchedule": schedules.create_schedule,
        "CreateScheduleGroup": groups.create_schedule_group,
        "DeleteSchedule": schedules.delete_schedule,
        "DeleteScheduleGroup": groups.delete_schedule_group,
        "GetSchedule": schedules.get_schedule,
        "GetScheduleGroup": groups.get_schedule_group,
        "ListScheduleGroups": groups.list_schedule_groups,
        "ListSchedules": schedules.list_schedules,
        "ListTagsForResource": groups.list_tags_for_resource,
        "TagResource": groups.tag_resource,
        "UntagResource": groups.untag_resource,
        "UpdateSchedule": schedules.update_schedule,
    }
