"""AWS JSON 1.0 and 1.1: the operation in ``X-Amz-Target``, one JSON document each way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.base import unknown_operation
from alonzo.edge.protocols.documents import json_documents
from alonzo.edge.protocols.rpc import RpcCodec

if TYPE_CHECKING:
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
