"""The regular expressions of filter patterns, matched in linear time.

The language has no groups, so an expression is a choice of sequences of repeated character sets.
That is little enough to run as an automaton whose states are sets of places in the expression,
found while matching and kept. Python's own engine would backtrack, and holds the interpreter lock
while it does: one ``%.*.*.*x%`` over one long line would stop the whole platform.

Source: CloudWatch Logs user guide, supported regular expression syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from alonzo.model.errors import AwsError
from alonzo.services.logs.errors import invalid

#: Places in one expression, counted repetitions written out. The guide names no number.
PLACES_MAX = 1000
#: Steps that an automaton remembers; when there are more it starts afresh.
_REMEMBERED_MAX = 50_000

_CharTest = Callable[[str], bool]

_LITERAL = re.compile(r"[A-Za-z0-9:_#=@/;,\-]")
_COUNT = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}", re.ASCII)
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")
#: What may follow a backslash and then stands for itself.
_ESCAPED = frozenset("^$?[]{}|\\*+.%-:_#=@/;,!\"'()&<>~` ")

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGIT = frozenset("0123456789")
_SPACE = frozenset(" \t\n\r\f\v")
_CLASSES: dict[str, tuple[frozenset[str], bool]] = {
    "d": (_DIGIT, True),
    "D": (_DIGIT, False),
    "s": (_SPACE, True),
    "S": (_SPACE, False),
    "w": (_WORD, True),
    "W": (_WORD, False),
}


def _refused() -> AwsError:
    return invalid("Invalid filter pattern: Invalid regular expression")


@dataclass(frozen=True, slots=True)
class _Place:
    """One character set of a sequence. A place that repeats may be entered any number of times."""

    accepts: _CharTest
    may_skip: bool
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    places: tuple[_Place, ...]
    at_start: bool
    at_end: bool


def compile_regex(source: str) -> Automaton:
    """The automaton of what stands between the percent signs.

    Raises:
        InvalidParameterException: the language has no such expression.
    """
    reader = _Reader(source)
    sequences = [reader.sequence()]
    while reader.take("|"):
        sequences.append(reader.sequence())
    if not reader.at_end or sum(len(one.places) for one in sequences) > PLACES_MAX:
        raise _refused()
    return Automaton(sequences)


class _Reader:
    """A recursive-descent reader of one expression."""

    def __init__(self, source: str) -> None:
        if not source:
            raise _refused()
        self._source = source
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._source)

    def take(self, char: str) -> bool:
        if self._source[self._at : self._at + 1] != char:
            return False
        self._at += 1
        return True

    def sequence(self) -> _Sequence:
        begin = self._at
        at_start = self.take("^")
        places: list[_Place] = []
        at_end = False
        while not self.at_end and self._source[self._at] != "|":
            if self.take("$"):
                at_end = True
                if not self.at_end and self._source[self._at] != "|":
                    raise _refused()
                break
            accepts = self._characters()
            places.extend(self._repeated(accepts))
            if len(places) > PLACES_MAX:
                raise _refused()
        if self._at == begin:
            raise _refused()
        return _Sequence(tuple(places), at_start, at_end)

    def _characters(self) -> _CharTest:
        if self.take("."):
            return lambda char: char != "\n"
        if self.take("["):
            return self._set()
        if self.take("\\"):
            return _member(*self._escape())
        char = self._next()
        if _LITERAL.fullmatch(char) is None:
            raise _refused()
        return lambda other: other == char

    def _repeated(self, accepts: _CharTest) -> list[_Place]:
        if self.take("?"):
            places = [_Place(accepts, may_skip=True, repeats=False)]
        elif self.take("*"):
            places = [_Place(accepts, may_skip=True, repeats=True)]
        elif self.take("+"):
            places = [_Place(accepts, may_skip=False, repeats=True)]
        elif self._source[self._at : self._at + 1] == "{":
            places = self._counted(accepts)
        else:
            return [_Place(accepts, may_skip=False, repeats=False)]
        # A second quantifier would change only how Java searches, never what it finds, or be none.
        if self._source[self._at : self._at + 1] in ("?", "*", "+", "{"):
            raise _refused()
        return places

    def _counted(self, accepts: _CharTest) -> list[_Place]:
        found = _COUNT.match(self._source, self._at)
        if found is None:
            raise _refused()
        self._at = found.end()
        least = int(found[1])
        most = least if not found[2] else (int(found[3]) if found[3] else None)
        if max(least, most or 0) > PLACES_MAX or (most is not None and most < least):
            raise _refused()
        once = _Place(accepts, may_skip=False, repeats=False)
        if most is None:
            return [once] * least + [_Place(accepts, may_skip=True, repeats=True)]
        return [once] * least + [_Place(accepts, may_skip=True, repeats=False)] * (most - least)

    def _set(self) -> _CharTest:
        wanted = not self.take("^")
        singles: set[str] = set()
        ranges: list[tuple[str, str]] = []
        classes: list[_CharTest] = []
        while not self.take("]"):
            chars, inside = self._set_member()
            if len(chars) != 1 or not inside:
                classes.append(_member(chars, inside))
                continue
            (first,) = chars
            if self._source[self._at : self._at + 1] == "-" and not self._source.startswith(
                "-]", self._at
            ):
                self._at += 1
                chars, inside = self._set_member()
                if len(chars) != 1 or not inside or (last := next(iter(chars))) < first:
                    raise _refused()
                ranges.append((first, last))
            else:
                singles.add(first)
        if not singles and not ranges and not classes:
            raise _refused()

        def accepts(char: str) -> bool:
            found = (
                char in singles
                or any(first <= char <= last for first, last in ranges)
                or any(one(char) for one in classes)
            )
            return found is wanted

        return accepts

    def _set_member(self) -> tuple[frozenset[str], bool]:
        """One member of a set: the characters, and whether it is they or all others."""
        if self.take("\\"):
            return self._escape()
        char = self._next()
        if _LITERAL.fullmatch(char) is None and char not in "^$?{}|*+.":
            raise _refused()
        return frozenset(char), True

    def _escape(self) -> tuple[frozenset[str], bool]:
        code = _HEX.match(self._source, self._at)
        if code is not None:
            self._at = code.end()
            return frozenset(chr(int(code[1], 16))), True
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char]
        if char not in _ESCAPED:
            raise _refused()
        return frozenset(char), True

    def _next(self) -> str:
        if self.at_end:
            raise _refused()
        self._at += 1
        return self._source[self._at - 1]


def _member(chars: frozenset[str], inside: bool) -> _CharTest:
    return lambda char: (char in chars) is inside


class _State(dict[str, "_State"]):
    """A set of places, as bits, and where each character leads from it."""

    def __init__(self, automaton: Automaton, places: int) -> None:
        super().__init__()
        self._automaton = automaton
        self.places = places
        self.accepts = bool(places & automaton.finals)

    def __missing__(self, char: str) -> _State:
        following = self._automaton.follow(self.places, char)
        self[char] = following
        return following


class Automaton:
    """A compiled expression. Matching takes time linear in the text.

    A set of places is one integer, a bit for each place and one behind each sequence, so a step
    is a handful of operations on integers. Steps are remembered by state and character.
    """

    def __init__(self, sequences: list[_Sequence]) -> None:
        self._tests: list[_CharTest | None] = []
        self._repeats = 0
        self._skips = 0
        self._entries = 0
        self.finals = 0
        self._finals_at_end = 0
        start = 0
        for sequence in sequences:
            first = 1 << len(self._tests)
            start |= first
            if not sequence.at_start:
                self._entries |= first
            for place in sequence.places:
                bit = 1 << len(self._tests)
                self._tests.append(place.accepts)
                self._repeats |= bit if place.repeats else 0
                self._skips |= bit if place.may_skip else 0
            if sequence.at_end:
                self._finals_at_end |= 1 << len(self._tests)
            else:
                self.finals |= 1 << len(self._tests)
            self._tests.append(None)
        self._start = self._closed(start)
        self._entries = self._closed(self._entries)
        self._accepting: dict[str, int] = {}
        self._states: dict[int, _State] = {}
        self._remembered = 0

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in the text."""
        state = self._state(self._start)
        if state.accepts:
            return True
        end = len(text) - 1 if text.endswith("\n") else len(text)
        for char in text[:end]:
            state = state[char]
            if state.accepts:
                return True
        if state.places & self._finals_at_end:
            return True
        # A line feed at the very end may belong to the match or follow it, as in Java and Python.
        if end < len(text):
            state = state["\n"]
        return state.accepts or bool(state.places & self._finals_at_end)

    def follow(self, places: int, char: str) -> _State:
        """The state after reading a character; called once for each pair, as a rule."""
        self._remembered += 1
        if self._remembered > _REMEMBERED_MAX:
            self._remembered = 0
            self._states.clear()
            self._accepting.clear()
        taken = places & self._accepting_of(char)
        following = taken << 1 | taken & self._repeats | self._entries
        return self._state(self._closed(following))

    def _accepting_of(self, char: str) -> int:
        """The places whose character set holds ``char``."""
        accepting = self._accepting.get(char)
        if accepting is None:
            accepting = 0
            for number, test in enumerate(self._tests):
                if test is not None and test(char):
                    accepting |= 1 << number
            self._accepting[char] = accepting
        return accepting

    def _closed(self, places: int) -> int:
        """With every place that can be reached without reading a character.

        Within a run of places that may be skipped, adding the run to the places in it carries a
        one from the first of them to the bit behind the run, and clears what lies between.
        """
        carried = (places & self._skips) + self._skips
        return places | self._skips & ~carried | carried & ~self._skips

    def _state(self, places: int) -> _State:
        state = self._states.get(places)
        if state is None:
            state = self._states[places] = _State(self, places)
        return state
