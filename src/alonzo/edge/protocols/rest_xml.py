"""rest-xml: as rest-json, with bodies in XML. S3 alone writes its errors without a wrapper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.edge.protocols.rest import RestCodec
from alonzo.edge.protocols.xml import DECLARATION, XmlDocuments, error_elements, escape
from alonzo.model.http import HttpResponse

if TYPE_CHECKING:
    from botocore.model import ServiceModel

    from alonzo.edge.protocols.errors import ErrorFacts
    from alonzo.model.errors import AwsError


class RestXmlCodec(RestCodec):
    """One service in rest-xml."""

    malformed_code = "MalformedXML"

    def __init__(self, service: ServiceModel) -> None:
        namespace = service.metadata.get("xmlNamespace")
        self._xml = XmlDocuments(namespace if isinstance(namespace, str) else None)
        super().__init__(service, self._xml)
        self._is_s3 = service.service_name == "s3"
        self.request_id_header = "x-amz-request-id" if self._is_s3 else "x-amzn-RequestId"

    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        identity = f"<RequestId>{escape(request_id)}</RequestId>"
        if self._is_s3:
            body = error_elements(self._xml, error, facts, with_fault=False)
            xml = f"<Error>{body}{identity}</Error>"
        else:
            body = error_elements(self._xml, error, facts, with_fault=True)
            xml = f"<ErrorResponse><Error>{body}</Error>{identity}</ErrorResponse>"
        headers = {self.request_id_header: request_id, "Content-Type": "application/xml"}
        return HttpResponse(
            facts.status, headers | facts.headers(error), (DECLARATION + xml).encode()
        )
