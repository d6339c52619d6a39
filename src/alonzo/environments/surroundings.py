"""What every environment needs from the rest of the platform."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from alonzo.environments.sealed_variables import PlainVariables
from alonzo.environments.telemetry.buffer import Budget
from alonzo.environments.values import EnvironmentSettings
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.deliveries import RoleCalls
from alonzo.model.ports.identity import RoleCredentials
from alonzo.model.ports.logs import LogSink, Meter
from alonzo.model.ports.variables import VariableOpener
from alonzo.sandbox.base import Backend

#: Answers requests that a function makes to the platform; gives back how to stop.
ServeEndpoint = Callable[[socket.socket], Awaitable[Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every environment needs from the rest of the platform."""

    backend: Backend
    sink: LogSink
    credentials: RoleCredentials
    serve_endpoint: ServeEndpoint
    clock: Clock
    ids: IdSource
    scope: TaskScope
    settings: EnvironmentSettings
    telemetry_budget: Budget = field(default_factory=Budget)
    meter: Meter | None = None
    calls: RoleCalls | None = None
    variables: VariableOpener = field(default_factory=PlainVariables)
