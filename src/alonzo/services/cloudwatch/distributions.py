"""How often which values occurred, sparse and bounded, so that percentiles can be had later. Pure.

* Up to ``EXACT_MAX`` different values are kept as they are: percentiles of those are exact.
* More are kept in buckets whose borders grow by ``_GROWTH``: what is read from one is at most
  ``RELATIVE_ERROR`` off. The smallest and greatest value are kept beside (``points.py``).
* Values below zero have no distribution, as in CloudWatch: whoever adds one drops it.
* Merging is commutative up to that error, and never forgets a count.

Stored as zlib-free bytes: a byte for the kind, then varints, or doubles and varints.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator

#: Different values that are kept as they are.
EXACT_MAX = 64
#: How far a value read from a bucket may be from one put in.
RELATIVE_ERROR = 0.01

_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH = math.log(_GROWTH)
#: Values nearer to zero are one bucket: 1e-9 of anything is nothing to a metric.
_SMALLEST = 1e-9
#: The index of the bucket of ``_SMALLEST`` and below; indices are stored from it on.
_LOWEST = math.ceil(math.log(_SMALLEST) / _LOG_GROWTH)

_EXACT, _BUCKETS = 0, 1


class Distribution:
    """Counts by value. Counts may be fractions, as PutMetricData admits them."""

    __slots__ = ("_buckets", "_exact")

    def __init__(self) -> None:
        self._exact: dict[float, float] | None = {}
        self._buckets: dict[int, float] = {}

    @classmethod
    def of(cls, values: Iterable[tuple[float, float]]) -> Distribution:
        """The distribution of pairs of a value, which is not below zero, and its count."""
        made = cls()
        for value, count in values:
            made.add(value, count)
        return made

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a value, which is not below zero."""
        exact = self._exact
        if exact is None:
            self._add_to_bucket(value, count)
            return
        exact[value] = exact.get(value, 0.0) + count
        if len(exact) > EXACT_MAX:
            self._exact = None
            for kept, times in exact.items():
                self._add_to_bucket(kept, times)

    def _add_to_bucket(self, value: float, count: float) -> None:
        index = _bucket(value)
        self._buckets[index] = self._buckets.get(index, 0.0) + count

    def merge(self, other: Distribution) -> None:
        """Count all that the other has counted."""
        if other._exact is not None:
            for value, count in other._exact.items():
                self.add(value, count)
            return
        if self._exact is not None:
            exact, self._exact = self._exact, None
            for value, count in exact.items():
                self._add_to_bucket(value, count)
        for index, count in other._buckets.items():
            self._buckets[index] = self._buckets.get(index, 0.0) + count

    def __iter__(self) -> Iterator[tuple[float, float]]:
        """Values and their counts, the smallest value first."""
        if self._exact is not None:
            return iter(sorted(self._exact.items()))
        return iter([(_value(index), self._buckets[index]) for index in sorted(self._buckets)])

    def __len__(self) -> int:
        """How many different values or buckets it has."""
        return len(self._buckets if self._exact is None else self._exact)

    def encode(self) -> bytes:
        """The bytes that ``decode`` reads."""
        if self._exact is not None:
            pairs = sorted(self._exact.items())
            flat = [number for pair in pairs for number in pair]
            return struct.pack(f"<B{len(flat)}d", _EXACT, *flat)
        body = bytearray([_BUCKETS])
        last = _LOWEST
        for index in sorted(self._buckets):
            _put(body, index - last)
            # A count is mostly whole; a fraction is kept in thousandths.
            _put(body, round(self._buckets[index] * 1000))
            last = index
        return bytes(body)

    @classmethod
    def decode(cls, body: bytes) -> Distribution:
        """What was encoded."""
        made = cls()
        if body[0] == _EXACT:
            flat = struct.unpack(f"<{(len(body) - 1) // 8}d", body[1:])
            made._exact = dict(zip(flat[::2], flat[1::2], strict=True))
            return made
        made._exact = None
        index, at = _LOWEST, 1
        while at < len(body):
            step, at = _take(body, at)
            thousandths, at = _take(body, at)
            index += step
            made._buckets[index] = thousandths / 1000
        return made


def _bucket(value: float) -> int:
    return _LOWEST if value <= _SMALLEST else math.ceil(math.log(value) / _LOG_GROWTH)


def _value(index: int) -> float:
    """The middle of a bucket: as far, relatively, from its one border as from the other."""
    return 0.0 if index == _LOWEST else math.exp(index * _LOG_GROWTH) * (1 - RELATIVE_ERROR)


def _put(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _take(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while body[at] & 0x80:
        number |= (body[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | body[at] << shift, at + 1
