"""XML documents: bytes to parameters and back. Shared by query, rest-xml and event streams.

Document types and entities are refused outright, so no bomb can be built from them. Namespaces are
not compared: clients differ, and AWS takes them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from alonzo.edge.protocols.compiler import Converter, ShapeCompiler
from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.scalars import text_decoder, text_encoder
from alonzo.model.errors import AwsError, PlatformError
from alonzo.model.service_models import ListShape, MapShape, Shape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alonzo.edge.protocols.errors import ErrorFacts

#: Elements inside each other.
DEPTH_MAX = 100

#: Elements and attributes of one document: each takes some 300 bytes of memory. The longest that
#: AWS takes, a list of 10,000 parts with all their members, has fewer.
NODES_MAX = 100_000

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

#: Characters that XML 1.0 cannot carry at all: beyond ASCII, and in it with those that would end a
#: text or be normalised.
_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_TEXT_ESCAPES: dict[int, str] = dict.fromkeys(range(0x20), "\ufffd") | {
    ord("\t"): "\t",
    ord("\n"): "\n",
    ord("\r"): "&#13;",
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
_ATTRIBUTE_ESCAPES = _TEXT_ESCAPES | {ord("\t"): "&#9;", ord("\n"): "&#10;", ord('"'): "&quot;"}


@dataclass(slots=True)
class Element:
    """One element; ``tag`` and the attributes' names are without their prefixes."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list["Element"])
    pieces: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """What stands directly inside."""
        return "".join(self.pieces)


def parse_xml(body: bytes, nodes_max: int = NODES_MAX) -> Element:
    """The root element. Raises ``Malformed``. ``nodes_max``: elements and attributes."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Element("", {})
    path = [root]
    nodes = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(path) > DEPTH_MAX:
            raise Malformed("The XML is nested too deeply")
        nonlocal nodes
        nodes += 1 + len(attributes)
        if nodes > nodes_max:
            raise Malformed("The XML has too many elements")
        element = Element(_local(tag), {_local(name): value for name, value in attributes.items()})
        path[-1].children.append(element)
        path.append(element)

    def end(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        path[-1].pieces.append(data)

    def refuse(*_: Any) -> None:
        raise Malformed("A document type is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise Malformed("The XML you provided was not well-formed") from None
    return root.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class XmlDocuments:
    """Reads and writes the XML documents of one service."""

    content_type = "application/xml"
    empty = b""

    def __init__(
        self,
        namespace: str | None = None,
        nodes_max: Callable[[str], int] = lambda _shape: NODES_MAX,
    ) -> None:
        """``nodes_max`` answers how many elements a document of a shape may have."""
        self._namespace = namespace
        self._nodes_max = nodes_max
        self._read = ShapeCompiler(_reader)
        self._write = ShapeCompiler(_writer)

    def read(self, shape: Shape, body: bytes) -> Any:
        """The value of a shape. Raises ``Malformed``."""
        return self._read(shape)(parse_xml(body, self._nodes_max(shape.name)))

    def write(self, shape: Shape, value: Any) -> bytes:
        """A whole document, its root named as the shape says."""
        root = shape.serialization.get("name", shape.name)
        return (DECLARATION + self.element(shape, value, root)).encode()

    def content(self, shape: Shape, value: Any) -> str:
        """What stands inside the element of a value."""
        return self._write(shape)(value)[1]

    def element(self, shape: Shape, value: Any, name: str) -> str:
        """One element with the service's namespace, which its children inherit."""
        own = _namespace_of(shape)
        default = f' xmlns="{self._namespace}"' if self._namespace and not own else ""
        attributes, content = self._write(shape)(value)
        return f"<{name}{default}{attributes}>{content}</{name}>"


def escape(text: str) -> str:
    """A text between tags; what XML cannot carry becomes U+FFFD."""
    return _carried(text).translate(_TEXT_ESCAPES)


def _carried(text: str) -> str:
    return text if text.isascii() else _NO_XML.sub("\ufffd", text)


# Reading: a converter takes an element; a flattened list or map takes a list of them.


def _reader(shape: Shape, compile_: Callable[[Shape], Converter]) -> Converter:
    if isinstance(shape, StructureShape):
        return _structure_in(shape, compile_)
    if isinstance(shape, ListShape):
        read = compile_(shape.member)
        return lambda element: [read(child) for child in element.children]
    if isinstance(shape, MapShape):
        entries = _entries_in(shape, compile_)
        return lambda element: entries(element.children)
    decode = text_decoder(shape)
    return lambda element: decode(element.text)


def _structure_in(shape: StructureShape, compile_: Callable[[Shape], Converter]) -> Converter:
    members: dict[str, tuple[str, Converter, bool]] = {}
    attributes: dict[str, tuple[str, Callable[[str], Any]]] = {}
    for name, member in shape.members.items():
        wire_name = _local(member.serialization.get("name", name))
        if member.serialization.get("xmlAttribute"):
            attributes[wire_name] = (name, text_decoder(member))
        elif member.serialization.get("flattened") and isinstance(member, ListShape):
            read = _flat_list(compile_(member.member))
            members[wire_name] = (name, read, True)
            members[member.member.serialization.get("name", wire_name)] = (name, read, True)
        elif member.serialization.get("flattened") and isinstance(member, MapShape):
            members[wire_name] = (name, _entries_in(member, compile_), True)
        else:
            members[wire_name] = (name, compile_(member), False)

    def read_structure(element: Element) -> dict[str, Any]:
        params: dict[str, Any] = {}
        grouped: dict[str, list[Element]] = {}
        for child in element.children:
            grouped.setdefault(child.tag, []).append(child)
        for tag, children in grouped.items():
            member = members.get(tag)
            if member is not None:
                name, convert, is_flat = member
                params[name] = convert(children if is_flat else children[0])
        for key, text in element.attributes.items():
            if key in attributes:
                name, decode = attributes[key]
                params[name] = decode(text)
        return params

    return read_structure


def _flat_list(read: Converter) -> Converter:
    return lambda elements: [read(element) for element in elements]


def _entries_in(shape: MapShape, compile_: Callable[[Shape], Converter]) -> Converter:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    read_key, read_value = compile_(shape.key), compile_(shape.value)

    def read(elements: list[Element]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for element in elements:
            parts = {child.tag: child for child in element.children}
            if key_name not in parts or value_name not in parts:
                raise Malformed("An entry of a map needs a key and a value")
            entries[read_key(parts[key_name])] = read_value(parts[value_name])
        return entries

    return read


# Writing: a converter gives the attributes and the content of the value's element.


def _writer(shape: Shape, compile_: Callable[[Shape], Converter]) -> Converter:
    attributes = _namespace_of(shape)
    if isinstance(shape, StructureShape):
        return _structure_out(shape, compile_)
    if isinstance(shape, ListShape):
        name = shape.member.serialization.get("name", "member")
        write = _element_writer(shape.member, compile_)
        return lambda value: (attributes, "".join(write(name, item) for item in value))
    if isinstance(shape, MapShape):
        write_entry = _entry_writer(shape, compile_)
        return lambda value: (
            attributes,
            "".join(write_entry("entry", key, item) for key, item in value.items()),
        )
    encode = text_encoder(shape, "iso8601")
    return lambda value: (attributes, escape(encode(value)))


def _element_writer(
    shape: Shape, compile_: Callable[[Shape], Converter]
) -> Callable[[str, Any], str]:
    write = compile_(shape)
    own = _namespace_of(shape)

    def element(name: str, value: Any) -> str:
        attributes, content = write(value)
        return f"<{name}{attributes or own}>{content}</{name}>"

    return element


def _entry_writer(
    shape: MapShape, compile_: Callable[[Shape], Converter]
) -> Callable[[str, str, Any], str]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    write_key = _element_writer(shape.key, compile_)
    write_value = _element_writer(shape.value, compile_)
    return lambda name, key, value: (
        f"<{name}>{write_key(key_name, key)}{write_value(value_name, value)}</{name}>"
    )


def _structure_out(shape: StructureShape, compile_: Callable[[Shape], Converter]) -> Converter:
    own = _namespace_of(shape)
    attribute_names: dict[str, str] = {}
    members: dict[str, Callable[[Any], str]] = {}
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        if member.serialization.get("xmlAttribute"):
            attribute_names[name] = wire_name
        else:
            members[name] = _member_writer(wire_name, member, compile_)

    def write_structure(value: Mapping[str, Any]) -> tuple[str, str]:
        attributes, pieces = [own], list[str]()
        for name, item in value.items():
            if item is None:
                continue
            if name in members:
                pieces.append(members[name](item))
            elif name in attribute_names:
                text = _carried(str(item)).translate(_ATTRIBUTE_ESCAPES)
                attributes.append(f' {attribute_names[name]}="{text}"')
            else:
                raise PlatformError(f"{shape.name} has no member {name!r}")
        return "".join(attributes), "".join(pieces)

    return write_structure


def _member_writer(
    name: str, shape: Shape, compile_: Callable[[Shape], Converter]
) -> Callable[[Any], str]:
    if shape.serialization.get("flattened") and isinstance(shape, ListShape):
        flat_name = shape.member.serialization.get("name", name)
        write = _element_writer(shape.member, compile_)
        return lambda value: "".join(write(flat_name, item) for item in value)
    if shape.serialization.get("flattened") and isinstance(shape, MapShape):
        write_entry = _entry_writer(shape, compile_)
        return lambda value: "".join(write_entry(name, key, item) for key, item in value.items())
    write_element = _element_writer(shape, compile_)
    return lambda value: write_element(name, value)


def _namespace_of(shape: Shape) -> str:
    """The declaration of a shape's own namespace, or nothing."""
    namespace = shape.serialization.get("xmlNamespace")
    if not namespace:
        return ""
    if isinstance(namespace, str):
        return f' xmlns="{namespace}"'
    prefix = namespace.get("prefix")
    return f' xmlns{":" + prefix if prefix else ""}="{namespace["uri"]}"'


def error_elements(
    documents: XmlDocuments, error: AwsError, facts: ErrorFacts, *, with_fault: bool
) -> str:
    """The inside of ``<Error>``: fault, code, message, and the members of the error's shape."""
    fixed = {"Type": facts.fault} if with_fault else {}
    fixed |= {"Code": facts.query_code, "Message": error.message}
    elements = [f"<{name}>{escape(text)}</{name}>" for name, text in fixed.items()]
    if facts.shape is not None:
        elements.append(documents.content(facts.shape, facts.extra_members(error)))
    return "".join(elements)
