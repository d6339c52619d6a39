"""What may be put as a composite alarm. Pure.

Source: CloudWatch API reference, PutCompositeAlarm. Texts that are not recorded are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.services.cloudwatch.alarms.composite.rule import RuleError, parse_rule
from alonzo.services.cloudwatch.alarms.rules import ACTIONS, check_actions
from alonzo.services.cloudwatch.errors import invalid_combination, invalid_query, invalid_value
from alonzo.services.cloudwatch.limits import DAY_S

_SUPPRESSOR = "ActionsSuppressor"
_PERIODS = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
#: Ours: AWS names no greatest period.
_PERIOD_S_MAX = DAY_S
#: What is kept of a request.
_KEPT = ("AlarmDescription", "ActionsEnabled", *ACTIONS, "AlarmRule", _SUPPRESSOR, *_PERIODS)


def check_composite(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check a PutCompositeAlarm request; answers what is kept of it.

    Raises:
        AwsError: it is no alarm, or one of a kind that is not built.
    """
    if params.get("ActionConfiguration") is not None:
        raise invalid_query("Alarms with action configurations are not supported.")
    try:
        parse_rule(params["AlarmRule"])
    except RuleError as error:
        raise invalid_query(str(error)) from None
    for member in ACTIONS:
        check_actions(params.get(member) or [])
    _check_suppressor(params)
    kept = {name: params[name] for name in _KEPT if params.get(name) is not None}
    return {"ActionsEnabled": True, **kept}


def _check_suppressor(params: Mapping[str, Any]) -> None:
    given = [name for name in _PERIODS if params.get(name) is not None]
    if not params.get(_SUPPRESSOR):
        if given:
            raise invalid_combination(f"{given[0]} requires {_SUPPRESSOR}.")
        return
    if len(given) < len(_PERIODS):
        raise invalid_combination(
            f"{' and '.join(_PERIODS)} are required when {_SUPPRESSOR} is specified."
        )
    for name in given:
        if not 0 <= params[name] <= _PERIOD_S_MAX:
            raise invalid_value(f"{name} must be from 0 to {_PERIOD_S_MAX} seconds.")
