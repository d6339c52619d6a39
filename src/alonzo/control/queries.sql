-- Statements of the control plane. Tables: store/migrations/0001_pre_functions.sql.

-- name: find_tags
SELECT tags FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: set_tags
UPDATE function SET tags = :tags WHERE account = :account AND region = :region AND name = :name;

-- name: insert_function
INSERT INTO function (account, region, name, tags) VALUES (:account, :region, :name, :tags);

-- name: delete_function
-- Its versions go with it.
DELETE FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: find_version
SELECT * FROM function_version
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: list_page
-- One page of a region's functions, by name, as they are in one version.
SELECT * FROM function_version
WHERE account = :account AND region = :region AND version = :version AND name > :after
ORDER BY name LIMIT :rows_max;

-- name: list_page_all_versions
SELECT * FROM function_version
WHERE account = :account AND region = :region
  AND (name > :after_name OR (name = :after_name AND version > :after_version))
ORDER BY name, version LIMIT :rows_max;

-- name: list_versions
SELECT * FROM function_version
WHERE account = :account AND region = :region AND name = :name AND version > :after
ORDER BY version LIMIT :rows_max;

-- name: insert_version
INSERT INTO function_version (
    account, region, name, version, document, revision_id,
    state, state_reason_code, state_reason,
    last_update_status, last_update_status_reason_code, last_update_status_reason,
    deploying, code_sha256, code_bytes, unzipped_bytes, serving, serving_code_sha256
) VALUES (
    :account, :region, :name, :version, :document, :revision_id,
    :state, :state_reason_code, :state_reason,
    :last_update_status, :last_update_status_reason_code, :last_update_status_reason,
    :deploying, :code_sha256, :code_bytes, :unzipped_bytes, :serving, :serving_code_sha256
);

-- name: update_version
UPDATE function_version SET
    document = :document,
    revision_id = :revision_id,
    state = :state,
    state_reason_code = :state_reason_code,
    state_reason = :state_reason,
    last_update_status = :last_update_status,
    last_update_status_reason_code = :last_update_status_reason_code,
    last_update_status_reason = :last_update_status_reason,
    deploying = :deploying,
    code_sha256 = :code_sha256,
    code_bytes = :code_bytes,
    unzipped_bytes = :unzipped_bytes,
    serving = :serving,
    serving_code_sha256 = :serving_code_sha256
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: list_deploying
SELECT * FROM function_version
WHERE deploying = 1 ORDER BY account, region, name, version LIMIT :rows_max;

-- name: usage
SELECT
    (SELECT COUNT(*) FROM function WHERE account = :account AND region = :region) AS functions,
    (SELECT COALESCE(SUM(unzipped_bytes), 0) FROM function_version
     WHERE account = :account AND region = :region) AS code_bytes;

-- name: reserve_package
-- Answers no row while the blob is being deleted.
INSERT INTO code_package (sha256, used_at_s) VALUES (:sha256, :now_s)
ON CONFLICT (sha256) DO UPDATE SET used_at_s = excluded.used_at_s WHERE code_package.collecting = 0
RETURNING sha256;

-- name: touch_package
UPDATE code_package SET used_at_s = :now_s WHERE sha256 = :sha256 AND collecting = 0;

-- name: mark_collectable
-- Packages that nothing refers to, and that nobody has been handed lately.
UPDATE code_package SET collecting = 1
WHERE used_at_s < :used_before_s AND collecting = 0
  AND NOT EXISTS (SELECT 1 FROM function_version v WHERE v.code_sha256 = code_package.sha256)
  AND NOT EXISTS (SELECT 1 FROM function_version v
                  WHERE v.serving_code_sha256 = code_package.sha256);

-- name: list_collecting
SELECT sha256 FROM code_package WHERE collecting = 1 ORDER BY sha256;

-- name: forget_package
DELETE FROM code_package WHERE sha256 = :sha256 AND collecting = 1;
