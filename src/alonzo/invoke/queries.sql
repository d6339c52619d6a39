-- name: versions_of_function
SELECT version, serving, state FROM function_version
WHERE account = :account AND region = :region AND name = :name;

-- name: find_function
SELECT reserved_concurrency, recursive_loop, (
    SELECT COALESCE(SUM(reserved_concurrency), 0) FROM function
    WHERE account = :account AND region = :region AND reserved_concurrency IS NOT NULL
) AS reserved_in_region
FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: aliases_of_function
SELECT alias, version, additional_version, additional_weight FROM function_alias
WHERE account = :account AND region = :region AND name = :name;

-- name: event_policies_of_function
SELECT qualifier, retries_max, age_s_max, on_success, on_failure FROM function_event_invoke
WHERE account = :account AND region = :region AND name = :name;

-- name: live_code
SELECT code_sha256 FROM function_version
UNION
SELECT serving_code_sha256 FROM function_version WHERE serving_code_sha256 IS NOT NULL
UNION
SELECT tree FROM function_version_layer;

-- name: add_event
INSERT INTO async_event
    (request_id, function_path, qualifier, tenant_id, payload, trace_header, accepted_at_s,
     due_at_s)
VALUES
    (:request_id, :function_path, :qualifier, :tenant_id, :payload, :trace_header, :now_s, :now_s);

-- name: waiting_functions
-- Steps from function to function along the index, so it costs the same however long the queue is.
WITH RECURSIVE waiting (function_path) AS (
    SELECT MIN(function_path) FROM async_event WHERE running = 0
    UNION ALL
    SELECT (
        SELECT MIN(function_path) FROM async_event
        WHERE running = 0 AND function_path > waiting.function_path
    )
    FROM waiting WHERE function_path IS NOT NULL
)
SELECT function_path, (
    SELECT MIN(due_at_s) FROM async_event
    WHERE running = 0 AND function_path = waiting.function_path
) AS due_at_s
FROM waiting WHERE function_path IS NOT NULL
ORDER BY due_at_s, function_path;

-- name: due_events
SELECT id, request_id, function_path, qualifier, tenant_id, payload, trace_header, accepted_at_s,
    attempts, runs, last_response, last_version
FROM async_event
WHERE running = 0 AND function_path = :function_path AND due_at_s <= :now_s
ORDER BY due_at_s, id
LIMIT :limit;

-- name: claim_event
UPDATE async_event SET running = 1, attempts = attempts + 1 WHERE id = :id;

-- name: finish_event
DELETE FROM async_event WHERE id = :id;

-- name: put_back_event
UPDATE async_event SET
    running = 0,
    attempts = :attempts,
    runs = :runs,
    due_at_s = :due_at_s,
    last_response = :last_response,
    last_version = :last_version
WHERE id = :id;

-- name: forget_running
-- A run that was cut counts if an earlier one has ended (event_life.py).
UPDATE async_event SET running = 0, runs = CASE WHEN runs > 0 THEN runs + 1 ELSE 0 END
WHERE running = 1;

-- name: add_delivery
INSERT INTO async_delivery
    (request_id, sender_arn, target_arn, ended_at_s, due_at_s, trace_header, record)
VALUES
    (:request_id, :sender_arn, :target_arn, :now_s, :now_s, :trace_header, :record);

-- name: due_deliveries
SELECT id, request_id, sender_arn, target_arn, ended_at_s, attempts, trace_header, record
FROM async_delivery WHERE due_at_s <= :now_s ORDER BY due_at_s, id LIMIT :limit;

-- name: next_delivery
SELECT due_at_s FROM async_delivery ORDER BY due_at_s, id LIMIT 1;

-- name: postpone_delivery
UPDATE async_delivery SET attempts = :attempts, due_at_s = :due_at_s WHERE id = :id;

-- name: finish_delivery
DELETE FROM async_delivery WHERE id = :id;
