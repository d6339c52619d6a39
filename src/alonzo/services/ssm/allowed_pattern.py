"""``AllowedPattern``: regular expressions from clients, matched in bounded time. Pure.

A pattern must match the whole value. It is run as an automaton, which looks at each character once
and never goes back: no pattern makes it slow. Left out are what an automaton cannot do or what
would make it large: references, look-around, flags, possessive quantifiers, and patterns of more
than ``STATES_MAX`` characters with counted repetitions written out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

STATES_MAX = 512

_ATOM = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\(?P<escaped>[dDwWsS]|[^0-9A-Za-z]|[tnrfv])|[^\\()|*+?\[\]{}^$]",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})(\??)")


class PatternError(Exception):
    """The pattern is none, or not one of those that are taken."""


@dataclass(slots=True)
class _State:
    """``test`` leads to ``after`` on a character; without one, all of ``after`` at once."""

    test: Callable[[str], object] | None = None
    after: list[_State] = field(default_factory=list["_State"])


#: A piece of a pattern: adds itself in front of a state and answers where it begins.
_Piece = Callable[["_Builder", _State], _State]


class _Builder:
    def __init__(self) -> None:
        self._left = STATES_MAX

    def state(self, test: Callable[[str], object] | None, *after: _State) -> _State:
        if self._left == 0:
            raise PatternError("the pattern is too large")
        self._left -= 1
        return _State(test, list(after))


class AllowedPattern:
    """A pattern made ready."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Raises:
            PatternError: see above.
        """
        inside = text.removeprefix("^")
        if inside.endswith("$") and not inside.endswith("\\$"):
            inside = inside[:-1]
        reader = _Reader(inside)
        piece = reader.alternatives(0)
        if reader.place != len(inside):
            raise PatternError("a parenthesis closes that was never opened")
        self._end = _State()
        self._start = piece(_Builder(), self._end)

    def matches(self, value: str) -> bool:
        """Whether the whole value fits."""
        current = _reached([self._start])
        for char in value:
            # Each state is in there once, however many ways lead to it.
            after = [each.after[0] for each in current if each.test is not None and each.test(char)]
            current = _reached(after)
            if not current:
                return False
        return any(each is self._end for each in current)


def _reached(states: list[_State]) -> list[_State]:
    found: list[_State] = []
    seen: set[int] = set()
    while states:
        state = states.pop()
        if id(state) in seen:
            continue
        seen.add(id(state))
        if state.test is None and state.after:
            states.extend(state.after)
        else:
            found.append(state)
    return found


_DEPTH_MAX = 16


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.place = 0

    def alternatives(self, depth: int) -> _Piece:
        if depth > _DEPTH_MAX:
            raise PatternError("groups nest too deep")
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        if len(branches) == 1:
            return branches[0]
        return lambda builder, end: builder.state(None, *(each(builder, end) for each in branches))

    def _sequence(self, depth: int) -> _Piece:
        pieces: list[_Piece] = []
        while self.place < len(self._text) and self._text[self.place] not in "|)":
            pieces.append(self._quantified(self._atom(depth)))

        def build(builder: _Builder, end: _State) -> _State:
            for piece in reversed(pieces):
                end = piece(builder, end)
            return end

        return build

    def _atom(self, depth: int) -> _Piece:
        if self._take("("):
            self._take("?:")
            if self._text.startswith("?", self.place):
                raise PatternError("look-around and flags are not supported")
            inside = self.alternatives(depth + 1)
            if not self._take(")"):
                raise PatternError("a parenthesis is not closed")
            return inside
        found = _ATOM.match(self._text, self.place)
        if found is None:
            raise PatternError(f"unexpected character at {self.place}")
        self.place = found.end()
        try:
            test = re.compile(found[0], re.ASCII).fullmatch
        except (re.error, FutureWarning) as error:
            raise PatternError(str(error)) from error
        return lambda builder, end: builder.state(test, end)

    def _quantified(self, piece: _Piece) -> _Piece:
        found = _QUANTIFIER.match(self._text, self.place)
        if found is None:
            return piece
        self.place = found.end()
        sign, low, comma, high, _ = found.groups()
        if sign:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        else:
            least = int(low)
            most = (int(high) if high else None) if comma else least
        if most is not None and most < least:
            raise PatternError("a repetition's end is before its start")
        if self._text.startswith(("+", "*", "?", "{"), self.place):
            raise PatternError("a quantifier follows a quantifier")
        return _repeated(piece, least, most)

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self.place):
            self.place += len(text)
            return True
        return False


def _repeated(piece: _Piece, least: int, most: int | None) -> _Piece:
    def build(builder: _Builder, end: _State) -> _State:
        if most is None:
            again = builder.state(None, end)
            again.after.append(piece(builder, again))
            end = again
        else:
            out = end
            for _ in range(most - least):
                end = builder.state(None, out, piece(builder, end))
        for _ in range(least):
            end = piece(builder, end)
        return end

    return build
