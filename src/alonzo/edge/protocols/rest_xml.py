"""rest-xml: as rest-json, with bodies in XML. S3 alone writes its errors without a wrapper."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from alonzo.edge.protocols.rest import RestCodec
from alonzo.edge.protocols.s3_documents import as_s3_writes, nodes_max
from alonzo.edge.protocols.xml import DECLARATION, XmlDocuments, error_elements, escape
from alonzo.model.http import HttpResponse

if TYPE_CHECKING:
    from alonzo.edge.protocols.errors import ErrorFacts
    from alonzo.model.errors import AwsError
    from alonzo.model.service_models import OperationModel, ServiceModel

#: What S3 calls errors that are common to all services. Source: S3 API reference, error responses.
_S3_CODES: Mapping[str, tuple[str, int]] = {
    "AccessDeniedException": ("AccessDenied", 403),
    "InternalFailure": ("InternalError", 500),
    "RequestEntityTooLargeException": ("MaxMessageLengthExceeded", 400),
    "ValidationException": ("InvalidRequest", 400),
}

#: Statuses whose answers have no document.
_BODILESS = frozenset({304})


class RestXmlCodec(RestCodec):
    """One service in rest-xml."""

    malformed_code = "MalformedXML"

    def __init__(self, service: ServiceModel) -> None:
        namespace = service.metadata.get("xmlNamespace")
        name = namespace if isinstance(namespace, str) else None
        self._is_s3 = service.service_name == "s3"
        self._xml = XmlDocuments(name, nodes_max) if self._is_s3 else XmlDocuments(name)
        super().__init__(service, self._xml)
        self.request_id_header = "x-amz-request-id" if self._is_s3 else "x-amzn-RequestId"

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""
        response = super().render(operation, result, request_id)
        if not self._is_s3:
            return response
        is_part = result is not None and result.get("ContentRange") is not None
        headers = {**response.headers, "x-amz-id-2": _host_id(request_id)}
        if isinstance(response.body, bytes) and not operation.has_streaming_output:
            response = replace(response, body=as_s3_writes(operation.name, response.body))
        return replace(
            response,
            status=206 if is_part else response.status,
            headers=headers,
            # Nobody needs the rest of an object that nobody receives.
            ends_with_client=not isinstance(response.body, bytes),
        )

    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        identity = f"<RequestId>{escape(request_id)}</RequestId>"
        headers = {self.request_id_header: request_id, "Content-Type": "application/xml"}
        if not self._is_s3:
            body = error_elements(self._xml, error, facts, with_fault=True)
            xml = f"<ErrorResponse><Error>{body}</Error>{identity}</ErrorResponse>"
            return HttpResponse(
                facts.status, headers | facts.headers(error), (DECLARATION + xml).encode()
            )
        code, status = _S3_CODES.get(error.code, (facts.query_code, facts.status))
        headers = headers | facts.headers(error) | {"x-amz-id-2": _host_id(request_id)}
        if status in _BODILESS:
            del headers["Content-Type"]
            return HttpResponse(status, headers)
        members = {"Code": code, "Message": error.message, **error.members}
        members |= {"RequestId": request_id, "HostId": _host_id(request_id)}
        body = "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in members.items())
        return HttpResponse(status, headers, f"{DECLARATION}<Error>{body}</Error>".encode())


def _host_id(request_id: str) -> str:
    """S3's second id of a request, which says nothing here."""
    return base64.b64encode(sha256(request_id.encode()).digest()).decode()
