"""AWS query: the operation and its parameters as form fields, in URL or body; XML back.

``Action`` names the operation. A nested value is a field with dots: ``Tags.member.1.Key``. Lists
and maps count from 1; a flattened one leaves its ``member`` or ``entry`` out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from alonzo.edge import models
from alonzo.edge.protocols.base import GuardedCodec
from alonzo.edge.protocols.compiler import Converter, ShapeCompiler
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.query_strings import parse_pairs
from alonzo.edge.protocols.scalars import text_decoder
from alonzo.edge.protocols.xml import XmlDocuments, error_elements, escape
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.model.service_models import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StructureShape,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alonzo.edge.protocols.errors import ErrorFacts

#: Dots in one field's name.
DEPTH_MAX = 100

_FORM_TYPE = b"application/x-www-form-urlencoded"


class QueryCodec(GuardedCodec):
    """One service in the query protocol."""

    malformed_code = "MalformedQueryString"
    validation_code = "ValidationError"

    def __init__(self, service: ServiceModel) -> None:
        super().__init__(service)
        metadata = service.metadata
        namespace = metadata.get("xmlNamespace", models.QUERY_NAMESPACES.get(service.service_name))
        self._namespace = namespace if isinstance(namespace, str) else ""
        self._documents = XmlDocuments()
        self._read = ShapeCompiler(_reader)
        self._operations = frozenset(service.operation_names)
        self._path_parameter = models.PATH_PARAMETERS.get(service.service_name, "")
        self._texts = models.QUERY_ERROR_TEXTS.get(service.service_name, {})

    def _decode(self, request: HttpRequest) -> tuple[OperationModel, dict[str, Any]]:
        pairs = parse_pairs(request.query)
        if _is_form(request):
            pairs += parse_pairs(request.body)
        fields = dict(pairs)
        action = fields.get("Action")
        if not action:
            raise AwsError("MissingAction", "The request is missing an action.", status=400)
        if action not in self._operations:
            version = fields.get("Version") or self._service.api_version
            message = f"Could not find operation {action[:128]} for version {version[:32]}"
            raise AwsError("InvalidAction", message, status=400)
        operation = self._service.operation_model(action)
        if operation.input_shape is None:
            return operation, {}
        params = self._read(operation.input_shape)(_tree(fields))
        implied = self._path_parameter
        if implied in operation.input_shape.members and request.raw_path.strip(b"/"):
            params.setdefault(implied, unquote(request.raw_path.decode("latin-1")))
        return operation, params

    def render(
        self, operation: OperationModel, result: Mapping[str, Any] | None, request_id: str
    ) -> HttpResponse:
        """See ``Codec.render``."""
        shape = operation.output_shape
        body = ""
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
            body = self._documents.element(shape, result or {}, wrapper)
        metadata = f"<RequestId>{escape(request_id)}</RequestId>"
        root = f"{operation.name}Response"
        xml = (
            f'<{root} xmlns="{self._namespace}">{body}'
            f"<ResponseMetadata>{metadata}</ResponseMetadata></{root}>"
        )
        return HttpResponse(200, _headers(request_id), xml.encode())

    def _render_error(self, error: AwsError, facts: ErrorFacts, request_id: str) -> HttpResponse:
        if error.code in self._texts:
            error = AwsError(error.code, self._texts[error.code])
        body = error_elements(self._documents, error, facts, with_fault=True)
        xml = (
            f'<ErrorResponse xmlns="{self._namespace}"><Error>{body}</Error>'
            f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
        return HttpResponse(facts.status, _headers(request_id) | facts.headers(error), xml.encode())


def _headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "Content-Type": "text/xml"}


def _is_form(request: HttpRequest) -> bool:
    """A body without a type is a form too: old clients leave the header out."""
    content_type = request.header(b"content-type")
    return content_type is None or content_type.lower().startswith(_FORM_TYPE)


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """Nest fields by the dots in their names."""
    root: dict[str, Any] = {}
    for name, value in fields.items():
        node = root
        parts = name.split(".", DEPTH_MAX)
        if len(parts) > DEPTH_MAX:
            raise Malformed("A parameter's name is nested too deeply")
        for part in parts[:-1]:
            branch = node.setdefault(part, {})
            if type(branch) is not dict:
                raise Malformed(f"The parameter {name[:128]} is both a value and a structure")
            node = cast("dict[str, Any]", branch)
        if isinstance(node.get(parts[-1]), dict):
            raise Malformed(f"The parameter {name[:128]} is both a value and a structure")
        node[parts[-1]] = value
    return root


def _reader(shape: Shape, compile_: Callable[[Shape], Converter]) -> Converter:
    if isinstance(shape, StructureShape):
        return _structure(shape, compile_)
    if isinstance(shape, ListShape):
        return _list(shape, compile_)
    if isinstance(shape, MapShape):
        return _map(shape, compile_)
    decode = text_decoder(shape)

    def read(node: Any) -> Any:
        if not isinstance(node, str):
            raise Malformed("A structure was found where a value was expected")
        return decode(node)

    return read


def _structure(shape: StructureShape, compile_: Callable[[Shape], Converter]) -> Converter:
    members: dict[str, tuple[str, Converter]] = {}
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        members[wire_name] = (name, compile_(member))
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            # Old models name a flattened list's fields after its entries, Smithy after the list.
            members[member.member.serialization.get("name", wire_name)] = members[wire_name]

    def read(node: Any) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for key, value in _branch(node).items():
            member = members.get(key)
            if member is not None:
                name, convert = member
                params[name] = convert(value)
        return params

    return read


def _list(shape: ListShape, compile_: Callable[[Shape], Converter]) -> Converter:
    read_item = compile_(shape.member)
    is_flat = bool(shape.serialization.get("flattened"))
    item_name = shape.member.serialization.get("name", "member")

    def read(node: Any) -> list[Any]:
        branch = _branch(node)
        if not is_flat:
            branch = _branch(branch.get(item_name, branch.get("member", {})))
        return [read_item(item) for item in _in_order(branch)]

    return read


def _map(shape: MapShape, compile_: Callable[[Shape], Converter]) -> Converter:
    read_key, read_value = compile_(shape.key), compile_(shape.value)
    is_flat = bool(shape.serialization.get("flattened"))
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")

    def read(node: Any) -> dict[str, Any]:
        branch = _branch(node)
        entries: dict[str, Any] = {}
        for entry in _in_order(branch if is_flat else _branch(branch.get("entry", {}))):
            parts = _branch(entry)
            if key_name not in parts or value_name not in parts:
                raise Malformed("An entry of a map needs a key and a value")
            entries[read_key(parts[key_name])] = read_value(parts[value_name])
        return entries

    return read


def _branch(node: Any) -> dict[str, Any]:
    """A nested node; an empty field is how clients write an empty list."""
    if isinstance(node, dict):
        return cast("dict[str, Any]", node)
    if node == "":
        return {}
    raise Malformed("A value was found where a structure was expected")


def _in_order(branch: dict[str, Any]) -> list[Any]:
    try:
        return [branch[key] for key in sorted(branch, key=_position)]
    except ValueError:
        raise Malformed("The entries of a list or map must be numbered") from None


def _position(key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) <= 9):
        raise ValueError(key)
    return int(key)
