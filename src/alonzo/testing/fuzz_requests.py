"""Requests of any operation as clients send them, and what is left of them after a few changes."""

from __future__ import annotations

import datetime
import functools
import json
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import urlsplit

import cbor2
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StructureShape,
)
from botocore.serialize import create_serializer

from alonzo.model.http import HttpRequest
from alonzo.testing.fuzzing import mutated, mutated_tree

_DEPTH_MAX = 6
_TEXTS = (
    "thing", "x", "", "a b&<c>\"'é", "😹/%2F+", "../..", "*", "arn:aws:iam::000000000000:role/test",
    "arn:aws:lambda:us-east-1:000000000000:function:thing", "thing:1", "$LATEST", "0", "x" * 70,
    "python3.12", "alias/aws/ssm", "/thing/a", "1d", "{}", '{"a":[1]}', "2026-11-21T10:00:00Z",
)  # fmt: skip
#: What shapes whose names have a word in them are likely to mean.
_KNOWN = (
    ("arn", "arn:aws:lambda:us-east-1:000000000000:function:thing"),
    ("arn", "arn:aws:iam::000000000000:role/test"),
    ("arn", "arn:aws:sns:us-east-1:000000000000:thing"),
    ("arn", "arn:aws:iam::000000000000:policy/thing"),
    ("role", "arn:aws:iam::000000000000:role/test"),
    ("policydocument", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",'
     '"Resource":"*"}]}'),
    ("policy", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
     '"Action":"*","Resource":"*"}]}'),
    ("keyid", "alias/aws/ssm"),
    ("keyid", "alias/thing"),
    ("aliasname", "alias/thing"),
    ("parametername", "/thing/a"),
    ("version", "$LATEST"),
    ("qualifier", "1"),
    ("url", "http://localhost:4566/000000000000/thing"),
    ("handler", "m.handler"),
    ("token", "AAAA"),
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 3, 10, 128, 900, 10_000, 2**31 - 1, -(2**31), 2**63 - 1)


@functools.cache
def _operations(service: str) -> tuple[OperationModel, ...]:
    # botocore's own, which its serializers know. Without extras of its clients, which we have not.
    loader = Loader(include_default_extras=False)
    model = ServiceModel(loader.load_service_model(service, "service-2"), service)
    every = (model.operation_model(name) for name in model.operation_names)
    return tuple(
        each for each in every if not each.has_event_stream_input | each.has_event_stream_output
    )


def value_of(pick: Random, shape: Shape, share: float, depth: int = 0) -> Any:
    """Some value of a shape, with that share of what need not be there; types are kept."""
    if isinstance(shape, StructureShape):
        if shape.is_document_type:
            return {"any": [1, None]}
        chosen: dict[str, Any] = {}
        for name, member in shape.members.items():
            if name in shape.required_members or (depth < _DEPTH_MAX and pick.random() < share):
                chosen[name] = value_of(pick, member, share, depth + 1)
        return chosen
    if isinstance(shape, ListShape):
        count = pick.choice((0, 1, 1, 1, 2)) if depth < _DEPTH_MAX else 0
        return [value_of(pick, shape.member, share, depth + 1) for _ in range(count)]
    if isinstance(shape, MapShape):
        count = pick.choice((0, 1, 2)) if depth < _DEPTH_MAX else 0
        return {f"k{n}": value_of(pick, shape.value, share, depth + 1) for n in range(count)}
    return _scalar(pick, shape)


def _scalar(pick: Random, shape: Shape) -> Any:
    kind = shape.type_name
    if kind == "string":
        return "label" if shape.serialization.get("hostLabel") else _text(pick, shape)
    if kind == "timestamp":
        return datetime.datetime.fromtimestamp(pick.randrange(1 << 31), datetime.UTC)
    if kind == "blob":
        return pick.choice((b"", b"plain", b"\x00\xff bytes", b"PK\x05\x06" + b"\0" * 18))
    if kind == "boolean":
        return pick.random() < 0.5
    if kind not in ("integer", "long"):
        return pick.choice((0.0, 1.5, -2.25))
    least: int = shape.metadata.get("min", 1)
    most: int = shape.metadata.get("max", least + 100)
    fits = int(least) <= int(most) and pick.random() < 0.9
    return pick.randint(int(least), int(most)) if fits else pick.choice(_NUMBERS)


def _text(pick: Random, shape: Shape) -> str:
    """Mostly the name of something that may be there, as long as the shape wants it."""
    allowed: list[str] = shape.metadata.get("enum") or []
    if allowed and pick.random() < 0.9:
        return pick.choice(allowed)
    if pick.random() < 0.15:
        return pick.choice(_TEXTS)
    name = shape.name.lower()
    known = [text for word, text in _KNOWN if word in name]
    text = pick.choice(known) if known else "thing"
    return text.ljust(shape.metadata.get("min", 0), "x")


def good_request(pick: Random, service: str, protocol: str | None = None) -> HttpRequest:
    """A request for some operation of a service, as botocore sends it."""
    operation = pick.choice(_operations(service))
    shape = operation.input_shape
    share = pick.choice((0.05, 0.2, 0.6))
    params: dict[str, Any] = {} if shape is None else value_of(pick, shape, share)
    serializer = create_serializer(protocol or operation.service_model.protocol, False)
    made = serializer.serialize_to_request(params, operation)
    prepare_request_dict(made, endpoint_url="http://localhost:4566", context={})
    prepared: Any = create_request_object(made).prepare()
    parts = urlsplit(str(prepared.url))
    body: Any = prepared.body or b""
    if hasattr(body, "read"):
        body = body.read()
    return HttpRequest(
        prepared.method,
        parts.path.encode(),
        parts.query.encode(),
        tuple((name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()),
        _bytes(body),
        "127.0.0.1",
    )


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()


def changed_request(pick: Random, request: HttpRequest) -> HttpRequest:
    """The request with one part of it changed; the length that it states is right all the same."""
    kind = pick.randrange(6)
    if kind == 0:
        return replace(request, raw_path=_line(b"/" + mutated(pick, request.raw_path[1:])))
    if kind == 1:
        return replace(request, query=_line(mutated(pick, request.query)))
    if kind == 2:
        return replace(request, headers=_changed_headers(pick, request.headers))
    if kind == 3:
        return with_body(request, mutated(pick, request.body))
    return with_body(request, _changed_document(pick, request))


def _changed_headers(
    pick: Random, headers: tuple[tuple[bytes, bytes], ...]
) -> tuple[tuple[bytes, bytes], ...]:
    """One value changed; not one of those that say where the request ends."""
    at = pick.randrange(len(headers) + 1)
    return tuple(
        (name, _line(mutated(pick, value)))
        if index == at and name not in (b"content-length", b"expect")
        else (name, value)
        for index, (name, value) in enumerate(headers)
    )


def with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    """The request with another body, and its length."""
    headers = tuple(
        (name, b"%d" % len(body) if name == b"content-length" else value)
        for name, value in request.headers
    )
    return replace(request, headers=headers, body=body)


def _changed_document(pick: Random, request: HttpRequest) -> bytes:
    """The body changed as a document, if it is one of those that we can read."""
    body = request.body
    try:
        if body[:1] in b"{[" and body:
            return json.dumps(mutated_tree(pick, json.loads(body))).encode()
        if (b"smithy-protocol", b"rpc-v2-cbor") in request.headers:
            return cbor2.dumps(mutated_tree(pick, cbor2.loads(body)))
    except (ValueError, cbor2.CBORError):
        pass
    return mutated(pick, body)


def _line(data: bytes) -> bytes:
    """Without what would end the line: whatever is behind that is another input."""
    return data.translate(None, b"\r\n\0 ")


def on_the_wire(request: HttpRequest) -> bytes:
    """The request as bytes."""
    target = request.raw_path + (b"?" + request.query if request.query else b"")
    names = {name for name, _ in request.headers}
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), target)]
    lines += [b"%b: %b" % header for header in request.headers]
    if b"host" not in names:
        lines.append(b"host: localhost")
    if b"content-length" not in names and b"transfer-encoding" not in names:
        lines.append(b"content-length: %d" % len(request.body))
    return b"\r\n".join((*lines, b"", request.body))
