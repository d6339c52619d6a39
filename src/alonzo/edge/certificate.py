"""The certificate that the platform shows, and its key: two PEM files.

They are looked at for each new connection, by their times and sizes: whoever renews them replaces
the files and is done. A pair that cannot be used is logged once, and the last good one stays.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alonzo.lib.clock import Clock, utc
from alonzo.model.errors import PlatformError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

log = logging.getLogger("alonzo.edge")

#: Which files there were: of each its time, its size, its number, and the folder's device.
_Stamp = tuple[tuple[int, int, int, int], ...]


class CertificateError(PlatformError):
    """The files are of no use. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says. ``names`` are host names and addresses that it is good for.

    ``self_signed``: it is its own authority, so clients must be told to trust it.
    """

    names: tuple[str, ...]
    self_signed: bool
    not_before_s: float
    not_after_s: float

    def warning(self, now_s: float) -> str | None:
        """What is wrong with its dates; None: nothing."""
        if now_s >= self.not_after_s:
            return f"the TLS certificate expired on {utc(self.not_after_s):%Y-%m-%d}"
        if now_s < self.not_before_s:
            return f"the TLS certificate is not valid before {utc(self.not_before_s):%Y-%m-%d}"
        return None


class CertificateFiles:
    """A certificate (with its chain) and its key, as they are on disk now."""

    def __init__(self, cert: Path, key: Path, clock: Clock) -> None:
        """Read both.

        Raises:
            CertificateError: they cannot be read, or do not belong together.
        """
        self._cert, self._key, self._clock = cert, key, clock
        self._stamp = self._look()
        self._context, self.facts = self._load()

    def context(self) -> ssl.SSLContext:
        """What the next connection is to use."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                # First, so that a pair that is no good is tried once and not for each connection.
                self._stamp = stamp
                self._context, self.facts = self._load()
                log.info("tls.reloaded")
        except CertificateError as error:
            log.warning("tls.not_reloaded", extra={"reason": str(error)})
        return self._context

    def warning(self) -> str | None:
        """What a user should know of it now, or None."""
        return self.facts.warning(self._clock.now_s())

    def _look(self) -> _Stamp:
        found: list[tuple[int, int, int, int]] = []
        for path in (self._cert, self._key):
            try:
                now = os.stat(path)
            except OSError as error:
                raise CertificateError(f"cannot read {path}: {error.strerror}") from error
            found.append((now.st_mtime_ns, now.st_size, now.st_ino, now.st_dev))
        return tuple(found)

    def _load(self) -> tuple[ssl.SSLContext, Facts]:
        facts = _facts(_read(self._cert), self._cert)
        key = _read(self._key)
        if b"ENCRYPTED" in key:
            raise CertificateError(
                f"the key in {self._key} is encrypted, and nobody is here to type its passphrase. "
                "Write it out without one: openssl pkey -in KEY -out PLAIN_KEY"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._cert, self._key)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise CertificateError(
                    f"the key in {self._key} does not belong to the certificate in {self._cert}; "
                    "the certificate must come first in its file, before its chain"
                ) from error
            raise CertificateError(f"{self._key} holds no private key in PEM form") from error
        except OSError as error:
            raise CertificateError(f"cannot read {self._key}: {error.strerror}") from error
        return context, facts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}") from error


def _facts(text: bytes, path: Path) -> Facts:
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(text)[0]
        names = _names(leaf)
    except ValueError as error:
        raise CertificateError(f"{path} holds no certificate in PEM form") from error
    return Facts(
        names,
        leaf.issuer == leaf.subject,
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
    )


def _names(leaf: Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        value = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *value.get_values_for_type(x509.DNSName),
        *(str(address) for address in value.get_values_for_type(x509.IPAddress)),
    )


def announced_host(host: str, hostnames: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The name to tell clients: one that the certificate is good for, if there is any.

    ``host`` is what is listened on, ``hostnames`` are names that the user gave, ``names`` the
    certificate's. Pure.
    """
    if hostnames:
        return hostnames[0]
    if host in names or not names:
        return host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_loopback or address.is_unspecified:
        for name in ("localhost", "127.0.0.1", "::1"):
            if name in names:
                return name
    if address.is_unspecified:
        return next((name for name in names if "*" not in name), host)
    return host
