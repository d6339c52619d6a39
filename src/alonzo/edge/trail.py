"""Tells the audit log what came of each request that was for an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.routing import Router
from alonzo.edge.sigv4.claim import read_claim
from alonzo.edge.sigv4.refusals import AuthFailure
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest
from alonzo.model.invocations import InvokeRequest
from alonzo.model.ports.audit import AuditEvent, AuditLog, TlsFacts, TurnedAway
from alonzo.model.sessions import WebIdentity

_TEXT_BYTES_MAX = 1024
_SHORT_CUTS = frozenset({"Invoke", "InvokeWithResponseStream"})


class Caller:
    """Who was let in, where, and with which parameters once they are read."""

    __slots__ = ("params", "principal", "region", "web_identity")

    def __init__(self, principal: Principal, region: str) -> None:
        self.principal = principal
        self.region = region
        self.params: Mapping[str, Any] | None = None
        self.web_identity: WebIdentity | None = None

    def vouch(self, identity: WebIdentity) -> None:
        """Nobody has signed, and the operation has found out who calls."""
        self.web_identity = identity


class Trail:
    """Describes requests to an audit log; with None to nobody, at no cost."""

    def __init__(
        self,
        audit: AuditLog | None,
        operations: Mapping[str, Mapping[str, Any]],
        router: Router,
    ) -> None:
        """``operations`` are those that are served, by service: calls of others change nothing."""
        self._audit = audit
        self._operations = operations
        self._router = router
        self.of_invocations = audit is not None and audit.wants("lambda", "Invoke")

    def note(
        self,
        incoming: Incoming,
        request_id: str,
        service: str | None,
        operation: str | None,
        caller: Caller,
        *,
        result: Mapping[str, Any] | None = None,
        error: AwsError | None = None,
    ) -> None:
        """One call is over. Where its operation is not known yet, its head may tell."""
        audit = self._audit
        if audit is None or service is None:
            return
        operation = operation or self._operation(incoming, service)
        if not self._is_served(service, operation):
            return
        if not audit.wants(service, operation):
            return
        audit.note_nowait(
            AuditEvent(
                service,
                operation,
                request_id,
                caller.principal.account,
                caller.region,
                caller.principal,
                _address(incoming),
                _agent(incoming.head),
                caller.params,
                result,
                None if error is None else (error.code, error.message),
                tls=_tls(incoming),
                web_identity=caller.web_identity,
            )
        )

    def turned_away(
        self,
        incoming: Incoming,
        request_id: str,
        service: str | None,
        region: str,
        failure: AuthFailure,
        error: AwsError,
    ) -> None:
        """One caller was not let in."""
        if self._audit is None:
            return
        key_id = ""
        try:
            claim = read_claim(incoming.head)
        except AuthFailure:
            claim = None
        if claim is not None:
            key_id, region = claim.terms.access_key_id, claim.region
        operation = None if service is None else self._operation(incoming, service)
        if not self._is_served(service or "", operation or ""):
            operation = None
        self._audit.turned_away_nowait(
            TurnedAway(
                service or "",
                operation or "",
                request_id,
                region,
                key_id,
                _address(incoming),
                _agent(incoming.head),
                failure.refusal.value,
                (error.code, error.message),
                tls=_tls(incoming),
            )
        )

    def _is_served(self, service: str, operation: str) -> bool:
        # The short cuts are in no table of operations.
        if service == "lambda" and operation in _SHORT_CUTS:
            return True
        return operation in self._operations.get(service, ())

    def _operation(self, incoming: Incoming, service: str) -> str:
        head = incoming.head
        request = HttpRequest(
            head.method, head.raw_path, head.query, tuple(head.headers), b"", incoming.source_ip
        )
        return self._router.operation_name(request, service) or ""


def parameters_of(invoke: InvokeRequest) -> dict[str, Any]:
    """What an invocation was asked for, without its event."""
    params: dict[str, Any] = {
        "FunctionName": invoke.function_name,
        "InvocationType": invoke.invocation_type.value,
    }
    if invoke.qualifier is not None:
        params["Qualifier"] = invoke.qualifier
    return params


def _agent(head: Head) -> str:
    return head.fields.get(b"user-agent", b"")[:_TEXT_BYTES_MAX].decode("latin-1")


def _address(incoming: Incoming) -> str:
    return incoming.source_ip or incoming.place or "sandbox"


def _tls(incoming: Incoming) -> TlsFacts | None:
    facts = incoming.tls
    if facts is None:
        return None
    host = incoming.head.fields.get(b"host", b"")[:_TEXT_BYTES_MAX].decode("latin-1")
    return TlsFacts(*facts, host)
