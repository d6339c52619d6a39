"""The application: one request in, one typed operation called, one response out.

    head → route, or service → key known? → body → signature → parse → call → render

* ``Invoke`` takes a short cut past the codec (``invoke_http``); all else is alike.
* Every response has ``x-amzn-RequestId``. An ``AwsError`` is rendered in the service's protocol;
  any other exception is logged under that id, and the client learns nothing but the id.
* A client that goes away is not noticed until the answer is written, and then the answer is
  dropped: what was asked for is done to its end.
* Bodies are read whole, up to a limit. With authentication on, the body of a request whose key is
  unknown is not read at all.

No framework: the raw path and the headers in their order are what signatures need.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from alonzo.edge import models
from alonzo.edge.answers import bare_error
from alonzo.edge.body_hash import BodyHash
from alonzo.edge.door import Door, decode
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import BodyTooLargeError, ClientGoneError, Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.invoke_http import (
    PayloadLimits,
    invocation_type,
    is_invoke,
    parse_invoke,
    payload_too_large,
    render_invoke,
)
from alonzo.edge.protocols import codec_for
from alonzo.edge.routing import Router, host_region
from alonzo.edge.sigv4.claim import Claim
from alonzo.edge.sigv4.refusals import AuthFailure, refuse
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse, RouteHandler
from alonzo.model.limits import CREATE_BODY_BYTES_MAX
from alonzo.model.ports import Invoker, KeyRing, Operations

if TYPE_CHECKING:
    from botocore.model import OperationModel

log = logging.getLogger("alonzo.edge")

#: What clients get for a failure of ours. Source: Lambda API; AWS common errors.
_FAILURES = {
    "lambda": ("ServiceException", "An error occurred and the request cannot be processed."),
}
_FAILURE = (
    "InternalFailure",
    "The request processing has failed because of an unknown error, exception or failure.",
)

#: No host that matches is longer; the bound keeps the memory of known ones small.
_HOST_BYTES_MAX = 262
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Route:
    """Something that is no AWS operation.

    ``method`` None takes any. A ``prefix`` that ends in ``/`` takes every path below it, another
    one only itself.
    """

    method: str | None
    prefix: bytes
    handler: RouteHandler

    def matches(self, path: bytes) -> bool:
        """Whether the path belongs to the route, whatever the method."""
        return path.startswith(self.prefix) if self.prefix[-1:] == b"/" else path == self.prefix

    def takes(self, method: str) -> bool:
        """Whether the route serves the method; ``HEAD`` is a ``GET`` without the body."""
        return self.method in (None, method) or (method == "HEAD" and self.method == "GET")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The longest bodies, in bytes. The defaults are AWS's; settings may raise them."""

    bytes_max: int = CREATE_BODY_BYTES_MAX
    payloads: PayloadLimits = field(default_factory=PayloadLimits)


class _Call:
    """One request as far as it has got; what an error is rendered with."""

    __slots__ = ("body", "head", "incoming", "operation", "request_id", "service")

    def __init__(self, incoming: Incoming, request_id: str) -> None:
        self.incoming = incoming
        self.head = incoming.head
        self.request_id = request_id
        self.service: str | None = None
        self.operation: OperationModel | None = None
        self.body = b""

    @property
    def request(self) -> HttpRequest:
        """The request, with its body if that has been read."""
        return self.head.request(self.body, self.incoming.source_ip)

    async def read_body(self, bytes_max: int, body_hash: BodyHash | None = None) -> bytes:
        """Complete the request."""
        look = None if body_hash is None else body_hash.feed
        self.body = await self.incoming.read_body(bytes_max, look)
        return self.body

    def response(self, response: HttpResponse) -> Response:
        """A response of a codec or a route, on its way out.

        A client that waits for ``100 Continue`` and gets its answer instead may or may not send
        the body: nobody can tell where the next request would begin.
        """
        closes = not self.incoming.asked and b"expect" in self.head.fields
        return Response.of(response, request_id=self.request_id, closes=closes)


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
    ) -> None:
        """``operations`` maps botocore's service names to what is implemented of each.

        ``unsupported`` has the reason, by service and name, for operations that are not.
        With ``auth="off"`` everybody is the root user of ``account``, in the region that the
        request is signed for or sent to; ``region`` is for those that say neither.
        """
        self._operations = operations
        self._unsupported = unsupported or {}
        self._invoker = invoker
        self._door = Door(keys, clock, account=account, auth=auth)
        self._ids = ids
        self._region = region
        self._routes = tuple(routes)
        # One look for all of them: hardly a request is for a route.
        self._route_prefixes = tuple(route.prefix for route in routes)
        self._limits = limits or BodyLimits()
        self._payload_bytes_max = self._limits.payloads.bytes_max
        self._router = Router({name: models.service_model(name) for name in operations})

    async def handle(self, incoming: Incoming) -> Response | None:
        """Serve one request; None if its client is gone."""
        call = _Call(incoming, self._ids.uuid())
        try:
            return await self._respond(call)
        except ClientGoneError:
            return None
        except Exception:
            log.exception("edge.failed", extra={"request_id": call.request_id})
            return self._render_failure(call)

    async def _respond(self, call: _Call) -> Response:
        incoming, head = call.incoming, call.head
        if not _has_one_host(head, http_1_0=incoming.http_1_0):
            return call.response(
                bare_error(
                    call.request,
                    400,
                    "BadRequest",
                    "The request must have exactly one valid Host header.",
                )
            )
        if head.raw_path.startswith(self._route_prefixes):
            for route in self._routes:
                if route.matches(head.raw_path):
                    return call.response(await self._serve_route(route, call))
        try:
            return await self._operate(call)
        except AuthFailure as failure:
            error = refuse(failure, self._protocol(call))
        except AwsError as refusal:
            error = refusal
        except BodyTooLargeError as large:
            error = self._too_large(call, large)
        return self._render_error(call, error)

    async def _serve_route(self, route: Route, call: _Call) -> HttpResponse:
        if not route.takes(call.head.method):
            return bare_error(
                call.request, 405, "MethodNotAllowed", f"Use {route.method} for this path."
            )
        try:
            await call.read_body(self._limits.bytes_max)
        except BodyTooLargeError as large:
            return bare_error(
                call.request,
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {large.bytes_max} bytes",
            )
        return await route.handler(call.request)

    async def _operate(self, call: _Call) -> Response:
        head, door = call.head, self._door
        try:
            claim = door.read_claim(head)
        except AuthFailure:
            # Its error is rendered in the protocol of whatever service the request looks like.
            call.service = self._router.pick(call.request, None)
            raise
        signing_name = None if claim is None else claim.service
        fast = signing_name in (None, "lambda") and is_invoke(head.method, head.raw_path)
        call.service = "lambda" if fast else self._router.pick(call.request, signing_name)
        # Before the body is read: strangers must not fill our memory.
        key = door.find_key(claim)
        limits = self._limits
        body_hash = door.hash_of(head, key)
        bytes_max = self._payload_bytes_max if fast else limits.bytes_max
        body = await call.read_body(bytes_max, body_hash)
        if call.service is None:
            call.service = self._router.pick(call.request, signing_name)
        body_sha256 = None if body_hash is None else await body_hash.hex()
        principal, seal = door.admit(head, body, claim, key, body_sha256)
        if seal is not None:
            call.body = await decode(seal, head, body)
        region = self._region_of(call) if claim is None else claim.region
        if not fast:
            return await self._run(call, principal, region, claim)
        invoke = parse_invoke(
            head,
            call.body,
            limits.payloads,
            request_id=call.request_id,
            principal=principal,
            region=region,
        )
        return render_invoke(await self._invoker.invoke(invoke), call.request_id)

    def _region_of(self, call: _Call) -> str:
        return host_region(call.request) or self._region

    async def _run(
        self, call: _Call, principal: Principal, region: str, claim: Claim | None
    ) -> Response:
        """Run an operation through the codec."""
        request, service = call.request, call.service
        if service is None:
            raise _nobody_answers(request, claim)
        codec = codec_for(service, request)
        call.operation, params = codec.parse(request)
        name = call.operation.name
        handler = self._operations[service].get(name)
        if handler is None:
            reason = self._unsupported.get(service, {}).get(name, "")
            raise AwsError(
                "UnknownOperationException",
                f"{name} is not supported by Alonzo yet. {reason}".rstrip(),
                status=501,
            )
        context = RequestContext(
            request_id=call.request_id,
            account=principal.account,
            region=region,
            principal=principal,
            endpoint=f"http://{call.head.fields.get(b'host', b'localhost').decode()}",
            source_ip=request.source_ip,
        )
        result = await handler(context, params)
        return call.response(codec.render(call.operation, result, call.request_id))

    def _render_error(self, call: _Call, error: AwsError) -> Response:
        request = call.request
        if call.service is None:
            status = error.status or 400
            return call.response(bare_error(request, status, error.code, error.message))
        codec = codec_for(call.service, request)
        return call.response(codec.render_error(error, call.request_id, call.operation))

    def _render_failure(self, call: _Call) -> Response:
        """What a client hears of a failure of ours: nothing but that it was ours."""
        code, message = _FAILURES.get(call.service or "", _FAILURE)
        try:
            return self._render_error(call, AwsError(code, message, status=500))
        except Exception:
            log.exception("edge.render_failed", extra={"request_id": call.request_id})
            return call.response(bare_error(call.request, 500, code, message))

    def _protocol(self, call: _Call) -> str:
        """The protocol whose codes a refusal takes; where no service is known, rest-json's."""
        if call.service is None:
            return "rest-json"
        return str(codec_for(call.service, call.request).service.protocol)

    def _too_large(self, call: _Call, large: BodyTooLargeError) -> AwsError:
        head = call.head
        if call.service == "lambda" and is_invoke(head.method, head.raw_path):
            return payload_too_large(large.n_bytes, invocation_type(head), self._limits.payloads)
        operation = call.service and self._router.operation_name(call.request, call.service)
        which = f"the {operation} operation" if operation else "this operation"
        return AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {large.bytes_max} bytes for {which}",
            status=413,
        )


def _nobody_answers(request: HttpRequest, claim: Claim | None) -> AwsError:
    """No service of ours fits. AWS has no such answer: its services have a host each."""
    if claim is not None:
        return AwsError(
            "UnknownOperationException",
            f"The service '{claim.service}' is not supported by Alonzo yet.",
            status=501,
        )
    path = request.raw_path[:200].decode("latin-1")
    return AwsError(
        "UnknownOperationException", f"Nothing here answers {request.method} {path}", status=404
    )


def _has_one_host(head: Head, *, http_1_0: bool) -> bool:
    """RFC 9112, 3.2. A probe in HTTP/1.0 may do without."""
    # Two hosts are folded into one text with a comma, which no host has.
    host = head.fields.get(b"host")
    if host is None:
        return http_1_0
    return len(host) <= _HOST_BYTES_MAX and _is_host(host)


@lru_cache(maxsize=1024)
def _is_host(text: bytes) -> bool:
    return _HOST.fullmatch(text) is not None
