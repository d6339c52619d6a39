"""AWS JSON 1.0 and 1.1: the operation in ``X-Amz-Target``, one JSON document each way.

A list that is JSON already (``JsonElements``) is sent as it comes, the last member of its document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.base import unknown_operation
from alonzo.edge.protocols.documents import dump_json, json_documents
from alonzo.edge.protocols.rpc import RpcCodec
from alonzo.model.documents import JsonElements
from alonzo.model.http import HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from alonzo.model.http import HttpRequest
    from alonzo.model.service_models import OperationModel, ServiceModel


class JsonCodec(RpcCodec):
    """One service in AWS JSON; the version is the model's."""

    def __init__(self, service: ServiceModel) -> None:
        version = service.metadata.get("jsonVersion", "1.0")
        headers = {"Content-Type": f"application/x-amz-json-{version}"}
        super().__init__(service, json_documents(), headers)
        prefix = service.metadata.get("targetPrefix", "")
        self._targets = {f"{prefix}.{name}".encode(): name for name in service.operation_names}

    def _decode(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        name = self._targets.get(request.header(b"x-amz-target") or b"")
        if name is None:
            raise unknown_operation()
        return self._read(name, request.body)

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""
        for name, value in (result or {}).items():
            if type(value) is JsonElements:
                others = {key: each for key, each in (result or {}).items() if key != name}
                whole = super().render(operation, others, request_id)
                assert isinstance(whole.body, bytes), "such an output has no events"
                body = _with_elements(whole.body, name, value)
                return HttpResponse(whole.status, whole.headers, body, ends_with_client=True)
        return super().render(operation, result, request_id)


async def _with_elements(
    document: bytes, name: str, elements: JsonElements
) -> AsyncIterator[bytes]:
    """A document, and one more member."""
    comma = b"" if document == b"{}" else b","
    before = document[:-1] + comma + dump_json(name) + b":["
    async for piece in elements.pieces:
        yield before + piece
        before = b","
    yield b"]}" if before == b"," else before + b"]}"
