-- name: insert_key
INSERT INTO kms_key (id, account, region, created_at_s, state, deletion_at_s, document)
VALUES (:id, :account, :region, :created_at_s, :state, NULL, :document);

-- name: find_key
SELECT id, account, region, created_at_s, state, deletion_at_s, document
FROM kms_key
WHERE id = :id;

-- name: all_keys
SELECT id, account, region, created_at_s, state, deletion_at_s, document FROM kms_key;

-- name: keys_of_region
SELECT id FROM kms_key WHERE account = :account AND region = :region ORDER BY id;

-- name: count_keys
SELECT COUNT(*) AS count FROM kms_key WHERE account = :account AND region = :region;

-- name: set_state
UPDATE kms_key SET state = :state, deletion_at_s = :deletion_at_s WHERE id = :id;

-- name: set_document
UPDATE kms_key SET document = :document WHERE id = :id;

-- name: due_for_deletion
SELECT id FROM kms_key WHERE deletion_at_s <= :now_s ORDER BY deletion_at_s LIMIT :limit;

-- name: delete_key
DELETE FROM kms_key WHERE id = :id;

-- name: insert_material
INSERT INTO kms_material (key_id, number, id, created_at_s, cause, sealed)
VALUES (:key_id, :number, :id, :created_at_s, :cause, :sealed);

-- name: current_material
SELECT number, id, created_at_s, cause, sealed
FROM kms_material
WHERE key_id = :key_id
ORDER BY number DESC
LIMIT 1;

-- name: find_material
SELECT number, id, created_at_s, cause, sealed
FROM kms_material
WHERE key_id = :key_id AND number = :number;

-- name: materials
SELECT number, id, created_at_s, cause FROM kms_material WHERE key_id = :key_id ORDER BY number;

-- name: find_alias
SELECT account, region, name, key_id, created_at_s, updated_at_s
FROM kms_alias
WHERE account = :account AND region = :region AND name = :name;

-- name: insert_alias
INSERT INTO kms_alias (account, region, name, key_id, created_at_s, updated_at_s)
VALUES (:account, :region, :name, :key_id, :now_s, :now_s)
ON CONFLICT (account, region, name) DO NOTHING;

-- name: move_alias
UPDATE kms_alias SET key_id = :key_id, updated_at_s = :now_s
WHERE account = :account AND region = :region AND name = :name;

-- name: delete_alias
DELETE FROM kms_alias WHERE account = :account AND region = :region AND name = :name;

-- name: aliases_of_region
SELECT account, region, name, key_id, created_at_s, updated_at_s
FROM kms_alias
WHERE account = :account AND region = :region
ORDER BY name;

-- name: aliases_of_key
SELECT account, region, name, key_id, created_at_s, updated_at_s
FROM kms_alias
WHERE key_id = :key_id
ORDER BY name;

-- name: insert_grant
INSERT INTO kms_grant (id, key_id, created_at_s, document)
VALUES (:id, :key_id, :created_at_s, :document);

-- name: grants_of_key
SELECT id, key_id, created_at_s, document FROM kms_grant WHERE key_id = :key_id ORDER BY id;

-- name: grants_of_account
SELECT g.id, g.key_id, g.created_at_s, g.document
FROM kms_grant g JOIN kms_key k ON k.id = g.key_id
WHERE k.account = :account AND k.region = :region
ORDER BY g.id;

-- name: delete_grant
DELETE FROM kms_grant WHERE id = :id AND key_id = :key_id;
