"""What a target gets of an event: its input, a part of the event, or a text made of it. Pure.

| Set on the target | It gets |
|---|---|
| nothing | the event |
| ``Input`` | that text |
| ``InputPath`` | what lies there in the event; ``null`` if nothing does |
| ``InputTransformer`` | the template, with values of the event in its placeholders |

A placeholder ``<name>`` stands for what lies at the path of that name in ``InputPathsMap``, or for
one of ``RESERVED``. Outside of quotes it becomes JSON; within them the bare text, escaped so that
what is around it stays JSON. What is not in the event is an empty text.

Source: EventBridge user guide, input transformation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from alonzo.lib.event_patterns import read_document
from alonzo.services.events.documents import Document, render
from alonzo.services.events.limits import OUTPUT_BYTES_MAX

_RULE_ARN = "aws.events.rule-arn"
_RULE_NAME = "aws.events.rule-name"
_INGESTED = "aws.events.event.ingestion-time"
_EVENT = "aws.events.event"
_EVENT_JSON = "aws.events.event.json"
#: Placeholders that need no path.
RESERVED = frozenset({_RULE_ARN, _RULE_NAME, _INGESTED, _EVENT, _EVENT_JSON})

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_STEP = re.compile(r"\.(\*|[A-Za-z0-9_\-/]+)|\[(\d{1,6}|\*)\]|\['([^']{1,256})'\]")
#: A quote, as the group; what is escaped is passed over.
_QUOTES = re.compile(r'\\.|(")', re.DOTALL)
_ABSENT = object()
#: Values that a path with wildcards may find.
_FOUND_MAX = 10_000


class InputError(Exception):
    """A path or template cannot be used. The message says why."""


class OutputError(Exception):
    """A template has made too much of an event."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a target gets something: which rule, and when the event came."""

    rule_arn: str
    rule_name: str
    ingested: str


def parse_path(text: str) -> Sequence[str | int]:
    """The steps of a path such as ``$.detail.items[0].name``.

    Raises:
        InputError: it is none.
    """
    if not text.startswith("$"):
        raise InputError("JSON path must begin with $")
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise InputError(f"JSON path cannot be read at position {at}")
        name, index, quoted = found.groups()
        if index is not None and index != "*":
            steps.append(int(index))
        else:
            steps.append(name or quoted or "*")
        at = found.end()
    return steps


def value_at(document: Any, steps: Sequence[str | int]) -> Any:
    """What lies there; all of it as a list where a step is a wildcard. ``None`` if nothing does."""
    found = _value_at(document, steps)
    return None if found is _ABSENT else found


def _value_at(document: Any, steps: Sequence[str | int]) -> Any:
    if "*" not in steps:
        values = list(_walk([document], steps))
        return values[0] if values else _ABSENT
    return list(_walk([document], steps))[:_FOUND_MAX]


def _walk(values: list[Any], steps: Sequence[str | int]) -> Iterator[Any]:
    for step in steps:
        following: list[Any] = []
        for value in values:
            following.extend(_step(value, step))
            if len(following) > _FOUND_MAX:
                break
        values = following
    yield from values


def _step(value: Any, step: str | int) -> Sequence[Any]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if step == "*":
            return list(members.values())
        return [members[step]] if isinstance(step, str) and step in members else []
    if isinstance(value, list):
        entries = cast("list[Any]", value)
        if step == "*":
            return entries
        return entries[step : step + 1] if isinstance(step, int) else []
    return []


def check_input(target: Mapping[str, Any]) -> None:
    """Refuse inputs that cannot be used.

    Raises:
        InputError: one of them is wrong, or there are several.
    """
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(given) > 1:
        raise InputError(
            "Only one of Input, InputPath, or InputTransformer must be provided for target "
            f"{target['Id']}."
        )
    if target.get("Input"):
        try:
            read_document(target["Input"])
        except ValueError as error:
            raise InputError(f"Invalid JSON in Input of target {target['Id']}.") from error
    if target.get("InputPath"):
        parse_path(target["InputPath"])
    if target.get("InputTransformer"):
        _check_transformer(target["Id"], target["InputTransformer"])


def _check_transformer(target_id: str, transformer: Mapping[str, Any]) -> None:
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    for name, path in paths.items():
        if name.lower().startswith("aws"):
            raise InputError(f"InputPathsMap of target {target_id}: {name} is reserved.")
        parse_path(path)
    template: str = transformer["InputTemplate"]
    for name in _PLACEHOLDER.findall(template):
        if name not in paths and name not in RESERVED:
            raise InputError(
                f"InputTemplate for target {target_id} contains invalid placeholder {name}."
            )
    sample = _filled(template, dict.fromkeys({*paths, *RESERVED}, "x"))
    # Several texts may stand in lines of their own.
    if not _is_json(sample) and not all(_is_json(line) for line in sample.splitlines()):
        raise InputError(f"Invalid InputTemplate for target {target_id}: it is no JSON.")


def _is_json(text: str) -> bool:
    try:
        read_document(text)
    except ValueError:
        return False
    return True


def output_of(target: Mapping[str, Any], event: Document, text: str, occasion: Occasion) -> str:
    """What the target gets of an event; ``text`` is the event, written.

    Raises:
        OutputError: a template makes too much of it.
    """
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return render(value_at(event, parse_path(target["InputPath"])))
    transformer = target.get("InputTransformer")
    if not transformer:
        return text
    paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
    values = {name: _value_at(event, parse_path(path)) for name, path in paths.items()}
    values |= {
        _RULE_ARN: occasion.rule_arn,
        _RULE_NAME: occasion.rule_name,
        _INGESTED: occasion.ingested,
        _EVENT: {name: value for name, value in event.items() if name != "detail"},
        _EVENT_JSON: dict(event),
    }
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with its placeholders replaced, once, from the left."""
    pieces: list[str] = []
    length = at = 0
    quoted = False
    for found in _PLACEHOLDER.finditer(template):
        if found[1] not in values:
            continue
        before = template[at : found.start()]
        quoted = quoted is not _ends_in_quotes(before)
        piece = _written(values[found[1]], quoted=quoted)
        pieces += (before, piece)
        length += len(before) + len(piece)
        if length > OUTPUT_BYTES_MAX:
            raise OutputError("The input transformer makes too much of the event.")
        at = found.end()
    return "".join(pieces) + template[at:]


def _ends_in_quotes(text: str) -> bool:
    """Whether a text leaves the quotes other than it found them; escaped ones do not count."""
    return len([each for each in _QUOTES.findall(text) if each]) % 2 == 1


def _written(value: Any, *, quoted: bool) -> str:
    if value is _ABSENT:
        return "" if quoted else '""'
    if not quoted:
        return render(value)
    text = value if type(value) is str else render(value)
    return json.dumps(text, ensure_ascii=False)[1:-1]
