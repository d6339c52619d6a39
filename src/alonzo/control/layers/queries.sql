-- Statements of layers. Tables: store/migrations/0005_pre_layers.sql.

-- name: next_number
INSERT INTO layer (account, region, name, last_version) VALUES (:account, :region, :name, 1)
ON CONFLICT (account, region, name) DO UPDATE SET last_version = layer.last_version + 1
RETURNING last_version;

-- name: insert_version
INSERT INTO layer_version (
    account, region, name, version, document, runtimes, architectures,
    code_sha256, code_bytes, unzipped_bytes, policy, policy_revision_id
) VALUES (
    :account, :region, :name, :version, :document, :runtimes, :architectures,
    :code_sha256, :code_bytes, :unzipped_bytes, NULL, NULL
);

-- name: find_version
SELECT * FROM layer_version
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: delete_version
DELETE FROM layer_version
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: set_policy
UPDATE layer_version SET policy = :policy, policy_revision_id = :policy_revision_id
WHERE account = :account AND region = :region AND name = :name AND version = :version;

-- name: list_latest
-- One page of a region's layers, by name, each in its latest version that passes the filters.
SELECT * FROM layer_version AS shown
WHERE account = :account AND region = :region AND name > :after
  AND version = (
    SELECT MAX(version) FROM layer_version AS other
    WHERE other.account = :account AND other.region = :region AND other.name = shown.name
      AND other.runtimes LIKE :runtimes AND other.architectures LIKE :architectures
  )
ORDER BY name LIMIT :rows_max;

-- name: list_versions
-- One page of a layer's versions, the newest first.
SELECT * FROM layer_version
WHERE account = :account AND region = :region AND name = :name AND version < :before
  AND runtimes LIKE :runtimes AND architectures LIKE :architectures
ORDER BY version DESC LIMIT :rows_max;
