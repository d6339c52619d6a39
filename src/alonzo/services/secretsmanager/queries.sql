-- name: all_secrets
SELECT id, account, region, name, suffix, created_at_s, deletion_at_s, document FROM sm_secret;

-- name: find_secret
SELECT id, account, region, name, suffix, created_at_s, deletion_at_s, document
FROM sm_secret
WHERE id = :id;

-- name: find_by_name
SELECT id, account, region, name, suffix, created_at_s, deletion_at_s, document
FROM sm_secret
WHERE account = :account AND region = :region AND name = :name;

-- name: insert_secret
INSERT INTO sm_secret (id, account, region, name, suffix, created_at_s, document)
VALUES (:id, :account, :region, :name, :suffix, :created_at_s, :document);

-- name: set_document
UPDATE sm_secret SET document = :document WHERE id = :id;

-- name: set_deletion
UPDATE sm_secret SET deletion_at_s = :deletion_at_s WHERE id = :id;

-- name: delete_secret
DELETE FROM sm_secret WHERE id = :id;

-- name: versions
SELECT id, created_at_s, accessed_at_s, stages, kind, key_arn, sealed
FROM sm_version
WHERE secret_id = :secret_id
ORDER BY created_at_s, id;

-- name: find_version
SELECT id, created_at_s, accessed_at_s, stages, kind, key_arn, sealed
FROM sm_version
WHERE secret_id = :secret_id AND id = :id;

-- name: put_version
INSERT INTO sm_version (secret_id, id, created_at_s, stages, kind, key_arn, sealed)
VALUES (:secret_id, :id, :created_at_s, '[]', :kind, :key_arn, :sealed)
ON CONFLICT (secret_id, id) DO UPDATE
SET kind = excluded.kind, key_arn = excluded.key_arn, sealed = excluded.sealed;

-- name: set_stages
UPDATE sm_version SET stages = :stages WHERE secret_id = :secret_id AND id = :id;

-- name: set_accessed
UPDATE sm_version SET accessed_at_s = :now_s WHERE secret_id = :secret_id AND id = :id;

-- name: delete_version
DELETE FROM sm_version WHERE secret_id = :secret_id AND id = :id;
