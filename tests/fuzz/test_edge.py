"""What a client may send: bytes, heads, signatures, bodies. No exception, no 500, in bounds."""

import asyncio
import contextlib
import gzip
import logging
import re
from random import Random

import cbor2
import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.edge.app import BodyLimits, EdgeApp
from alonzo.edge.http1.connection import Connection
from alonzo.edge.http1.connections import Hall
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.limits import ServerLimits
from alonzo.edge.listener import Listener
from alonzo.edge.protocols import codec_for
from alonzo.edge.protocols.cbor import load_cbor
from alonzo.edge.protocols.event_stream import decode_frame, encode_frame
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.sigv4.chunked import decode_body
from alonzo.edge.sigv4.claim import read_claim
from alonzo.edge.sigv4.refusals import AuthFailure
from alonzo.edge.sigv4.verify import ChunkSeal, Verifier
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest
from alonzo.model.invocations import InvokeResult
from alonzo.model.ports.identity import AccessKey
from alonzo.testing.fuzz_requests import changed_request, good_request, on_the_wire
from alonzo.testing.fuzzing import mutated, pieces

SERVICES = [
    *("lambda", "iam", "sts", "kms", "ssm", "secretsmanager", "logs", "cloudwatch"),
    *("sqs", "sns", "s3", "dynamodb", "events", "kinesis", "stepfunctions"),
]
USER = Principal("111122223333", "arn:aws:iam::111122223333:user/u", "AIDA", "AKIDUSER")
CREDENTIALS = Credentials("AKIDUSER", "secret")


class Keys:
    def find(self, access_key_id, session_token):
        known = access_key_id == "AKIDUSER" and session_token is None
        return AccessKey("AKIDUSER", "secret", USER) if known else None


class Echo:
    async def invoke(self, request):
        return InvokeResult(200, request.payload, "$LATEST")

    async def stream(self, request, sink):
        raise AwsError("ResourceNotFoundException", "Function not found: x")


class Anything(dict):
    """Every operation there is, with an empty answer."""

    def get(self, name, default=None):
        async def operation(context, params):
            return {}

        return operation

    def __contains__(self, name):
        return True


class Wire(asyncio.Transport):
    def __init__(self):
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.out = bytearray()
        self.closing = False

    def write(self, data):
        self.out += data

    def writelines(self, pieces):
        self.out += b"".join(pieces)

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    abort = close

    def pause_reading(self):
        pass

    resume_reading = pause_reading


def app_for(auth):
    return EdgeApp(
        operations={name: Anything() for name in SERVICES},
        invoker=Echo(),
        keys=Keys(),
        clock=SystemClock(),
        ids=SystemIds(),
        account="111122223333",
        auth=auth,
        limits=BodyLimits(bytes_max=1 << 20),
    )


async def talk(app, data):
    """What one connection answers to bytes that come in pieces, and then no more."""
    wire, scope = Wire(), TaskScope()
    hall = Hall(app.handle, ServerLimits())
    connection = Connection(hall, Listener(set(), scope, 10), asyncio.get_running_loop())
    connection.connection_made(wire)
    for piece in data:
        if wire.closing:
            break
        connection.data_received(piece)
        for _ in range(3):
            await asyncio.sleep(0)
    connection.connection_lost(None)
    async with asyncio.timeout(20):
        await scope.drain()
    return bytes(wire.out)


def signed(pick, request):
    """The request signed, in a header or presigned."""
    kind = pick.choice((SigV4Auth, SigV4Auth, SigV4QueryAuth, S3SigV4QueryAuth))
    made = AWSRequest(
        request.method,
        f"http://localhost{request.raw_path.decode('latin-1')}",
        data=request.body if kind is SigV4Auth else b"",
        headers={name.decode(): value.decode("latin-1") for name, value in request.headers},
    )
    kind(CREDENTIALS, pick.choice(("lambda", "s3", "iam")), "us-east-1").add_auth(made)
    prepared = made.prepare()
    path, _, query = prepared.url.removeprefix("http://localhost").partition("?")
    headers = tuple(
        (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode())
        for name, value in prepared.headers.items()
    )
    return HttpRequest(
        request.method, path.encode(), query.encode(), headers, request.body, "127.0.0.1"
    )


@pytest.mark.parametrize("auth", ["off", "sigv4"])
def test_a_connection_takes_whatever_bytes_come(fuzz, caplog, auth):
    caplog.set_level(logging.ERROR)
    app = app_for(auth)
    with asyncio.Runner() as runner:

        def step(pick):
            data = b""
            for _ in range(pick.choice((1, 1, 1, 2, 4))):
                request = good_request(pick, pick.choice(SERVICES))
                if auth == "sigv4" and pick.random() < 0.7:
                    request = signed(pick, request)
                data += on_the_wire(request)
            data = mutated(pick, data) if pick.random() < 0.95 else data
            out = runner.run(talk(app, pieces(pick, data)))
            assert not re.search(rb"HTTP/1\.1 50[0234]", out), out[:500]
            assert not caplog.records, caplog.text

        fuzz(step)


@pytest.mark.parametrize("service", [*SERVICES, "cloudwatch rpc-v2-cbor", "sqs query"])
def test_a_codec_reads_or_refuses_every_request(fuzz, service):
    service, _, protocol = service.partition(" ")
    protocol = {"rpc-v2-cbor": "smithy-rpc-v2-cbor"}.get(protocol, protocol)

    def step(pick):
        request = good_request(pick, service, protocol or None)
        if pick.random() < 0.9:
            request = changed_request(pick, request)
        if pick.random() < 0.02:
            packed = gzip.compress(request.body)
            headers = (*request.headers, (b"content-encoding", b"gzip"))
            request = HttpRequest(
                request.method, request.raw_path, request.query, headers, mutated(pick, packed), ""
            )
        codec = codec_for(service, request)
        operation = None
        try:
            operation, params = codec.parse(request)
            assert isinstance(params, dict)
        except AwsError as error:
            response = codec.render_error(error, "r", operation)
            assert 400 <= response.status < 500 or response.status == 501

    fuzz(step)


def test_a_claim_is_read_and_judged_or_refused(fuzz):
    verifier = Verifier(Keys(), SystemClock())
    template = good_request(Random(1), "lambda")

    def step(pick):
        request = signed(pick, template)
        if pick.random() < 0.97:
            at = pick.randrange(len(request.headers) + 1)
            headers = list(request.headers)
            query = request.query
            if at == len(headers):
                query = mutated(pick, query)
            else:
                headers[at] = headers[at][0], mutated(pick, headers[at][1])
            request = HttpRequest(
                request.method, request.raw_path, query, tuple(headers), request.body, ""
            )
        head = Head.of(request)
        try:
            claim = read_claim(head)
            if claim is not None:
                key = verifier.find_key(claim)
                verifier.verify(head, request.body, claim, key, None)
        except (AuthFailure, AwsError):
            pass

    fuzz(step)


def test_no_changed_request_passes_for_a_signed_one(fuzz):
    verifier = Verifier(Keys(), SystemClock())
    base = HttpRequest("POST", b"/a/b", b"", ((b"host", b"localhost"), (b"x-amz-meta", b"v")),
                       b'{"a": 1}', "")  # fmt: skip

    def step(pick):
        request = signed(Random(1), base)
        body, path = request.body, request.raw_path
        if pick.random() < 0.5:
            body = mutated(pick, body)
        else:
            path = b"/" + mutated(pick, path[1:]).translate(None, b"\r\n ?")
        changed = HttpRequest(
            request.method, path, request.query, request.headers, body, request.source_ip
        )
        if (body, path) == (request.body, request.raw_path):
            return
        head = Head.of(changed)
        claim = read_claim(head)
        try:
            verifier.verify(head, body, claim, verifier.find_key(claim), None)
        except (AuthFailure, AwsError):
            return
        # What normalises to the same path is the same request.
        assert body == request.body
        assert re.sub(rb"/+|%2[fF]|/\./", b"/", path).strip(b"/.") or path

    fuzz(step)


def test_a_chunked_body_is_decoded_or_refused(fuzz):
    seal = ChunkSeal(b"k" * 32, "20261121T000000Z", "20261121/us-east-1/s3/aws4_request", "a" * 64,
                     signed=True, trailer=True)  # fmt: skip
    body = (
        b"5;chunk-signature=" + b"a" * 64 + b"\r\nhello\r\n0;chunk-signature=" + b"b" * 64
        + b"\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:" + b"c" * 64 + b"\r\n\r\n"
    )  # fmt: skip

    def step(pick):
        unsigned = ChunkSeal(None, "", "", "", signed=pick.random() < 0.5, trailer=True)
        chosen = pick.choice((seal, unsigned))
        try:
            out = decode_body(chosen, mutated(pick, body), decoded_bytes=pick.choice((None, 5)))
            assert len(out) <= 200_000
        except (AuthFailure, AwsError):
            pass

    fuzz(step)


def test_an_event_stream_frame_is_read_or_refused(fuzz):
    frame = encode_frame({":event-type": "a", "n": 5, "b": b"x", "t": True}, b"payload")

    def step(pick):
        try:
            found = decode_frame(mutated(pick, frame))
            assert found is None or isinstance(found[0].payload, bytes)
        except Malformed:
            pass

    fuzz(step)


def test_cbor_is_read_or_refused(fuzz):
    document = cbor2.dumps({"a": [1, -2, 1.5, "x", b"y", None, True, {"b": []}], "t": 1 << 40})

    def step(pick):
        with contextlib.suppress(Malformed):
            load_cbor(mutated(pick, document))

    fuzz(step)
