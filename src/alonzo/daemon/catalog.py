"""What this platform consists of: services, runtimes and isolation backends, each listed once.

Ordinary imports, no scanning. Contract suites, documentation checks and ``alonzo doctor`` read the
same lists, so a new line here at once demands its tests and its page.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from alonzo.control.functions import ControlPlane
from alonzo.control.unsupported import UNSUPPORTED as LAMBDA_UNSUPPORTED
from alonzo.daemon.config import Config
from alonzo.invoke.operations import operations as invoke_operations
from alonzo.lib.clock import Clock, SystemClock
from alonzo.lib.ids import IdSource
from alonzo.model.ports import Invoker, Operations
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.sandbox.backends.gvisor.backend import GvisorBackend
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.backends.none.backend import PlainBackend
from alonzo.sandbox.base import Backend
from alonzo.services.logs import api as logs_api
from alonzo.services.logs.sink import LogWriter
from alonzo.services.sts import api as sts_api
from alonzo.store.base import Store
from alonzo.store.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Parts:
    """What services are made of."""

    control: ControlPlane
    invoker: Invoker
    store: Store
    logs: LogWriter
    clock: Clock
    ids: IdSource


@dataclass(frozen=True, slots=True)
class Service:
    """One service of AWS: how to make its operations, and which it does not have, with reasons."""

    name: str
    operations: Callable[[Parts], Operations]
    unsupported: Mapping[str, str]


SERVICES = (
    Service(
        "lambda",
        lambda p: {**p.control.operations, **invoke_operations(p.invoker)},
        LAMBDA_UNSUPPORTED,
    ),
    Service(
        "logs",
        lambda p: logs_api.operations(store=p.store, writer=p.logs, clock=p.clock, ids=p.ids),
        logs_api.UNSUPPORTED,
    ),
    Service("sts", lambda _: sts_api.operations(), sts_api.UNSUPPORTED),
)


def namespaces(config: Config, data: DataDir) -> Backend:
    """The default backend. What it makes bears the directory's path, which only one can hold."""
    instance = sha256(bytes(data.path)).hexdigest()[:12]
    return NamespaceBackend(
        run_dir=data.run,
        instance=instance,
        python=config.python,
        clock=SystemClock(),
        network=config.network,
    )


def gvisor(config: Config, data: DataDir) -> Backend:
    """A kernel for each sandbox, where ``runsc`` is installed."""
    return GvisorBackend(run_dir=data.run, python=config.python, search_path=config.search_path)


def none(config: Config, data: DataDir) -> Backend:
    """No isolation. Nothing ever falls back to it."""
    return PlainBackend(run_dir=data.run, python=config.python)


#: Isolation backends by their name on the command line. ``auto`` takes the first, or nothing.
BACKENDS: Mapping[str, Callable[[Config, DataDir], Backend]] = {
    "namespaces": namespaces,
    "gvisor": gvisor,
    "none": none,
}


def backend(config: Config, data: DataDir) -> Backend:
    """The backend that the configuration asks for."""
    name = next(iter(BACKENDS)) if config.isolation == "auto" else config.isolation
    return BACKENDS[name](config, data)


def runtimes(config: Config) -> Runtimes:
    """Every runtime family, with interpreters looked for where the configuration says."""
    return Runtimes(families(search_places(config)))


def search_places(config: Config) -> SearchPlaces:
    """Where interpreters and AWS's SDKs are looked for."""
    return SearchPlaces(
        path=tuple(Path(entry) for entry in config.search_path.split(":") if entry),
        home=config.home,
        base_prefix=Path(sys.base_prefix),
        extra=(config.tools,),
    )


def architecture() -> str:
    """The host's, in AWS's words."""
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
