"""The filter pattern language of CloudWatch Logs: ``parse(text)`` gives a matcher. Pure.

| Pattern | Language | File |
|---|---|---|
| ``{ $.a.b[0] = "x" && $.n >= 3 }`` | selectors on JSON objects | ``json_events.py`` |
| ``[ip, user, ..., status = 4*]`` | conditions on space-delimited fields | ``fields.py`` |
| ``ERROR -"time out" ?a ?b %re+gex%`` | terms anywhere in the event | ``terms.py`` |

A matcher takes one message and never raises. Its time grows linearly with the message, whatever
the pattern: regular expressions run on an automaton (``regex.py``), not on a backtracker.

Source: CloudWatch Logs user guide, filter pattern syntax.
"""

from __future__ import annotations

from collections.abc import Callable

from alonzo.services.logs.errors import invalid
from alonzo.services.logs.filter_pattern.fields import parse_fields
from alonzo.services.logs.filter_pattern.json_events import parse_json
from alonzo.services.logs.filter_pattern.terms import parse_terms

Matcher = Callable[[str], bool]


def parse(text: str) -> Matcher | None:
    """The matcher of a filter pattern, or None for a pattern that every event matches.

    Raises:
        InvalidParameterException: the text is no filter pattern.
    """
    pattern = text.strip()
    if not pattern:
        return None
    if pattern[0] == "{":
        if pattern[-1] != "}":
            raise invalid("If a filter pattern starts with '{' it must end with '}'")
        return parse_json(pattern[1:-1])
    if pattern[0] == "[":
        if pattern[-1] != "]":
            raise invalid("If a filter pattern starts with '[' it must end with ']'")
        return parse_fields(pattern[1:-1])
    return parse_terms(pattern)
