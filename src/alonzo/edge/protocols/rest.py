"""What rest-json and rest-xml share: everything but the format of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.base import Documents, GuardedCodec, unknown_operation
from alonzo.edge.protocols.event_stream import EventStreamWriter
from alonzo.edge.protocols.http_bindings import RequestBindings, ResponseBindings, is_in_body
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.query_strings import parse_pairs
from alonzo.edge.protocols.rest_router import RestRouter
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.service_models import OperationModel, ServiceModel, StructureShape

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Statuses whose responses have no body (RFC 9110, 15.3.5 and 15.4.5).
_BODILESS = (204, 304)


class _Request:
    """How one operation's input is spread over a request."""

    def __init__(self, shape: StructureShape) -> None:
        self.shape = shape
        self.bindings = RequestBindings(shape)
        self.payload: str | None = shape.serialization.get("payload")
        self.payload_shape = shape.members[self.payload] if self.payload else None
        self.payload_required = self.payload in shape.required_members
        self.has_body = self.payload is None and any(
            "location" not in member.serialization for member in shape.members.values()
        )


class _Response:
    """How one operation's output is spread over a response."""

    def __init__(self, shape: StructureShape) -> None:
        self.shape = shape
        self.bindings = ResponseBindings(shape)
        self.payload: str | None = shape.serialization.get("payload") or shape.event_stream_name
        self.payload_shape = shape.members[self.payload] if self.payload else None
        self.has_body = self.payload is None and any(map(is_in_body, shape.members.values()))


class RestCodec(GuardedCodec):
    """Routes by path, binds members to HTTP, and leaves bodies to ``documents``."""

    #: Name of the header with the request id.
    request_id_header = "x-amzn-RequestId"

    def __init__(self, service: ServiceModel, documents: Documents) -> None:
        super().__init__(service)
        self._documents = documents
        self._events = EventStreamWriter(documents)
        self._router = RestRouter(service)
        self._requests: dict[str, _Request] = {}
        self._responses: dict[str, _Response] = {}

    def _decode(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        headers = _joined(request.headers)
        query: dict[str, list[str]] = {}
        for name, value in parse_pairs(request.query):
            query.setdefault(name, []).append(value)
        path = request.raw_path.decode("latin-1")
        found = self._router.find(request.method, path, query, headers)
        if found is None:
            raise unknown_operation()
        route, texts = found
        operation = self._service.operation_model(route.operation)
        if operation.input_shape is None:
            return operation, {}
        plan = self._requests.get(operation.name)
        if plan is None:
            assert isinstance(operation.input_shape, StructureShape), "an input is a structure"
            plan = self._requests[operation.name] = _Request(operation.input_shape)
        params = plan.bindings.read(dict(zip(route.labels, texts, strict=True)), query, headers)
        self._read_body(plan, request.body, params)
        return operation, params

    def _read_body(self, plan: _Request, body: bytes, params: dict[str, Any]) -> None:
        if plan.payload is None:
            if plan.has_body and body:
                # A member bound to path, query or header is never taken from the body.
                params.update(self._read_members(plan.shape, body, bound=params))
            return
        shape = plan.payload_shape
        assert shape is not None, "a payload member is in its shape"
        if shape.type_name == "blob":
            if body or plan.payload_required:
                params[plan.payload] = body
        elif shape.type_name == "string":
            if body or plan.payload_required:
                params[plan.payload] = _text(body)
        elif body:
            params[plan.payload] = self._documents.read(shape, body)

    def _read_members(
        self, shape: StructureShape, body: bytes, bound: Mapping[str, Any]
    ) -> dict[str, Any]:
        members: dict[str, Any] = self._documents.read(shape, body)
        return {
            name: value
            for name, value in members.items()
            if name not in bound and "location" not in shape.members[name].serialization
        }

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""
        status = int(operation.http.get("responseCode", 200))
        headers = {self.request_id_header: request_id}
        if operation.output_shape is None:
            return HttpResponse(status, headers, b"")
        plan = self._responses.get(operation.name)
        if plan is None:
            assert isinstance(operation.output_shape, StructureShape), "an output is a structure"
            plan = self._responses[operation.name] = _Response(operation.output_shape)
        members = dict(result or {})
        status = plan.bindings.take(members, headers) or status
        if plan.payload is not None:
            return self._render_payload(plan, status, headers, members)
        if plan.has_body and status not in _BODILESS:
            headers.setdefault("Content-Type", self._documents.content_type)
            return HttpResponse(status, headers, self._documents.write(plan.shape, members))
        return HttpResponse(status, headers, b"")

    def _render_payload(
        self, plan: _Response, status: int, headers: dict[str, str], members: dict[str, Any]
    ) -> HttpResponse:
        shape = plan.payload_shape
        assert shape is not None, "a payload member is in its shape"
        value = members.get(plan.payload or "")
        if value is None:
            return HttpResponse(status, headers, b"")
        if shape.serialization.get("eventstream"):
            headers.setdefault("Content-Type", EventStreamWriter.content_type)
            frames = self._events.frames(shape, value)
            return HttpResponse(status, headers, frames, ends_with_client=True)
        if shape.type_name in ("blob", "string"):
            kind = "text/plain" if shape.type_name == "string" else "application/octet-stream"
            headers.setdefault("Content-Type", kind)
            return HttpResponse(
                status, headers, value.encode() if isinstance(value, str) else value
            )
        headers.setdefault("Content-Type", self._documents.content_type)
        return HttpResponse(status, headers, self._documents.write(shape, value))


def _joined(headers: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    """Headers by name; lines of one name are one list (RFC 9110, 5.3)."""
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8") from None
