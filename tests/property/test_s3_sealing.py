"""Sealed streams: any part of any content comes out as it went in, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.services.s3.objects import sealing
from alonzo.services.s3.objects.sealing import ObjectKey, SealedBytesError

CHUNK = sealing.CHUNK_BYTES
KEY = ObjectKey(b"k" * 32, "arn:aws:s3:::b/k")
NEAR = st.builds(
    lambda chunks, more: max(0, chunks * CHUNK + more), st.integers(0, 2), st.integers(-2, 2)
)


def content_of(size):
    return bytes(index % 251 for index in range(min(size, 251))) * (size // 251 + 1)


def sealed(content, step):
    stream = KEY.sealing()
    pieces = [stream.add(content[at : at + step]) for at in range(0, len(content), step)]
    return b"".join([*pieces, stream.finish()])


@given(
    NEAR, st.integers(CHUNK // 8, 2 * CHUNK), st.integers(0, 3 * CHUNK), st.integers(1, 3 * CHUNK)
)
def test_any_range_is_what_went_in(size, step, first, count):
    content = content_of(size)[:size]
    stream = sealed(content, step)
    expected = content[first : first + count]
    if not expected:
        assert KEY.open_whole(stream) == content
        return
    span = sealing.span_of(size, first, len(expected))
    opening = KEY.opening(stream[: sealing.SALT_BYTES], size, span.index)
    part = stream[span.offset : span.offset + span.length]
    opened = b"".join(opening.add(part[at : at + step]) for at in range(0, len(part), step))
    assert opened[span.skip : span.skip + len(expected)] == expected


@given(NEAR, st.integers(0, 4 * CHUNK))
def test_what_was_changed_or_cut_does_not_open(size, at):
    stream = bytearray(sealed(content_of(size)[:size], CHUNK))
    whole = KEY.open_whole(bytes(stream))
    other = ObjectKey(KEY.data_key, "arn:aws:s3:::b/other")
    stream[at % len(stream)] ^= 1
    for key, changed in ((KEY, bytes(stream)), (other, sealed(whole, CHUNK))):
        with pytest.raises(SealedBytesError):
            assert key.open_whole(changed) != whole
    if len(whole) > CHUNK:
        # The first chunk alone is none that ends.
        cut = sealed(whole, CHUNK)[: sealing.SALT_BYTES + CHUNK + sealing.TAG_BYTES]
        with pytest.raises(SealedBytesError):
            KEY.open_whole(cut)


def test_a_customers_key_is_told_from_others_by_what_is_kept_of_it():
    check = sealing.check_of(b"a" * 32)
    assert sealing.fits(b"a" * 32, check)
    assert not sealing.fits(b"b" * 32, check)
    assert not sealing.fits(b"", check)
    assert b"a" * 32 not in check
    assert sealing.check_of(b"a" * 32) != check
