-- Statements of event invoke configurations. Table: store/migrations/0007_pre_event_invoke_configs.sql.

-- name: find_config
SELECT * FROM function_event_invoke
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: put_config
INSERT INTO function_event_invoke (
    account, region, name, qualifier, version, alias, retries_max, age_s_max, on_success,
    on_failure, modified_at_s
) VALUES (
    :account, :region, :name, :qualifier, :version, :alias, :retries_max, :age_s_max, :on_success,
    :on_failure, :modified_at_s
)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET
    retries_max = excluded.retries_max,
    age_s_max = excluded.age_s_max,
    on_success = excluded.on_success,
    on_failure = excluded.on_failure,
    modified_at_s = excluded.modified_at_s;

-- name: delete_config
DELETE FROM function_event_invoke
WHERE account = :account AND region = :region AND name = :name AND qualifier = :qualifier;

-- name: list_configs
SELECT * FROM function_event_invoke
WHERE account = :account AND region = :region AND name = :name AND qualifier > :after
ORDER BY qualifier LIMIT :rows_max;
