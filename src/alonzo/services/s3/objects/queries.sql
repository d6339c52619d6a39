-- name: latest
SELECT id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
    modified_at_s, owner, storage_class, document, tags
FROM s3_version WHERE bucket_id = :bucket_id AND object_key = :key AND is_latest = 1;

-- name: find_version
SELECT id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
    modified_at_s, owner, storage_class, document, tags
FROM s3_version
WHERE bucket_id = :bucket_id AND object_key = :key AND version_id = :version_id;

-- name: content
SELECT content FROM s3_version WHERE id = :id;

-- name: insert_version
INSERT INTO s3_version
    (id, bucket_id, object_key, version_id, is_latest, is_delete_marker, size, etag,
     modified_at_s, owner, storage_class, document, tags, content)
VALUES (:id, :bucket_id, :key, :version_id, 1, :is_delete_marker, :size, :etag,
        :modified_at_s, :owner, :storage_class, :document, :tags, :content);

-- name: no_longer_latest
UPDATE s3_version SET is_latest = 0
WHERE bucket_id = :bucket_id AND object_key = :key AND is_latest = 1;

-- name: promote_newest
UPDATE s3_version SET is_latest = 1
WHERE id = (SELECT MAX(id) FROM s3_version WHERE bucket_id = :bucket_id AND object_key = :key);

-- name: delete_version
DELETE FROM s3_version WHERE id = :id;

-- name: reseal_version
UPDATE s3_version SET document = :document, content = :content WHERE id = :id;

-- name: set_tags
UPDATE s3_version SET tags = :tags WHERE id = :id;

-- name: insert_piece
INSERT INTO s3_piece (owner_id, number, size, sha256, etag, checksum, modified_at_s)
VALUES (:owner_id, :number, :size, :sha256, :etag, :checksum, :modified_at_s);

-- name: pieces
SELECT number, size, sha256, etag, checksum, modified_at_s FROM s3_piece
WHERE owner_id = :owner_id ORDER BY number;

-- name: pieces_after
SELECT number, size, sha256, etag, checksum, modified_at_s FROM s3_piece
WHERE owner_id = :owner_id AND number > :after ORDER BY number LIMIT :limit;

-- name: piece
SELECT number, size, sha256, etag, checksum, modified_at_s FROM s3_piece
WHERE owner_id = :owner_id AND number = :number;

-- name: any_piece
SELECT 1 AS found FROM s3_piece WHERE owner_id = :owner_id LIMIT 1;

-- name: delete_piece
DELETE FROM s3_piece WHERE owner_id = :owner_id AND number = :number;

-- name: delete_pieces
DELETE FROM s3_piece WHERE owner_id = :owner_id;

-- name: give_pieces
UPDATE s3_piece SET owner_id = :new_owner_id WHERE owner_id = :owner_id;

-- name: use_blob
INSERT INTO s3_blob (sha256, refs) VALUES (:sha256, 1)
ON CONFLICT (sha256) DO UPDATE SET refs = s3_blob.refs + 1;

-- name: release_blob
UPDATE s3_blob SET refs = refs - 1 WHERE sha256 = :sha256;

-- name: release_blobs
-- Counted first: a subquery for each blob would read all pieces again.
UPDATE s3_blob SET refs = s3_blob.refs - gone.n
FROM (SELECT sha256, count(*) AS n FROM s3_piece WHERE owner_id = :owner_id GROUP BY sha256) AS gone
WHERE s3_blob.sha256 = gone.sha256;

-- name: blob_refs
SELECT refs FROM s3_blob WHERE sha256 = :sha256;

-- name: unused_blobs
SELECT sha256 FROM s3_blob WHERE refs = 0 LIMIT :limit;

-- name: forget_blob
DELETE FROM s3_blob WHERE sha256 = :sha256 AND refs = 0;

-- name: insert_upload
INSERT INTO s3_upload
    (id, upload_id, bucket_id, object_key, started_at_s, owner, storage_class, document, tags)
VALUES (:id, :upload_id, :bucket_id, :key, :started_at_s, :owner, :storage_class, :document,
        :tags);

-- name: find_upload
SELECT id, upload_id, bucket_id, object_key, started_at_s, owner, storage_class, document, tags
FROM s3_upload WHERE upload_id = :upload_id;

-- name: delete_upload
DELETE FROM s3_upload WHERE id = :id;

-- name: uploads_page
SELECT id, upload_id, bucket_id, object_key, started_at_s, owner, storage_class, document, tags
FROM s3_upload
WHERE bucket_id = :bucket_id
    AND (object_key > :key OR (object_key = :key AND upload_id > :upload_id))
ORDER BY object_key, upload_id LIMIT :limit;
