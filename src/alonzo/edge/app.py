"""The ASGI application: one request in, one typed operation called, one response out.

    head → route, or service → key known? → body → signature → parse → call → render

* ``Invoke`` takes a short cut past the codec (``invoke_http``); all else is alike.
* Every response has ``x-amzn-RequestId``. An ``AwsError`` is rendered in the service's protocol;
  any other exception is logged under that id, and the client learns nothing but the id.
* A client that goes away is not noticed until the answer is written, and then the answer is
  dropped: what was asked for is done to its end.
* Bodies are read whole, up to a limit. With authentication on, the body of a request whose key is
  unknown is not read at all.

No framework: ``raw_path`` and the headers in their order are what signatures need.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from alonzo.edge import models
from alonzo.edge.answers import bare_error, send_response
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
from alonzo.edge.sigv4.chunked import decode_body
from alonzo.edge.sigv4.claim import Claim, read_claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal, refuse
from alonzo.edge.sigv4.verify import ChunkSeal, Verifier, signs_body, unchecked_seal
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse, RouteHandler
from alonzo.model.limits import CREATE_BODY_BYTES_MAX
from alonzo.model.ports import AccessKey, Invoker, KeyRing, Operations

if TYPE_CHECKING:
    from botocore.model import OperationModel

log = logging.getLogger("alonzo.edge")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Bodies longer than this are hashed in a thread: 256 KiB take about 0.2 ms.
HASH_INLINE_BYTES_MAX = 256 * 1024

#: What clients get for a failure of ours. Source: Lambda API; AWS common errors.
_FAILURES = {
    "lambda": ("ServiceException", "An error occurred and the request cannot be processed."),
}
_FAILURE = (
    "InternalFailure",
    "The request processing has failed because of an unknown error, exception or failure.",
)

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


class _BodyTooLargeError(Exception):
    """The body is over the limit. ``n_bytes`` is its announced length, or what came so far."""

    def __init__(self, n_bytes: int, bytes_max: int) -> None:
        super().__init__(n_bytes)
        self.n_bytes = n_bytes
        self.bytes_max = bytes_max


class _ClientGoneError(Exception):
    """The client left before its request was whole."""


@dataclass(slots=True)
class _Exchange:
    """One request as far as it has got; what an error is rendered with."""

    request: HttpRequest
    request_id: str
    receive: Receive
    scheme: str
    service: str | None = None
    operation: OperationModel | None = None
    body_read: bool = False

    async def read_body(self, bytes_max: int) -> None:
        """Complete the request."""
        announced = self.request.header(b"content-length")
        if announced is not None and int(announced) > bytes_max:
            raise _BodyTooLargeError(int(announced), bytes_max)
        self.body_read = True
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        body: bytes = message["body"]
        if message["more_body"]:
            body = await self._read_rest(body, bytes_max)
        if len(body) > bytes_max:
            raise _BodyTooLargeError(len(body), bytes_max)
        if body:
            self.request = _with_body(self.request, body)

    async def _read_rest(self, first: bytes, bytes_max: int) -> bytes:
        pieces, n_bytes, more = [first], len(first), True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            pieces.append(message["body"])
            n_bytes += len(message["body"])
            more = message["more_body"]
            if n_bytes > bytes_max:
                raise _BodyTooLargeError(n_bytes, bytes_max)
        return b"".join(pieces)

    @property
    def closes(self) -> bool:
        """Whether the connection is of no use after the answer.

        A client that waits for ``100 Continue`` and gets its answer instead may or may not send
        the body: nobody can tell where the next request would begin.
        """
        return not self.body_read and self.request.header(b"expect") is not None


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
        self._verifier = Verifier(keys, clock) if auth == "sigv4" else None
        self._ids = ids
        self._account = account
        self._region = region
        self._routes = tuple(routes)
        self._limits = limits or BodyLimits()
        self._router = Router({name: models.service_model(name) for name in operations})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        client = scope["client"]
        exchange = _Exchange(
            request=HttpRequest(
                method=scope["method"],
                raw_path=scope["raw_path"],
                query=scope["query_string"],
                headers=tuple(scope["headers"]),
                body=b"",
                source_ip=client[0] if client else "",
            ),
            request_id=self._ids.uuid(),
            receive=receive,
            scheme=scope["scheme"],
        )
        try:
            response = await self._respond(exchange, scope["http_version"])
        except _ClientGoneError:
            return
        except Exception:
            log.exception("edge.failed", extra={"request_id": exchange.request_id})
            response = self._render_failure(exchange)
        await send_response(response, send, request_id=exchange.request_id, closes=exchange.closes)

    def _render_failure(self, exchange: _Exchange) -> HttpResponse:
        """What a client hears of a failure of ours: nothing but that it was ours."""
        code, message = _FAILURES.get(exchange.service or "", _FAILURE)
        try:
            return self._render_error(exchange, AwsError(code, message, status=500))
        except Exception:
            log.exception("edge.render_failed", extra={"request_id": exchange.request_id})
            return bare_error(exchange.request, 500, code, message)

    async def _respond(self, exchange: _Exchange, http_version: str) -> HttpResponse:
        request = exchange.request
        if not _has_one_host(request, http_version):
            return bare_error(
                request, 400, "BadRequest", "The request must have exactly one valid Host header."
            )
        for route in self._routes:
            if route.matches(request.raw_path):
                return await self._serve_route(route, exchange)
        try:
            return await self._operate(exchange)
        except AuthFailure as failure:
            error = refuse(failure, self._protocol(exchange))
        except AwsError as refusal:
            error = refusal
        except _BodyTooLargeError as large:
            error = self._too_large(exchange, large)
        return self._render_error(exchange, error)

    async def _serve_route(self, route: Route, exchange: _Exchange) -> HttpResponse:
        if not route.takes(exchange.request.method):
            return bare_error(
                exchange.request, 405, "MethodNotAllowed", f"Use {route.method} for this path."
            )
        try:
            await exchange.read_body(self._limits.bytes_max)
        except _BodyTooLargeError as large:
            return bare_error(
                exchange.request,
                413,
                "RequestEntityTooLargeException",
                f"Request must be smaller than {large.bytes_max} bytes",
            )
        return await route.handler(exchange.request)

    async def _operate(self, exchange: _Exchange) -> HttpResponse:
        request = exchange.request
        claim = self._read_claim(request, exchange)
        signing_name = claim.service if claim is not None else None
        fast = signing_name in (None, "lambda") and is_invoke(request.method, request.raw_path)
        exchange.service = "lambda" if fast else self._router.pick(request, signing_name)
        # Before the body is read: strangers must not fill our memory.
        key = None if self._verifier is None else self._verifier.find_key(_required(claim))
        await exchange.read_body(
            self._limits.payloads.bytes_max if fast else self._limits.bytes_max
        )
        if exchange.service is None:
            exchange.service = self._router.pick(exchange.request, signing_name)
        context = await self._authenticate(exchange, claim, key)
        if fast:
            call = parse_invoke(exchange.request, context, self._limits.payloads)
            return render_invoke(await self._invoker.invoke(call))
        return await self._call(exchange, context, claim)

    def _read_claim(self, request: HttpRequest, exchange: _Exchange) -> Claim | None:
        try:
            return read_claim(request)
        except AuthFailure as failure:
            # Without authentication a header of another scheme is nothing to us. But a scope that
            # cannot be must not land in some default region without a word.
            if self._verifier is None and failure.refusal is Refusal.INCOMPLETE:
                return None
            # Its error is rendered in the protocol of whatever service the request looks like.
            exchange.service = self._router.pick(request, None)
            raise

    async def _authenticate(
        self, exchange: _Exchange, claim: Claim | None, key: AccessKey | None
    ) -> RequestContext:
        """Establish the caller, and decode the body if it comes in chunks."""
        request = exchange.request
        if self._verifier is None or key is None:
            key_id = claim.access_key_id if claim is not None else ""
            principal = _root_user(self._account, key_id)
            seal = unchecked_seal(request)
        else:
            digest = None
            if len(request.body) > HASH_INLINE_BYTES_MAX and signs_body(request):
                digest = await asyncio.to_thread(_sha256_hex, request.body)
            seal = self._verifier.verify(request, _required(claim), key, digest)
            principal = key.principal
        if seal is not None:
            exchange.request = _with_body(request, await _decode(seal, request))
        return RequestContext(
            request_id=exchange.request_id,
            account=principal.account,
            region=claim.region if claim is not None else host_region(request) or self._region,
            principal=principal,
            endpoint=f"{exchange.scheme}://{(request.header(b'host') or b'localhost').decode()}",
            source_ip=request.source_ip,
        )

    async def _call(
        self, exchange: _Exchange, context: RequestContext, claim: Claim | None
    ) -> HttpResponse:
        """Run an operation through the codec."""
        service = exchange.service
        if service is None:
            raise _nobody_answers(exchange.request, claim)
        codec = codec_for(service, exchange.request)
        exchange.operation, params = codec.parse(exchange.request)
        name = exchange.operation.name
        handler = self._operations[service].get(name)
        if handler is None:
            reason = self._unsupported.get(service, {}).get(name, "")
            raise AwsError(
                "UnknownOperationException",
                f"{name} is not supported by Alonzo yet. {reason}".rstrip(),
                status=501,
            )
        result = await handler(context, params)
        return codec.render(exchange.operation, result, exchange.request_id)

    def _render_error(self, exchange: _Exchange, error: AwsError) -> HttpResponse:
        if exchange.service is None:
            status = error.status or 400
            return bare_error(exchange.request, status, error.code, error.message)
        codec = codec_for(exchange.service, exchange.request)
        return codec.render_error(error, exchange.request_id, exchange.operation)

    def _protocol(self, exchange: _Exchange) -> str:
        """The protocol whose codes a refusal takes; where no service is known, rest-json's."""
        if exchange.service is None:
            return "rest-json"
        return str(codec_for(exchange.service, exchange.request).service.protocol)

    def _too_large(self, exchange: _Exchange, large: _BodyTooLargeError) -> AwsError:
        request = exchange.request
        if exchange.service == "lambda" and is_invoke(request.method, request.raw_path):
            kind = invocation_type(request.headers)
            return payload_too_large(large.n_bytes, kind, self._limits.payloads)
        operation = exchange.service and self._router.operation_name(request, exchange.service)
        which = f"the {operation} operation" if operation else "this operation"
        return AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {large.bytes_max} bytes for {which}",
            status=413,
        )


def _with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    # By hand: dataclasses.replace costs five times as much, on every call with a body.
    return HttpRequest(
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        request.source_ip,
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


def _required(claim: Claim | None) -> Claim:
    if claim is None:
        raise AuthFailure(Refusal.MISSING)
    return claim


def _root_user(account: str, access_key_id: str) -> Principal:
    return Principal(account, f"arn:aws:iam::{account}:root", account, access_key_id, is_root=True)


def _has_one_host(request: HttpRequest, http_version: str) -> bool:
    """RFC 9112, 3.2. A probe in HTTP/1.0 may do without."""
    hosts = [value for name, value in request.headers if name == b"host"]
    if len(hosts) == 1:
        return _HOST.fullmatch(hosts[0]) is not None
    return not hosts and http_version == "1.0"


async def _decode(seal: ChunkSeal, request: HttpRequest) -> bytes:
    announced = request.header(b"x-amz-decoded-content-length")
    length = int(announced) if announced is not None and announced.isdigit() else None
    if len(request.body) <= HASH_INLINE_BYTES_MAX:
        return decode_body(seal, request.body, decoded_bytes=length)
    return await asyncio.to_thread(decode_body, seal, request.body, decoded_bytes=length)


def _sha256_hex(body: bytes) -> str:
    return sha256(body).hexdigest()
