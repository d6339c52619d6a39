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

from alonzo.control import access as lambda_access
from alonzo.control.functions import ControlPlane
from alonzo.control.unsupported import UNSUPPORTED as LAMBDA_UNSUPPORTED
from alonzo.daemon.config import Config
from alonzo.daemon.event_services import EventServices
from alonzo.daemon.messaging_services import MessagingServices
from alonzo.daemon.scheduling_services import SchedulingServices
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.service_calls import ServiceCaller
from alonzo.daemon.storage_services import StorageServices
from alonzo.daemon.watching_services import WatchingServices
from alonzo.eventsources.pollers.sqs.poller import POLLER as SQS_POLLER
from alonzo.eventsources.sources import Poller
from alonzo.invoke.operations import operations as invoke_operations
from alonzo.lib.clock import Clock, SystemClock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.ports.identity import Federation, Sessions
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.sandbox.backends.gvisor.backend import GvisorBackend
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.backends.none.backend import PlainBackend
from alonzo.sandbox.base import Backend
from alonzo.services.cloudwatch import access as cloudwatch_access
from alonzo.services.cloudwatch import api as cloudwatch_api
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.events import access as events_access
from alonzo.services.events import api as events_api
from alonzo.services.iam import access as iam_access
from alonzo.services.iam import api as iam_api
from alonzo.services.iam.identities import Identities
from alonzo.services.kms import access as kms_access
from alonzo.services.kms import api as kms_api
from alonzo.services.logs import access as logs_access
from alonzo.services.logs import api as logs_api
from alonzo.services.logs.sink import LogWriter
from alonzo.services.s3 import access as s3_access
from alonzo.services.s3 import api as s3_api
from alonzo.services.scheduler import access as scheduler_access
from alonzo.services.scheduler import api as scheduler_api
from alonzo.services.secretsmanager import access as secretsmanager_access
from alonzo.services.secretsmanager import api as secretsmanager_api
from alonzo.services.sns import access as sns_access
from alonzo.services.sns import api as sns_api
from alonzo.services.sqs import access as sqs_access
from alonzo.services.sqs import api as sqs_api
from alonzo.services.ssm import access as ssm_access
from alonzo.services.ssm import api as ssm_api
from alonzo.services.sts import access as sts_access
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
    metering: Metering
    identities: Identities
    sessions: Sessions
    federation: Federation
    secrets: SecretServices
    messaging: MessagingServices
    watching: WatchingServices
    scheduling: SchedulingServices
    events: EventServices
    storage: StorageServices
    calls: ServiceCaller
    clock: Clock
    ids: IdSource


@dataclass(frozen=True, slots=True)
class Service:
    """One service of AWS: how to make its operations, and which it does not have, with reasons.

    ``access`` makes the table of what the operations need to be allowed.
    """

    name: str
    operations: Callable[[Parts], Operations]
    unsupported: Mapping[str, str]
    access: Callable[[Parts], AccessRules]


SERVICES = (
    Service(
        "lambda",
        lambda p: {**p.control.operations, **invoke_operations(p.invoker)},
        LAMBDA_UNSUPPORTED,
        lambda _: lambda_access.access_rules(),
    ),
    Service(
        "logs",
        lambda p: logs_api.operations(p.watching.logs),
        logs_api.UNSUPPORTED,
        lambda _: logs_access.access_rules(),
    ),
    Service(
        "cloudwatch",
        lambda p: cloudwatch_api.operations(
            store=p.store,
            writer=p.metering.writer,
            folder=p.metering.folder,
            alarms=p.watching.alarms,
            clock=p.clock,
        ),
        cloudwatch_api.UNSUPPORTED,
        lambda _: cloudwatch_access.access_rules(),
    ),
    Service(
        "iam",
        lambda p: iam_api.operations(p.identities),
        iam_api.UNSUPPORTED,
        lambda p: iam_access.access_rules(p.identities),
    ),
    Service(
        "sts",
        lambda p: sts_api.operations(p.sessions, p.federation),
        sts_api.UNSUPPORTED,
        lambda _: sts_access.access_rules(),
    ),
    Service(
        "kms",
        lambda p: kms_api.operations(p.secrets.keys),
        kms_api.UNSUPPORTED,
        lambda p: kms_access.access_rules(p.secrets.vault),
    ),
    Service(
        "ssm",
        lambda p: ssm_api.operations(store=p.store, encryption=p.secrets.encryption, clock=p.clock),
        ssm_api.UNSUPPORTED,
        lambda _: ssm_access.access_rules(),
    ),
    Service(
        "secretsmanager",
        lambda p: secretsmanager_api.operations(
            directory=p.secrets.directory,
            encryption=p.secrets.encryption,
            rotator=p.secrets.rotator,
            function_policies=p.secrets.functions,
            authorize=p.secrets.authorize,
        ),
        secretsmanager_api.UNSUPPORTED,
        lambda p: secretsmanager_access.access_rules(p.secrets.directory),
    ),
    Service(
        "sqs",
        lambda p: sqs_api.operations(p.messaging.queues),
        sqs_api.UNSUPPORTED,
        lambda p: sqs_access.access_rules(p.messaging.queues.directory),
    ),
    Service(
        "sns",
        lambda p: sns_api.operations(p.messaging.topics),
        sns_api.UNSUPPORTED,
        lambda _: sns_access.access_rules(),
    ),
    Service(
        "s3",
        lambda p: s3_api.operations(p.storage.buckets),
        s3_api.UNSUPPORTED,
        lambda p: s3_access.access_rules(p.storage.buckets.directory),
    ),
    Service(
        "events",
        lambda p: events_api.operations(p.events.events),
        events_api.UNSUPPORTED,
        lambda _: events_access.access_rules(),
    ),
    Service(
        "scheduler",
        lambda p: scheduler_api.operations(p.scheduling.schedules),
        scheduler_api.UNSUPPORTED,
        lambda _: scheduler_access.access_rules(),
    ),
)


#: Sources that event source mappings read; the kinds of other sources are configuration alone.
POLLERS: tuple[Poller, ...] = (SQS_POLLER,)


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
        dotnet_root=config.dotnet_root,
    )


def architecture() -> str:
    """The host's, in AWS's words."""
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
