"""The limits of SNS. Source: Amazon SNS endpoints and quotas; developer guide; service model."""

from __future__ import annotations

#: Entries of a page of any list.
PAGE_MAX = 100
TAGS_MAX = 50
TOPICS_MAX = 100_000
FIFO_TOPICS_MAX = 1_000
FIFO_SUBSCRIPTIONS_MAX = 100
#: AWS allows 12,500,000; every subscription is in memory here.
SUBSCRIPTIONS_MAX = 100_000
FILTER_POLICIES_OF_TOPIC_MAX = 200
DISPLAY_NAME_MAX = 100
POLICY_BYTES_MAX = 30_720
#: A redrive policy, or a delivery policy. AWS names no bound; a whole one has a thousand or so.
SMALL_POLICY_CHARS_MAX = 8_192

MESSAGE_BYTES_MIN = 1_024
MESSAGE_BYTES_DEFAULT = 262_144
MESSAGE_BYTES_MAX = 1_048_576
#: Above the default size a topic has no more subscriptions than this.
LARGE_SUBSCRIPTIONS_MAX = 100
SUBJECT_MAX = 100
ATTRIBUTE_NAME_MAX = 256
BATCH_ENTRIES_MAX = 10
BATCH_ID_MAX = 80
DEDUPLICATION_S = 300.0
#: Messages or deliveries that one unit of work deletes with their topic or subscription.
DELETED_MAX = 500

FILTER_KEYS_MAX = 5
FILTER_COMBINATIONS_MAX = 150
FILTER_BYTES_MAX = 262_144

#: How long the token of a subscription that waits for its confirmation is good. Source: Subscribe.
TOKEN_S = 2 * 86_400.0
#: 288 hexadecimal digits, as AWS's are (observed).
TOKEN_BYTES = 144

#: A try to deliver over HTTP. Source: developer guide, HTTP/S subscriptions.
HTTP_S_MAX = 15.0
#: A try to deliver to a queue or a function.
CALL_S_MAX = 30.0
#: All tries to deliver over HTTP together wait no longer than this.
HTTP_RETRIES_S_MAX = 3_600
#: Tries of queues and functions. Source: developer guide, message delivery retries.
MANAGED_ATTEMPTS_MAX = 100_015
ENDPOINT_BYTES_MAX = 2_048
