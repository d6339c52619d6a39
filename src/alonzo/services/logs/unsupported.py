"""The operations of CloudWatch Logs's service model that are not here, each with the reason."""

from __future__ import annotations

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
