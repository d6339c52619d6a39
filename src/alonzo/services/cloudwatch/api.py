"""CloudWatch as a service: its operations by name."""

from __future__ import annotations

from alonzo.lib.clock import Clock
from alonzo.model.ports.operations import Operations
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.alarms.listing import AlarmListing
from alonzo.services.cloudwatch.alarms.operations import AlarmOperations
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.metrics import MetricOperations
from alonzo.services.cloudwatch.sink import MetricWriter
from alonzo.store.base import Store


def operations(
    *, store: Store, writer: MetricWriter, folder: Folder, alarms: AlarmKeeper, clock: Clock
) -> Operations:
    """The operations of CloudWatch over a store; every read folds first."""
    metrics = MetricOperations(store, writer, folder, clock)
    alarm, listing = AlarmOperations(store, alarms, clock), AlarmListing(store, clock)
    return {
        "DeleteAlarms": alarm.delete_alarms,
        "DescribeAlarmHistory": listing.describe_alarm_history,
        "DescribeAlarms": listing.describe_alarms,
        "DescribeAlarmsForMetric": listing.describe_alarms_for_metric,
        "DisableAlarmActions": alarm.disable_alarm_actions,
        "EnableAlarmActions": alarm.enable_alarm_actions,
        "ListTagsForResource": alarm.list_tags_for_resource,
        "PutCompositeAlarm": alarm.put_composite_alarm,
        "PutMetricAlarm": alarm.put_metric_alarm,
        "SetAlarmState": alarm.set_alarm_state,
        "TagResource": alarm.tag_resource,
        "UntagResource": alarm.untag_resource,
        "GetMetricData": metrics.get_metric_data,
        "GetMetricStatistics": metrics.get_metric_statistics,
        "ListMetrics": metrics.list_metrics,
        "PutMetricData": metrics.put_metric_data,
    }
