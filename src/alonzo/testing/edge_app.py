"""One request to an application of its own, without a server; for unit tests of the edge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Never

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.edge.app import BodyLimits, EdgeApp, Route
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.response import Response
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.invocations import InvokeRequest, InvokeResult
from alonzo.model.ports.audit import AuditLog
from alonzo.model.ports.identity import AccessKey
from alonzo.model.ports.invoking import ResponseSink

USER = Principal("111122223333", "arn:aws:iam::111122223333:user/u", "AIDA", "AKIDUSER")


class Keys:
    """One access key, of ``USER``."""

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        """The key, if it is this one."""
        known = access_key_id == "AKIDUSER" and session_token is None
        return AccessKey("AKIDUSER", "secret", USER) if known else None


@dataclass
class Echo:
    """An invoker that answers the payload."""

    calls: list[InvokeRequest] = field(default_factory=list[InvokeRequest])

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        """The payload again; the functions ``broken`` and ``missing`` fail."""
        self.calls.append(request)
        if request.function_name == "broken":
            raise RuntimeError("secret detail")
        if request.function_name == "missing":
            raise AwsError("ResourceNotFoundException", "Function not found: x")
        return InvokeResult(200, request.payload, "$LATEST")

    async def stream(self, request: InvokeRequest, sink: ResponseSink) -> InvokeResult:
        """Nobody asks for a stream here."""
        raise NotImplementedError


async def _identity(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
    return {"Account": context.account, "Arn": context.principal.arn, "UserId": context.region}


async def _list_functions(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
    if params.get("MaxItems") == 13:
        raise ValueError("secret detail")
    return {"NextMarker": f"{context.region} {context.endpoint} {context.source_ip}"}


async def _health(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, {"content-type": "application/json"}, b'{"ok":true}')


async def _pieces(request: HttpRequest) -> HttpResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"one "
        if request.query == b"fail":
            raise ValueError("half-way")
        yield b"two"

    return HttpResponse(200, {}, body())


@dataclass
class Answer:
    """What came back. ``closes``: the connection ends with it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    closes: bool = False

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


async def _answer_of(response: Response) -> Answer:
    answer = Answer(response.status, closes=response.closes)
    lines = response.fields.decode("latin-1").removesuffix("\r\n").split("\r\n")
    answer.headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    if isinstance(response.body, bytes):
        answer.body = response.body
    else:
        async for piece in response.body:
            answer.body += piece
    return answer


@dataclass
class Asked:
    """One request to one application of its own; ``receives`` counts the pieces of its body."""

    auth: Literal["sigv4", "off"] = "sigv4"
    limits: BodyLimits | None = None
    audit: AuditLog | None = None
    echo: Echo = field(default_factory=Echo)
    receives: int = 0
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))
    gone: bool = False
    served: bool = False

    def __call__(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Mapping[str, str] | None = None,
        body: list[bytes] | bytes = b"",
        *,
        http_version: str = "1.1",
        gone: bool = False,
    ) -> Answer:
        """Send a request, and wait for its answer. ``gone``: the client leaves after its body."""
        chunks = [body] if isinstance(body, bytes) else list(body)
        fields = {"host": "127.0.0.1:4566"} | dict(headers or {})
        path, _, query = target.partition("?")
        head = Head(
            method,
            path.encode(),
            query.encode(),
            [(n.lower().encode(), v.encode()) for n, v in fields.items() if v],
        )
        incoming = Incoming(
            self,
            head,
            "10.0.0.9",
            http_1_0=http_version == "1.0",
            keep_alive=True,
            expects_continue=False,
        )
        self.body = iter(chunks)
        self.gone = gone
        app = EdgeApp(
            operations={
                "lambda": {"ListFunctions": _list_functions},
                "sts": {"GetCallerIdentity": _identity},
                "logs": {},
            },
            invoker=self.echo,
            keys=Keys(),
            clock=SystemClock(),
            ids=SequentialIds(),
            account="000000000000",
            auth=self.auth,
            routes=[
                Route("GET", b"/_alonzo/health", _health),
                Route(None, b"/_alonzo/code/", _pieces),
            ],
            limits=self.limits,
            audit=self.audit,
        )

        async def serve() -> Answer:
            response = await app.handle(incoming)
            self.served = True
            return Answer() if response is None else await _answer_of(response)

        return asyncio.run(serve())

    def wants_body(self, incoming: Incoming) -> None:
        """Send the body piece by piece, as long as the application wants more."""
        loop = asyncio.get_running_loop()

        def send_piece() -> None:
            if self.served:
                return
            piece = next(self.body, None)
            if piece is not None:
                self.receives += 1
                incoming.feed(piece)
                loop.call_soon(send_piece)
            elif self.gone:
                incoming.drop()
            else:
                incoming.finish()

        loop.call_soon(send_piece)

    def hold(self) -> Never:
        """No body here is longer than is taken at once."""
        raise NotImplementedError

    def begin_answer(self, incoming: Incoming, response: Response) -> Never:
        """Answers are given back, not sent."""
        raise NotImplementedError

    def signed(
        self,
        method: str,
        target: str,
        *,
        service: str = "lambda",
        secret: str = "secret",
        key: str = "AKIDUSER",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """The same, signed."""
        request = AWSRequest(method, f"http://127.0.0.1:4566{target}", data=body, headers=headers)
        SigV4Auth(Credentials(key, secret), service, "eu-west-1").add_auth(request)
        return self(method, target, dict(request.headers.items()), body)
