-- Statements of function URLs. Table: store/migrations/0011_pre_function_urls.sql.

-- name: find_url
SELECT * FROM function_url
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: insert_url
INSERT INTO function_url (
    id, account, region, name, qualifier, alias, auth_type, invoke_mode, cors, created_at_s,
    modified_at_s
) VALUES (
    :id, :account, :region, :name, :qualifier, :alias, :auth_type, :invoke_mode, :cors,
    :created_at_s, :modified_at_s
);

-- name: update_url
UPDATE function_url SET
    auth_type = :auth_type, invoke_mode = :invoke_mode, cors = :cors, modified_at_s = :modified_at_s
WHERE id = :id;

-- name: delete_url
DELETE FROM function_url WHERE id = :id;

-- name: list_urls
SELECT * FROM function_url
WHERE account = :account AND region = :region AND name = :name AND qualifier > :after
ORDER BY qualifier LIMIT :rows_max;

-- name: list_first_urls
SELECT * FROM function_url
WHERE account = :account AND region = :region AND name = :name
ORDER BY qualifier LIMIT :rows_max;
