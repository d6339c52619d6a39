"""Messages between the daemon and an overseer, whole and broken."""

from __future__ import annotations

import os
import socket

import pytest

from alonzo.sandbox.overseer import frames


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    receiver = frames.Receiver(theirs)
    with ours, theirs:
        yield ours, receiver
        receiver.close()


def received(receiver):
    return list(receiver.receive() or ())


def test_messages_arrive_in_whatever_pieces_they_come(ends):
    ours, receiver = ends
    data = frames.encode({"a": 1}) + frames.encode({"b": "ü"})
    got = []
    for at in range(len(data)):
        ours.send(data[at : at + 1])
        got += received(receiver)
    assert got == [({"a": 1}, []), ({"b": "ü"}, [])]


def test_descriptors_come_with_their_own_message(ends):
    ours, receiver = ends
    reader, writer = os.pipe()
    message = frames.encode({"with": 2}, [reader, writer])
    ours.send(frames.encode({"with": 0}))
    assert frames.send_first(ours, message, [reader, writer]) == len(message)
    got = []
    while len(got) < 2:
        got += received(receiver)
    assert [(message, len(descriptors)) for message, descriptors in got] == [
        ({"with": 0}, 0),
        ({"with": 2}, 2),
    ]
    frames.close_all((reader, writer, *got[1][1]))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 6,
        b"\0\0\0\1\0\0x",
        b"\0\0\0\2\0\0[]",
        frames.encode({"a": 1}, [1]),
    ],
    ids=["too long", "no JSON", "no object", "without its descriptor"],
)
def test_what_is_no_message_is_refused(ends, data):
    ours, receiver = ends
    ours.send(data)
    with pytest.raises(frames.FrameError):
        received(receiver)


def test_what_is_too_long_is_not_sent():
    with pytest.raises(frames.FrameError):
        frames.encode({"a": "x" * frames.MESSAGE_BYTES_MAX})
    with pytest.raises(frames.FrameError):
        frames.encode({}, range(frames.DESCRIPTORS_MAX + 1))


def test_the_end_is_told(ends):
    ours, receiver = ends
    ours.close()
    assert receiver.receive() is None
