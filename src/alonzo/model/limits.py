"""AWS Lambda's quotas, as the defaults that settings may raise. Source: Lambda developer guide."""

from __future__ import annotations

MIB = 1 << 20

#: Request and response of a synchronous invoke. The response may be 100 bytes longer.
SYNC_PAYLOAD_BYTES_MAX = 6 * MIB
RESPONSE_BYTES_MAX = SYNC_PAYLOAD_BYTES_MAX + 100
ASYNC_PAYLOAD_BYTES_MAX = 1 * MIB
#: A response that is streamed: its length, how much of it goes out at once, and how fast the rest.
STREAMED_RESPONSE_BYTES_MAX = 200 * MIB
STREAM_BURST_BYTES = 6 * MIB
STREAM_BYTES_PER_S = 2 * MIB
CLIENT_CONTEXT_BYTES_MAX = 3583

ZIP_BYTES_MAX = 50 * MIB
UNZIPPED_BYTES_MAX = 250 * MIB
#: Files and folders in one package. AWS documents no number; a bomb of empty files needs one.
PACKAGE_ENTRIES_MAX = 100_000
#: The whole body of CreateFunction and UpdateFunctionCode, base64 included. Recorded from AWS.
CREATE_BODY_BYTES_MAX = 70_167_211

ENVIRONMENT_BYTES_MAX = 4096
TIMEOUT_S_MAX = 900
MEMORY_MIB_MAX = 10_240
TMP_MIB_MAX = 10_240
TAGS_MAX = 50

INIT_TIMEOUT_S = 10.0
#: How long an environment's end may take with internal extensions only, and with external ones.
SHUTDOWN_INTERNAL_S = 0.5
SHUTDOWN_EXTERNAL_S = 2.0
ACCOUNT_CONCURRENCY = 1000
#: What reservations must leave of it to the functions without one.
UNRESERVED_CONCURRENCY_MIN = 100
#: Synchronous requests a second for each unit of concurrency.
REQUESTS_PER_CONCURRENCY_S = 10.0
#: Environments that a function may gain, in so many seconds.
SCALING_MAX = 1000
SCALING_PERIOD_S = 10.0
#: Calls of one function in a chain of calls; the next one is a loop.
RECURSIVE_INVOCATIONS_MAX = 16
CODE_STORAGE_BYTES_MAX = 300 * 1024 * MIB

#: How long an event may wait for its next attempt, counted from its acceptance.
MAXIMUM_EVENT_AGE_S = 21_600
#: Attempts of an event after the first one.
EVENT_RETRIES_MAX = 2

#: As much of an error's message as a dead letter holds.
DEAD_LETTER_ERROR_BYTES_MAX = 1024

#: Last part of an invocation's log that ``LogType=Tail`` returns.
LOG_TAIL_BYTES = 4096
PROCESSES_MAX = 1024
DESCRIPTORS_MAX = 1024
