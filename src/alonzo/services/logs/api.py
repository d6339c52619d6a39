"""CloudWatch Logs as a service: its operations by name."""

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
