-- name: versions_of_function
SELECT version, serving, state FROM function_version
WHERE account = :account AND region = :region AND name = :name;

-- name: find_function
SELECT reserved_concurrency, recursive_loop, (
    SELECT COALESCE(SUM(reserved_concurrency), 0) FROM function
    WHERE account = :account AND region = :region AND reserved_concurrency IS NOT NULL
) AS reserved_in_region, (
    SELECT COALESCE(SUM(p.requested), 0) FROM function_provisioned_concurrency p
    JOIN function f ON f.account = p.account AND f.region = p.region AND f.name = p.name
    WHERE p.account = :account AND p.region = :region AND f.reserved_concurrency IS NULL
) AS provisioned_in_region
FROM function WHERE account = :account AND region = :region AND name = :name;

-- name: aliases_of_function
SELECT alias, version, additional_version, additional_weight FROM function_alias
WHERE account = :account AND region = :region AND name = :name;

-- name: event_policies_of_function
SELECT qualifier, retries_max, age_s_max, on_success, on_failure FROM function_event_invoke
WHERE account = :account AND region = :region AND name = :name;

-- name: find_function_url
-- With the policy of what it calls.
SELECT url.*, policy.document AS policy FROM function_url AS url
LEFT JOIN function_policy AS policy
    ON policy.account = url.account AND policy.region = url.region AND policy.name = url.name
    AND policy.qualifier = url.qualifier
WHERE url.id = :id;

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
    (request_id, sender_arn, target_arn, role_arn, ended_at_s, due_at_s, trace_header, succeeded,
     event_request_id, error_code, error_message, record)
VALUES
    (:request_id, :sender_arn, :target_arn, :role_arn, :now_s, :now_s, :trace_header, :succeeded,
     :event_request_id, :error_code, :error_message, :record);

-- name: waiting_targets
-- Steps from target to target along the index, as waiting_functions does.
WITH RECURSIVE waiting (target_arn) AS (
    SELECT MIN(target_arn) FROM async_delivery
    UNION ALL
    SELECT (
        SELECT MIN(target_arn) FROM async_delivery
        WHERE target_arn > waiting.target_arn
    )
    FROM waiting WHERE target_arn IS NOT NULL
)
SELECT target_arn, (
    SELECT MIN(due_at_s) FROM async_delivery WHERE target_arn = waiting.target_arn
) AS due_at_s
FROM waiting WHERE target_arn IS NOT NULL
ORDER BY due_at_s, target_arn;

-- name: due_deliveries
SELECT id, due_at_s FROM async_delivery WHERE target_arn = :target_arn
ORDER BY due_at_s, id LIMIT :limit;

-- name: find_delivery
SELECT id, request_id, sender_arn, target_arn, role_arn, ended_at_s, attempts, trace_header,
    succeeded, event_request_id, error_code, error_message, record
FROM async_delivery WHERE id = :id;

-- name: postpone_delivery
UPDATE async_delivery SET attempts = :attempts, due_at_s = :due_at_s WHERE id = :id;

-- name: finish_delivery
DELETE FROM async_delivery WHERE id = :id;

-- name: provisioned_configs
-- Every configuration, with the versions that it is for: of an alias, two where it shares its calls.
SELECT p.account, p.region, p.name, p.qualifier, p.requested, p.revision_id,
    a.additional_weight,
    v.state, v.serving,
    w.state AS additional_state, w.serving AS additional_serving
FROM function_provisioned_concurrency p
LEFT JOIN function_alias a
    ON a.account = p.account AND a.region = p.region AND a.name = p.name AND a.alias = p.alias
LEFT JOIN function_version v
    ON v.account = p.account AND v.region = p.region AND v.name = p.name
    AND v.version = COALESCE(p.version, a.version)
LEFT JOIN function_version w
    ON w.account = p.account AND w.region = p.region AND w.name = p.name
    AND w.version = a.additional_version;
