"""Receipt handles: which receive of which message, in a text that clients cannot read into.

A handle is no secret of its own: who may delete from a queue may do so with each handle that it
gave out. It names the message by its random id, which nobody guesses.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from alonzo.model.errors import AwsError

#: Version, queue, row, message id, receive count, time of the receive.
_FORM = struct.Struct(">BQQ16sIQ")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a handle says. ``id`` is the row's; ``receive_count`` says which receive it was."""

    queue_id: int
    id: int
    message_id: str
    receive_count: int
    received_at_ms: int

    def handle(self) -> str:
        """The text for clients."""
        packed = _FORM.pack(
            _VERSION,
            self.queue_id,
            self.id,
            bytes.fromhex(self.message_id.replace("-", "")),
            self.receive_count,
            self.received_at_ms,
        )
        return base64.b64encode(packed).decode()


def read_handle(handle: str, queue_id: int) -> Receipt:
    """What a client's handle says.

    Raises:
        AwsError: it is none, or one of another queue.
    """
    try:
        packed = base64.b64decode(handle.encode("ascii"), validate=True)
        version, of_queue, row, raw_id, count, received_at_ms = _FORM.unpack(packed)
    except (ValueError, binascii.Error, struct.error):
        raise invalid_handle(handle) from None
    if version != _VERSION or of_queue != queue_id or max(row, received_at_ms) >= 1 << 63:
        raise invalid_handle(handle)
    digits = raw_id.hex()
    message_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return Receipt(queue_id, row, message_id, count, received_at_ms)


def invalid_handle(handle: str) -> AwsError:
    """No handle, or not one of this queue. Text: recorded in public test suites."""
    return AwsError(
        "ReceiptHandleIsInvalid",
        f'The input receipt handle "{handle}" is not a valid receipt handle.',
    )
