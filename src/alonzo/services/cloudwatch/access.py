"""What the operations of CloudWatch need to be allowed. None of their actions has a resource.

Source: service authorization reference, Amazon CloudWatch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRules, on_all
from alonzo.model.context import RequestContext

_OPERATIONS = ("GetMetricData", "GetMetricStatistics", "ListMetrics")


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {
        **{name: on_all(f"cloudwatch:{name}") for name in _OPERATIONS},
        "PutMetricData": _put_metric_data,
    }


def _put_metric_data(_: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    keys = {"cloudwatch:namespace": str(params.get("Namespace", ""))}
    return (Access("cloudwatch:PutMetricData", "*", keys),)
