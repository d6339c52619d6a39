"""Messages between the daemon and an overseer: a length, one JSON object, and descriptors.

Over a Unix stream socket, which every system and every sandbox kernel has. The descriptors of a
message travel with its first byte. Standard library only, Python 3.8 or later.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

#: The longest message. Arguments and variables that are longer are refused by the daemon.
MESSAGE_BYTES_MAX = 1 << 20

#: The kernel passes at most 253 descriptors at once (SCM_MAX_FD).
DESCRIPTORS_MAX = 250

_HEAD = struct.Struct("!IH")
_READ_BYTES = 1 << 16
_SPACE = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)


class FrameError(Exception):
    """What was to be sent is too long, or what came is no message."""


def encode(message: dict[str, Any], descriptors: Sequence[int] = ()) -> bytes:
    """The bytes of a message that so many descriptors go along with.

    Raises:
        FrameError: it is beyond a limit.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MESSAGE_BYTES_MAX or len(descriptors) > DESCRIPTORS_MAX:
        raise FrameError(f"{len(data)} bytes and {len(descriptors)} descriptors are too much")
    return _HEAD.pack(len(data), len(descriptors)) + data


def send_first(peer: socket.socket, data: bytes, descriptors: Sequence[int] = ()) -> int:
    """Send the beginning of a message with its descriptors; answers how many bytes have gone."""
    rights = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
    return peer.sendmsg([data], ancillary)


class Receiver:
    """Puts messages together as their bytes come. Descriptors that it holds are its own."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._data = bytearray()
        self._descriptors: list[int] = []

    def receive(self) -> Iterator[tuple[dict[str, Any], list[int]]] | None:
        """Read once; the messages that are whole now, or None at the end.

        Raises:
            FrameError: what came is no message of ours.
            OSError: nothing is there (non-blocking), or the connection broke.
        """
        data, ancillary, _, _ = self._peer.recvmsg(_READ_BYTES, _SPACE)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                rights = array.array("i")
                rights.frombytes(payload[: len(payload) - len(payload) % rights.itemsize])
                self._descriptors.extend(rights)
        if not data:
            return None
        if len(self._descriptors) > 2 * DESCRIPTORS_MAX:
            # Each read brings those of one message: a peer that sends more fills our table.
            raise FrameError("descriptors without messages")
        self._data += data
        return self._whole()

    def _whole(self) -> Iterator[tuple[dict[str, Any], list[int]]]:
        while len(self._data) >= _HEAD.size:
            length, count = _HEAD.unpack_from(self._data)
            if length > MESSAGE_BYTES_MAX or count > DESCRIPTORS_MAX:
                raise FrameError(f"a message of {length} bytes with {count} descriptors")
            end = _HEAD.size + length
            if len(self._data) < end:
                return
            try:
                message: Any = json.loads(bytes(self._data[_HEAD.size : end]))
            except (ValueError, RecursionError) as err:
                raise FrameError("a message is no JSON") from err
            if not isinstance(message, dict) or len(self._descriptors) < count:
                raise FrameError("a message is no object, or lacks descriptors")
            del self._data[:end]
            taken, self._descriptors = self._descriptors[:count], self._descriptors[count:]
            yield message, taken

    def close(self) -> None:
        """Close what nobody has taken."""
        close_all(self._descriptors)
        self._descriptors = []


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants any more."""
    for descriptor in descriptors:
        os.close(descriptor)
