"""The limits of EventBridge. Source: Amazon EventBridge quotas; API reference; service model."""

from __future__ import annotations

#: Entries of a page of any list.
PAGE_MAX = 100
TAGS_MAX = 50
BUSES_MAX = 100
#: AWS allows 300, and more on request; every rule is in memory here.
RULES_OF_BUS_MAX = 100_000
TARGETS_OF_RULE_MAX = 5
ARCHIVES_MAX = 100
#: Replays under way at a time.
REPLAYS_MAX = 10
POLICY_BYTES_MAX = 10_240

#: All entries of a request together. Source: PutEvents; what a time counts for, too.
ENTRIES_BYTES_MAX = 1_048_576
TIME_BYTES = 14
#: Objects and arrays within each other, in the detail of an event. AWS documents no number.
DETAIL_DEPTH_MAX = 200

RETRIES_DEFAULT = 185
EVENT_AGE_S_DEFAULT = 86_400
#: Waits between tries grow from one second to this; 185 of them then take about 24 hours.
RETRY_S_MAX = 480.0
#: How often an event goes on from bus to bus. AWS documents no number; ours ends loops.
FORWARDS_MAX = 5
#: What an input transformer may make of an event.
OUTPUT_BYTES_MAX = 1_048_576

#: What all targets of one request's events together get, and how large events are before they are
#: matched beside the loop.
ROUTED_BYTES_MAX = 268_435_456
LARGE_BYTES = 65_536

#: How late a tick may fire. An older one never does: EventBridge makes up for none.
#: Source: user guide, scheduled rules: their precision is one minute.
LATE_S_MAX = 60.0
#: Ticks of one commit.
TICKS_MAX = 200
#: Events that a replay sends with one commit.
REPLAYED_MAX = 50
#: Archived events that one unit of work deletes.
EXPIRED_MAX = 1_000
#: How long a replay that is over is shown. Nobody can delete one; that it must end is ours.
REPLAY_KEPT_S = 90 * 86_400.0
