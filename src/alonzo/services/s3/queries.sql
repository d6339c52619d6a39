-- name: next_number
INSERT INTO s3_sequence (name, last) VALUES ('s3', 1)
ON CONFLICT (name) DO UPDATE SET last = s3_sequence.last + 1
RETURNING last;

-- name: every_bucket
SELECT id, revision, name, account, region, created_at_s, versioning, documents FROM s3_bucket;

-- name: find_bucket
SELECT id, revision, name, account, region, created_at_s, versioning, documents
FROM s3_bucket WHERE id = :id;

-- name: find_bucket_by_name
SELECT id, revision, name, account, region, created_at_s, versioning, documents
FROM s3_bucket WHERE name = :name;

-- name: insert_bucket
INSERT INTO s3_bucket (id, revision, name, account, region, created_at_s, versioning, documents)
VALUES (:id, :revision, :name, :account, :region, :now_s, '', :documents);

-- name: set_bucket
UPDATE s3_bucket SET revision = :revision, versioning = :versioning, documents = :documents
WHERE id = :id;

-- name: delete_bucket
DELETE FROM s3_bucket WHERE id = :id;
