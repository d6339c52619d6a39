"""The limits of EventBridge Scheduler. Source: its user guide, quotas; service model."""

from __future__ import annotations

SCHEDULES_MAX = 1_000_000
GROUPS_MAX = 500
TAGS_MAX = 50
PAGE_MAX = 100
INPUT_BYTES_MAX = 256 * 1024

#: The retry policy of a target that has none.
RETRIES_MAX = 185
EVENT_AGE_S_MAX = 86_400

#: A ``StartDate`` may lie so far back when a schedule is made.
START_AGE_S_MAX = 300.0

#: A one-time schedule may be made so late and fires all the same: AWS promises the minute.
LATE_S_MAX = 60.0

#: Schedules that one commit fires: what others have to write waits no longer than for these.
FIRED_AT_ONCE = 100
