"""Serves function URLs: one request in, one invocation, one response out.

    address → URL → preflight? → who calls, may they? → body → event → invoke → answer → CORS

A request that may not call, or is too long, costs no environment; nobody's body is read before it
is known who they are, or that they need not say.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from alonzo.edge.door import HASH_INLINE_BYTES_MAX, Door, decode
from alonzo.edge.function_urls import refusals
from alonzo.edge.function_urls.address import address_of
from alonzo.edge.function_urls.context import context_of
from alonzo.edge.function_urls.cors import answers_preflight, preflight_headers, with_cors
from alonzo.edge.function_urls.event import Call, render_event
from alonzo.edge.function_urls.permission import admits, admits_stranger, keys_asked
from alonzo.edge.function_urls.prelude import split_whole
from alonzo.edge.function_urls.refusals import RefusedError
from alonzo.edge.function_urls.result import Answer, MalformedResultError, read_result
from alonzo.edge.function_urls.stream import StreamedAnswer
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import BodyTooLargeError, Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.arns import FunctionRef
from alonzo.model.callers import caller_of
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.function_urls import IAM, RESPONSE_STREAM, FunctionUrl
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.metering import LambdaMetric, Uncounted
from alonzo.model.payloads import PayloadLimits
from alonzo.model.ports.identity import ResourceFacts
from alonzo.model.ports.invoking import FunctionUrls, Invoker, StandingOf
from alonzo.model.ports.logs import FunctionMetrics

T = TypeVar("T")

log = logging.getLogger("alonzo.edge")

#: A trace header that a client may hand on; it is shown to the function, and to the client again.
_TRACE = re.compile(rb"(?=.*Root=1-)[!-~ ]{1,512}")

#: The service that signatures are for.
_SERVICE = "lambda"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_STRANGER = Principal("anonymous", "anonymous", "anonymous", "")


class FunctionUrlServer:
    """Answers the requests that ``address`` says are for function URLs."""

    def __init__(
        self,
        urls: FunctionUrls,
        invoker: Invoker,
        door: Door,
        standing_of: StandingOf,
        *,
        clock: Clock,
        ids: IdSource,
        limits: PayloadLimits | None = None,
        metrics: FunctionMetrics | None = None,
        facts: ResourceFacts | None = None,
    ) -> None:
        """``door`` tells who signed, where somebody must; ``standing_of``, what they may.

        ``facts`` has the tags of functions, for policies that ask for them.
        """
        self._facts = facts
        self._urls = urls
        self._invoker = invoker
        self._door = door
        self._standing_of = standing_of
        self._clock = clock
        self._ids = ids
        self._bytes_max = (limits or PayloadLimits()).sync_bytes_max
        self._metrics = metrics or Uncounted()

    async def serve(self, incoming: Incoming, request_id: str) -> Response | None:
        """Serve one request; None: its answer has been sent.

        Raises:
            ClientGoneError: its client left before it was whole.
        """
        head = incoming.head
        address = address_of(head.fields.get(b"host", b""), head.raw_path)
        url = await self._urls.find(address.url_id)
        if url is None or address.region not in (None, url.key.region):
            return _rendered(refusals.unknown_url(), incoming, request_id)
        now_s = self._clock.now_s()
        call = Call(
            address=address,
            head=head,
            source_ip=incoming.source_ip,
            request_id=request_id,
            now_s=now_s,
            trace_header=self._trace_header(head, now_s),
            http_1_0=incoming.http_1_0,
            scheme=incoming.scheme,
        )
        finish = partial(self._finished, url, call, incoming, self._clock.monotonic_s())
        if url.cors is not None and answers_preflight(head):
            return finish(Answer(200, preflight_headers(url.cors, head)), None)
        try:
            call, body = await self._admitted(url, call, incoming)
            request = await self._request(url, call, body)
            if url.invoke_mode == RESPONSE_STREAM:
                return await StreamedAnswer(incoming, finish).run(self._invoker, request)
            return finish(*await self._invoke(request))
        except RefusedError as refused:
            return finish(refused.answer, None)
        except AuthFailure as failure:
            await asyncio.sleep(self._door.penalty_s(failure, incoming))
            return finish(refusals.unauthenticated(failure), None)
        except BodyTooLargeError:
            return finish(refusals.too_large(self._bytes_max), None)
        except AwsError as error:
            return finish(refusals.not_invoked(error), None)

    # --- who calls

    async def _admitted(
        self, url: FunctionUrl, call: Call, incoming: Incoming
    ) -> tuple[Call, bytes]:
        """The call with its caller, and its body.

        Raises:
            RefusedError: the caller may not call.
            AuthFailure: the caller is not who they say.
            BodyTooLargeError: the body is over the limit.
            ClientGoneError: there will be no body.
        """
        if url.auth_type == IAM:
            return await self._signed(url, call, incoming)
        if not admits_stranger(url, context_of(call, url.key.region)):
            raise RefusedError(refusals.forbidden())
        return call, await incoming.read_body(self._bytes_max)

    async def _signed(self, url: FunctionUrl, call: Call, incoming: Incoming) -> tuple[Call, bytes]:
        head, door = call.head, self._door
        claim = door.read_claim(head)
        if claim is None and door.is_locked:
            raise RefusedError(refusals.forbidden())
        if claim is not None and (claim.service, claim.region) != (_SERVICE, url.key.region):
            raise AuthFailure(Refusal.MISMATCH)
        key = door.find_key(claim)
        body_hash = door.hash_of(head, key)
        look = None if body_hash is None else body_hash.feed
        body = await incoming.read_body(self._bytes_max, look)
        body_sha256 = None if body_hash is None else await body_hash.hex()
        principal, seal = door.admit(head, body, claim, key, body_sha256)
        own = await self._standing_of(principal)
        context = context_of(call, url.key.region, principal, own.tags)
        if self._facts is not None:
            found = await self._facts.find(url.arn, keys_asked(url, own.policies))
            context = {**found, **context}
        if not admits(url, caller_of(principal), own.policies, context):
            raise RefusedError(refusals.forbidden())
        if seal is not None:
            body = await decode(seal, head, body)
        return replace(call, caller=principal), body

    # --- the invocation

    async def _request(self, url: FunctionUrl, call: Call, body: bytes) -> InvokeRequest:
        payload = await _beside(len(body), lambda: render_event(call, body))
        if len(payload) > self._bytes_max:
            raise RefusedError(refusals.too_large(self._bytes_max))
        return InvokeRequest(
            request_id=call.request_id,
            account=url.key.account,
            region=url.key.region,
            function_name=url.key.name,
            qualifier=url.alias,
            invocation_type=InvocationType.REQUEST_RESPONSE,
            payload=payload,
            principal=call.caller or _STRANGER,
            trace_header=call.trace_header,
        )

    async def _invoke(self, request: InvokeRequest) -> tuple[Answer, str | None]:
        """The answer, and the trace header of the invocation."""
        result = await self._invoker.invoke(request)
        payload, answer = result.payload, refusals.BAD_GATEWAY
        if result.function_error is None:
            try:
                answer = await _beside(
                    len(payload), lambda: split_whole(payload) or read_result(payload)
                )
            except MalformedResultError as error:
                log.info(
                    "function_url.malformed",
                    extra={"request_id": request.request_id, "reason": str(error)},
                )
        return answer, result.trace_header

    # --- the answer

    def _finished(
        self,
        url: FunctionUrl,
        call: Call,
        incoming: Incoming,
        began_at_s: float,
        answer: Answer,
        trace_header: str | None,
    ) -> Response:
        """The response to any request of a URL that exists: here its final status is known.

        ``began_at_s`` is of the monotonic clock.
        """
        ref, count = FunctionRef(url.key, url.alias), self._metrics.add_nowait
        count(LambdaMetric.URL_REQUEST_COUNT, ref)
        took_ms = (self._clock.monotonic_s() - began_at_s) * 1000
        count(LambdaMetric.URL_REQUEST_LATENCY, ref, took_ms)
        if answer.status >= _SERVER_ERROR:
            count(LambdaMetric.URL_5XX_COUNT, ref)
        elif answer.status >= _CLIENT_ERROR:
            count(LambdaMetric.URL_4XX_COUNT, ref)
        headers = with_cors(url.cors, call.head, answer.headers)
        traced = [("x-amzn-trace-id", trace_header or call.trace_header)]
        return _rendered(replace(answer, headers=headers + traced), incoming, call.request_id)

    def _trace_header(self, head: Head, now_s: float) -> str:
        """The trace that the client says the request belongs to, or a new one."""
        given = _TRACE.fullmatch(head.fields.get(b"x-amzn-trace-id", b""))
        if given is not None:
            return given[0].decode()
        return f"Root=1-{int(now_s):08x}-{self._ids.hex(12)}"


def _rendered(answer: Answer, incoming: Incoming, request_id: str) -> Response:
    lines = [f"{name}: {value}\r\n".encode("utf-8", "replace") for name, value in answer.headers]
    lines.append(f"x-amzn-requestid: {request_id}\r\n".encode())
    # Nobody can tell whether a client that waits for ``100 Continue`` still sends its body.
    closes = not incoming.asked and b"expect" in incoming.head.fields
    return Response(answer.status, b"".join(lines), answer.body, closes=closes)


async def _beside(n_bytes: int, work: Callable[[], T]) -> T:
    """Do some work on so many bytes, in a thread if they are many."""
    return work() if n_bytes <= HASH_INLINE_BYTES_MAX else await asyncio.to_thread(work)
