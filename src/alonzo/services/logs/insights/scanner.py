"""The cursor over a query, and what is said of one that cannot be read. Pure."""

from __future__ import annotations

import re

from alonzo.model.errors import AwsError
from alonzo.services.logs.insights.bounds import Bounds

_SPACE = re.compile(r"(?:\s|#[^\n]*)*")
_WORD = re.compile(r"[@A-Za-z_][\w@]*")
_FIELD = re.compile(r"[@A-Za-z_][\w@]*(?:\.[\w@]+)*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

#: Parentheses and calls within each other.
DEPTH_MAX = 50


def malformed(message: str, start: int, end: int) -> AwsError:
    """MalformedQueryException, with the place in the query. The texts are ours."""
    location = {"startCharOffset": start, "endCharOffset": max(start, end)}
    return AwsError(
        "MalformedQueryException",
        message,
        members={"queryCompileError": {"location": location, "message": message}},
    )


class Scanner:
    """A cursor. Every ``take`` skips white space and comments first."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.bounds = Bounds()

    def skip(self) -> None:
        """Step over white space and comments."""
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        self.skip()
        return self.at >= len(self.text)

    def peek(self, literal: str) -> bool:
        """Whether a sign comes next."""
        self.skip()
        return self.text.startswith(literal, self.at)

    def take(self, literal: str) -> bool:
        """Step over a sign if it comes next."""
        if not self.peek(literal):
            return False
        self.at += len(literal)
        return True

    def need(self, literal: str) -> None:
        """Step over a sign.

        Raises:
            MalformedQueryException: something else comes.
        """
        if not self.take(literal):
            raise self.error(f"expected {literal!r}")

    def word(self) -> str:
        """The word that comes next, in lower case, without stepping over it; or nothing."""
        self.skip()
        found = _WORD.match(self.text, self.at)
        return "" if found is None else found[0].lower()

    def take_word(self, *words: str) -> str | None:
        """Step over the next word if it is one of these."""
        found = self.word()
        if found not in words:
            return None
        self.at += len(found)
        return found

    def try_field(self) -> str | None:
        """The name of a field, plain or in backticks, or None."""
        self.skip()
        if self.text.startswith("`", self.at):
            end = self.text.find("`", self.at + 1)
            if end < 0:
                raise self.error("a backtick is never closed")
            name, self.at = self.text[self.at + 1 : end], end + 1
            return name
        found = _FIELD.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def field(self) -> str:
        """The name of a field.

        Raises:
            MalformedQueryException: something else comes.
        """
        name = self.try_field()
        if name is None:
            raise self.error("expected a field")
        return name

    def number(self) -> float | int | None:
        """The number that comes next, or None."""
        self.skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return float(found[0]) if not found[0].isdigit() else int(found[0][:18])

    def quoted(self) -> str | None:
        """The text in quotes that comes next, or None. A backslash keeps the next character."""
        self.skip()
        quote = self.text[self.at : self.at + 1]
        if quote not in ("'", '"') or not quote:
            return None
        parts: list[str] = []
        at = self.at + 1
        while at < len(self.text):
            char = self.text[at]
            if char == quote:
                self.at = at + 1
                return "".join(parts)
            if char == "\\" and at + 1 < len(self.text):
                at += 1
                char = {"n": "\n", "t": "\t"}.get(self.text[at], self.text[at])
            parts.append(char)
            at += 1
        raise self.error("a quote is never closed")

    def regex(self) -> str | None:
        """The expression between slashes that comes next, or None."""
        if not self.peek("/"):
            return None
        at = self.at + 1
        while at < len(self.text) and self.text[at] != "/":
            at += 2 if self.text[at] == "\\" else 1
        if at >= len(self.text):
            raise self.error("a regular expression is never closed")
        source, self.at = self.text[self.at + 1 : at], at + 1
        return source.replace("\\/", "/")

    def error(self, message: str) -> AwsError:
        """What is wrong here."""
        self.skip()
        found = re.compile(r"\w+|\S|$").match(self.text, self.at)
        end = self.at if found is None else found.end()
        shown = self.text[self.at : end]
        near = f" near {shown!r}" if shown else " at the end of the query"
        return malformed(f"{message}{near}", self.at, end)
