"""The operations of CloudWatch's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "Alarms watch one metric, one expression over metrics, or other alarms.": (
        "DescribeAlarmContributors",
        "PutLogAlarm",
    ),
    "Mute rules of alarms are not built; DisableAlarmActions keeps an alarm quiet.": (
        "DeleteAlarmMuteRule",
        "GetAlarmMuteRule",
        "ListAlarmMuteRules",
        "PutAlarmMuteRule",
    ),
    "Dashboards and pictures of them are not built.": (
        "DeleteDashboards",
        "GetDashboard",
        "GetMetricWidgetImage",
        "ListDashboards",
        "PutDashboard",
    ),
    "Anomaly detection is not built.": (
        "DeleteAnomalyDetector",
        "DescribeAnomalyDetectors",
        "PutAnomalyDetector",
    ),
    "Contributor Insights is not built.": (
        "DeleteInsightRules",
        "DescribeInsightRules",
        "DisableInsightRules",
        "EnableInsightRules",
        "GetInsightRuleReport",
        "ListManagedInsightRules",
        "PutInsightRule",
        "PutManagedInsightRules",
    ),
    "Metric streams are not built; Prometheus reads /_alonzo/metrics.": (
        "DeleteMetricStream",
        "GetMetricStream",
        "ListMetricStreams",
        "PutMetricStream",
        "StartMetricStreams",
        "StopMetricStreams",
    ),
    "Stored queries are not built.": (
        "DeleteMetricDataQueryDefinition",
        "GetMetricDataQueryDefinition",
        "ListMetricDataQueryDefinitions",
        "PutMetricDataQueryDefinition",
    ),
    "Data sets, resource metrics and OpenTelemetry enrichment are not built.": (
        "AssociateDatasetKmsKey",
        "CreateResourceMetricsConfiguration",
        "DeleteResourceMetricsConfiguration",
        "DisassociateDatasetKmsKey",
        "GetDataset",
        "GetOTelEnrichment",
        "GetResourceMetricsConfiguration",
        "StartOTelEnrichment",
        "StopOTelEnrichment",
        "UpdateOTelEnrichment",
        "UpdateResourceMetricsConfiguration",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}
