"""What this platform consists of: services, runtimes and isolation backends, each listed once.

Ordinary imports, no scanning; what few platforms use is imported where it is made. Contract suites,
documentation checks and ``alonzo doctor`` read the same lists, so a new line here at once demands
its tests and its page.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from alonzo.control.unsupported import UNSUPPORTED as LAMBDA_UNSUPPORTED
from alonzo.daemon.config import Config
from alonzo.eventsources.pollers.sqs.poller import POLLER as SQS_POLLER
from alonzo.eventsources.sources import Poller
from alonzo.lib.clock import SystemClock
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.base import Backend
from alonzo.services.cloudwatch.unsupported import UNSUPPORTED as CLOUDWATCH_UNSUPPORTED
from alonzo.services.events.unsupported import UNSUPPORTED as EVENTS_UNSUPPORTED
from alonzo.services.iam.api import UNSUPPORTED as IAM_UNSUPPORTED
from alonzo.services.kms.unsupported import UNSUPPORTED as KMS_UNSUPPORTED
from alonzo.services.logs.unsupported import UNSUPPORTED as LOGS_UNSUPPORTED
from alonzo.services.s3.unsupported import UNSUPPORTED as S3_UNSUPPORTED
from alonzo.services.secretsmanager.unsupported import UNSUPPORTED as SECRETSMANAGER_UNSUPPORTED
from alonzo.services.sns.unsupported import UNSUPPORTED as SNS_UNSUPPORTED
from alonzo.services.ssm.unsupported import UNSUPPORTED as SSM_UNSUPPORTED
from alonzo.services.sts.api import UNSUPPORTED as STS_UNSUPPORTED
from alonzo.store.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Service:
    """One service of AWS, and which of its operations it does not have, with reasons.

    What it has is in ``CoreServices``, or in one of the groups of ``Services``.
    """

    name: str
    unsupported: Mapping[str, str] = field(default_factory=dict[str, str])


SERVICES = (
    Service("lambda", LAMBDA_UNSUPPORTED),
    Service("logs", LOGS_UNSUPPORTED),
    Service("cloudwatch", CLOUDWATCH_UNSUPPORTED),
    Service("iam", IAM_UNSUPPORTED),
    Service("sts", STS_UNSUPPORTED),
    Service("kms", KMS_UNSUPPORTED),
    Service("ssm", SSM_UNSUPPORTED),
    Service("secretsmanager", SECRETSMANAGER_UNSUPPORTED),
    Service("sqs"),
    Service("sns", SNS_UNSUPPORTED),
    Service("s3", S3_UNSUPPORTED),
    Service("events", EVENTS_UNSUPPORTED),
    Service("scheduler"),
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
    from alonzo.sandbox.backends.gvisor.backend import GvisorBackend

    return GvisorBackend(run_dir=data.run, python=config.python, search_path=config.search_path)


def none(config: Config, data: DataDir) -> Backend:
    """No isolation. Nothing ever falls back to it."""
    from alonzo.sandbox.backends.none.backend import PlainBackend

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
        compiled=config.tools / "compiled",
    )


def architecture() -> str:
    """The host's, in AWS's words."""
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
