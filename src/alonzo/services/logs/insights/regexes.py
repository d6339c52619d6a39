"""The regular expressions of queries, with groups, matched in linear time. Pure.

Python's own engine goes back and tries again, and holds the interpreter lock while it does: a few
characters of a query could stop the platform. So an expression is compiled to a small program. To
find out whether it is in a text, sets of places in the program are followed, found while matching
and kept; what its groups hold is found by following each place with what it has seen (Pike).

Left out: references, look-around, possessive repetitions, word borders, flags other than ``(?i)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from alonzo.services.logs.insights.bounds import PROGRAM_MAX as PROGRAMS_MAX
from alonzo.services.logs.insights.bounds import REMEMBERED_MAX, Bounds

#: Instructions of one expression, counted repetitions written out.
PROGRAM_MAX = 1000
_DEPTH_MAX = 40
#: What a set of places weighs beside them, and a way from one to another.
_PLACES_WEIGHT, _WAY_WEIGHT = 40, 10

_GROUP = re.compile(r"\?(?:(:)|P?<([A-Za-z][A-Za-z0-9_]*)>)")
_COUNT = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": lambda char: "0" <= char <= "9",
    "D": lambda char: not "0" <= char <= "9",
    "s": lambda char: char in " \t\n\r\f\v",
    "S": lambda char: char not in " \t\n\r\f\v",
    "w": lambda char: char == "_" or (char.isascii() and char.isalnum()),
    "W": lambda char: not (char == "_" or (char.isascii() and char.isalnum())),
}

_Test = Callable[[str], bool]


class RegexError(Exception):
    """The text is no expression, or needs what is left out."""


class _Step(NamedTuple):
    """An instruction. ``kind``: char, split, save, start, end or match.

    ``split`` goes to ``to`` first and to ``other`` else; ``save`` notes where it is in ``slot``.
    """

    kind: str
    to: int = 0
    other: int = 0
    slot: int = 0
    test: _Test | None = None


#: A piece of an expression: puts itself in front of a place and answers where it begins.
_Piece = Callable[["_Program", int], int]


class _Program:
    def __init__(self) -> None:
        self.steps: list[_Step] = []

    def add(self, step: _Step) -> int:
        if len(self.steps) >= PROGRAM_MAX:
            raise RegexError("the regular expression is too large")
        self.steps.append(step)
        return len(self.steps) - 1


class _Reader:
    """Reads an expression."""

    def __init__(self, text: str) -> None:
        self.folds = text.startswith("(?i)")
        self._text = text[4:] if self.folds else text
        self._at = 0
        self._depth = 0
        self.names: list[str] = []

    def read(self) -> _Piece:
        piece = self._either()
        if self._at < len(self._text):
            raise RegexError("a parenthesis is closed that was not opened")
        return piece

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, literal: str) -> bool:
        if not self._text.startswith(literal, self._at):
            return False
        self._at += len(literal)
        return True

    def _either(self) -> _Piece:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise RegexError("the regular expression nests too deep")
        pieces = [self._sequence()]
        while self._take("|"):
            pieces.append(self._sequence())
        self._depth -= 1
        return _one_of(pieces)

    def _sequence(self) -> _Piece:
        pieces: list[_Piece] = []
        while self._next() not in ("", "|", ")"):
            pieces.append(self._repeated(self._atom()))
        return _all_of(pieces)

    def _repeated(self, piece: _Piece) -> _Piece:
        bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._next())
        if bounds is not None:
            self._at += 1
        elif (found := _COUNT.match(self._text, self._at)) is not None:
            self._at = found.end()
            least = int(found[1])
            most = least if not found[2] else int(found[3]) if found[3] else None
            if most is not None and most < least:
                raise RegexError("a repetition ends before it begins")
            bounds = (least, most)
        else:
            return piece
        lazy = self._take("?")
        if self._next() in ("*", "+", "?") and self._next():
            raise RegexError("a repetition is repeated")
        return _repetition(piece, *bounds, lazy=lazy)

    def _atom(self) -> _Piece:
        char = self._next()
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return self._char(self._set())
        if char == ".":
            return self._char(lambda char: char != "\n")
        if char in "^$":
            kind = "start" if char == "^" else "end"
            return lambda program, to: program.add(_Step(kind, to))
        if char == "\\":
            return self._char(self._escape())
        if char in "*+?":
            raise RegexError("nothing to repeat")
        return self._char(_is(char))

    def _char(self, test: _Test) -> _Piece:
        if self.folds:
            plain = test
            test = lambda char: plain(char) or plain(char.swapcase())  # noqa: E731 -- one more test
        return lambda program, to: program.add(_Step("char", to, test=test))

    def _group(self) -> _Piece:
        slot = None
        if self._next() == "?":
            found = _GROUP.match(self._text, self._at)
            if found is None:
                raise RegexError("that kind of group is not supported")
            self._at = found.end()
            if found[2]:
                slot = len(self.names) * 2
                self.names.append(found[2])
        inner = self._either()
        if not self._take(")"):
            raise RegexError("a parenthesis is never closed")
        return inner if slot is None else _saved(inner, slot)

    def _escape(self) -> _Test:
        char = self._next()
        self._at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROLS:
            return _is(_CONTROLS[char])
        found = _HEX.match(self._text, self._at - 1)
        if found is not None:
            self._at = found.end()
            return _is(chr(int(found[1] or found[2], 16)))
        if not char or char.isalnum():
            raise RegexError(f"\\{char} is not supported")
        return _is(char)

    def _set(self) -> _Test:
        inverted = self._take("^")
        tests: list[_Test] = []
        while not tests or self._next() != "]":
            tests.append(self._member())
        self._at += 1
        return lambda char: any(test(char) for test in tests) is not inverted

    def _member(self) -> _Test:
        low = self._next()
        self._at += 1
        if not low:
            raise RegexError("a set is never closed")
        if low == "\\":
            return self._escape()
        high = self._text[self._at + 1 : self._at + 2]
        if self._next() != "-" or high in ("", "]", "\\"):
            return _is(low)
        self._at += 2
        if high < low:
            raise RegexError("a range ends before it begins")
        return lambda char: low <= char <= high


def _is(wanted: str) -> _Test:
    return lambda char: char == wanted


def _all_of(pieces: Sequence[_Piece]) -> _Piece:
    def put(program: _Program, to: int) -> int:
        for piece in reversed(pieces):
            to = piece(program, to)
        return to

    return put


def _one_of(pieces: Sequence[_Piece]) -> _Piece:
    def put(program: _Program, to: int) -> int:
        entry = pieces[-1](program, to)
        for piece in reversed(pieces[:-1]):
            entry = program.add(_Step("split", piece(program, to), entry))
        return entry

    return put


def _saved(inner: _Piece, slot: int) -> _Piece:
    def put(program: _Program, to: int) -> int:
        end = program.add(_Step("save", to, slot=slot + 1))
        return program.add(_Step("save", inner(program, end), slot=slot))

    return put


def _repetition(piece: _Piece, least: int, most: int | None, *, lazy: bool) -> _Piece:
    def split(inside: int, after: int) -> _Step:
        return _Step("split", after, inside) if lazy else _Step("split", inside, after)

    def put(program: _Program, to: int) -> int:
        entry = to
        if most is None:
            entry = program.add(_Step("split", to, to))
            program.steps[entry] = split(piece(program, entry), to)
        else:
            for _ in range(most - least):
                entry = program.add(split(piece(program, entry), to))
        for _ in range(least):
            entry = piece(program, entry)
        return entry

    return put


class _Places(dict[str, "_Places"]):
    """A set of places, and where each character leads from it. ``ends``: at the end of a text."""

    def __init__(self, pcs: tuple[int, ...], *, matched: bool, ends: bool) -> None:
        super().__init__()
        self.pcs = pcs
        self.matched = matched
        self.ends = ends


class Regex:
    """An expression made ready; ``names`` are those of its groups."""

    def __init__(self, source: str, bounds: Bounds | None = None) -> None:
        """Read an expression; ``bounds`` are those of its query.

        Raises:
            RegexError: see above.
        """
        reader = _Reader(source)
        piece = reader.read()
        if len(set(reader.names)) < len(reader.names):
            raise RegexError("a group's name stands twice")
        program = _Program()
        program.add(_Step("match"))
        self._start = piece(program, 0)
        self._steps = program.steps
        self.names: Sequence[str] = reader.names
        self._bounds = Bounds() if bounds is None else bounds
        self._bounds.program += len(self._steps)
        if self._bounds.program > PROGRAMS_MAX:
            raise RegexError("the regular expressions of the query are too large together")
        self._remembered = 0
        self._forget()

    def search(self, text: str) -> bool:
        """Whether the expression is anywhere in the text."""
        self._bounds.go_on()
        places = self._first
        for char in text.removesuffix("\n"):
            if places.matched:
                return True
            following = places.get(char)
            places = self._follow(places, char) if following is None else following
        return places.matched or places.ends

    def find(self, text: str) -> list[str | None] | None:
        """What the groups hold where the expression is first found; None: it is not there."""
        if not self.search(text):
            return None
        text = text.removesuffix("\n")
        size = len(self.names) * 2
        threads: list[tuple[int, tuple[int, ...]]] = []
        best: tuple[int, ...] | None = None
        for at in range(len(text) + 1):
            self._bounds.go_on()
            if best is None:
                threads.append((self._start, (-1,) * size))
            threads, ended = self._expand(threads, at, len(text))
            if ended is not None:
                best = ended
            if at == len(text) or (best is not None and not threads):
                break
            char = text[at]
            threads = [
                (self._steps[pc].to, slots)
                for pc, slots in threads
                if (test := self._steps[pc].test) is not None and test(char)
            ]
        if best is None:
            return None
        pairs = zip(best[::2], best[1::2], strict=True)
        return [text[start:end] if start >= 0 <= end else None for start, end in pairs]

    def _expand(
        self, threads: list[tuple[int, tuple[int, ...]]], at: int, length: int
    ) -> tuple[list[tuple[int, tuple[int, ...]]], tuple[int, ...] | None]:
        """Threads that wait for a character, in order of rank, up to one that has ended."""
        waiting: list[tuple[int, tuple[int, ...]]] = []
        seen = set[int]()
        stack = list(reversed(threads))
        while stack:
            pc, slots = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            step = self._steps[pc]
            if step.kind == "match":
                return waiting, slots
            if step.kind == "char":
                waiting.append((pc, slots))
            elif step.kind == "split":
                stack += [(step.other, slots), (step.to, slots)]
            elif step.kind == "save":
                stack.append((step.to, (*slots[: step.slot], at, *slots[step.slot + 1 :])))
            elif at == (0 if step.kind == "start" else length):
                stack.append((step.to, slots))
        return waiting, None

    def _forget(self) -> None:
        """Begin again to remember: what was, is reached from the first places alone."""
        self._bounds.remembered -= self._remembered
        self._remembered = 0
        self._known: dict[tuple[int, ...], _Places] = {}
        self._first = self._places([self._start], is_start=True)
        self._again = self._places([self._start], is_start=False)

    def _remember(self, weight: int) -> None:
        self._remembered += weight
        self._bounds.remembered += weight

    def _follow(self, places: _Places, char: str) -> _Places:
        self._bounds.go_on()
        if self._bounds.remembered > REMEMBERED_MAX:
            self._forget()
        moved = [
            self._steps[pc].to
            for pc in places.pcs
            if (test := self._steps[pc].test) is not None and test(char)
        ]
        following = self._again if not moved else self._places([*moved, self._start])
        self._remember(_WAY_WEIGHT)
        places[char] = following
        return following

    def _places(self, entries: Iterable[int], *, is_start: bool = False) -> _Places:
        pcs, matched = self._closure(entries, is_start=is_start, is_end=False)
        _, ends = self._closure(entries, is_start=is_start, is_end=True)
        key = (*pcs, -1 if matched else -2, -1 if ends else -2)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Places(pcs, matched=matched, ends=ends)
            self._remember(_PLACES_WEIGHT + 2 * len(pcs))
        return known

    def _closure(
        self, entries: Iterable[int], *, is_start: bool, is_end: bool
    ) -> tuple[tuple[int, ...], bool]:
        stack, seen, waiting, matched = list(entries), set[int](), set[int](), False
        while stack:
            pc = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            step = self._steps[pc]
            if step.kind == "match":
                matched = True
            elif step.kind == "char":
                waiting.add(pc)
            elif step.kind == "split":
                stack += [step.to, step.other]
            elif step.kind == "save" or (is_start if step.kind == "start" else is_end):
                stack.append(step.to)
        return tuple(sorted(waiting)), matched
