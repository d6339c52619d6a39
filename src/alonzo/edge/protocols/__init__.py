"""Codecs of the AWS protocols, server side, one module per protocol.

``codec_for`` is the door. A service that speaks several protocols has one codec for each; the
request shows which it is. Everything here decides and does no I/O.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from alonzo.edge import models
from alonzo.edge.protocols.base import Codec
from alonzo.edge.protocols.cbor import CborCodec
from alonzo.edge.protocols.json import JsonCodec
from alonzo.edge.protocols.query import QueryCodec
from alonzo.edge.protocols.rest_json import RestJsonCodec
from alonzo.edge.protocols.rest_xml import RestXmlCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alonzo.model.http import HttpRequest
    from alonzo.model.service_models import ServiceModel

__all__ = ["Codec", "codec_for"]

_CODECS: Mapping[str, Callable[[ServiceModel], Codec]] = {
    "json": JsonCodec,
    "query": QueryCodec,
    "rest-json": RestJsonCodec,
    "rest-xml": RestXmlCodec,
    "smithy-rpc-v2-cbor": CborCodec,
}


def codec_for(service_name: str, request: HttpRequest | None = None) -> Codec:
    """The codec of a service, by botocore's name, in the protocol that the request shows.

    Without a request, or where it shows none that the service speaks, its main protocol. The same
    codec must parse a request and render its answer.

    Raises:
        KeyError: there is no such service.
        NotImplementedError: it speaks only a protocol that is not served (ec2).
    """
    spoken = _protocols(service_name)
    shown = _shown_protocol(request) if request is not None and len(spoken) > 1 else None
    return _codec(service_name, shown if shown in spoken else next(iter(spoken)))


@functools.cache
def _protocols(service_name: str) -> tuple[str, ...]:
    """The protocols served for a service, the main one first."""
    metadata = models.service_model(service_name).metadata
    names = dict.fromkeys([metadata["protocol"], *metadata.get("protocols", ())])
    if "awsQueryCompatible" in metadata:
        names["query"] = None
    served = tuple(name for name in names if name in _CODECS)
    if not served:
        raise NotImplementedError(f"{service_name} speaks only {', '.join(names)}")
    return served


@functools.cache
def _codec(service_name: str, protocol: str) -> Codec:
    return _CODECS[protocol](models.protocol_model(service_name, protocol))


def _shown_protocol(request: HttpRequest) -> str:
    if request.header(b"x-amz-target") is not None:
        return "json"
    if request.header(b"smithy-protocol") == b"rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    return "query"
