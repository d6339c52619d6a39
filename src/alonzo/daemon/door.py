"""The door's parts: who has keys, which names lead here, what the address is called outside."""

from __future__ import annotations

from pathlib import Path

from alonzo.daemon.config import Config
from alonzo.edge.certificate import CertificateFiles, announced_host
from alonzo.edge.hosts import HostRules
from alonzo.lib.clock import Clock, SystemClock
from alonzo.lib.ids import IdSource
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.roots import Roots
from alonzo.store.base import Store
from alonzo.store.data_dir import DataDir


async def open_identities(
    data: DataDir, store: Store, clock: Clock, ids: IdSource, account: str
) -> Identities:
    """Every identity there is, the platform's root user among them."""
    identities = Identities(store, data.secret("access-keys"), clock=clock, ids=ids)
    await identities.open()
    await Roots(identities, data.keys, account).enroll()
    return identities


def certificate_of(config: Config) -> CertificateFiles | None:
    """The certificate to show, if there is to be TLS.

    Raises:
        CertificateError: it is of no use.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    return CertificateFiles(config.tls_cert, config.tls_key, SystemClock())


def host_rules(config: Config) -> HostRules:
    """The names that unsigned requests may know the platform by."""
    names = (*config.hostnames, config.host)
    return HostRules(names, only_this_machine=config.auth == "off")


def address_of(
    config: Config, certificate: CertificateFiles | None, port: int
) -> tuple[str, Path | None]:
    """The address as clients write it; and the authority to name to them, if they must be told."""
    if certificate is None:
        return (
            f"http://{_bracketed(announced_host(config.host, config.hostnames, ()))}:{port}",
            None,
        )
    facts = certificate.facts
    host = announced_host(config.host, config.hostnames, facts.names)
    return f"https://{_bracketed(host)}:{port}", config.tls_cert if facts.self_signed else None


def _bracketed(host: str) -> str:
    """IPv6 addresses stand in brackets in a URL."""
    return f"[{host}]" if ":" in host else host
