"""The tables of every service, without a platform: what it offers, and what that needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from alonzo.control.functions import OPERATIONS
from alonzo.daemon.core_services import CoreServices
from alonzo.daemon.event_services import EventServices
from alonzo.daemon.messaging_services import MessagingServices
from alonzo.daemon.scheduling_services import SchedulingServices
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.services import Group
from alonzo.daemon.storage_services import StorageServices
from alonzo.daemon.watching_services import WatchingServices
from alonzo.model.access import AccessRules
from alonzo.model.ports.operations import Operations

_SECRET = b"s" * 32


class _NoStore:
    def subscribe(self, _topic: str, _listener: object) -> Callable[[], None]:
        return lambda: None


class _NoLogs:
    def watch(self, watchers: object) -> None: ...


def groups(folder: Path) -> Mapping[str, Group]:
    """Every group by its name. None of its operations can be called; ``folder`` is for objects."""
    nothing: Any = None
    store: Any = _NoStore()
    calls: Any = SimpleNamespace(trust=None, offers=None, is_offered=None)
    judge: Any = SimpleNamespace(authorize=None)
    logs: Any = _NoLogs()
    metering: Any = SimpleNamespace(writer=None, folder=None)
    base: dict[str, Any] = {"clock": None, "ids": None}
    secrets = (_SECRET, _SECRET)
    return {
        "secrets": SecretServices(store, _SECRET, nothing, judge, nothing, **base),
        "messaging": MessagingServices(
            store, nothing, calls, key_file=folder / "key", own_url=str, **base
        ),
        "scheduling": SchedulingServices(store, nothing, calls, **base),
        "storage": StorageServices(
            store, folder / "objects", calls, judge, encryption=nothing, secrets=secrets, **base
        ),
        "events": EventServices(store, calls, calls, nothing, **base),
        "watching": WatchingServices(store, logs, metering, calls, **base),
    }


def tables(
    folder: Path, identities: Any = None
) -> tuple[dict[str, Operations], dict[str, AccessRules]]:
    """Operations and rules of all services; those of IAM are over ``identities``."""
    control: Any = SimpleNamespace(operations=OPERATIONS)
    nothing: Any = None
    core = CoreServices(control, nothing, identities, nothing, nothing)
    operations, access = dict(core.operations()), dict(core.access())
    for group in groups(folder).values():
        operations |= group.operations()
        access |= group.access()
        group.close()
    return operations, access
