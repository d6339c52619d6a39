"""rest-json: the operation in method and path, members in path, query, headers and JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.edge.protocols.documents import json_documents
from alonzo.edge.protocols.rest import RestCodec
from alonzo.model.http import HttpResponse

if TYPE_CHECKING:
    from alonzo.edge.protocols.errors import ErrorFacts
    from alonzo.model.errors import AwsError
    from alonzo.model.service_models import ServiceModel


class RestJsonCodec(RestCodec):
    """One service in rest-json."""

    def __init__(self, service: ServiceModel) -> None:
        self._json = json_documents()
        super().__init__(service, self._json)

    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        headers = {
            self.request_id_header: request_id,
            "Content-Type": "application/json",
            "x-amzn-ErrorType": facts.name,
        }
        body = self._json.dump(self._json.encode_error(error, facts))
        return HttpResponse(facts.status, headers | facts.headers(error), body)
