"""What the protocols with one document each way share: AWS JSON and RPC v2 CBOR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alonzo.edge import models
from alonzo.edge.protocols.base import GuardedCodec, unknown_operation
from alonzo.edge.protocols.event_stream import EventStreamWriter
from alonzo.model.http import HttpResponse
from alonzo.model.service_models import OperationModel, ServiceModel, StructureShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alonzo.edge.protocols.errors import ErrorFacts
    from alonzo.edge.protocols.trees import TreeDocuments
    from alonzo.model.errors import AwsError


class RpcCodec(GuardedCodec):
    """Reads and writes whole bodies. ``headers`` are those of every answer."""

    def __init__(
        self,
        service: ServiceModel,
        documents: TreeDocuments,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(service)
        self._documents = documents
        self._events = EventStreamWriter(documents)
        self._headers = headers
        namespace = models.ERROR_NAMESPACES.get(service.service_name)
        self._type_prefix = f"{namespace}#" if namespace else ""

    def _read(self, name: str, body: bytes) -> tuple[OperationModel, dict[str, Any]]:
        operation = self._service.operation_model(name)
        if operation.has_event_stream_input:
            raise unknown_operation(f"{name} takes a stream of events, which is not served.")
        if operation.input_shape is None or not body:
            return operation, {}
        return operation, self._documents.read(operation.input_shape, body)

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""
        headers = {"x-amzn-RequestId": request_id, **self._headers}
        shape = operation.output_shape
        if shape is None:
            return HttpResponse(200, headers, self._documents.empty)
        assert isinstance(shape, StructureShape), "an output is a structure"
        stream_name = shape.event_stream_name
        if stream_name is None:
            return HttpResponse(200, headers, self._documents.write(shape, result or {}))
        members = dict(result or {})
        events = members.pop(stream_name)
        initial = self._documents.write(shape, members)
        headers["Content-Type"] = EventStreamWriter.content_type
        frames = self._events.frames(shape.members[stream_name], events, initial=initial)
        return HttpResponse(200, headers, frames, ends_with_client=True)

    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        body = {
            "__type": self._type_prefix + facts.name,
            **self._documents.encode_error(error, facts),
        }
        headers = {
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": facts.name,
            **self._headers,
        }
        if self._service.is_query_compatible:
            headers["x-amzn-query-error"] = f"{facts.query_code};{facts.fault}"
        return HttpResponse(
            facts.status, headers | facts.headers(error), self._documents.dump(body)
        )
