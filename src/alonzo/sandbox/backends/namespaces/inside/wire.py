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


#: As plain numbers: what is no enumeration is in fewer places.
_SOCKET, _RIGHTS = int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS)
_NO_SIGNAL, _CLOSED_ON_EXEC = int(socket.MSG_NOSIGNAL), int(socket.MSG_CMSG_CLOEXEC)

#: ``json.dumps`` and ``json.loads`` without what they look at before they begin.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


class MessageTooLongError(Exception):
    """The message does not fit one packet."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends, both blocking and closed on exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(peer: socket.SocketType, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message.

    Raises:
        MessageTooLongError: it, or the list of descriptors, is beyond the limit.
        OSError: the peer is gone, or (non-blocking) its queue is full.
    """
    send_encoded(peer, _encode(message).encode(), descriptors)


def send_encoded(peer: socket.SocketType, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """The same of a message that is JSON already."""
    if len(data) > MESSAGE_BYTES_MAX or len(descriptors) > DESCRIPTORS_MAX:
        raise MessageTooLongError(f"{len(data)} bytes, {len(descriptors)} descriptors")
    if descriptors:
        rights = array.array("i", descriptors)
        peer.sendmsg([data], [(_SOCKET, _RIGHTS, rights)], _NO_SIGNAL)
    else:
        peer.send(data, _NO_SIGNAL)


def receive(peer: socket.SocketType) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (closed on exec), or None at the end of the stream.

    Raises:
        OSError: nothing is there (non-blocking), or the connection broke.
        ValueError: the peer, foreign code, sent what is no message; its descriptors are closed.
    """
    data, ancillary, _, _ = peer.recvmsg(MESSAGE_BYTES_MAX + 1, _SPACE, _CLOSED_ON_EXEC)
    descriptors: list[int] = []
    for level, kind, payload in ancillary:
        if level == _SOCKET and kind == _RIGHTS:
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
        text = data.decode()
        message: dict[str, Any]
        message, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and end == len(text) else None  # pyright: ignore[reportUnnecessaryIsInstance] - it is what anybody wrote


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants any more."""
    for descriptor in descriptors:
        os.close(descriptor)
