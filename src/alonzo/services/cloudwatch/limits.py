"""CloudWatch's quotas. Source: CloudWatch API reference and user guide unless a line says ours."""

from __future__ import annotations

DAY_S = 86_400

#: One PutMetricData call.
DATA_PER_PUT_MAX = 1000
VALUES_PER_DATUM_MAX = 150
DIMENSIONS_MAX = 30
#: Values beyond either end are refused.
VALUE_MAX = 2.0**360
TOO_OLD_S = 14 * DAY_S
TOO_NEW_S = 2 * 3600

#: Periods below a minute; any other is a whole number of minutes.
SHORT_PERIODS_S = (1, 5, 10, 20, 30)
PERIOD_S_MAX = DAY_S

STATISTICS_DATAPOINTS_MAX = 1440
DATA_QUERIES_MAX = 500
DATA_DATAPOINTS_MAX = 100_800
LIST_PAGE_MAX = 500
#: ListMetrics shows what had data in this time; with ``RecentlyActive`` in the shorter one.
LISTED_S = 14 * DAY_S
RECENTLY_ACTIVE_S = 3 * 3600

#: For how long points of each grain are kept before they become points of the next.
RETENTION_S = {1: 3 * 3600, 60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}

#: Ours: metrics that one account may have in one region. AWS bills each; here they fill a disk.
METRICS_MAX = 20_000

#: Of one directive of an embedded metric document: metrics, and (ours) sets of dimensions.
EMF_METRICS_MAX = 100
EMF_VALUES_MAX = 100
#: Ours: bytes of embedded documents that one flush of the log reads. A function that writes more
#: is shown the rest as ``EMFValidationErrors``.
EMF_FLUSH_BYTES_MAX = 1 << 20
#: Ours: points that one flush takes from embedded documents.
EMF_FLUSH_POINTS_MAX = 1_000
