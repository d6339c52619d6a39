"""What one client may take of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one client may take. Times in seconds."""

    connections_max: int = 10_000
    #: Of one inner listener, so that one function cannot take them all.
    inner_connections_max: int = 128
    head_bytes_max: int = 64 * 1024
    head_timeout_s: float = 20.0
    #: From the first byte of TLS to the end of its handshake.
    handshake_timeout_s: float = 10.0
    #: A body, as long as it moves at all.
    body_timeout_s: float = 900.0
    #: A body that does not move.
    body_idle_s: float = 30.0
    #: A body that is read piece by piece may take as long as it likes, but not stand still for so
    #: long, nor bring less in a while of so many seconds. Source of the first: AWS's storage blog
    #: and support articles, RequestTimeout; the others are ours.
    upload_idle_s: float = 20.0
    upload_while_s: float = 60.0
    upload_while_bytes_min: int = 64 * 1024
    #: An answer that does not move.
    write_idle_s: float = 30.0
    keep_alive_s: float = 75.0
    #: An idle connection of a server that drains: its client may be sending at this moment.
    linger_s: float = 1.0
    #: Bytes of a body that nobody wants, read so that its sender sees the answer.
    discard_bytes_max: int = 256 << 20
    #: Bytes of a body that nobody has asked for yet; then the sender has to wait.
    unasked_bytes_max: int = 64 * 1024
    #: Requests that wait for the answer to an earlier one of their connection.
    pipelined_max: int = 32
    #: How long the last bytes of answers may take after the grace of ``stop``.
    flush_s: float = 1.0
