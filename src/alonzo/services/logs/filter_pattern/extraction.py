"""What a filter pattern finds inside an event that it matches: values for metrics. Pure.

| Pattern | A value is named |
|---|---|
| ``{ … }`` | by a selector, ``$.latency`` |
| ``[ … ]`` | by the field's name or number, ``$latency``, ``$3`` |
| terms | not at all |

Source: CloudWatch Logs user guide, metric filters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from alonzo.services.logs.errors import invalid
from alonzo.services.logs.filter_pattern.fields import field_reader
from alonzo.services.logs.filter_pattern.json_events import json_reader, selectors_of

#: Finds the value of one expression in an event; None: it has none.
Reader = Callable[[str], Any]


def value_reader(pattern: str, expression: str) -> Reader:
    """What finds the value that ``expression`` names: a number, a selector or a field.

    Raises:
        InvalidParameterException: the expression is none for such a pattern.
    """
    text = pattern.strip()
    if not expression.startswith("$"):
        number = number_of(expression)
        if number is None:
            raise invalid("Invalid metric transformation: the metric value must be numeric.")
        return lambda message: number
    if text.startswith("{"):
        return json_reader(expression)
    if not text.startswith("["):
        raise invalid(
            "Invalid metric transformation: a value can be taken from JSON or space-delimited "
            "events only."
        )
    fields, name = field_reader(text[1:-1]), expression[1:]
    return lambda message: fields(message).get(name)


def values_reader(pattern: str) -> Callable[[str], Mapping[str, str]]:
    """What finds every value that the pattern itself names, by its expression."""
    text = pattern.strip()
    if text.startswith("{"):
        readers = {name: json_reader(name) for name in selectors_of(text[1:-1])}
        return lambda message: {
            name: text_of(value)
            for name, read in readers.items()
            if (value := read(message)) is not None
        }
    if not text.startswith("["):
        return lambda message: {}
    fields = field_reader(text[1:-1])
    return lambda message: {f"${name}": value for name, value in fields(message).items()}


def number_of(value: Any) -> float | None:
    """A finite number, or a text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text_of(value: Any) -> str:
    """A value of a JSON document as text."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
