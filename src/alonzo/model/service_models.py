"""Service models: the operations of a service, and the shapes of what goes in and comes out.

They are made of the descriptions that botocore ships (``edge/models.py`` reads those). Attributes
have the names and meanings of botocore's own classes, and a test compares the two on every service.
Botocore's come with all of its client: a hundred modules and 4.5 MiB.

Shapes are made when somebody looks at them, and a member's shape is its own: traits at the place
where it is referred to are merged over those of the shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

#: Traits of a shape that say how it is written, and those that say what it may be.
_WRITTEN = (
    "queryName",
    "flattened",
    "location",
    "payload",
    "streaming",
    "timestampFormat",
    "xmlNamespace",
    "resultWrapper",
    "xmlAttribute",
    "eventstream",
    "event",
    "eventheader",
    "eventpayload",
    "jsonvalue",
    "hostLabel",
)
_MEANT = (
    "required",
    "min",
    "max",
    "pattern",
    "sensitive",
    "enum",
    "idempotencyToken",
    "error",
    "exception",
    "endpointdiscoveryid",
    "retryable",
    "document",
    "union",
    "contextParam",
    "clientContextParams",
    "requiresLength",
)

_Description = Mapping[str, Any]


class Shape:
    """A value's type. ``type_name`` is the model's word for it, such as ``timestamp``."""

    def __init__(self, name: str, described: _Description, shapes: Shapes) -> None:
        self.name = name
        self.type_name: str = described["type"]
        self._described = described
        self._shapes = shapes

    @cached_property
    def serialization(self) -> dict[str, Any]:
        """How it is written. A name of its own on the wire is ``name``."""
        described = self._described
        found = {trait: described[trait] for trait in _WRITTEN if trait in described}
        if "locationName" in described:
            found["name"] = described["locationName"]
        return found

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What it may be."""
        return {trait: self._described[trait] for trait in _MEANT if trait in self._described}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.name})>"


class StructureShape(Shape):
    """Members by name."""

    @cached_property
    def members(self) -> dict[str, Shape]:
        """In the order of the model."""
        members: Mapping[str, _Description] = self._described.get("members", {})
        return {name: self._shapes.of(reference) for name, reference in members.items()}

    @property
    def required_members(self) -> list[str]:
        """Those that must be there."""
        return self.metadata.get("required", [])

    @cached_property
    def event_stream_name(self) -> str | None:
        """The member that is a stream of events."""
        # Members' shapes are made by those who need them; this is asked of every operation.
        described = self._shapes.described
        members: Mapping[str, _Description] = self._described.get("members", {})
        streams = (
            name
            for name, each in members.items()
            if each.get("eventstream") or described[each["shape"]].get("eventstream")
        )
        return next(streams, None)

    @property
    def error_code(self) -> str | None:
        """The code of an error on the wire; None: it is no error."""
        if not self.metadata.get("exception", False):
            return None
        return self.metadata.get("error", {}).get("code") or self.name

    @property
    def is_our_fault(self) -> bool:
        """Whether it is an error of the service, and not of its caller."""
        return self._described.get("fault", False)

    @property
    def is_document_type(self) -> bool:
        """Whether it is any JSON."""
        return self.metadata.get("document", False)

    @property
    def is_tagged_union(self) -> bool:
        """Whether exactly one member is there."""
        return self.metadata.get("union", False)


class ListShape(Shape):
    """Values of one shape."""

    @cached_property
    def member(self) -> Shape:
        """The shape of each."""
        return self._shapes.of(self._described["member"])


class MapShape(Shape):
    """Values of one shape by keys of another."""

    @cached_property
    def key(self) -> Shape:
        """The shape of each key."""
        return self._shapes.of(self._described["key"])

    @cached_property
    def value(self) -> Shape:
        """The shape of each value."""
        return self._shapes.of(self._described["value"])


class StringShape(Shape):
    """A text."""

    @property
    def enum(self) -> list[str]:
        """All that it may be; empty: anything."""
        return self.metadata.get("enum", [])


_CLASSES = {"structure": StructureShape, "list": ListShape, "map": MapShape, "string": StringShape}


class Shapes:
    """The shapes of one service, made from their descriptions by name."""

    def __init__(self, described: _Description) -> None:
        self.described = described

    def named(self, name: str, traits: _Description | None = None) -> Shape:
        """The shape of that name, with ``traits`` in place of its own.

        Raises:
            KeyError: there is none.
        """
        described = self.described[name]
        kind = _CLASSES.get(described["type"], Shape)
        return kind(name, {**described, **traits} if traits else described, self)

    def of(self, reference: _Description) -> Shape:
        """The shape that a member, an input and the like refer to."""
        traits = {trait: value for trait, value in reference.items() if trait != "shape"}
        return self.named(reference["shape"], traits)


class OperationModel:
    """One operation. ``http`` is its method, its path, and the status of its answer."""

    def __init__(self, name: str, described: _Description, service: ServiceModel) -> None:
        self.name = name
        self.service_model = service
        self.http: dict[str, Any] = described.get("http", {})
        self.deprecated: bool = described.get("deprecated", False)
        self.request_compression: dict[str, Any] | None = described.get("requestcompression")
        self._described = described

    @cached_property
    def input_shape(self) -> StructureShape | None:
        """Its parameters; None: it has none."""
        return self._structure("input")

    @cached_property
    def output_shape(self) -> StructureShape | None:
        """Its answer; None: it has none."""
        return self._structure("output")

    def _structure(self, side: str) -> StructureShape | None:
        if side not in self._described:
            return None
        shape = self.service_model.shapes.of(self._described[side])
        assert isinstance(shape, StructureShape)
        return shape

    @cached_property
    def error_shapes(self) -> list[Shape]:
        """The errors that it documents."""
        return [self.service_model.shapes.of(each) for each in self._described.get("errors", [])]

    @property
    def has_event_stream_input(self) -> bool:
        """Whether events go in."""
        return self.input_shape is not None and self.input_shape.event_stream_name is not None

    @property
    def has_event_stream_output(self) -> bool:
        """Whether events come out."""
        return self.output_shape is not None and self.output_shape.event_stream_name is not None

    @property
    def has_streaming_input(self) -> bool:
        """Whether the body of the request is one member's bytes."""
        return _is_blob(self.input_shape)

    @property
    def has_streaming_output(self) -> bool:
        """Whether the body of the answer is one member's bytes."""
        return _is_blob(self.output_shape)

    def __repr__(self) -> str:
        return f"<OperationModel({self.name})>"


def _is_blob(shape: StructureShape | None) -> bool:
    payload = None if shape is None else shape.serialization.get("payload")
    return shape is not None and payload is not None and shape.members[payload].type_name == "blob"


class ServiceModel:
    """One service. ``description`` has ``metadata``, ``operations`` and ``shapes``."""

    def __init__(self, description: _Description, service_name: str) -> None:
        self.service_name = service_name
        self.metadata: dict[str, Any] = description["metadata"]
        self.shapes = Shapes(description["shapes"])
        self._operations: Mapping[str, _Description] = description.get("operations", {})
        self._made: dict[str, OperationModel] = {}

    @property
    def protocol(self) -> str:
        """How its clients speak."""
        return self.metadata["protocol"]

    @property
    def api_version(self) -> str:
        """The date of its model."""
        return self.metadata["apiVersion"]

    @property
    def endpoint_prefix(self) -> str:
        """The first label of its hosts."""
        return self.metadata["endpointPrefix"]

    @property
    def signing_name(self) -> str:
        """Its name in the scope of a signature."""
        return self.metadata.get("signingName") or self.endpoint_prefix

    @property
    def is_query_compatible(self) -> bool:
        """Whether its errors have a second code, from when it spoke the query protocol."""
        return "awsQueryCompatible" in self.metadata

    @cached_property
    def operation_names(self) -> list[str]:
        """In the order of the model."""
        return list(self._operations)

    def operation_model(self, name: str) -> OperationModel:
        """An operation, the same object every time.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._made:
            self._made[name] = OperationModel(name, self._operations[name], self)
        return self._made[name]

    def each_operation(self) -> Iterator[OperationModel]:
        """All of them, made anew: who looks at all need not have all kept."""
        return (OperationModel(name, each, self) for name, each in self._operations.items())

    @property
    def shape_names(self) -> list[str]:
        """All of them."""
        return list(self.shapes.described)

    def shape_for(self, name: str) -> Shape:
        """A shape by its name.

        Raises:
            KeyError: there is none.
        """
        return self.shapes.named(name)

    @cached_property
    def error_shapes(self) -> list[StructureShape]:
        """Those that are errors."""
        shapes = map(self.shapes.named, self.shape_names)
        return [
            shape
            for shape in shapes
            if isinstance(shape, StructureShape) and shape.metadata.get("exception", False)
        ]

    def __repr__(self) -> str:
        return f"<ServiceModel({self.service_name})>"
