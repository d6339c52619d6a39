-- Statements of provisioned concurrency. Table: store/migrations/0010_pre_provisioned_concurrency.sql.

-- name: find_config
SELECT * FROM function_provisioned_concurrency
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: put_config
INSERT INTO function_provisioned_concurrency (
    account, region, name, qualifier, version, alias, requested, revision_id, modified_at_s
) VALUES (
    :account, :region, :name, :qualifier, :version, :alias, :requested, :revision_id,
    :modified_at_s
)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET
    requested = excluded.requested,
    revision_id = excluded.revision_id,
    modified_at_s = excluded.modified_at_s;

-- name: delete_config
DELETE FROM function_provisioned_concurrency
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: list_configs
SELECT * FROM function_provisioned_concurrency
WHERE account = :account AND region = :region AND name = :name AND qualifier > :after
ORDER BY qualifier LIMIT :rows_max;

-- name: total_of_function
SELECT COALESCE(SUM(requested), 0) AS total FROM function_provisioned_concurrency
WHERE account = :account AND region = :region AND name = :name;

-- name: users_of_version
-- The configurations that provision a version: its own, and those of aliases that send it calls.
SELECT p.qualifier FROM function_provisioned_concurrency p
LEFT JOIN function_alias a
    ON a.account = p.account AND a.region = p.region AND a.name = p.name AND a.alias = p.alias
WHERE p.account = :account AND p.region = :region AND p.name = :name
  AND (p.version = :version OR a.version = :version OR a.additional_version = :version)
ORDER BY p.qualifier;
