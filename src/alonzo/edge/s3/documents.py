"""How long the documents of requests may be, and where long ones are read.

A document is as long as what S3 allows to be in it (``protocols.s3_documents`` counts elements).
A stranger's is short: who calls is known before it is read, and what they may is not. Long ones are
read in a thread, one after the other, so that nobody waits for somebody else's list.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from alonzo.edge import models
from alonzo.edge.http1.head import Head
from alonzo.edge.protocols.query_strings import parse_pairs
from alonzo.edge.protocols.rest_router import RestRouter
from alonzo.edge.protocols.rest_xml import RestXmlCodec
from alonzo.model.http import HttpRequest

if TYPE_CHECKING:
    from alonzo.model.service_models import OperationModel

_KIB, _MIB = 1024, 1024**2

#: By operation. 1,000 keys of 1,024 bytes, each character escaped; 10,000 parts with a checksum;
#: 1,000 rules. CORS: S3 user guide, elements of a CORS configuration. The other numbers are ours.
BYTES_MAX = {
    "CompleteMultipartUpload": 4 * _MIB,
    "DeleteObjects": 8 * _MIB,
    "PutBucketCors": 64 * _KIB,
    "PutBucketLifecycleConfiguration": 4 * _MIB,
}
OTHER_BYTES_MAX = 512 * _KIB
STRANGERS_BYTES_MAX = 64 * _KIB

#: Longer ones are read in a thread: their elements may take milliseconds.
INLINE_BYTES_MAX = 16 * _KIB


def bytes_max_of(head: Head, path: bytes, *, is_stranger: bool) -> int:
    """How long the body of a request may be. ``path`` is in path style."""
    if is_stranger:
        return STRANGERS_BYTES_MAX
    length = head.fields.get(b"content-length")
    if (length is None and b"transfer-encoding" not in head.fields) or (
        length is not None and int(length) <= STRANGERS_BYTES_MAX
    ):
        return STRANGERS_BYTES_MAX
    query: dict[str, list[str]] = {}
    for name, value in parse_pairs(head.query):
        query.setdefault(name, []).append(value)
    found = _router().find(head.method, path.decode("latin-1"), query, head.fields)
    return OTHER_BYTES_MAX if found is None else BYTES_MAX.get(found[0].operation, OTHER_BYTES_MAX)


class LongDocuments:
    """Parses requests whose documents are long. For one event loop."""

    def __init__(self) -> None:
        # A codec belongs to one thread: nobody else has this one, and only one thread at a time.
        self._codec: RestXmlCodec | None = None
        self._turn = asyncio.Lock()

    async def parse(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        """As ``Codec.parse``."""
        async with self._turn:
            if self._codec is None:
                self._codec = RestXmlCodec(models.protocol_model("s3", "rest-xml"))
            return await asyncio.to_thread(self._codec.parse, request)


@functools.cache
def _router() -> RestRouter:
    return RestRouter(models.service_model("s3"))
