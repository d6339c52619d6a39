"""Checksums of objects: the algorithms of S3, and how those of parts make that of the whole.

SHA and MD5 come with Python, CRC-32 with zlib. CRC-32C and CRC-64/NVME are made here, from tables:
some 15 MB a second, so they are for a thread. Source: S3 User Guide, checking object integrity.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Protocol

#: Reflected polynomials and widths in bits. Source: RFC 9260, appendix A; NVM Express base
#: specification, CRC-64.
_CRC32 = (0xEDB88320, 32)
_CRC32C = (0x82F63B78, 32)
_CRC64NVME = (0x9A6C9329AC4BC9B5, 64)
_CRCS = {"CRC32": _CRC32, "CRC32C": _CRC32C, "CRC64NVME": _CRC64NVME}

#: What S3 adds to a request without a checksum, and boto3 as well.
DEFAULT = "CRC64NVME"

#: Lanes, and bytes of each in a block.
_LANES, _LANE_BYTES = 1024, 256
_BLOCK_BYTES = _LANES * _LANE_BYTES

COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"


class Running(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None:
        """Add to what is summed."""
        ...

    def digest(self) -> bytes:
        """The checksum of all that was added."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _LaneCrc:
    """A CRC made in lanes: a block is cut into segments, and a step takes a byte of each.

    The remainders of the lanes are kept by byte, one text for all lanes, so that a step of a
    thousand lanes is one ``translate`` for each byte of the remainder.
    """

    def __init__(self, polynomial: int, width: int) -> None:
        self._polynomial = polynomial
        self._width = width
        self._mask = (1 << width) - 1
        self._value = self._mask

    def update(self, data: bytes, /) -> None:
        whole = len(data) - len(data) % _BLOCK_BYTES
        for start in range(0, whole, _BLOCK_BYTES):
            self._add_block(data[start : start + _BLOCK_BYTES])
        table, value = _table(self._polynomial), self._value
        for byte in data[whole:]:
            value = table[(value ^ byte) & 255] ^ (value >> 8)
        self._value = value

    def _add_block(self, block: bytes) -> None:
        n_bytes = self._width // 8
        steps = _step_tables(self._polynomial, n_bytes)
        # What came before is the remainder of the first lane.
        planes = [self._value >> 8 * plane & 255 for plane in range(n_bytes)]
        for index in range(_LANE_BYTES):
            column = int.from_bytes(block[index::_LANE_BYTES], "little")
            taken = (planes[0] ^ column).to_bytes(_LANES, "little")
            planes = [
                above ^ int.from_bytes(taken.translate(step), "little")
                for above, step in zip((*planes[1:], 0), steps, strict=True)
            ]
        lanes = zip(*(plane.to_bytes(_LANES, "little") for plane in planes), strict=True)
        shifts = _lane_shifts(self._polynomial, n_bytes)
        value = 0
        for lane in lanes:
            old = value.to_bytes(n_bytes, "little")
            value = int.from_bytes(lane, "little")
            for shift, byte in zip(shifts, old, strict=True):
                value ^= shift[byte]
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._mask).to_bytes(self._width // 8, "big")


#: By S3's name, which is that of a member without ``Checksum``.
ALGORITHMS: Mapping[str, Callable[[], Running]] = {
    "CRC32": _Crc32,
    "CRC32C": lambda: _LaneCrc(*_CRC32C),
    "CRC64NVME": lambda: _LaneCrc(*_CRC64NVME),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
}


def decoded(algorithm: str, text: str) -> bytes | None:
    """The bytes of a checksum in base64; None: it cannot be one."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == _SIZES[algorithm] else None


def encoded(value: bytes) -> str:
    """A checksum as S3 writes it."""
    return base64.b64encode(value).decode()


def can_be_combined(algorithm: str) -> bool:
    """Whether the checksum of the whole follows from those of its parts."""
    return algorithm in _CRCS


def default_type(algorithm: str) -> str:
    """The type of an upload's checksum where nobody says one."""
    return FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE


def composite(algorithm: str, parts: Sequence[bytes]) -> str:
    """The checksum of the parts' checksums, with their number."""
    running = ALGORITHMS[algorithm]()
    for part in parts:
        running.update(part)
    return f"{encoded(running.digest())}-{len(parts)}"


def combined(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> str:
    """The checksum of the whole, from those of its parts and their lengths in bytes."""
    polynomial, width = _CRCS[algorithm]
    total, one = 0, 1 << (width - 1)
    # Nearly all parts are equally long.
    last_length, factor = 0, one
    for value, length in parts:
        if length != last_length:
            last_length, factor = length, _shift(one, 8 * length, polynomial)
        total = _times(factor, total, polynomial) ^ int.from_bytes(value, "big")
    return encoded(total.to_bytes(width // 8, "big"))


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


@cache
def _step_tables(polynomial: int, n_bytes: int) -> tuple[bytes, ...]:
    """The table of a step, by byte of its values."""
    table = _table(polynomial)
    return tuple(bytes(value >> 8 * index & 255 for value in table) for index in range(n_bytes))


@cache
def _lane_shifts(polynomial: int, n_bytes: int) -> tuple[tuple[int, ...], ...]:
    """What a lane of zeros makes of each byte of a remainder, by place and value of the byte."""
    tables: list[tuple[int, ...]] = []
    for place in range(n_bytes):
        bits = [_shift(1 << 8 * place + bit, 8 * _LANE_BYTES, polynomial) for bit in range(8)]
        table = [0]
        for bit in bits:
            table += [value ^ bit for value in table]
        tables.append(tuple(table))
    return tuple(tables)


def _shift(value: int, n_bits: int, polynomial: int) -> int:
    """A remainder after so many zero bits more: times x to that power, by squaring."""
    power = _POWERS[polynomial]
    for bit in range(n_bits.bit_length()):
        if n_bits >> bit & 1:
            value = _times(power[bit], value, polynomial)
    return value


def _times(first: int, second: int, polynomial: int) -> int:
    """A product of two remainders; the highest bit is the lowest power."""
    width = polynomial.bit_length()
    product, mask = 0, 1 << (width - 1)
    while mask:
        if first & mask:
            product ^= second
        mask >>= 1
        second = (second >> 1) ^ (polynomial if second & 1 else 0)
    return product


def _powers(polynomial: int) -> tuple[int, ...]:
    """Powers of x: 1, 2, 4, … as remainders, for lengths up to 2 to the 47 bits."""
    power = 1 << (polynomial.bit_length() - 2)
    powers: list[int] = []
    for _ in range(48):
        powers.append(power)
        power = _times(power, power, polynomial)
    return tuple(powers)


_POWERS = {polynomial: _powers(polynomial) for polynomial, _ in _CRCS.values()}

_SIZES = {name: len(make().digest()) for name, make in ALGORITHMS.items()}
