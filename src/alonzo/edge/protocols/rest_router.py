"""Finds the operation of a REST service by method, raw path and query, most specific first.

The path is matched undecoded: a label may hold an ARN whose ``%2F`` must not become a slash. Paths
form a tree of segments; at each, a literal is tried before a label, a label before a greedy one
(``{Key+}``, the rest of the path). One slash at the end only matters to a greedy label.

Operations that share a path are told apart by literals in the query (``?tagging``), then by the
query and header members that they require (UploadPart is PutObject with a part number).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from alonzo.model.service_models import OperationModel, ServiceModel, StructureShape

#: Segments of a path that are looked at; a key of S3 may be of 1,024 slashes.
SEGMENTS_MAX = 1100

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: what its request must show besides the path, and its labels' names."""

    operation: str
    is_deprecated: bool
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str], ...]
    query_names: tuple[str, ...]
    header_names: tuple[bytes, ...]

    @property
    def rank(self) -> tuple[int, ...]:
        """Smaller is more specific."""
        values = sum(bool(value) for _, value in self.literals)
        return (-len(self.literals), -values, -len(self.query_names), -len(self.header_names))

    def literals_match(self, query: Query) -> bool:
        """Does the query hold the literals of the model's path?"""
        return all(
            name in query and (not value or value in query[name]) for name, value in self.literals
        )

    def members_match(self, query: Query, headers: Mapping[bytes, bytes]) -> bool:
        """Are the required members of query and headers there?"""
        return all(name in query for name in self.query_names) and all(
            name in headers for name in self.header_names
        )


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    label: _Node | None = None
    greedy: _Node | None = None
    routes: list[Route] = field(default_factory=list[Route])


class RestRouter:
    """The routes of one service. Operations that take a stream of events are left out."""

    def __init__(self, service: ServiceModel) -> None:
        self._roots: dict[str, _Node] = {}
        for operation in service.each_operation():
            if not operation.has_event_stream_input:
                self._add(operation)

    def find(
        self, method: str, raw_path: str, query: Query, headers: Mapping[bytes, bytes]
    ) -> tuple[Route, list[str]] | None:
        """The route and its labels' undecoded texts, or None if the service has no such path."""
        root = self._roots.get(method)
        segments = raw_path.removeprefix("/").split("/", SEGMENTS_MAX)
        if root is None or len(segments) > SEGMENTS_MAX:
            return None
        return _walk(root, segments, 0, [], query, headers)

    def _add(self, operation: OperationModel) -> None:
        path, _, literals = operation.http.get("requestUri", "/").partition("?")
        node = self._roots.setdefault(operation.http.get("method", "POST"), _Node())
        labels: list[str] = []
        for segment in path.removeprefix("/").removesuffix("/").split("/"):
            if segment.startswith("{") and segment.endswith("+}"):
                labels.append(segment[1:-2])
                node.greedy = node = node.greedy or _Node()
            elif segment.startswith("{"):
                labels.append(segment[1:-1])
                node.label = node = node.label or _Node()
            elif segment:
                node = node.literals.setdefault(segment, _Node())
        pairs = (part.partition("=") for part in literals.split("&") if part)
        route = Route(
            operation=operation.name,
            is_deprecated=operation.deprecated,
            labels=tuple(labels),
            literals=tuple((name, value) for name, _, value in pairs),
            query_names=tuple(_required_names(operation, "querystring")),
            header_names=tuple(
                name.lower().encode() for name in _required_names(operation, "header")
            ),
        )
        node.routes.append(route)
        # Of operations that nothing tells apart, the one that is not deprecated wins.
        node.routes.sort(key=lambda route: (*route.rank, route.is_deprecated))


def _required_names(operation: OperationModel, location: str) -> list[str]:
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return []
    return [
        shape.members[name].serialization.get("name", name)
        for name in shape.required_members
        if shape.members[name].serialization.get("location") == location
    ]


def _walk(
    node: _Node,
    segments: list[str],
    index: int,
    labels: list[str],
    query: Query,
    headers: Mapping[bytes, bytes],
) -> tuple[Route, list[str]] | None:
    left = len(segments) - index
    if left == 0 or (left == 1 and not segments[index]):
        route = _choose(node.routes, query, headers)
        return (route, labels) if route is not None else None
    segment = segments[index]
    literal = node.literals.get(segment)
    if literal is None and "%" in segment:
        literal = node.literals.get(unquote(segment))
    if literal is not None:
        found = _walk(literal, segments, index + 1, labels, query, headers)
        if found is not None:
            return found
    if node.label is not None and segment:
        found = _walk(node.label, segments, index + 1, [*labels, segment], query, headers)
        if found is not None:
            return found
    if node.greedy is not None:
        return _take_greedy(node.greedy, segments, index, labels, query, headers)
    return None


def _take_greedy(
    node: _Node,
    segments: list[str],
    index: int,
    labels: list[str],
    query: Query,
    headers: Mapping[bytes, bytes],
) -> tuple[Route, list[str]] | None:
    """A greedy label takes as much as it can, and leaves what literals after it need."""
    for end in range(len(segments), index, -1):
        rest = "/".join(segments[index:end])
        found = _walk(node, segments, end, [*labels, rest], query, headers)
        if found is not None:
            return found
        if not node.literals:
            return None
    return None


def _choose(routes: list[Route], query: Query, headers: Mapping[bytes, bytes]) -> Route | None:
    loosest: Route | None = None
    for route in routes:
        if route.literals_match(query):
            if route.members_match(query, headers):
                return route
            loosest = route
    # Validation then says which required member is missing.
    return loosest
