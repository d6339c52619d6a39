import struct

import pytest

from alonzo.runtimes.framing import Decoder, Frame, FrameError, Kind, encode, encode_head
from alonzo.testing.allocations import allocated

FRAMES = [
    Frame(Kind.READY, {}, b""),
    Frame(Kind.INVOKE, {"id": "é", "deadline_ms": 1}, b"{}"),
    Frame(Kind.RESPONSE, {"id": "1"}, b"x" * 70_000),
]


def as_bytes(frames):
    return b"".join(encode(frame.kind, frame.header, frame.body) for frame in frames)


def decode_in_pieces(data, size, **limits):
    decoder = Decoder(**limits)
    return [
        frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])
    ]


def test_frames_come_out_as_they_went_in():
    assert list(Decoder().feed(as_bytes(FRAMES))) == FRAMES


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 64, 4096, 69_999])
def test_it_does_not_matter_where_the_bytes_are_cut(size):
    assert decode_in_pieces(as_bytes(FRAMES), size) == FRAMES


@pytest.mark.parametrize("size", [1, 7, 50, 1 << 20])
def test_a_body_over_the_limit_is_skipped_and_the_next_frame_is_heard(size):
    data = as_bytes([
        Frame(Kind.RESPONSE, {"id": "1"}, b"x" * 101),
        Frame(Kind.RESPONSE, {"id": "2"}, b"y" * 100),
    ])  # fmt: skip
    assert decode_in_pieces(data, size, body_bytes_max=100) == [
        Frame(Kind.RESPONSE, {"id": "1"}, b"", too_large=True),
        Frame(Kind.RESPONSE, {"id": "2"}, b"y" * 100),
    ]


def test_a_skipped_body_is_never_held():
    decoder, piece = Decoder(body_bytes_max=1000), bytes(1 << 16)
    with allocated() as peak:
        list(decoder.feed(encode_head(Kind.RESPONSE, {"id": "1"}, 512 << 16)))
        found = [frame for _ in range(512) for frame in decoder.feed(piece)]
        assert peak() < 1 << 20
    assert [frame.too_large for frame in found] == [True]


def test_a_body_in_tiny_pieces_costs_no_more_than_itself():
    decoder = Decoder()
    with allocated() as peak:
        list(decoder.feed(encode_head(Kind.RESPONSE, {"id": "1"}, 8_000)))
        for _ in range(3_999):
            assert not list(decoder.feed(b"ab"))
        assert peak() < 40_000


def test_a_frame_has_the_documented_layout():
    assert encode(Kind.ERROR, {"id": "7"}, b"ab") == (
        b"\x00\x00\x00\x0f" + b"\x12" + b"\x00\x0a" + b'{"id":"7"}' + b"ab"
    )


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">IBH", 2, 16, 0),
        struct.pack(">IBH", 3, 99, 0),
        struct.pack(">IBH", 1 << 31, 99, 0),
        struct.pack(">IBH", 3, 16, 1),
        struct.pack(">IBH", 5, 16, 2) + b"[]",
        struct.pack(">IBH", 5, 16, 2) + b"\xff\xff",
    ],
    ids=["too short", "unknown kind", "unknown and long", "header beyond", "no object", "no text"],
)
def test_what_is_no_frame_is_an_error_at_once(data):
    with pytest.raises(FrameError):
        list(Decoder().feed(data))
