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
from functools import lru_cache

#: Characters of a pattern, and steps to make it ready: a repetition of nothing takes some, too.
STATES_MAX = 512
STEPS_MAX = 4096

_ATOM = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\(?P<escaped>[dDwWsS]|[^0-9A-Za-z]|[tnrfv])|[^\\()|*+?\[\]{}^$]",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})(\??)")


class PatternError(Exception):
    """The pattern is none, or not one of those that are taken."""


@dataclass(slots=True, eq=False)
class _State:
    """``atom`` leads to ``after`` on a character; without one, all of ``after`` at once."""

    atom: str | None = None
    after: list[_State] = field(default_factory=list["_State"])


#: A piece of a pattern: adds itself in front of a state and answers where it begins.
_Piece = Callable[["_Builder", _State], _State]


class _Builder:
    def __init__(self) -> None:
        self._left = STATES_MAX
        self._steps_left = STEPS_MAX

    def state(self, atom: str | None, *after: _State) -> _State:
        if self._left == 0:
            raise PatternError("the pattern is too large")
        self._left -= 1
        return _State(atom, list(after))

    def step(self) -> None:
        if self._steps_left == 0:
            raise PatternError("the pattern is too large")
        self._steps_left -= 1


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
        end = _State()
        self._automaton = _Automaton(piece(_Builder(), end), end)

    def matches(self, value: str) -> bool:
        """Whether the whole value fits."""
        return self._automaton.takes(value)


#: States that are stepped on together, and remembered together: so many bits.
_TOGETHER = 8


class _Automaton:
    """All states at a time, each a bit of a number: what a character costs has a bound.

    Where eight states lead to is worked out once, and so is what takes a character.
    """

    def __init__(self, start: _State, end: _State) -> None:
        #: Those that take a character, each with its bit. The end is bit 0.
        self._bits = {end: 1}
        self._entries: list[_State] = [end]
        #: By what they take.
        self._atoms: dict[str, int] = {}
        for state in _all_from(start):
            if state.atom is not None:
                bit = self._bits[state] = 1 << len(self._entries)
                self._entries.append(state)
                self._atoms[state.atom] = self._atoms.get(state.atom, 0) | bit
        self._reached: dict[int, int] = {}
        self._ways: dict[tuple[int, int], int] = {}
        self._taking: dict[str, int] = {}
        self._first = self._entered(start)

    def takes(self, value: str) -> bool:
        """Whether it leads from the start to the end."""
        active = self._first
        for char in value:
            active &= self._taken(char)
            if not active:
                return False
            active = self._after(active)
        return bool(active & 1)

    def _entered(self, state: _State) -> int:
        """The state, or those that it leads to at once."""
        found, waiting, seen = 0, [state], {state}
        while waiting:
            each = waiting.pop()
            if each in self._bits:
                found |= self._bits[each]
                continue
            for after in each.after:
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
        return found

    def _after(self, active: int) -> int:
        found = 0
        some = active.to_bytes(-(-active.bit_length() // _TOGETHER), "little")
        for place, bits in enumerate(some):
            if bits:
                way = self._ways.get((place, bits))
                found |= self._way(place, bits) if way is None else way
        return found

    def _way(self, place: int, bits: int) -> int:
        """Where these states lead to, after a character that each of them takes."""
        found = 0
        for each in range(place * _TOGETHER, (place + 1) * _TOGETHER):
            if bits >> each % _TOGETHER & 1:
                if each not in self._reached:
                    self._reached[each] = self._entered(self._entries[each].after[0])
                found |= self._reached[each]
        self._ways[place, bits] = found
        return found

    def _taken(self, char: str) -> int:
        """The states that take a character."""
        found = self._taking.get(char)
        if found is None:
            found = 0
            for atom, states in self._atoms.items():
                if atom == char or ((len(atom) > 1 or atom == ".") and _test(atom)(char)):
                    found |= states
            self._taking[char] = found
        return found


def _all_from(start: _State) -> list[_State]:
    found, waiting = {start: None}, [start]
    while waiting:
        for after in waiting.pop().after:
            if after not in found:
                found[after] = None
                waiting.append(after)
    return list(found)


@lru_cache(maxsize=1024)
def _test(atom: str) -> Callable[[str], object]:
    return re.compile(atom, re.ASCII).fullmatch


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
            builder.step()
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
        atom = found[0]
        try:
            _test(atom)
        except (re.error, FutureWarning) as error:
            raise PatternError(str(error)) from error
        return lambda builder, end: builder.state(atom, end)

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
