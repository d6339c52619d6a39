"""Hostile inputs: how they are made from good ones, and what must hold while they are taken.

Everything comes from one ``random.Random``, so a seed is all that a failure needs to come again.
"""

from __future__ import annotations

import copy
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

#: Values that are seldom expected.
JUNK: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1 << 31,
    1 << 63,
    -(1 << 70),
    1.5,
    1e308,
    "",
    " ",
    "x" * 3000,
    "\ud800",
    "\x00",
    "é😹",
    "$LATEST",
    "*",
    "arn:aws:lambda:us-east-1:000000000000:function:f",
    "../../etc/passwd",
    "{}",
    "null",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
    ["x"] * 200,
)

#: Pieces that mean something to one grammar or another.
TOKENS: Sequence[bytes] = (
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b"%00",
    b"%ff",
    b"%2e%2e/",
    b"../",
    b"//",
    b"?",
    b"&",
    b"=",
    b"+",
    b";",
    b":",
    b",",
    b'"',
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b"(",
    b")",
    b"*",
    b"\\",
    b"$",
    b"-1",
    b"0",
    b"99999999999999999999",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"0x",
    b"Infinity",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"Connection: close\r\n",
    b"X-Amz-Date: ",
    b"Host: a\r\n",
    b"aws-chunked",
    b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<![CDATA[",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
)

BYTES_MAX = 200_000


def mutated(pick: Random, data: bytes, tokens: Sequence[bytes] = TOKENS) -> bytes:
    """The bytes with a few changes, mostly small ones."""
    changed = bytearray(data)
    for _ in range(pick.choice((1, 1, 1, 2, 3, 6))):
        at = pick.randrange(len(changed) + 1)
        end = min(len(changed), at + pick.choice((1, 1, 2, 4, 16, 64)))
        kind = pick.randrange(8)
        if kind == 0 and at < len(changed):
            changed[at] = pick.randrange(256)
        elif kind == 1:
            del changed[at:end]
        elif kind == 2:
            changed[at:at] = changed[at:end] * pick.choice((1, 2, 50))
        elif kind == 3:
            changed[at:at] = pick.choice(tokens)
        elif kind == 4:
            changed[at:end] = pick.choice(tokens)
        elif kind == 5:
            changed[at:at] = pick.randbytes(pick.choice((1, 4, 40)))
        elif kind == 6 and at < len(changed):
            changed[at] ^= 1 << pick.randrange(8)
        else:
            del changed[at:]
    return bytes(changed[:BYTES_MAX])


def mutated_tree(pick: Random, tree: Any, junk: Sequence[Any] = JUNK) -> Any:
    """A document with a few values replaced, dropped, doubled, renamed or buried."""
    tree = copy.deepcopy(tree)
    for _ in range(pick.choice((1, 1, 2, 4))):
        places = _places(tree)
        if not places:
            return pick.choice(junk)
        parent, key = pick.choice(places)
        kind = pick.randrange(6)
        if kind <= 2:
            parent[key] = copy.deepcopy(pick.choice(junk))
        elif kind == 3:
            del parent[key]
        elif kind == 4:
            parent[key] = _buried(parent[key], pick.choice((1, 5, 60)), pick)
        elif isinstance(parent, dict):
            cast("dict[str, Any]", parent)[pick.choice(("", "x" * 300, "é", str(key).lower()))] = (
                parent[key]
            )
        else:
            parent.extend([parent[key]] * pick.choice((1, 30)))
    return tree


def _buried(value: Any, depth: int, pick: Random) -> Any:
    for _ in range(depth):
        value = [value] if pick.random() < 0.5 else {"a": value}
    return value


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo: list[Any] = [tree]
    while todo and len(found) < 2000:
        node: Any = todo.pop()
        entries: list[tuple[Any, Any]] = []
        if isinstance(node, dict):
            entries = list(cast("dict[Any, Any]", node).items())
        elif isinstance(node, list):
            entries = list(enumerate(cast("list[Any]", node)))
        for key, value in entries:
            found.append((cast("Any", node), key))
            todo.append(value)
    return found


def pieces(pick: Random, data: bytes) -> list[bytes]:
    """The bytes as a network may bring them."""
    cuts = sorted(pick.randrange(len(data) + 1) for _ in range(pick.choice((0, 0, 1, 3))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


def resident_bytes(pid: int | str = "self") -> int:
    """The memory that a process has now."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


@dataclass
class Bounds:
    """Watches over a run: every input in time, memory in bounds. ``n`` inputs so far.

    Times are of the processor, so a machine that is busy with others breaks no bound.
    """

    seconds_max: float = 5.0
    growth_bytes_max: int = 192 << 20
    pid: int | str = "self"
    n: int = 0
    slowest_s: float = 0.0
    spent_s: float = 0.0
    _first_bytes: int = field(default=0, repr=False)

    def take(self, step: Callable[[], object]) -> None:
        """Run one input.

        Raises:
            AssertionError: it took too long, or what came before has left too much behind.
        """
        began_s = time.process_time()
        step()
        took_s = time.process_time() - began_s
        self.n += 1
        self.spent_s += took_s
        self.slowest_s = max(self.slowest_s, took_s)
        assert took_s < self.seconds_max, f"one input took {took_s:.1f} s"
        self.look()

    def look(self) -> None:
        """Look at memory, now and then."""
        if self.n == 200:
            self._first_bytes = resident_bytes(self.pid)
        elif self.n > 200 and self.n % 500 == 0:
            grown = resident_bytes(self.pid) - self._first_bytes
            assert grown < self.growth_bytes_max, f"{grown >> 20} MiB more after {self.n} inputs"


def inputs_wanted(default: int) -> int:
    """How many inputs a target gets: ``$ALONZO_FUZZ_INPUTS``, else ``default``."""
    return int(os.environ.get("ALONZO_FUZZ_INPUTS", default))


def seed_wanted() -> int:
    """Where the inputs begin: ``$ALONZO_FUZZ_SEED``, else the same in every run."""
    return int(os.environ.get("ALONZO_FUZZ_SEED", 1))
