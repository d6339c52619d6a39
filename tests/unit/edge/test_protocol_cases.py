"""botocore's protocol cases, turned round: it made them to test a client, we test a server.

Its serialised requests must parse to its parameters; what we render for its results, its own
parser must read back. ``tests/wire/protocols/README.md`` says where the cases come from.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from alonzo.edge.protocols.cbor import CborCodec
from alonzo.edge.protocols.json import JsonCodec
from alonzo.edge.protocols.query import QueryCodec
from alonzo.edge.protocols.rest_json import RestJsonCodec
from alonzo.edge.protocols.rest_xml import RestXmlCodec
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest
from alonzo.model.service_models import ServiceModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from alonzo.edge.protocols.base import Codec

CASES = Path(__file__).parents[2] / "wire" / "protocols"
LEFT_OUT: dict[str, dict[str, str]] = json.loads((CASES / "left-out.json").read_text())
CODECS: dict[str, Any] = {
    "json": JsonCodec,
    "query": QueryCodec,
    "rest-json": RestJsonCodec,
    "rest-xml": RestXmlCodec,
    "smithy-rpc-v2-cbor": CborCodec,
}


def suites(side: str, protocol: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for suite in json.loads((CASES / f"{side}-{protocol}.json").read_text()):
        for case in suite["cases"]:
            yield suite, case


def codec_of(suite: dict[str, Any], case: dict[str, Any]) -> Codec:
    name = case["given"]["name"]
    description = {
        "metadata": {"apiVersion": "", **suite["metadata"]},
        "operations": {name: case["given"]},
        "shapes": suite["shapes"],
    }
    return CODECS[suite["metadata"]["protocol"]](ServiceModel(description, "example"))


def plain(value: Any) -> Any:
    """Values as the cases spell them: no nulls, blobs as texts, timestamps as epochs."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "timestamp"):
        return round(value.timestamp(), 3)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def request_of(case: dict[str, Any], metadata: dict[str, Any]) -> HttpRequest:
    protocol = metadata["protocol"]
    given = {"headers": {}, **case["serialized"]}
    if protocol == "json":  # Some cases leave out the header that says what they are.
        target = f"{metadata.get('targetPrefix', '')}.{case['given']['name']}"
        given["headers"] = {"X-Amz-Target": target, **given["headers"]}
    path, _, query = given.get("uri", "/").partition("?")
    body = given.get("body") or ""
    raw = base64.b64decode(body) if protocol == "smithy-rpc-v2-cbor" else body.encode()
    headers = tuple((k.lower().encode(), v.encode()) for k, v in given["headers"].items())
    method = given.get("method", case["given"].get("http", {}).get("method", "POST"))
    return HttpRequest(method, path.encode(), query.encode(), headers, raw, "127.0.0.1")


def check_input(suite: dict[str, Any], case: dict[str, Any]) -> str | None:
    """None, or what is wrong."""
    codec = codec_of(suite, case)
    operation, params = codec.parse(request_of(case, suite["metadata"]))
    assert operation.name == case["given"]["name"]
    wanted, found = plain(case.get("params", {})), plain(params)
    return None if wanted == found else f"{wanted} became {found}"


def read_back(protocol: str, response: Any, shape: Any, name: str) -> dict[str, Any]:
    parsed = create_parser(protocol).parse(
        {
            "status_code": response.status,
            "headers": HeadersDict(response.headers),
            "body": response.body,
            "context": {"operation_name": name},
        },
        shape,
    )
    parsed.pop("ResponseMetadata", None)
    return parsed


async def as_they_come(events: list[Any]) -> AsyncIterator[Any]:
    for event in events:
        yield event


async def gather(pieces: Any) -> list[bytes]:
    return [piece async for piece in pieces]


class RawStream:
    """A response's body as botocore's event streams want it."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def stream(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        pass


def check_output(suite: dict[str, Any], case: dict[str, Any]) -> str | None:
    """None, or what is wrong."""
    protocol = suite["metadata"]["protocol"]
    codec = codec_of(suite, case)
    operation = codec.service.operation_model(case["given"]["name"])
    shape = operation.output_shape
    if "error" in case or "errorCode" in case:
        return check_error(codec, case, protocol)
    if protocol == "query" and shape is not None and shape.members:
        # The cases leave the wrapper out; botocore's own test puts it back in the same way.
        shape.serialization.setdefault("resultWrapper", f"{operation.name}Result")
    stream_name = shape.event_stream_name if shape is not None else None
    result = dict(case["result"])
    if stream_name is not None:
        result[stream_name] = as_they_come(result[stream_name])
    response = codec.render(operation, result, "request-1")
    if stream_name is not None:
        response = replace(response, body=RawStream(asyncio.run(gather(response.body))))
    found = read_back(protocol, response, shape, operation.name)
    if stream_name is not None:
        found[stream_name] = list(found[stream_name])
    found, wanted = plain(found), plain(case["result"])
    return None if wanted == found else f"{wanted} became {found}"


def check_error(codec: Codec, case: dict[str, Any], protocol: str) -> str | None:
    message = case.get("errorMessage", "")
    error = AwsError(case["errorCode"], message, members=case.get("error", {}))
    operation = codec.service.operation_model(case["given"]["name"])
    response = codec.render_error(error, "request-1", operation)
    found = read_back(protocol, response, operation.output_shape, operation.name)["Error"]
    if (found["Code"], found["Message"] or "") != (case["errorCode"], message):
        return f"{case['errorCode']} {message!r} became {found}"
    errors = codec.service.error_shapes
    shape = next((each for each in errors if each.error_code == case["errorCode"]), None)
    members = plain(read_back(protocol, response, shape, operation.name))
    wanted = plain(case.get("error", {}))
    lost = {key: value for key, value in wanted.items() if members.get(key) != value}
    return f"{lost} came back as {members}" if lost else None


CHECKS = {"input": check_input, "output": check_output}


@pytest.mark.parametrize("protocol", CODECS)
@pytest.mark.parametrize("side", CHECKS)
def test_the_cases_hold_both_ways_save_the_listed_ones(side: str, protocol: str) -> None:
    left_out = LEFT_OUT.get(f"{side}-{protocol}", {})
    wrong: dict[str, str] = {}
    n_cases = 0
    for suite, case in suites(side, protocol):
        n_cases += 1
        try:
            trouble = CHECKS[side](suite, case)
        except Exception as error:
            trouble = repr(error)
        if trouble is not None:
            wrong[case["id"]] = trouble
    assert n_cases > 10
    unexpected = {name: trouble for name, trouble in wrong.items() if name not in left_out}
    assert not unexpected
    assert not left_out.keys() - wrong.keys(), "these hold now: take them off the list"
