"""What every protocol's codec promises, and the guard that they share.

A codec decides only: bytes of one request to one typed operation, and a result or a named error
back to bytes. It never raises anything but ``AwsError`` for what a client sent, whatever that was.
Codecs hold caches of compiled shapes and belong to one thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from alonzo.edge import models
from alonzo.edge.protocols.compression import gunzip, is_gzip
from alonzo.edge.protocols.errors import ErrorFacts, ErrorIndex
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.validation import Constraints
from alonzo.model.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alonzo.model.http import HttpRequest, HttpResponse
    from alonzo.model.service_models import OperationModel, ServiceModel, Shape


class Codec(Protocol):
    """One service in one protocol."""

    @property
    def service(self) -> ServiceModel:
        """The model behind it."""
        ...

    def parse(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        """Find the operation and decode its parameters, checked against the model.

        Raises:
            AwsError: no such operation, a malformed request, or a constraint that fails.
        """
        ...

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """The answer for an output document. Bytes of a raw payload pass through untouched.

        The member of an event stream is an async iterator of ``{event name: {…}}``; the response's
        body is then an async iterator of frames.
        """
        ...

    def render_error(
        self, error: AwsError, request_id: str, operation: OperationModel | None
    ) -> HttpResponse:
        """The answer for an error; ``operation`` is None where none was found yet."""
        ...


class Documents(Protocol):
    """Reads and writes bodies in one format."""

    #: Media type of a body.
    content_type: str
    #: The document of an output without members.
    empty: bytes

    def read(self, shape: Shape, body: bytes) -> Any:
        """The value of a shape. Raises ``Malformed``."""
        ...

    def write(self, shape: Shape, value: Any) -> bytes:
        """The document of a value."""
        ...


class GuardedCodec(ABC):
    """Turns everything that can be wrong with a request into the protocol's own error."""

    #: Code of the error for bytes that cannot be decoded.
    malformed_code: ClassVar[str] = "SerializationException"
    #: Code of the error for a constraint that fails.
    validation_code: ClassVar[str] = "ValidationException"

    def __init__(self, service: ServiceModel) -> None:
        self._service = service
        self._errors = ErrorIndex(service)
        self._takes_gzip = any(each.request_compression for each in service.each_operation())
        self._constraints = Constraints(
            models.VALIDATION_CODES.get(service.service_name, self.validation_code),
            models.SELF_CHECKED_SHAPES.get(service.service_name, ()),
            models.MISSING_PARAMETER.get(service.service_name),
        )

    @property
    def service(self) -> ServiceModel:
        """The model behind it."""
        return self._service

    def parse(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        """See ``Codec.parse``."""
        try:
            if self._takes_gzip and is_gzip(request.header(b"content-encoding")):
                request = replace(request, body=gunzip(request.body))
            operation, params = self._decode(request)
            if operation.input_shape is not None:
                self._constraints.check(operation.input_shape, params)
        except Malformed as error:
            raise AwsError(self.malformed_code, str(error), status=400) from error
        except RecursionError:
            # The cause is left out: its traceback is as long as the recursion was deep.
            raise AwsError(
                self.malformed_code, "The request is nested too deeply.", status=400
            ) from None
        return operation, params

    @abstractmethod
    def _decode(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        """Route and decode. May raise ``Malformed``, ``AwsError`` and ``RecursionError``."""

    @abstractmethod
    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""

    def render_error(
        self, error: AwsError, request_id: str, operation: OperationModel | None
    ) -> HttpResponse:
        """See ``Codec.render_error``."""
        return self._render_error(error, self._errors.facts(error), request_id)

    @abstractmethod
    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        """The answer for an error of which the facts are known."""


def unknown_operation(message: str = "The action or operation requested is not known.") -> AwsError:
    """No operation of the service has that path or target. Source: AWS common errors."""
    return AwsError("UnknownOperationException", message, status=404)
