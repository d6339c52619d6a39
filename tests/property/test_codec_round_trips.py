"""Random values of every operation, through botocore's client and our codecs, both ways.

One example is one pass over all operations of a service, seeded by Hypothesis. Constraints are
taken out of the models first: this is about the codecs, and random texts match no pattern.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.model
import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.edge.protocols.base import Codec
from alonzo.edge.protocols.cbor import CborCodec
from alonzo.edge.protocols.json import JsonCodec
from alonzo.edge.protocols.query import QueryCodec
from alonzo.edge.protocols.rest_json import RestJsonCodec
from alonzo.edge.protocols.rest_xml import RestXmlCodec
from alonzo.model.http import HttpRequest
from alonzo.model.service_models import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StructureShape,
)

CODECS: dict[str, Any] = {
    "json": JsonCodec,
    "query": QueryCodec,
    "rest-json": RestJsonCodec,
    "rest-xml": RestXmlCodec,
    "smithy-rpc-v2-cbor": CborCodec,
}
SERVICES = [
    ("lambda", "rest-json"),
    ("sqs", "json"),
    ("sns", "query"),
    ("s3", "rest-xml"),
    ("logs", "json"),
    ("events", "json"),
    ("iam", "query"),
    ("sts", "query"),
    ("dynamodb", "json"),
    ("kinesis", "json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
    ("stepfunctions", "json"),
]
CONSTRAINTS = {"min", "max", "pattern", "enum"}
TEXTS = ["x", "a b&<c>\"'é", "  ", "😹/%2F+", "\u2028", "line\nline\ttab", "0"]
SAFE_TEXTS = ["x", "a-b_c.d", "arn:aws:lambda:eu-west-1:000000000000:function:f:1", "$LATEST~"]
LABELS = [*SAFE_TEXTS, "a/b%c d", "é"]


def without_constraints(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: without_constraints(value)
            for key, value in node.items()
            if key not in CONSTRAINTS or isinstance(value, dict)
        }
    return [without_constraints(item) for item in node] if isinstance(node, list) else node


@cache
def description(service: str, protocol: str) -> dict[str, Any]:
    found = without_constraints(Loader().load_service_model(service, "service-2"))
    found["metadata"]["protocol"] = protocol
    return found


@cache
def codec(service: str, protocol: str) -> Codec:
    return CODECS[protocol](ServiceModel(description(service, protocol), service))


@cache
def client_model(service: str, protocol: str) -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(description(service, protocol), service)


class Maker:
    """Makes values of shapes, of the kind that the protocol can carry where they stand."""

    def __init__(self, seed: int, protocol: str, *, with_infinity: bool = True) -> None:
        self._random = random.Random(seed)
        self._doubles = [0.0, -1.5, 0.25, 1024.0, *([float("inf")] if with_infinity else [])]
        self._is_text = protocol in ("query", "rest-xml")

    def value(self, shape: Shape, depth: int = 0, place: str | None = None) -> Any:
        place = shape.serialization.get("location", place)
        if isinstance(shape, StructureShape):
            return self.structure(shape, depth)
        if isinstance(shape, ListShape):
            count = range(self._random.randint(1 if place or self._is_text else 0, 2))
            return [self.value(shape.member, depth + 1, place) for _ in count]
        if isinstance(shape, MapShape):
            count = range(self._random.randint(1 if place or self._is_text else 0, 2))
            return {f"key-{index}": self.value(shape.value, depth + 1, place) for index in count}
        return self.scalar(shape, place)

    def structure(self, shape: StructureShape, depth: int) -> Any:
        if shape.is_document_type:
            return {"any": [1, "x", None]}
        names = list(shape.members)
        if shape.is_tagged_union and names:
            names = [self._random.choice(names)]
        needed = {*shape.required_members, shape.serialization.get("payload")}
        if shape.is_tagged_union or self._is_text:
            needed.update(names[:1])
        made: dict[str, Any] = {}
        for name in names:
            member = shape.members[name]
            is_needed = name in needed or member.serialization.get("location") == "statusCode"
            is_deep = depth > 3 and isinstance(member, StructureShape | ListShape | MapShape)
            if member.serialization.get("eventstream"):
                continue
            if is_needed or (self._random.random() < 0.6 and not is_deep):
                made[name] = self.value(member, depth + 1) if depth < 9 else None
        return {name: value for name, value in made.items() if value is not None}

    def scalar(self, shape: Shape, place: str | None) -> Any:
        pick = self._random
        kind = shape.type_name
        if shape.serialization.get("hostLabel"):
            return "label"
        if kind == "string":
            choices = TEXTS if place is None else LABELS if place == "uri" else SAFE_TEXTS
            return pick.choice(choices)
        if kind == "boolean":
            return pick.random() < 0.5
        if kind in ("integer", "long"):
            bits = 31 if kind == "integer" else 63
            return (
                200 if place == "statusCode" else pick.choice([0, -1, 1 << bits - 1, -(1 << bits)])
            )
        if kind in ("float", "double"):
            return pick.choice(self._doubles)
        if kind == "blob":
            return pick.choice([b"", b"plain", b"\x00\xff bytes"])
        assert kind == "timestamp"
        has_fraction = place is None and shape.serialization.get("timestampFormat") != "rfc822"
        moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=pick.randint(0, 3 << 30))
        return moment + timedelta(
            microseconds=pick.choice([0, 5000, 123456]) if has_fraction else 0
        )


def without_traceless(value: Any, shape: Shape | None, *, drop_empty: bool) -> Any:
    """Input or output without what its protocol cannot tell from nothing."""
    value = same(value, drop_empty=drop_empty)
    payload = shape.serialization.get("payload") if shape is not None else None
    return {key: item for key, item in value.items() if key != payload or item not in (b"", "")}


def same(value: Any, *, drop_empty: bool) -> Any:
    """A value with its streams read, and without empty lists and maps where they leave no trace."""
    if isinstance(value, dict):
        found = {key: same(item, drop_empty=drop_empty) for key, item in value.items()}
        return {key: item for key, item in found.items() if not (drop_empty and item in ({}, []))}
    if isinstance(value, list):
        return [same(item, drop_empty=drop_empty) for item in value]
    return value.read() if hasattr(value, "read") else value


def as_sent(
    params: dict[str, Any], operation: botocore.model.OperationModel, protocol: str
) -> HttpRequest:
    """The request that a client sends."""
    request = create_serializer(protocol, include_validation=False).serialize_to_request(
        params, operation
    )
    prepare_request_dict(request, endpoint_url="http://localhost:4566", context={})
    prepared = create_request_object(request).prepare()
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    headers = tuple(
        (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode())
        for name, value in prepared.headers.items()
    )
    return HttpRequest(
        prepared.method,
        parts.path.encode(),
        parts.query.encode(),
        headers,
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else body.read(),
        "127.0.0.1",
    )


def operations(found: Codec) -> Iterator[OperationModel]:
    for name in found.service.operation_names:
        operation = found.service.operation_model(name)
        if not operation.has_event_stream_input and not operation.deprecated:
            yield operation


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 30))
def test_what_a_client_sends_is_what_we_read(service: str, protocol: str, seed: int) -> None:
    found = codec(service, protocol)
    maker = Maker(seed, protocol)
    drop_empty = protocol in ("query", "rest-xml")
    for operation in operations(found):
        shape = operation.input_shape
        params = maker.value(shape) if shape is not None else {}
        sent = client_model(service, protocol).operation_model(operation.name)
        read_operation, read = found.parse(as_sent(params, sent, protocol))
        if read_operation.name != operation.name:
            # Twins of one path: S3 keeps them for clients of long ago.
            assert read_operation.http == operation.http
            continue
        if "ContentLength" not in params:  # A client adds it by itself.
            read.pop("ContentLength", None)
        wanted = without_traceless(params, shape, drop_empty=drop_empty)
        assert without_traceless(read, shape, drop_empty=drop_empty) == wanted


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 30))
def test_what_we_answer_is_what_a_client_reads(service: str, protocol: str, seed: int) -> None:
    found = codec(service, protocol)
    # botocore reads the text "Infinity" back as a text.
    maker = Maker(seed, protocol, with_infinity=False)
    parser = create_parser(protocol)
    drop_empty = protocol in ("query", "rest-xml")
    for operation in operations(found):
        # The location of a bucket is read by a handler of botocore's: its document is one text.
        if operation.has_event_stream_output or operation.name == "GetBucketLocation":
            continue
        shape = operation.output_shape
        result = maker.value(shape) if shape is not None else {}
        response = found.render(operation, result, "request-1")
        assert isinstance(response.body, bytes)
        is_raw = operation.has_streaming_output
        read = parser.parse(
            {
                "status_code": response.status,
                "headers": HeadersDict(response.headers),
                "body": io.BytesIO(response.body) if is_raw else response.body,
                "context": {"operation_name": operation.name},
            },
            shape,
        )
        metadata = read.pop("ResponseMetadata")
        assert shape is None or metadata["RequestId"] == "request-1"
        if "ContentType" not in result:  # A body has a type, also where the output does not say it.
            read.pop("ContentType", None)
        wanted = without_traceless(result, shape, drop_empty=drop_empty)
        assert without_traceless(read, shape, drop_empty=drop_empty) == wanted


class RawStream:
    """A response's body as botocore's event streams want it, cut at awkward places."""

    def __init__(self, body: bytes, size: int) -> None:
        self._pieces = [body[index : index + size] for index in range(0, len(body), size)]

    def stream(self) -> Iterator[bytes]:
        return iter(self._pieces)


@settings(max_examples=20)
@given(
    payloads=st.lists(st.binary(max_size=64), max_size=5),
    error=st.sampled_from([None, "Unhandled"]),
    size=st.integers(1, 100),
)
def test_a_streamed_invoke_reaches_the_client_event_by_event(
    payloads: list[bytes], error: str | None, size: int
) -> None:
    found = codec("lambda", "rest-json")
    operation = found.service.operation_model("InvokeWithResponseStream")
    complete = {"ErrorCode": error} if error else {}
    events = [{"PayloadChunk": {"Payload": part}} for part in payloads]
    events.append({"InvokeComplete": complete})

    async def come() -> AsyncIterator[dict[str, Any]]:
        for event in events:
            yield event

    async def gather() -> bytes:
        result = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "EventStream": come()}
        response = found.render(operation, result, "request-1")
        assert response.headers["X-Amz-Executed-Version"] == "$LATEST"
        assert not isinstance(response.body, bytes)
        return b"".join([frame async for frame in response.body])

    response = {
        "status_code": 200,
        "headers": HeadersDict({}),
        "body": RawStream(asyncio.run(gather()), size),
        "context": {"operation_name": operation.name},
    }
    read = create_parser("rest-json").parse(response, operation.output_shape)
    assert list(read["EventStream"]) == events
