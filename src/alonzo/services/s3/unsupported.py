"""The operations of S3's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "It is the old name of an operation that every client of today calls by its new one.": (
        "GetBucketLifecycle",
        "GetBucketNotification",
        "PutBucketLifecycle",
        "PutBucketNotification",
    ),
    "Nothing is measured, listed or tiered by a schedule of its own: objects lie on one disk.": (
        "DeleteBucketAnalyticsConfiguration",
        "DeleteBucketIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration",
        "DeleteBucketMetricsConfiguration",
        "GetBucketAnalyticsConfiguration",
        "GetBucketIntelligentTieringConfiguration",
        "GetBucketInventoryConfiguration",
        "GetBucketMetricsConfiguration",
        "ListBucketAnalyticsConfigurations",
        "ListBucketIntelligentTieringConfigurations",
        "ListBucketInventoryConfigurations",
        "ListBucketMetricsConfigurations",
        "PutBucketAnalyticsConfiguration",
        "PutBucketIntelligentTieringConfiguration",
        "PutBucketInventoryConfiguration",
        "PutBucketMetricsConfiguration",
        "RestoreObject",
    ),
    "There are no tables with metadata of objects, nor annotations.": (
        "CreateBucketMetadataConfiguration",
        "CreateBucketMetadataTableConfiguration",
        "DeleteBucketMetadataConfiguration",
        "DeleteBucketMetadataTableConfiguration",
        "DeleteObjectAnnotation",
        "GetBucketMetadataConfiguration",
        "GetBucketMetadataTableConfiguration",
        "GetObjectAnnotation",
        "ListObjectAnnotations",
        "PutObjectAnnotation",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
    ),
    "There are no directory buckets.": (
        "CreateSession",
        "ListDirectoryBuckets",
        "RenameObject",
    ),
    "Objects cannot be locked against deletion.": (
        "GetObjectLegalHold",
        "GetObjectRetention",
        "PutObjectLegalHold",
        "PutObjectLockConfiguration",
        "PutObjectRetention",
    ),
    "Buckets serve no web sites.": ("DeleteBucketWebsite", "PutBucketWebsite"),
    "There is no other place to replicate objects to.": (
        "DeleteBucketReplication",
        "PutBucketReplication",
    ),
    "Requests are not logged into buckets; the audit log of the platform has them.": (
        "PutBucketLogging",
    ),
    "There is no faster way to here, and nobody pays.": (
        "PutBucketAccelerateConfiguration",
        "PutBucketRequestPayment",
    ),
    "Tags of buckets take no part in authorization.": ("GetBucketAbac", "PutBucketAbac"),
    "Objects are not searched by queries; AWS has closed that to new customers.": (
        "SelectObjectContent",
    ),
    "There is no BitTorrent; AWS has ended it.": ("GetObjectTorrent",),
    "Objects are not transformed on their way; AWS has closed that to new customers.": (
        "WriteGetObjectResponse",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}
