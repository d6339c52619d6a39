-- name: any_version
SELECT id FROM s3_version WHERE bucket_id = :bucket_id LIMIT 1;

-- name: objects_from
-- One row for each object; in the order of the index, so that a page costs what is on it.
SELECT id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
    modified_at_s, owner, storage_class, document, tags
FROM s3_version
WHERE bucket_id = :bucket_id AND is_latest = 1 AND is_delete_marker = 0
    AND object_key >= :start AND object_key < :stop AND object_key <> :but
ORDER BY object_key LIMIT :limit;

-- name: versions_of_key
SELECT id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
    modified_at_s, owner, storage_class, document, tags
FROM s3_version
WHERE bucket_id = :bucket_id AND object_key = :start AND id < :below
ORDER BY id DESC LIMIT :limit;

-- name: versions_from
SELECT id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
    modified_at_s, owner, storage_class, document, tags
FROM s3_version
WHERE bucket_id = :bucket_id AND object_key >= :start AND object_key < :stop
    AND object_key <> :but
ORDER BY object_key, id DESC LIMIT :limit;

-- name: uploads_after
SELECT id, upload_id, object_key, started_at_s FROM s3_upload
WHERE bucket_id = :bucket_id AND id > :after ORDER BY id LIMIT :limit;
