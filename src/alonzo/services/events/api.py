"""Amazon EventBridge as a service: its operations by name."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import RoleCalls, ServiceCalls
from alonzo.model.ports.identity import RoleTrust
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.events.archives import ArchiveOperations, ReplayOperations
from alonzo.services.events.buses import BusOperations
from alonzo.services.events.carrier import EventCarrier
from alonzo.services.events.directory import Directory
from alonzo.services.events.intake import Intake
from alonzo.services.events.keeper import Keeper
from alonzo.services.events.publishing import PublishOperations
from alonzo.services.events.replaying import Replayer
from alonzo.services.events.rule_operations import RuleOperations
from alonzo.services.events.target_operations import TargetOperations
from alonzo.services.events.ticking import Ticker
from alonzo.store.base import Store
from alonzo.store.outbox import Outbox


class Events:
    """The parts of EventBridge, put together."""

    def __init__(
        self,
        store: Store,
        calls: ServiceCalls,
        roles: RoleCalls,
        trust: RoleTrust,
        invoker: Invoker,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.directory = Directory(store, clock=clock, ids=ids)
        self.outbox = Outbox(store, clock, "events")
        self.intake = Intake(self.directory, self.outbox)
        self.trust = trust
        self.carrier = EventCarrier(self.intake, calls, roles, trust, invoker, clock=clock, ids=ids)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.directory.open()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            "event deliveries": self.outbox.run(self.carrier),
            "event schedules": Ticker(self.directory, self.outbox).run(),
            "event replays": Replayer(self.directory, self.intake).run(),
            "event archives": Keeper(self.directory).run(),
        }


def operations(events: Events) -> Operations:
    """The operations of EventBridge."""
    directory = events.directory
    buses, rules = BusOperations(directory), RuleOperations(directory, events.trust)
    targets = TargetOperations(directory, events.trust)
    publishing = PublishOperations(directory, events.intake)
    archives, replays = ArchiveOperations(directory), ReplayOperations(directory)
    return {
        "CancelReplay": replays.cancel_replay,
        "CreateArchive": archives.create_archive,
        "CreateEventBus": buses.create_event_bus,
        "DeleteArchive": archives.delete_archive,
        "DeleteEventBus": buses.delete_event_bus,
        "DeleteRule": rules.delete_rule,
        "DescribeArchive": archives.describe_archive,
        "DescribeEventBus": buses.describe_event_bus,
        "DescribeReplay": replays.describe_replay,
        "DescribeRule": rules.describe_rule,
        "DisableRule": rules.disable_rule,
        "EnableRule": rules.enable_rule,
        "ListArchives": archives.list_archives,
        "ListEventBuses": buses.list_event_buses,
        "ListReplays": replays.list_replays,
        "ListRuleNamesByTarget": rules.list_rule_names_by_target,
        "ListRules": rules.list_rules,
        "ListTagsForResource": rules.list_tags_for_resource,
        "ListTargetsByRule": targets.list_targets_by_rule,
        "PutEvents": publishing.put_events,
        "PutPermission": buses.put_permission,
        "PutRule": rules.put_rule,
        "PutTargets": targets.put_targets,
        "RemovePermission": buses.remove_permission,
        "RemoveTargets": targets.remove_targets,
        "StartReplay": replays.start_replay,
        "TagResource": rules.tag_resource,
        "TestEventPattern": publishing.test_event_pattern,
        "UntagResource": rules.untag_resource,
        "UpdateArchive": archives.update_archive,
        "UpdateEventBus": buses.update_event_bus,
    }
