-- Statements of the control plane. Tables: store/migrations/0001_pre_functions.sql,
-- 0004_pre_versions.sql and 0005_pre_layers.sql.

-- name: find_function
SELECT * FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: find_tags
SELECT tags FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: set_tags
UPDATE function SET tags = :tags WHERE account = :account AND region = :region AND name = :name;

-- name: insert_function
INSERT INTO function (account, region, name, tags) VALUES (:account, :region, :name, :tags);

-- name: set_published
UPDATE function SET last_version = :number, published_digest = :digest
WHERE account = :account AND region = :region AND name = :name;

-- name: set_reserved_concurrency
UPDATE function SET reserved_concurrency = :reserved
WHERE account = :account AND region = :region AND name = :name;

-- name: set_recursive_loop
UPDATE function SET recursive_loop = :recursive_loop
WHERE account = :account AND region = :region AND name = :name;

-- name: delete_function
-- Its versions and aliases go with it.
DELETE FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: find_version
SELECT * FROM function_version
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: list_page
-- One page of a region's functions, by name, as they are in $LATEST.
SELECT * FROM function_version
WHERE account = :account AND region = :region AND number = 0 AND name > :after
ORDER BY name LIMIT :rows_max;

-- name: list_page_all_versions
SELECT * FROM function_version
WHERE account = :account AND region = :region
  AND (name, number) > (:after_name, :after_number)
ORDER BY name, number LIMIT :rows_max;

-- name: list_versions
SELECT * FROM function_version
WHERE account = :account AND region = :region AND name = :name AND number > :after
ORDER BY number LIMIT :rows_max;

-- name: insert_version
INSERT INTO function_version (
    account, region, name, version, number, document, revision_id,
    state, state_reason_code, state_reason,
    last_update_status, last_update_status_reason_code, last_update_status_reason,
    deploying, code_sha256, code_bytes, unzipped_bytes, serving, serving_code_sha256,
    runtime_management, layers
) VALUES (
    :account, :region, :name, :version, :number, :document, :revision_id,
    :state, :state_reason_code, :state_reason,
    :last_update_status, :last_update_status_reason_code, :last_update_status_reason,
    :deploying, :code_sha256, :code_bytes, :unzipped_bytes, :serving, :serving_code_sha256,
    :runtime_management, :layers
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
    serving_code_sha256 = :serving_code_sha256,
    layers = :layers
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: set_runtime_management
UPDATE function_version SET runtime_management = :config
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: delete_version
DELETE FROM function_version
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: forget_layers
DELETE FROM function_version_layer
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: note_layer
INSERT INTO function_version_layer (account, region, name, version, tree, code_sha256)
VALUES (:account, :region, :name, :version, :tree, :code_sha256);

-- name: list_plain
-- In a JSON text no value holds a quote that is not escaped, so this finds members and no values.
SELECT * FROM function_version
WHERE (account, region, name, number) > (:account, :region, :name, :number)
  AND (document LIKE '%"Environment":{"Variables":{"%' OR serving LIKE '%"environment":{"%')
ORDER BY account, region, name, number LIMIT :rows_max;

-- name: list_deploying
SELECT * FROM function_version
WHERE deploying = 1 ORDER BY account, region, name, version LIMIT :rows_max;

-- name: usage
SELECT
    (SELECT COUNT(*) FROM function WHERE account = :account AND region = :region) AS functions,
    (SELECT COALESCE(SUM(unzipped_bytes), 0) FROM function_version
     WHERE account = :account AND region = :region)
    + (SELECT COALESCE(SUM(unzipped_bytes), 0) FROM layer_version
       WHERE account = :account AND region = :region) AS code_bytes,
    (SELECT COALESCE(SUM(reserved_concurrency), 0) FROM function
     WHERE account = :account AND region = :region AND reserved_concurrency IS NOT NULL)
    AS reserved,
    -- What is provisioned for a function with a reservation is part of that.
    (SELECT COALESCE(SUM(p.requested), 0) FROM function_provisioned_concurrency p
     JOIN function f ON f.account = p.account AND f.region = p.region AND f.name = p.name
     WHERE p.account = :account AND p.region = :region AND f.reserved_concurrency IS NULL)
    AS provisioned;

-- name: find_alias
SELECT * FROM function_alias
WHERE account = :account AND region = :region AND name = :name AND alias = :alias;

-- name: insert_alias
INSERT INTO function_alias (
    account, region, name, alias, version, additional_version, additional_weight, description,
    revision_id
) VALUES (
    :account, :region, :name, :alias, :version, :additional_version, :additional_weight,
    :description, :revision_id
);

-- name: update_alias
UPDATE function_alias SET
    version = :version,
    additional_version = :additional_version,
    additional_weight = :additional_weight,
    description = :description,
    revision_id = :revision_id
WHERE account = :account AND region = :region AND name = :name AND alias = :alias;

-- name: delete_alias
DELETE FROM function_alias
WHERE account = :account AND region = :region AND name = :name AND alias = :alias;

-- name: list_aliases
SELECT * FROM function_alias
WHERE account = :account AND region = :region AND name = :name AND alias > :after
ORDER BY alias LIMIT :rows_max;

-- name: list_aliases_of_version
-- Those that send it calls, all or some.
SELECT * FROM function_alias
WHERE account = :account AND region = :region AND name = :name AND alias > :after
  AND (version = :version OR additional_version = :version)
ORDER BY alias LIMIT :rows_max;

-- name: reserve_package
-- Answers no row while the blob is being deleted.
INSERT INTO code_package (sha256, used_at_s) VALUES (:sha256, :now_s)
ON CONFLICT (sha256) DO UPDATE SET used_at_s = excluded.used_at_s WHERE code_package.collecting = 0
RETURNING sha256;

-- name: touch_package
UPDATE code_package SET used_at_s = :now_s WHERE sha256 = :sha256 AND collecting = 0;

-- name: touch_packages_of_function
UPDATE code_package SET used_at_s = :now_s
WHERE collecting = 0 AND sha256 IN (
    SELECT code_sha256 FROM function_version
    WHERE account = :account AND region = :region AND name = :name
    UNION
    SELECT serving_code_sha256 FROM function_version
    WHERE account = :account AND region = :region AND name = :name
    UNION
    SELECT code_sha256 FROM function_version_layer
    WHERE account = :account AND region = :region AND name = :name
);

-- name: mark_collectable
-- Packages that nothing refers to, and that nobody has been handed lately.
UPDATE code_package SET collecting = 1
WHERE used_at_s < :used_before_s AND collecting = 0
  AND NOT EXISTS (SELECT 1 FROM function_version v WHERE v.code_sha256 = code_package.sha256)
  AND NOT EXISTS (SELECT 1 FROM function_version v
                  WHERE v.serving_code_sha256 = code_package.sha256)
  AND NOT EXISTS (SELECT 1 FROM layer_version v WHERE v.code_sha256 = code_package.sha256)
  AND NOT EXISTS (SELECT 1 FROM function_version_layer v
                  WHERE v.code_sha256 = code_package.sha256);

-- name: list_collecting
SELECT sha256 FROM code_package WHERE collecting = 1 ORDER BY sha256;

-- name: forget_package
DELETE FROM code_package WHERE sha256 = :sha256 AND collecting = 1;
