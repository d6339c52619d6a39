"""The application: one request in, one typed operation called, one response out.

    head → route, or service → key known? → body → signature → parse → call → render
        '→ function URL, or a route of the platform (``beside``)

* ``Invoke`` takes a short cut past the codec (``invoke_http``), and so does the call whose response
  is streamed (``invoke_stream``); all else is alike.
* Every response has ``x-amzn-RequestId``. An ``AwsError`` is rendered in the service's protocol;
  any other exception is logged under that id, and the client learns nothing but the id.
* A client that goes away is not noticed until the answer is written, and then the answer is
  dropped: what was asked for is done to its end.
* Bodies are read whole, up to a limit, but for those of S3's objects (``s3``).
  With authentication on, the body of a request whose key is unknown is not read at all.

No framework: the raw path and the headers in their order are what signatures need.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from alonzo.edge import models, open_operations
from alonzo.edge.answers import nobody_answers
from alonzo.edge.beside import Beside
from alonzo.edge.body_hash import BodyHash
from alonzo.edge.call import Call
from alonzo.edge.call_errors import (
    failure_of,
    protocol_of,
    render_error,
    render_failure,
    too_large,
)
from alonzo.edge.door import Door, decode
from alonzo.edge.function_urls.server import FunctionUrlServer
from alonzo.edge.hosts import HostRules, host_of
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import BodyTooLargeError, Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.invoke_http import (
    STREAM_PREFIX,
    is_invoke,
    is_stream,
    parse_invoke,
    render_invoke,
)
from alonzo.edge.invoke_stream import answer_stream
from alonzo.edge.penalties import Penalties
from alonzo.edge.protocols import codec_for
from alonzo.edge.route import Route
from alonzo.edge.routing import Router, host_region, service_host
from alonzo.edge.s3.gate import SERVICE, S3Gate
from alonzo.edge.sigv4.claim import Claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal, refuse
from alonzo.edge.trail import Caller, Trail, parameters_of
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.limits import CREATE_BODY_BYTES_MAX
from alonzo.model.payloads import PayloadLimits
from alonzo.model.ports.audit import AuditLog
from alonzo.model.ports.buckets import Buckets
from alonzo.model.ports.identity import Authorizer, KeyRing
from alonzo.model.ports.invoking import ClientGoneError, Invoker
from alonzo.model.ports.operations import Operations

log = logging.getLogger("alonzo.edge")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The longest bodies, in bytes. The defaults are AWS's; settings may raise them."""

    bytes_max: int = CREATE_BODY_BYTES_MAX
    payloads: PayloadLimits = field(default_factory=PayloadLimits)


class EdgeApp:
    """Serves every operation and route of the platform, on any number of listeners."""

    def __init__(
        self,
        *,
        operations: Mapping[str, Operations],
        invoker: Invoker,
        keys: KeyRing,
        clock: Clock,
        ids: IdSource,
        account: str,
        auth: Literal["sigv4", "off"],
        routes: Sequence[Route] = (),
        limits: BodyLimits | None = None,
        region: str = "us-east-1",
        unsupported: Mapping[str, Mapping[str, str]] | None = None,
        function_urls: FunctionUrlServer | None = None,
        authorizer: Authorizer | None = None,
        audit: AuditLog | None = None,
        hosts: HostRules | None = None,
        penalties: Penalties | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        """``operations`` maps botocore's service names to what is implemented of each.

        ``unsupported`` has the reason, by service and name, for operations that are not.
        With ``auth="off"`` everybody is the root user of ``account``, in the region that the
        request is signed for or sent to; ``region`` is for those that say neither.
        Without an ``authorizer`` whoever has a key may do everything, and without an ``audit``
        nobody is told. ``hosts`` are the names that unsigned requests may know us by; None: any.
        """
        self._authorizer = authorizer
        self._operations = operations
        self._unsupported = unsupported or {}
        self._invoker = invoker
        self._door = Door(keys, clock, account=account, auth=auth, penalties=penalties)
        self._s3 = S3Gate(self._door, buckets, clock, region, hosts.names if hosts else frozenset())
        self._ids = ids
        self._region = region
        self._limits = limits or BodyLimits()
        self._beside = Beside(
            self._door,
            account=account,
            routes=routes,
            function_urls=function_urls,
            hosts=hosts,
            body_bytes_max=self._limits.bytes_max,
        )
        self._payload_bytes_max = self._limits.payloads.bytes_max
        self._router = Router({name: models.service_model(name) for name in operations})
        self._trail = Trail(audit, operations, self._router)

    async def handle(self, incoming: Incoming) -> Response | None:
        """Serve one request; None if its client is gone, or has got its answer piece by piece."""
        call, wait_s = Call(incoming, self._ids.uuid()), 0.0
        head = call.head
        try:
            host = host_of(head, http_1_0=incoming.http_1_0)
            if self._beside.may_answer(call, host):
                answer = self._beside.answer(call, host)
                if answer is not None:
                    return await answer
            try:
                claim = self._claim_of(call)
                serve = self._invoke if _is_invocation(head, claim) else self._operate
                return await serve(call, claim)
            except AuthFailure as failure:
                error = refuse(failure, protocol_of(call))
                self._turned_away(call, failure, error)
                wait_s = self._door.penalty_s(failure, incoming)
            except AwsError as refusal:
                error = refusal
                self._note(call, error=refusal)
            except BodyTooLargeError as large:
                error = too_large(call, large, self._router, self._limits.payloads)
            return await self._refused(call, error, wait_s)
        except ClientGoneError:
            return None
        except Exception:
            log.exception("edge.failed", extra={"request_id": call.request_id})
            self._note(call, error=failure_of(call))
            return render_failure(call)

    async def _operate(self, call: Call, claim: Claim | None) -> Response | None:
        """Serve a request for an operation; ``_invoke`` serves the short cuts."""
        head, door = call.head, self._door
        signing_name = None if claim is None else claim.service
        call.service = self._service_of(call, signing_name)
        if call.service == SERVICE:
            return await self._operate_s3(call, claim)
        if claim is None and (opened := await self._try_open(call)) is not None:
            return opened
        # Before the body is read: strangers must not fill our memory.
        key = door.find_key(claim)
        if claim is not None and key is not None:
            self._check_scope(call, claim)
        body_hash = door.hash_of(head, key)
        body = await self._body_of(call, self._limits.bytes_max, body_hash)
        if call.service is None:
            call.service = self._router.pick(call.request, signing_name)
        body_sha256 = None if body_hash is None else await body_hash.hex()
        principal, seal = door.admit(head, body, claim, key, body_sha256)
        if seal is not None:
            call.body = await decode(seal, head, body)
        region = self._region_of(call) if claim is None else claim.region
        call.caller = Caller(principal, region)
        return await self._run(call, principal, region, claim)

    async def _invoke(self, call: Call, claim: Claim | None) -> Response | None:
        """Serve ``Invoke``, or the call whose response is streamed: ``_operate``, cut short."""
        head, door = call.head, self._door
        call.service = "lambda"
        if claim is None and (opened := await self._try_open(call)) is not None:
            return opened
        key = door.find_key(claim)
        # Nothing but the host could tell that the scope is wrong, and hardly a host does.
        if key is not None and service_host(head.fields.get(b"host", b"")) is not None:
            assert claim is not None, "a key was found"
            self._check_scope(call, claim)
        body_hash = door.hash_of(head, key)
        body = None
        if body_hash is None:
            body = call.incoming.try_body(self._payload_bytes_max)
        if body is None:
            body = await self._body_of(call, self._payload_bytes_max, body_hash)
        call.body = body
        body_sha256 = None if body_hash is None else await body_hash.hex()
        principal, seal = door.admit(head, body, claim, key, body_sha256)
        if seal is not None:
            call.body = body = await decode(seal, head, body)
        region = self._region_of(call) if claim is None else claim.terms.region
        if self._trail.of_invocations:
            call.caller = Caller(principal, region)
        invoke = parse_invoke(
            head,
            body,
            self._limits.payloads,
            request_id=call.request_id,
            principal=principal,
            region=region,
        )
        if call.caller is not None:
            call.caller.params = parameters_of(invoke)
        if self._authorizer is not None and not self._authorizer.may_invoke_nowait(invoke):
            await self._authorizer.authorize_invoke(invoke, _context(call, principal, region))
        if head.raw_path.startswith(STREAM_PREFIX):
            response = await answer_stream(self._invoker, invoke, call.incoming)
        else:
            response = render_invoke(await self._invoker.invoke(invoke), call.request_id)
        if call.caller is not None:
            self._note(call)
        return response

    async def _body_of(self, call: Call, bytes_max: int, body_hash: BodyHash | None) -> bytes:
        body = call.try_body(bytes_max) if body_hash is None else None
        return await call.read_body(bytes_max, body_hash) if body is None else body

    def _service_of(self, call: Call, signing_name: str | None) -> str | None:
        """The service that a request is for, as far as its head tells."""
        picked = self._router.pick(call.request, signing_name)
        if picked is None and signing_name is None and self._s3.owns(call.head):
            return SERVICE
        return picked

    async def _operate_s3(self, call: Call, claim: Claim | None) -> Response:
        """Run an operation of S3, whose bodies have no end that memory could hold."""
        if call.head.method == "OPTIONS":
            return call.response(self._s3.preflight(call.head))
        call.extra = self._s3.cross_origin(call.head)
        if claim is not None and self._door.is_locked:
            self._check_scope(call, claim)
        if claim is None and self._s3.takes_form(call.head):
            principal, region = await self._s3.admit_form(call)
        else:
            principal, region = await self._s3.admit(call, claim), claim and claim.region
        region = region or self._region_of(call)
        call.caller = Caller(principal, region)
        return await self._run(call, principal, region, claim)

    def _claim_of(self, call: Call) -> Claim | None:
        """Who says to have signed the request."""
        try:
            return self._door.read_claim(call.head)
        except AuthFailure:
            # Its error is rendered in the protocol of whatever service the request looks like.
            call.service = self._router.pick(call.request, None)
            raise

    async def _try_open(self, call: Call) -> Response | None:
        """Run an operation that nobody signs; None: the request is for none."""
        if not (self._door.is_locked and open_operations.may_be_open(call.head)):
            return None
        if call.try_body(open_operations.BODY_BYTES_MAX) is None:
            await call.read_body(open_operations.BODY_BYTES_MAX)
        call.service = self._router.pick(call.request, None)
        if not open_operations.is_open(call.service, call.head, call.body):
            return None
        stranger, region = open_operations.STRANGER, self._region_of(call)
        call.caller = Caller(stranger, region)
        return await self._run(call, stranger, region, None)

    def _note(
        self,
        call: Call,
        *,
        result: Mapping[str, Any] | None = None,
        error: AwsError | None = None,
    ) -> None:
        """Tell the audit log what came of a call."""
        if call.caller is not None:
            self._trail.note(
                call.incoming,
                call.request_id,
                call.service,
                None if call.operation is None else call.operation.name,
                call.caller,
                result=result,
                error=error,
            )

    def _turned_away(self, call: Call, failure: AuthFailure, error: AwsError) -> None:
        """Tell the audit log who was not let in."""
        self._trail.turned_away(
            call.incoming, call.request_id, call.service, self._region, failure, error
        )

    def _check_scope(self, call: Call, claim: Claim) -> None:
        misfit = self._router.misfit(call.request, claim.service, claim.region)
        if misfit is not None:
            call.service, text = misfit
            raise AuthFailure(Refusal.MISMATCH, text)

    def _region_of(self, call: Call) -> str:
        return host_region(call.request) or self._region

    async def _run(
        self, call: Call, principal: Principal, region: str, claim: Claim | None
    ) -> Response:
        """Run an operation through the codec."""
        request, service = call.request, call.service
        if service is None:
            raise nobody_answers(request, claim)
        codec = codec_for(service, request)
        parsed = await self._s3.try_parse(request) if service == SERVICE else None
        call.operation, params = parsed or codec.parse(request)
        name = call.operation.name
        if principal is open_operations.STRANGER and not open_operations.has(service, name):
            raise AuthFailure(Refusal.MISSING)
        handler = self._operations[service].get(name)
        if handler is None:
            reason = self._unsupported.get(service, {}).get(name, "")
            raise AwsError(
                "UnknownOperationException",
                f"{name} is not supported by Alonzo yet. {reason}".rstrip(),
                status=501,
            )
        context = _context(call, principal, region)
        if call.caller is not None:
            call.caller.params = params
        if self._authorizer is not None:
            await self._authorizer.authorize(context, service, name, params)
        if call.upload is not None:
            params = {**params, "Body": call.upload}
        result = await handler(context, params)
        self._note(call, result=result)
        response = codec.render(call.operation, result, call.request_id)
        if call.form is not None:
            response = call.form.answer(response, context.endpoint)
        return call.response(response)

    async def _refused(self, call: Call, error: AwsError, wait_s: float) -> Response:
        response = render_error(call, error)
        call.incoming.let_go()
        if wait_s:
            # Nobody holds on to the body meanwhile.
            call.body = b""
            await asyncio.sleep(wait_s)
        return response


def _is_invocation(head: Head, claim: Claim | None) -> bool:
    """Whether a request is for one of the short cuts."""
    if claim is not None and claim.terms.service != "lambda":
        return False
    return is_invoke(head.method, head.raw_path) or is_stream(head.method, head.raw_path)


def _context(call: Call, principal: Principal, region: str) -> RequestContext:
    return RequestContext(
        request_id=call.request_id,
        account=principal.account,
        region=region,
        principal=principal,
        endpoint=f"{call.incoming.scheme}://{call.head.fields.get(b'host', b'localhost').decode()}",
        source_ip=call.incoming.source_ip,
        from_sandbox=bool(call.incoming.place),
        trace_header=_ascii(call.head.fields.get(b"x-amzn-trace-id")),
        user_agent=_ascii(call.head.fields.get(b"user-agent")),
        referer=_ascii(call.head.fields.get(b"referer")),
        facts=call.facts,
        vouch=call.caller.vouch if call.caller and principal is open_operations.STRANGER else None,
    )


def _ascii(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
