-- Statements of code signing. Tables: store/migrations/0006_pre_policies_and_code_signing.sql.

-- name: insert_config
INSERT INTO code_signing_config (account, region, id, document, tags)
VALUES (:account, :region, :id, :document, :tags);

-- name: find_config
SELECT * FROM code_signing_config WHERE account = :account AND region = :region AND id = :id;

-- name: update_config
UPDATE code_signing_config SET document = :document, tags = :tags
WHERE account = :account AND region = :region AND id = :id;

-- name: delete_config
DELETE FROM code_signing_config WHERE account = :account AND region = :region AND id = :id;

-- name: list_configs
SELECT * FROM code_signing_config WHERE account = :account AND region = :region AND id > :after
ORDER BY id LIMIT :rows_max;

-- name: attach
INSERT INTO function_code_signing (account, region, name, config_id)
VALUES (:account, :region, :name, :config_id)
ON CONFLICT (account, region, name) DO UPDATE SET config_id = excluded.config_id;

-- name: detach
DELETE FROM function_code_signing WHERE account = :account AND region = :region AND name = :name;

-- name: find_attached
SELECT c.* FROM function_code_signing f
JOIN code_signing_config c
    ON c.account = f.account AND c.region = f.region AND c.id = f.config_id
WHERE f.account = :account AND f.region = :region AND f.name = :name;

-- name: list_functions
SELECT name FROM function_code_signing
WHERE account = :account AND region = :region AND config_id = :config_id AND name > :after
ORDER BY name LIMIT :rows_max;
