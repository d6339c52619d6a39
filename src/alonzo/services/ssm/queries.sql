-- name: find_parameter
SELECT id, name, document
FROM ssm_parameter
WHERE account = :account AND region = :region AND name = :name;

-- name: insert_parameter
INSERT INTO ssm_parameter (account, region, name, tier, document)
VALUES (:account, :region, :name, :tier, :document)
RETURNING id;

-- name: set_tier
UPDATE ssm_parameter SET tier = :tier WHERE id = :id;

-- name: set_tags
UPDATE ssm_parameter SET document = :document WHERE id = :id;

-- name: delete_parameter
DELETE FROM ssm_parameter WHERE id = :id;

-- name: count_parameters
SELECT COUNT(*) AS count FROM ssm_parameter
WHERE account = :account AND region = :region AND tier = :tier;

-- name: list_parameters
SELECT id, name, document
FROM ssm_parameter
WHERE account = :account AND region = :region
  AND name > :after AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: insert_version
INSERT INTO ssm_version (parameter_id, number, created_at_s, document, value)
VALUES (:parameter_id, :number, :created_at_s, :document, :value);

-- name: newest_version
SELECT number, created_at_s, document, value
FROM ssm_version
WHERE parameter_id = :parameter_id
ORDER BY number DESC
LIMIT 1;

-- name: find_version
SELECT number, created_at_s, document, value
FROM ssm_version
WHERE parameter_id = :parameter_id AND number = :number;

-- name: versions
SELECT number, created_at_s, document, value
FROM ssm_version
WHERE parameter_id = :parameter_id
ORDER BY number;

-- name: set_version
UPDATE ssm_version SET document = :document
WHERE parameter_id = :parameter_id AND number = :number;

-- name: delete_version
DELETE FROM ssm_version WHERE parameter_id = :parameter_id AND number = :number;
