"""CloudWatch Logs as a service: its operations by name, and why the others are missing."""

from __future__ import annotations

from alonzo.model.ports.operations import Operations
from alonzo.services.logs.events import EventOperations
from alonzo.services.logs.filter_operations import FilterOperations
from alonzo.services.logs.groups import GroupOperations
from alonzo.services.logs.insights.definitions import DefinitionOperations
from alonzo.services.logs.parts import LogParts
from alonzo.services.logs.policy_operations import PolicyOperations
from alonzo.services.logs.streams import StreamOperations
from alonzo.services.logs.tags import TagOperations

_MISSING = {
    "Queries run when they are started; schedules of queries are not built.": (
        "CreateScheduledQuery",
        "DeleteScheduledQuery",
        "GetScheduledQuery",
        "GetScheduledQueryHistory",
        "ListScheduledQueries",
        "UpdateScheduledQuery",
    ),
    "A query reads its events; which fields they have is not kept.": (
        "DescribeFieldIndexes",
        "GetLogFields",
        "GetLogGroupFields",
    ),
    "Destinations lead to streams of Kinesis and Firehose, which do not exist here.": (
        "DeleteDestination",
        "DescribeDestinations",
        "PutDestination",
        "PutDestinationPolicy",
    ),
    "Log groups are not encrypted with keys of KMS.": (
        "AssociateKmsKey",
        "DisassociateKmsKey",
    ),
    "Groups have no data sources by which they could be added up.": (
        "ListAggregateLogGroupSummaries",
    ),
    "Large log objects are not built: an event holds up to 1 MiB.": ("GetLogObject",),
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


def operations(parts: LogParts) -> Operations:
    """The operations of CloudWatch Logs; every one sees what the writer was given before."""
    store, writer, clock = parts.store, parts.writer, parts.clock
    groups = GroupOperations(store, writer, parts.book, parts.policies, clock)
    streams = StreamOperations(store, writer, clock)
    events = EventOperations(store, writer, parts.watchers, clock, parts.ids)
    queries = parts.queries
    definitions = DefinitionOperations(store, clock, parts.ids)
    tags = TagOperations(store, writer)
    policies = PolicyOperations(store, parts.policies, clock, parts.ids)
    filters = FilterOperations(store, writer, parts.book, parts.calls, clock, parts.ids)
    return {
        "CreateLogGroup": groups.create_log_group,
        "CreateLogStream": streams.create_log_stream,
        "DeleteLogGroup": groups.delete_log_group,
        "DeleteLogStream": streams.delete_log_stream,
        "DeleteMetricFilter": filters.delete_metric_filter,
        "DeleteQueryDefinition": definitions.delete_query_definition,
        "DeleteResourcePolicy": policies.delete_resource_policy,
        "DeleteRetentionPolicy": groups.delete_retention_policy,
        "DeleteSubscriptionFilter": filters.delete_subscription_filter,
        "DescribeLogGroups": groups.describe_log_groups,
        "DescribeLogStreams": streams.describe_log_streams,
        "DescribeMetricFilters": filters.describe_metric_filters,
        "DescribeQueries": queries.describe_queries,
        "DescribeQueryDefinitions": definitions.describe_query_definitions,
        "DescribeResourcePolicies": policies.describe_resource_policies,
        "DescribeSubscriptionFilters": filters.describe_subscription_filters,
        "FilterLogEvents": events.filter_log_events,
        "GetLogEvents": events.get_log_events,
        "GetLogRecord": queries.get_log_record,
        "GetQueryResults": queries.get_query_results,
        "ListLogGroups": groups.list_log_groups,
        "ListLogGroupsForQuery": queries.list_log_groups_for_query,
        "ListTagsForResource": tags.list_tags_for_resource,
        "ListTagsLogGroup": tags.list_tags_log_group,
        "PutLogEvents": events.put_log_events,
        "PutLogGroupDeletionProtection": groups.put_log_group_deletion_protection,
        "PutMetricFilter": filters.put_metric_filter,
        "PutQueryDefinition": definitions.put_query_definition,
        "PutResourcePolicy": policies.put_resource_policy,
        "PutRetentionPolicy": groups.put_retention_policy,
        "PutSubscriptionFilter": filters.put_subscription_filter,
        "StartLiveTail": parts.tails.start_live_tail,
        "StartQuery": queries.start_query,
        "StopQuery": queries.stop_query,
        "TagLogGroup": tags.tag_log_group,
        "TagResource": tags.tag_resource,
        "TestMetricFilter": filters.test_metric_filter,
        "UntagLogGroup": tags.untag_log_group,
        "UntagResource": tags.untag_resource,
    }
