"""The quotas and ranges of messages. Source: SQS developer guide, quotas; API reference."""

from __future__ import annotations

#: Entries of a batch, and messages of one receive.
BATCH_MAX = 10
#: All bodies and attributes of a batch.
BATCH_BYTES_MAX = 1024 * 1024

ATTRIBUTES_MAX = 10
ATTRIBUTE_NAME_CHARS_MAX = 256
ATTRIBUTE_TYPE_CHARS_MAX = 256

DELAY_S_MAX = 900
WAIT_S_MAX = 20
VISIBILITY_S_MAX = 43_200

#: Received and not deleted yet, of one queue.
IN_FLIGHT_MAX = 120_000

#: How long a FIFO queue knows a deduplication id, and a receive its attempt id.
DEDUPLICATION_MS = 5 * 60 * 1000
