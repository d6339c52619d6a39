-- Statements of policies of functions. Table: store/migrations/0006_pre_policies_and_code_signing.sql.

-- name: find_policy
SELECT document FROM function_policy
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: put_policy
INSERT INTO function_policy (account, region, name, qualifier, version, alias, document)
VALUES (:account, :region, :name, :qualifier, :version, :alias, :document)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET document = excluded.document;

-- name: delete_policy
DELETE FROM function_policy
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;
