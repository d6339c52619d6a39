"""Messages between the daemon and its helpers: one JSON object and descriptors per packet.

The socket is a Unix ``SOCK_SEQPACKET``, so that a packet is a message. Standard library only.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The longest message. A packet must fit the socket's default send buffer (208 KiB) whole.
MESSAGE_BYTES_MAX = 128 << 10

#: The kernel passes at most 253 descriptors at once (SCM_MAX_FD).
DESCRIPTORS_MAX = 250

_SPACE = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)


class MessageTooLongError(Exception):
    """The message does not fit one packet."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends, both blocking and closed on exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(peer: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message.

    Raises:
        MessageTooLongError: it, or the list of descriptors, is beyond the limit.
        OSError: the peer is gone, or (non-blocking) its queue is full.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MESSAGE_BYTES_MAX or len(descriptors) > DESCRIPTORS_MAX:
        raise MessageTooLongError(f"{len(data)} bytes, {len(descriptors)} descriptors")
    rights = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
    peer.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def receive(peer: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (closed on exec), or None at the end of the stream.

    Raises:
        OSError: nothing is there (non-blocking), or the connection broke.
        ValueError: the peer, foreign code, sent what is no message; its descriptors are closed.
    """
    data, ancillary, _, _ = peer.recvmsg(MESSAGE_BYTES_MAX + 1, _SPACE, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            rights = array.array("i")
            rights.frombytes(payload[: len(payload) - len(payload) % rights.itemsize])
            descriptors.extend(rights)
    if not data:
        close_all(descriptors)
        return None
    message = _decoded(data)
    if message is None:
        close_all(descriptors)
        raise ValueError("no message")
    return message, descriptors


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        message: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None  # pyright: ignore[reportUnnecessaryIsInstance] - it is what anybody wrote


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants any more."""
    for descriptor in descriptors:
        os.close(descriptor)
