-- Statements of event source mappings. Table: store/migrations/0008_pre_event_source_mappings.sql.

-- name: insert_mapping
INSERT INTO event_source_mapping (
    account, region, id, function_name, function_qualifier, kind, source_arn, source_key, document,
    tags, state, enabled, modified_at_s
) VALUES (
    :account, :region, :id, :function_name, :function_qualifier, :kind, :source_arn, :source_key,
    :document, :tags, :state, :enabled, :modified_at_s
);

-- name: update_mapping
UPDATE event_source_mapping SET
    function_name = :function_name,
    function_qualifier = :function_qualifier,
    source_key = :source_key,
    document = :document,
    tags = :tags,
    state = :state,
    enabled = :enabled,
    modified_at_s = :modified_at_s
WHERE account = :account AND region = :region AND id = :id;

-- name: find_mapping
SELECT * FROM event_source_mapping WHERE account = :account AND region = :region AND id = :id;

-- name: find_same
SELECT * FROM event_source_mapping
WHERE account = :account AND region = :region AND source_key = :source_key
  AND function_name = :function_name
  AND COALESCE(function_qualifier, '') = COALESCE(:function_qualifier, '') AND id <> :id;

-- name: list_mappings
SELECT * FROM event_source_mapping
WHERE account = :account AND region = :region AND id > :after ORDER BY id LIMIT :rows_max;

-- name: list_mappings_of_function
SELECT * FROM event_source_mapping
WHERE account = :account AND region = :region AND function_name = :function_name AND id > :after
  AND (:function_qualifier IS NULL OR function_qualifier = :function_qualifier)
  AND (:source_arn IS NULL OR source_arn = :source_arn)
ORDER BY id LIMIT :rows_max;

-- name: list_mappings_of_source
SELECT * FROM event_source_mapping
WHERE account = :account AND region = :region AND source_arn = :source_arn AND id > :after
ORDER BY id LIMIT :rows_max;

-- name: list_busy
SELECT * FROM event_source_mapping WHERE state NOT IN ('Enabled', 'Disabled') LIMIT :rows_max;

-- name: list_enabled
-- Reads all mappings, page by page: once, at a start.
SELECT * FROM event_source_mapping
WHERE (account, region, id) > (:after_account, :after_region, :after_id) AND enabled = 1
ORDER BY account, region, id LIMIT :rows_max;

-- name: delete_mapping
DELETE FROM event_source_mapping WHERE account = :account AND region = :region AND id = :id;
