"""Configuration: the only place that reads the process's environment.

Everything else gets these values handed in.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from alonzo.audit.settings import AuditSettings
from alonzo.control.settings import ControlLimits
from alonzo.environments.values import EnvironmentSettings
from alonzo.invoke.api import InvokeSettings
from alonzo.invoke.traces.exporter import Collector
from alonzo.model.errors import PlatformError

Auth = Literal["sigv4", "off"]
Isolation = Literal["auto", "namespaces", "gvisor", "none"]
Network = Literal["none", "nat", "host"]
Iam = Literal["strict", "soft"]
Audit = Literal["management", "all", "off"]

#: OpenTelemetry's own name for headers that a receiver wants, as keys of its users often are.
_OTLP_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"

#: What a request's signature may name, too.
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")


#: Without a port and without a scheme.
_HOSTNAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


class ConfigError(PlatformError):
    """The configuration contradicts itself. The text is for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Config:
    """How one platform runs. ``port`` 0 takes any free one.

    ``network`` None is ``nat`` where this host gives it, and else ``none``.

    ``otlp_endpoint``: the URL of an OpenTelemetry receiver that spans go to, with
    ``otlp_headers``, ``name=value`` with commas between them.

    ``tls_cert`` and ``tls_key`` are PEM files. ``hostnames`` are names by which clients reach the
    platform, beside its address; the first is the one that it calls itself by.

    ``search_path``, ``home``, ``dotnet_root`` and ``tools`` say where to look for runtimes, and
    ``tools`` is what ``alonzo runtime install`` fills; ``faults`` arms fault points and is for
    tests.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4566
    auth: Auth = "sigv4"
    iam: Iam = "strict"
    audit: Audit = "management"
    isolation: Isolation = "auto"
    network: Network | None = None
    account: str = "000000000000"
    region: str = "us-east-1"
    search_path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    home: Path = field(default_factory=Path.home)
    tools: Path = field(default_factory=lambda: _tools())
    dotnet_root: Path | None = field(default_factory=lambda: _dotnet_root())
    python: str = sys.executable
    faults: str = field(default_factory=lambda: os.environ.get("ALONZO_FAULTS", ""))
    tls_cert: Path | None = None
    tls_key: Path | None = None
    hostnames: tuple[str, ...] = ()
    otlp_endpoint: str | None = None
    otlp_headers: str = field(default_factory=lambda: os.environ.get(_OTLP_HEADERS, ""))
    auditing: AuditSettings = field(default_factory=AuditSettings)
    control: ControlLimits = field(default_factory=ControlLimits)
    environments: EnvironmentSettings = field(default_factory=EnvironmentSettings)
    invoke: InvokeSettings = field(default_factory=InvokeSettings)

    def check(self) -> None:
        """Refuse what must not run.

        Raises:
            ConfigError: the text says what to change.
        """
        if sys.platform != "linux":
            raise ConfigError(
                f"Alonzo runs functions on Linux; this is {sys.platform}. "
                "Run it in a Linux virtual machine and point AWS_ENDPOINT_URL at it."
            )
        if self.isolation == "none" and self.network not in (None, "host"):
            raise ConfigError(
                f"--isolation none leaves functions in this host's network, so --network "
                f"{self.network} cannot be had. Leave one of the two out."
            )
        if self.isolation == "gvisor" and self.network not in (None, "none"):
            raise ConfigError(
                f"--isolation gvisor gives functions no network beside the platform, so --network "
                f"{self.network} cannot be had. Leave one of the two out."
            )
        if not self.host:
            raise ConfigError("--host is empty. Use 127.0.0.1, or 0.0.0.0 for every interface.")
        if self.auth == "off" and not is_loopback(self.host):
            raise ConfigError(
                f"--auth off lets anybody who reaches {self.host} run code here, so it works only "
                "on a loopback address. Use --host 127.0.0.1, or leave authentication on."
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("TLS takes both files: --tls-cert and --tls-key.")
        for name in self.hostnames:
            if not _HOSTNAME.fullmatch(name):
                raise ConfigError(f"--hostname takes a name such as alonzo.example, not {name!r}")
        if not (len(self.account) == 12 and self.account.isascii() and self.account.isdigit()):
            raise ConfigError(f"an account has 12 digits, not {self.account!r}")
        if not _REGION.fullmatch(self.region):
            raise ConfigError(f"a region looks like us-east-1, not {self.region!r}")
        self.collector()

    def collector(self) -> Collector | None:
        """Where spans go; None: nowhere.

        Raises:
            ConfigError: the URL is none.
        """
        if self.otlp_endpoint is None:
            return None
        url = urlsplit(self.otlp_endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(
                f"--otlp-endpoint takes a URL such as http://127.0.0.1:4318, not "
                f"{self.otlp_endpoint!r}"
            )
        pairs = (each.partition("=") for each in self.otlp_headers.split(",") if "=" in each)
        headers = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
        return Collector(self.otlp_endpoint, headers)


def _dotnet_root() -> Path | None:
    root = os.environ.get("DOTNET_ROOT")
    return Path(root) if root else None


def _tools() -> Path:
    """``$ALONZO_TOOLS_DIR``, else ``alonzo/tools`` in the user's cache: it can be had again."""
    chosen = os.environ.get("ALONZO_TOOLS_DIR")
    if chosen:
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "alonzo/tools"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address. Names but ``localhost`` may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
