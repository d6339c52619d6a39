"""What may be put as an alarm. Pure.

Source: CloudWatch API reference, PutMetricAlarm. Texts that are not recorded are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.services.cloudwatch.alarms.actions import is_target
from alonzo.services.cloudwatch.alarms.evaluation import OPERATORS, Missing
from alonzo.services.cloudwatch.data_queries import parse_queries
from alonzo.services.cloudwatch.errors import (
    invalid_combination,
    invalid_query,
    invalid_value,
    missing,
)
from alonzo.services.cloudwatch.limits import DAY_S
from alonzo.services.cloudwatch.statistics import parse_extended

Params = Mapping[str, Any]

#: Periods below a minute that an alarm may have.
_SHORT_PERIODS_S = (10, 20, 30)
#: How much time an alarm may look at: with periods of an hour and more, and with shorter ones.
_LONG_S_MAX, _SHORT_S_MAX = 7 * DAY_S, DAY_S
_QUERIES_MAX = 10
TAGS_MAX = 50

#: Members that say what a metric alarm watches where ``Metrics`` does not.
_SINGLE = ("MetricName", "Namespace", "Period", "Statistic", "ExtendedStatistic", "Dimensions")
#: Members that list actions.
ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
#: What is kept of a request.
KEPT = (
    *("AlarmDescription", "ActionsEnabled", *ACTIONS, *_SINGLE, "Unit", "Metrics"),
    *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator"),
    *("TreatMissingData", "EvaluateLowSampleCountPercentile"),
)
#: Kinds of alarms that are not built, by the member that asks for one.
_REFUSED = {
    "ThresholdMetricId": "anomaly detection",
    "EvaluationCriteria": "PromQL queries",
    "EvaluationInterval": "evaluation intervals",
    "WarmUpConfiguration": "warm-up periods",
    "ActionConfiguration": "action configurations",
}


def check_alarm(account: str, region: str, params: Params) -> dict[str, Any]:
    """Check a PutMetricAlarm request; answers what is kept of it.

    Raises:
        AwsError: it is no alarm, or one of a kind that is not built.
    """
    for member, what in _REFUSED.items():
        if params.get(member) is not None:
            raise invalid_query(f"Alarms with {what} are not supported.")
    if "WallClockWindow" in (params.get("EvaluationWindow") or {}):
        raise invalid_query("Alarms with wall-clock windows are not supported.")
    _check_criteria(params)
    if params.get("Metrics"):
        periods_s = _check_queries(account, region, params)
    else:
        periods_s = [_check_single(params)]
    _check_span(params["EvaluationPeriods"], min(periods_s))
    for member in ACTIONS:
        check_actions(params.get(member) or [])
    kept = {name: params[name] for name in KEPT if params.get(name) is not None}
    return {"ActionsEnabled": True, **kept}


def _check_criteria(params: Params) -> None:
    if params.get("EvaluationPeriods") is None:
        raise missing("The parameter EvaluationPeriods is required.")
    if params.get("ComparisonOperator") is None:
        raise missing("The parameter ComparisonOperator is required.")
    if params["ComparisonOperator"] not in OPERATORS:
        raise invalid_query("Alarms with anomaly detection are not supported.")
    threshold = params.get("Threshold")
    if threshold is None:
        raise missing("The parameter Threshold is required.")
    if not math.isfinite(threshold):
        raise invalid_value("The value for parameter Threshold is invalid.")
    if (params.get("DatapointsToAlarm") or 1) > params["EvaluationPeriods"]:
        raise invalid_query("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    treatment = params.get("TreatMissingData") or Missing.MISSING
    if treatment not in tuple(Missing):
        raise invalid_query(
            f"The value {treatment} is not supported for TreatMissingData parameter. Supported "
            "values are [breaching, notBreaching, ignore, missing]."
        )
    low = params.get("EvaluateLowSampleCountPercentile") or "evaluate"
    if low not in ("evaluate", "ignore"):
        raise invalid_query(
            f"Option {low} is not supported. Supported options for parameter "
            "EvaluateLowSampleCountPercentile are evaluate and ignore."
        )
    if low == "ignore":
        raise invalid_query("EvaluateLowSampleCountPercentile ignore is not supported here.")


def _check_single(params: Params) -> int:
    for member in ("MetricName", "Namespace", "Period"):
        if not params.get(member):
            raise missing(f"The parameter {member} is required.")
    simple, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if simple is None and extended is None:
        raise missing("Either Statistic or ExtendedStatistic must be specified.")
    if simple is not None and extended is not None:
        raise invalid_combination("Statistic and ExtendedStatistic are mutually exclusive.")
    if extended is not None and parse_extended(extended) is None:
        raise invalid_value(
            f"The value {extended[:128]} for parameter ExtendedStatistic is not supported."
        )
    return _check_period(params["Period"])


def _check_queries(account: str, region: str, params: Params) -> list[int]:
    if any(params.get(member) for member in (*_SINGLE, "Unit")):
        raise invalid_combination(
            "Metrics list and single metric parameters are mutually exclusive."
        )
    listed: Sequence[Params] = params["Metrics"]
    if len(listed) > _QUERIES_MAX:
        raise invalid_query(f"An alarm watches at most {_QUERIES_MAX} metrics and expressions.")
    queries = parse_queries(account, region, listed)
    if sum(query.shown for query in queries.values()) != 1:
        raise invalid_query("Exactly one element of the metrics list should return data.")
    periods_s = [
        _check_period(each["MetricStat"]["Period"]) for each in listed if each.get("MetricStat")
    ]
    if not periods_s:
        raise invalid_query("At least one element of the metrics list must be a metric.")
    return periods_s


def _check_period(period_s: int) -> int:
    if period_s not in _SHORT_PERIODS_S and period_s % 60:
        raise invalid_value("Period must be 10, 20, 30 or a multiple of 60")
    if period_s > DAY_S:
        raise invalid_value(f"The parameter Period must be at most {DAY_S}.")
    return period_s


def _check_span(periods: int, period_s: int) -> None:
    longest_s = _LONG_S_MAX if period_s >= 3600 else _SHORT_S_MAX
    if periods * period_s > longest_s:
        raise invalid_query(
            "Metrics cannot be checked across more than "
            f"{'seven days' if longest_s == _LONG_S_MAX else 'a day'} (EvaluationPeriods * Period "
            f"must be <= {longest_s})."
        )


def check_actions(actions: Sequence[str]) -> None:
    """Refuse what an alarm cannot do.

    Raises:
        AwsError: ValidationError.
    """
    for arn in actions:
        if not arn.startswith("arn:"):
            raise invalid_query(f"Invalid arn syntax: {arn[:256]}")
        if not is_target(arn):
            raise invalid_query(
                f"The action {arn[:256]} is not supported: an alarm here notifies SNS topics and "
                "calls Lambda functions."
            )
    if len(set(actions)) < len(actions):
        raise invalid_query("An action must not be listed twice.")
