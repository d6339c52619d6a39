"""Messages and descriptors in one packet."""

from __future__ import annotations

import os
import socket

import pytest

from alonzo.sandbox.backends.namespaces.inside import wire


def test_a_message_arrives_whole_with_its_descriptors() -> None:
    one, other = wire.pair()
    with one, other:
        reader, writer = os.pipe()
        wire.send(one, {"text": "ü\udc80", "n": [1]}, [writer])
        wire.send(one, {})
        received = wire.receive(other)
        assert received is not None
        message, (descriptor,) = received
        assert message == {"text": "ü\udc80", "n": [1]}
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"x")
        assert os.read(reader, 1) == b"x"
        wire.close_all([reader, writer, descriptor])
        assert wire.receive(other) == ({}, [])


@pytest.mark.parametrize("data", [b"{", b"[]", b"7", b"[" * 60000, b'"\xff"'])
def test_what_is_no_message_leaves_no_descriptor(data: bytes) -> None:
    one, other = wire.pair()
    with one, other:
        before = os.listdir("/proc/self/fd")
        socket.send_fds(one, [data], [0, 1])
        with pytest.raises(ValueError, match="no message"):
            wire.receive(other)
        assert os.listdir("/proc/self/fd") == before


def test_the_end_of_the_stream_is_none() -> None:
    one, other = wire.pair()
    one.close()
    with other:
        assert wire.receive(other) is None


def test_what_fits_no_packet_is_refused_before_it_is_sent() -> None:
    one, other = wire.pair()
    with one, other:
        with pytest.raises(wire.MessageTooLongError):
            wire.send(one, {"text": "x" * wire.MESSAGE_BYTES_MAX})
        with pytest.raises(wire.MessageTooLongError):
            wire.send(one, {}, [0] * (wire.DESCRIPTORS_MAX + 1))
        wire.send(one, {"text": "x" * (wire.MESSAGE_BYTES_MAX - 100)})
        received = wire.receive(other)
        assert received is not None
