"""The engine of event source mappings, put together with what it calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alonzo.eventsources.calls import Tools
from alonzo.eventsources.engine import MappingEngine
from alonzo.eventsources.sources import Checks, Poller
from alonzo.invoke.destinations import RoutedDestinations
from alonzo.invoke.directory import Directory
from alonzo.invoke.facts import DirectoryFacts
from alonzo.lib.chance import system_chance
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.deliveries import RoleCalls
from alonzo.model.payloads import PayloadLimits
from alonzo.model.ports.invoking import Invoker
from alonzo.store.base import Store


@dataclass(frozen=True, slots=True)
class EventSources:
    """The engine, and what the control plane asks of sources."""

    engine: MappingEngine
    checks: Checks


def event_sources(
    pollers: Sequence[Poller],
    store: Store,
    scope: TaskScope,
    directory: Directory,
    invoker: Invoker,
    calls: RoleCalls,
    payloads: PayloadLimits,
    *,
    clock: Clock,
    ids: IdSource,
) -> EventSources:
    """Build both. ``calls`` need not be connected yet."""
    tools = Tools(
        calls=calls,
        functions=DirectoryFacts(directory),
        invoker=invoker,
        destinations=RoutedDestinations(invoker, calls),
        clock=clock,
        ids=ids,
        chance=system_chance(),
        payload_bytes_max=payloads.sync_bytes_max,
    )
    return EventSources(MappingEngine(store, pollers, tools, scope), Checks(pollers, calls, ids))
