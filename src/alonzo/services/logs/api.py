"""CloudWatch Logs as a service: its operations by name, and why the others are missing."""

from __future__ import annotations

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.ports.operations import Operations
from alonzo.services.logs.events import EventOperations
from alonzo.services.logs.groups import GroupOperations
from alonzo.services.logs.sink import LogWriter
from alonzo.services.logs.streams import StreamOperations
from alonzo.services.logs.tags import TagOperations
from alonzo.store.base import Store

_MISSING = {
    "Nothing streams new events to clients yet; poll FilterLogEvents.": ("StartLiveTail",),
    "Logs Insights queries are not built.": (
        "CreateScheduledQuery",
        "DeleteQueryDefinition",
        "DeleteScheduledQuery",
        "DescribeFieldIndexes",
        "DescribeQueries",
        "DescribeQueryDefinitions",
        "GetLogFields",
        "GetLogGroupFields",
        "GetLogRecord",
        "GetQueryResults",
        "GetScheduledQuery",
        "GetScheduledQueryHistory",
        "ListLogGroupsForQuery",
        "ListScheduledQueries",
        "PutQueryDefinition",
        "StartQuery",
        "StopQuery",
        "UpdateScheduledQuery",
    ),
    "Subscriptions and destinations are not built.": (
        "DeleteDestination",
        "DeleteSubscriptionFilter",
        "DescribeDestinations",
        "DescribeSubscriptionFilters",
        "PutDestination",
        "PutDestinationPolicy",
        "PutSubscriptionFilter",
    ),
    "Metric filters are not built; embedded metrics are read from log lines.": (
        "DeleteMetricFilter",
        "DescribeMetricFilters",
        "PutMetricFilter",
        "TestMetricFilter",
    ),
    "Log groups are not encrypted with keys of KMS.": (
        "AssociateKmsKey",
        "DisassociateKmsKey",
    ),
    "Groups are listed by DescribeLogGroups.": (
        "ListAggregateLogGroupSummaries",
        "ListLogGroups",
    ),
    "Large log objects are not built: an event holds up to 1 MiB.": ("GetLogObject",),
    "Resource policies of log groups are not built; nothing else writes into them.": (
        "DeleteResourcePolicy",
        "DescribeResourcePolicies",
        "PutResourcePolicy",
    ),
    "Account-wide policies are not built.": (
        "DeleteAccountPolicy",
        "DescribeAccountPolicies",
        "PutAccountPolicy",
    ),
    "Export, import and table storage are not built.": (
        "AssociateSourceToS3TableIntegration",
        "CancelExportTask",
        "CancelImportTask",
        "CreateExportTask",
        "CreateImportTask",
        "DescribeExportTasks",
        "DescribeImportTaskBatches",
        "DescribeImportTasks",
        "DisassociateSourceFromS3TableIntegration",
        "ListSourcesForS3TableIntegration",
    ),
    "Deliveries of other services' logs are not built.": (
        "CreateDelivery",
        "DeleteDelivery",
        "DeleteDeliveryDestination",
        "DeleteDeliveryDestinationPolicy",
        "DeleteDeliverySource",
        "DescribeConfigurationTemplates",
        "DescribeDeliveries",
        "DescribeDeliveryDestinations",
        "DescribeDeliverySources",
        "GetDelivery",
        "GetDeliveryDestination",
        "GetDeliveryDestinationPolicy",
        "GetDeliverySource",
        "PutDeliveryDestination",
        "PutDeliveryDestinationPolicy",
        "PutDeliverySource",
        "UpdateDeliveryConfiguration",
    ),
    "Masking of sensitive data is not built.": (
        "DeleteDataProtectionPolicy",
        "GetDataProtectionPolicy",
        "PutDataProtectionPolicy",
    ),
    "Anomaly detection is not built.": (
        "CreateLogAnomalyDetector",
        "DeleteLogAnomalyDetector",
        "GetLogAnomalyDetector",
        "ListAnomalies",
        "ListLogAnomalyDetectors",
        "UpdateAnomaly",
        "UpdateLogAnomalyDetector",
    ),
    "Transformers, indexes, lookup tables and integrations are not built.": (
        "CreateLookupTable",
        "DeleteIndexPolicy",
        "DeleteIntegration",
        "DeleteLookupTable",
        "DeleteTransformer",
        "DescribeIndexPolicies",
        "DescribeLookupTables",
        "GetIntegration",
        "GetLookupTable",
        "GetTransformer",
        "ListIntegrations",
        "PutIndexPolicy",
        "PutIntegration",
        "PutTransformer",
        "TestTransformer",
        "UpdateLookupTable",
    ),
    "Events come in over the API and from functions only.": (
        "DeleteSyslogConfiguration",
        "ListSyslogConfigurations",
        "PutBearerTokenAuthentication",
        "PutSyslogConfiguration",
    ),
    "All events are kept in one kind of storage.": (
        "GetStorageTierPolicy",
        "PutStorageTierPolicy",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}


def operations(*, store: Store, writer: LogWriter, clock: Clock, ids: IdSource) -> Operations:
    """The operations of CloudWatch Logs over a store.

    ``writer`` is the platform's log sink; every operation sees what it was given before.
    """
    groups = GroupOperations(store, writer, clock)
    streams = StreamOperations(store, writer, clock)
    events = EventOperations(store, writer, clock, ids)
    tags = TagOperations(store, writer)
    return {
        "CreateLogGroup": groups.create_log_group,
        "CreateLogStream": streams.create_log_stream,
        "DeleteLogGroup": groups.delete_log_group,
        "DeleteLogStream": streams.delete_log_stream,
        "DeleteRetentionPolicy": groups.delete_retention_policy,
        "DescribeLogGroups": groups.describe_log_groups,
        "DescribeLogStreams": streams.describe_log_streams,
        "FilterLogEvents": events.filter_log_events,
        "GetLogEvents": events.get_log_events,
        "ListTagsForResource": tags.list_tags_for_resource,
        "ListTagsLogGroup": tags.list_tags_log_group,
        "PutLogEvents": events.put_log_events,
        "PutLogGroupDeletionProtection": groups.put_log_group_deletion_protection,
        "PutRetentionPolicy": groups.put_retention_policy,
        "TagLogGroup": tags.tag_log_group,
        "TagResource": tags.tag_resource,
        "UntagLogGroup": tags.untag_log_group,
        "UntagResource": tags.untag_resource,
    }
