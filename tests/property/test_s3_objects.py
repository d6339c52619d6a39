"""Ranges, checksums and spans of parts against what Python's own slices and simple sums say."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.model.errors import AwsError
from alonzo.services.s3.objects.checksums import ALGORITHMS, combined, decoded, encoded
from alonzo.services.s3.objects.ranges import read_range
from alonzo.services.s3.objects.reading import spans_of
from alonzo.services.s3.records import Piece

POLYNOMIALS = {"CRC32": (0xEDB88320, 32), "CRC32C": (0x82F63B78, 32)}
POLYNOMIALS["CRC64NVME"] = (0x9A6C9329AC4BC9B5, 64)
NAMES = st.sampled_from(sorted(POLYNOMIALS))


def bit_by_bit(name: str, data: bytes) -> str:
    polynomial, width = POLYNOMIALS[name]
    mask = value = (1 << width) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return base64.b64encode((value ^ mask).to_bytes(width // 8, "big")).decode()


def summed(name: str, *pieces: bytes) -> str:
    running = ALGORITHMS[name]()
    for piece in pieces:
        running.update(piece)
    return encoded(running.digest())


@given(NAMES, st.binary(max_size=300), st.binary(max_size=300))
def test_a_sum_is_that_of_the_definition_and_follows_from_the_parts(
    name: str, first: bytes, second: bytes
) -> None:
    whole = bit_by_bit(name, first + second)
    assert summed(name, first, second) == whole
    parts = [(decoded(name, summed(name, part)) or b"", len(part)) for part in (first, second)]
    assert combined(name, parts) == whole


@given(NAMES, st.integers(0, 2**32), st.integers(0, 70_000))
def test_a_sum_made_in_lanes_is_the_same_as_one_made_in_pieces(
    name: str, seed: int, extra: int
) -> None:
    data = (seed.to_bytes(5, "big") + b"alonzo") * 24_000 + bytes(extra)
    small = [data[at : at + 9973] for at in range(0, len(data), 9973)]
    assert summed(name, data) == summed(name, *small)


@given(st.binary(max_size=40), st.none() | st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_range_is_a_slice(data: bytes, first: int | None, last: int | None) -> None:
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        expected = data[-last:] if last else b""
        no_range = last is None
    else:
        expected = data[first : None if last is None else last + 1]
        no_range = last is not None and last < first
    if not expected and not no_range:
        with pytest.raises(AwsError, match="InvalidRange"):
            read_range(text, len(data))
        return
    found = read_range(text, len(data))
    if no_range:
        assert found is None
    else:
        assert found is not None
        start, length = found
        assert data[start : start + length] == expected != b""


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 40), st.integers(0, 40))
def test_spans_of_parts_are_a_slice_of_the_whole(sizes: list[int], start: int, length: int) -> None:
    blobs = [bytes([65 + index]) * size for index, size in enumerate(sizes)]
    pieces = [
        Piece(index + 1, len(blob), str(index), "", "", 0.0) for index, blob in enumerate(blobs)
    ]
    read = b"".join(
        blobs[int(name)][first : first + count]
        for name, first, count in spans_of(pieces, start, length)
    )
    assert read == b"".join(blobs)[start : start + length]
