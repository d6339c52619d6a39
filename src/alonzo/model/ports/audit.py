"""What the audit log is told: one event for each call of an operation, and each caller turned away.

Values are handed over as they are, secrets included; the log hides them before it keeps anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.model.context import Principal
from alonzo.model.sessions import WebIdentity


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """How a request was encrypted: ``TLSv1.3``, the cipher suite, and the host that was asked."""

    version: str
    cipher_suite: str
    host: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One call of an operation, once it is over.

    ``service`` is botocore's name, ``operation`` the service model's. ``principal`` is None where
    nobody knows who called. ``params`` and ``result`` are the operation's, None where it had none
    or did not get so far. ``error`` is the code and text of what was answered instead of a result.
    ``invoked_by`` is the service of AWS that called on the principal's behalf. ``web_identity`` is
    whom a token vouched for where nobody signed.
    """

    service: str
    operation: str
    request_id: str
    account: str
    region: str
    principal: Principal | None
    source_ip: str
    user_agent: str = ""
    params: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    error: tuple[str, str] | None = None
    invoked_by: str = ""
    tls: TlsFacts | None = None
    web_identity: WebIdentity | None = None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A request that was not let in. ``access_key_id`` is whatever the caller claimed.

    ``reason`` is one of a few fixed words, for those who count. The rest is as in ``AuditEvent``.
    """

    service: str
    operation: str
    request_id: str
    region: str
    access_key_id: str
    source_ip: str
    user_agent: str
    reason: str
    error: tuple[str, str]
    tls: TlsFacts | None = None


class AuditLog(Protocol):
    """Keeps what it is told. Implemented by ``audit``. Never blocks and never raises."""

    def wants(self, service: str, operation: str) -> bool:
        """Whether calls of the operation are kept; if not, nobody need describe them."""
        ...

    def note_nowait(self, event: AuditEvent) -> None:
        """Keep one event, if calls of its operation are kept."""
        ...

    def turned_away_nowait(self, event: TurnedAway) -> None:
        """Keep one failed authentication; when they come in floods, only their number."""
        ...
