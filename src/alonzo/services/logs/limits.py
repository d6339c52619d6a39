"""CloudWatch Logs' quotas. Source: API reference, PutLogEvents and GetLogEvents."""

from __future__ import annotations

DAY_MS = 86_400_000

#: Events of one PutLogEvents call, and of one page of GetLogEvents or FilterLogEvents.
BATCH_EVENTS_MAX = 10_000
PAGE_EVENTS_MAX = 10_000
#: One call's messages in UTF-8, plus the overhead of each event.
BATCH_BYTES_MAX = 1_048_576
EVENT_BYTES_MAX = 1_048_576
EVENT_OVERHEAD_BYTES = 26
#: Messages of one page, in UTF-8. A page holds at least one event, however long.
PAGE_BYTES_MAX = 1_048_576

BATCH_SPAN_MS_MAX = DAY_MS
TOO_NEW_MS = 2 * 3_600_000
TOO_OLD_MS = 14 * DAY_MS

DESCRIBE_PAGE_MAX = 50
TAGS_MAX = 50

#: The only values that PutRetentionPolicy takes, in days.
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)

#: No chunk spans more, so that a time range finds its chunks by either end of theirs.
CHUNK_SPAN_MS_MAX = 60_000
#: Messages of one chunk, so that reading one event unpacks little else.
CHUNK_BYTES_MAX = 1_048_576

#: What one page of a search unpacks before it answers with what it has and a token.
PAGE_SCANNED_EVENTS_MAX = 250_000
PAGE_SCANNED_BYTES_MAX = 64 << 20
PAGE_SCANNED_S_MAX = 1.0

#: Filters of one group. Source: CloudWatch Logs quotas.
SUBSCRIPTION_FILTERS_MAX = 2
METRIC_FILTERS_MAX = 100
METRIC_DIMENSIONS_MAX = 3
#: Resource policies of an account in a region, and ours: of its groups. Bytes of one of either.
ACCOUNT_POLICIES_MAX, GROUP_POLICIES_MAX = 10, 20
ACCOUNT_POLICY_BYTES_MAX, GROUP_POLICY_BYTES_MAX = 5_120, 51_200
#: Characters of a dimension's value, and how old an event may be that becomes one of a metric.
METRIC_DIMENSION_MAX = 1024
METRIC_PAST_MS = 14 * DAY_MS
#: Values beyond either end are none. Source: CloudWatch API, MetricDatum.
METRIC_VALUE_MAX = 2.0**360
