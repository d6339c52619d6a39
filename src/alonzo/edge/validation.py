"""Checks parameters against the constraints of a service model, in AWS's words.

This is the framework's layer: required members, lengths and counts, ranges, patterns, enums. It
runs before any service code and reports every failure at once. Types were checked while decoding.

* A member that is None counts as missing; a None in a list or as a map value is refused, since the
  models no longer say which lists may hold one.
* A pattern is matched against the whole value. It is left out for a value that already breaks its
  length, for patterns that Python cannot express (``patterns``), and for values so long that the
  pattern could run away (``backtracking``).
* Values of sensitive shapes, or of anything that contains one, are never echoed.

Phrases were recorded from AWS; the order of several failures of one value is ours where AWS's is
not stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from alonzo.edge.patterns import compile_pattern
from alonzo.model.errors import AwsError
from alonzo.model.service_models import ListShape, MapShape, Shape, StringShape, StructureShape

#: Characters of a value that an error message repeats.
ECHO_CHARS_MAX = 4096
#: Failures that one error message lists; a hostile request may hold a million of them.
FAILURES_MAX = 100

_NOT_NULL = "Member must not be null"
_NUMBERS = ("integer", "long", "float", "double")


@dataclass(frozen=True, slots=True)
class Failure:
    """One constraint that a value breaks; ``path`` is dotted, without the names above it."""

    path: str
    shown: str
    phrase: str

    def under(self, name: str) -> Failure:
        """The same failure, seen from the parent that calls this value ``name``."""
        return Failure(f"{name}.{self.path}" if self.path else name, self.shown, self.phrase)

    def __str__(self) -> str:
        return f"Value {self.shown}at '{self.path}' failed to satisfy constraint: {self.phrase}"


#: Yields the failures of one value that is not None.
Checker = Callable[[Any], Iterable[Failure]]
#: Says which phrases a scalar breaks.
ScalarChecker = Callable[[Any], list[str]]


class Constraints:
    """The compiled constraints of one service.

    ``code`` is that of the error it raises. Values of the shapes in ``unchecked`` always pass.
    ``missing`` are code and text, with ``{name}`` in it, of a service that has an error of its own
    for the first parameter that is missing.
    """

    def __init__(
        self,
        code: str = "ValidationException",
        unchecked: Iterable[str] = frozenset(),
        missing: tuple[str, str] | None = None,
    ) -> None:
        self._code = code
        self._missing = missing
        self._unchecked = frozenset(unchecked)
        self._checkers: dict[str, Checker | None] = dict.fromkeys(self._unchecked)
        self._open: set[str] = set()

    def check(self, shape: Shape, params: Mapping[str, Any]) -> None:
        """Check the input of an operation.

        Raises:
            AwsError: with every failure in its message (the first ``FAILURES_MAX`` of them).
        """
        checker = self._checker(shape)
        if checker is None:
            return
        failures = list(checker(params))
        if self._missing is not None:
            _check_missing(failures, *self._missing)
        if failures:
            count = f"{len(failures)} validation error{'s' if len(failures) > 1 else ''} detected: "
            listed = "; ".join(map(str, failures[:FAILURES_MAX]))
            raise AwsError(self._code, count + listed, status=400)

    def _checker(self, shape: Shape) -> Checker | None:
        """The checker of a shape, compiled once; None if nothing can be wrong with its values."""
        if shape.name in self._open:
            return self._forward(shape.name)
        if shape.name not in self._checkers:
            self._open.add(shape.name)
            try:
                self._checkers[shape.name] = self._compile(shape)
            finally:
                self._open.discard(shape.name)
        return self._checkers[shape.name]

    def _forward(self, name: str) -> Checker:
        def checker(value: Any) -> Iterable[Failure]:
            target = self._checkers[name]
            return target(value) if target is not None else ()

        return checker

    def _compile(self, shape: Shape) -> Checker | None:
        if isinstance(shape, StructureShape):
            return None if shape.is_document_type else self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return _scalar(shape)

    def _structure(self, shape: StructureShape) -> Checker | None:
        required = tuple((name, member_name(name)) for name in shape.required_members)
        checkers = {
            name: (member_name(name), checker)
            for name, member in shape.members.items()
            if (checker := self._checker(member)) is not None
        }
        if not required and not checkers:
            return None

        def check(value: Mapping[str, Any]) -> Iterator[Failure]:
            for name, shown in required:
                if value.get(name) is None:
                    yield Failure(shown, "null ", _NOT_NULL)
            for name, item in value.items():
                found = checkers.get(name)
                if found is not None and item is not None:
                    shown, checker = found
                    for failure in checker(item):
                        yield failure.under(shown)

        return check

    def _phrases(self, shape: Shape) -> ScalarChecker | None:
        return None if shape.name in self._unchecked else _scalar_check(shape)

    def _list(self, shape: ListShape) -> Checker:
        counts = _length_check(shape)
        echo = _echo(shape)
        if isinstance(shape.member, StructureShape | ListShape | MapShape):
            inner = self._checker(shape.member)

            def check_each(value: list[Any]) -> Iterator[Failure]:
                for phrase in counts(value):
                    yield Failure("", echo(value), phrase)
                for index, item in enumerate(value, 1):
                    if item is None:
                        yield Failure(f"{index}.member", "null ", _NOT_NULL)
                    elif inner is not None:
                        for failure in inner(item):
                            yield failure.under(f"{index}.member")

            return check_each

        members = self._phrases(shape.member)
        all_phrases = f"Member must satisfy constraint: [{_join_phrases(shape.member)}]"

        def check_all(value: list[Any]) -> Iterator[Failure]:
            for phrase in counts(value):
                yield Failure("", echo(value), phrase)
            if any(item is None or (members and members(item)) for item in value):
                yield Failure("", echo(value), all_phrases)

        return check_all

    def _map(self, shape: MapShape) -> Checker:
        counts = _length_check(shape)
        echo = _echo(shape)
        keys = self._phrases(shape.key)
        key_phrases = f"Map keys must satisfy constraint: [{_join_phrases(shape.key)}]"
        inner: Checker | None = None
        values: ScalarChecker | None = None
        if isinstance(shape.value, StructureShape | ListShape | MapShape):
            inner = self._checker(shape.value)
        else:
            values = self._phrases(shape.value)
        value_phrases = f"Map value must satisfy constraint: [{_join_phrases(shape.value)}]"

        def check(value: Mapping[str, Any]) -> Iterator[Failure]:
            for phrase in counts(value):
                yield Failure("", echo(value), phrase)
            if keys and any(keys(key) for key in value):
                yield Failure("", echo(value), key_phrases)
            if any(item is None or (values and values(item)) for item in value.values()):
                yield Failure("", echo(value), value_phrases)
            elif inner is not None:
                for key, item in value.items():
                    for failure in inner(item):
                        yield failure.under(f"{key[:ECHO_CHARS_MAX]}.member")

        return check


def _check_missing(failures: list[Failure], code: str, text: str) -> None:
    for failure in failures:
        if failure.phrase == _NOT_NULL:
            last = failure.path.rpartition(".")[2]
            name = last[:1].upper() + last[1:]
            raise AwsError(code, text.format(name=name), status=400)


def member_name(name: str) -> str:
    """A member's name as messages spell it: the first letter small."""
    return name[:1].lower() + name[1:]


def _scalar(shape: Shape) -> Checker | None:
    check = _scalar_check(shape)
    if check is None:
        return None
    echo = _echo(shape)

    def checker(value: Any) -> list[Failure]:
        return [Failure("", echo(value), phrase) for phrase in check(value)]

    return checker


def _scalar_check(shape: Shape) -> ScalarChecker | None:
    checks: list[ScalarChecker] = []
    if shape.type_name in ("string", "blob"):
        if "pattern" in shape.metadata or (isinstance(shape, StringShape) and shape.enum):
            checks += _text_checks(shape)
        if "min" in shape.metadata or "max" in shape.metadata:
            checks.append(_length_check(shape))
    elif shape.type_name in _NUMBERS and ("min" in shape.metadata or "max" in shape.metadata):
        checks.append(_range_check(shape))
    if not checks:
        return None
    if len(checks) == 1:
        return checks[0]
    return lambda value: [phrase for check in checks for phrase in check(value)]


def _text_checks(shape: Shape) -> Iterator[ScalarChecker]:
    pattern = shape.metadata.get("pattern")
    enum = frozenset(shape.metadata.get("enum", ()))
    if enum:
        allowed = [_enum_phrase(shape)]
        yield lambda value: [] if value in enum else allowed
    matches = compile_pattern(pattern) if pattern else None
    if matches is not None and shape.type_name == "string":
        broken = [_pattern_phrase(shape)]
        longest = shape.metadata.get("max")

        def check(value: str) -> list[str]:
            if longest is not None and len(value) > longest:
                return []
            return [] if matches(value) else broken

        yield check


def _length_check(shape: Shape) -> ScalarChecker:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any) -> list[str]:
        size = len(value)
        phrases: list[str] = []
        if low is not None and size < low:
            phrases.append(f"Member must have length greater than or equal to {low}")
        if high is not None and size > high:
            phrases.append(f"Member must have length less than or equal to {high}")
        return phrases

    return check


def _range_check(shape: Shape) -> ScalarChecker:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def check(value: Any) -> list[str]:
        phrases: list[str] = []
        # NaN compares false with everything, and so breaks both bounds.
        if low is not None and not value >= low:
            phrases.append(f"Member must have value greater than or equal to {low}")
        if high is not None and not value <= high:
            phrases.append(f"Member must have value less than or equal to {high}")
        return phrases

    return check


def _enum_phrase(shape: Shape) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.metadata['enum'])}]"


def _pattern_phrase(shape: Shape) -> str:
    return f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"


def _join_phrases(shape: Shape) -> str:
    """All constraints of a list's member, as AWS repeats them whichever of them failed."""
    facts = shape.metadata
    noun = "value" if shape.type_name in _NUMBERS else "length"
    phrases: list[str] = []
    if "max" in facts:
        phrases.append(f"Member must have {noun} less than or equal to {facts['max']}")
    if "min" in facts:
        phrases.append(f"Member must have {noun} greater than or equal to {facts['min']}")
    if "pattern" in facts:
        phrases.append(_pattern_phrase(shape))
    if facts.get("enum"):
        phrases.append(_enum_phrase(shape))
    return ", ".join([*phrases, _NOT_NULL])


def _echo(shape: Shape) -> Callable[[Any], str]:
    """How a value is shown; the blank at the end is the message's, since a secret has none."""
    if _is_sensitive(shape, set()):
        return lambda value: ""
    return lambda value: f"'{_java_text(value, ECHO_CHARS_MAX)}' "


def _is_sensitive(shape: Shape, seen: set[str]) -> bool:
    if shape.metadata.get("sensitive"):
        return True
    if shape.name in seen:
        return False
    seen.add(shape.name)
    inner: Iterable[Shape] = ()
    if isinstance(shape, StructureShape):
        inner = shape.members.values()
    elif isinstance(shape, ListShape):
        inner = (shape.member,)
    elif isinstance(shape, MapShape):
        inner = (shape.key, shape.value)
    return any(_is_sensitive(part, seen) for part in inner)


def _java_text(value: Any, room: int) -> str:
    """A value as Java's toString shows it, cut after ``room`` characters."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "null"
    elif isinstance(value, bytes):
        text = f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    elif isinstance(value, datetime):
        text = value.isoformat()
    elif isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        entries = (f"{key}={_java_text(item, room)}" for key, item in _first(mapping.items(), room))
        text = "{" + ", ".join(entries) + "}"
    elif isinstance(value, list):
        text = (
            "["
            + ", ".join(_java_text(item, room) for item in _first(cast("list[Any]", value), room))
            + "]"
        )
    else:
        text = str(value)
    return text if len(text) <= room else text[:room] + "..."


def _first(items: Iterable[Any], room: int) -> list[Any]:
    """As many items as can matter to a text of ``room`` characters: each takes two at least."""
    return [item for _, item in zip(range(room // 2), items, strict=False)]
