"""One request on its way through the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from alonzo.edge.body_hash import BodyHash
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.http1.response import Response
from alonzo.edge.trail import Caller
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.uploads import UploadBody

if TYPE_CHECKING:
    from alonzo.edge.s3.posting import Posted
    from alonzo.model.service_models import OperationModel


NO_FACTS: Mapping[str, str] = {}


class Call:
    """One request as far as it has got; what an error is rendered with."""

    __slots__ = (
        "body",
        "caller",
        "extra",
        "facts",
        "form",
        "head",
        "incoming",
        "operation",
        "path",
        "request_id",
        "service",
        "upload",
    )

    def __init__(self, incoming: Incoming, request_id: str) -> None:
        self.incoming = incoming
        self.head = incoming.head
        self.request_id = request_id
        self.service: str | None = None
        self.operation: OperationModel | None = None
        #: Who was let in; None for calls that the audit log does not want.
        self.caller: Caller | None = None
        #: What the edge's part of its service tells the service beside the parameters.
        self.facts: Mapping[str, str] = NO_FACTS
        self.body = b""
        #: The body that is read while it arrives, instead of ``body``.
        self.upload: UploadBody | None = None
        #: The form that it is; what is served is the request that the form stands for.
        self.form: Posted | None = None
        #: Further headers of the answer.
        self.extra: Mapping[str, str] = {}
        #: What the path is with what the host says of it; None: it is as it came.
        self.path: bytes | None = None

    @property
    def request(self) -> HttpRequest:
        """The request, with its body if that has been read."""
        if self.form is not None:
            return self.form.request
        request = self.head.request(self.body, self.incoming.source_ip)
        return request if self.path is None else replace(request, raw_path=self.path)

    def try_body(self, bytes_max: int) -> bytes | None:
        """Complete the request, if all of it is here."""
        body = self.incoming.try_body(bytes_max)
        if body is not None:
            self.body = body
        return body

    async def read_body(self, bytes_max: int, body_hash: BodyHash | None = None) -> bytes:
        """Complete the request."""
        look = None if body_hash is None else body_hash.feed
        self.body = await self.incoming.read_body(bytes_max, look)
        return self.body

    def response(self, response: HttpResponse) -> Response:
        """A response of a codec or a route, on its way out.

        A client that waits for ``100 Continue`` and gets its answer instead may or may not send
        the body: nobody can tell where the next request would begin.
        """
        if self.extra:
            response = replace(response, headers={**response.headers, **self.extra})
        closes = not self.incoming.asked and b"expect" in self.head.fields
        return Response.of(response, request_id=self.request_id, closes=closes)
