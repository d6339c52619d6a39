"""Operations by the names that SDKs write, and their parameters out of JSON. Pure.

The way of a request that comes in by the door, without its HTTP: shapes and constraints are those
of the service's model.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from alonzo.edge import models
from alonzo.edge.protocols.documents import json_documents
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.validation import Constraints
from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import validation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alonzo.edge.protocols.trees import TreeDocuments
    from alonzo.model.ports.operations import Operations
    from alonzo.model.service_models import OperationModel


def find_call(
    operations: Mapping[str, Operations], service: str, action: str
) -> OperationModel | None:
    """The operation that a service and an action mean, if it is offered and takes plain values.

    ``service`` is botocore's name or the service's id in lower case and one word (``eventbridge``),
    ``action`` begins with a lower-case letter.
    """
    name = next((each for each in operations if service in _names(each)), None)
    operation = f"{action[:1].upper()}{action[1:]}"
    if name is None or operation not in operations[name]:
        return None
    model = models.service_model(name).operation_model(operation)
    # Bodies that come in pieces are read off a request; there is none.
    return None if model.has_streaming_input or model.has_event_stream_input else model


def read_call(
    operations: Mapping[str, Operations], service: str, action: str, document: bytes
) -> ServiceCall:
    """The call whose parameters are in a JSON document.

    Raises:
        AwsError: ValidationException: they are not the operation's, or it is not offered.
    """
    model = find_call(operations, service, action)
    if model is None:
        raise validation(f"{service}:{action} is not offered here.")
    name = model.service_model.service_name
    if model.input_shape is None:
        return ServiceCall(name, model.name, {})
    try:
        params = _documents().read(model.input_shape, document)
    except Malformed as error:
        raise validation(f"The parameters of {service}:{action}: {error}") from error
    except RecursionError:
        raise validation(f"The parameters of {service}:{action} are nested too deeply.") from None
    _constraints(name).check(model.input_shape, params)
    return ServiceCall(name, model.name, params)


@functools.cache
def _names(service: str) -> frozenset[str]:
    identifier = str(models.service_model(service).metadata["serviceId"])
    return frozenset({service, identifier.replace(" ", "").lower()})


@functools.cache
def _documents() -> TreeDocuments:
    return json_documents()


@functools.cache
def _constraints(service: str) -> Constraints:
    return Constraints(
        models.VALIDATION_CODES.get(service, "ValidationException"),
        models.SELF_CHECKED_SHAPES.get(service, ()),
        models.MISSING_PARAMETER.get(service),
    )
