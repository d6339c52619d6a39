-- name: runtimes_in_use
SELECT DISTINCT
    json_extract(serving, '$.runtime') AS runtime,
    json_extract(serving, '$.memory_mib') AS memory_mib
FROM function_version WHERE serving IS NOT NULL;

-- name: stored
-- The groups of services that have anything stored. Tables that are not here are of what is always
-- there. (A test compares this with the tables that there are.)
SELECT 'secrets' AS name WHERE EXISTS (SELECT 1 FROM kms_key)
    OR EXISTS (SELECT 1 FROM kms_alias) OR EXISTS (SELECT 1 FROM kms_grant)
    OR EXISTS (SELECT 1 FROM kms_material) OR EXISTS (SELECT 1 FROM ssm_parameter)
    OR EXISTS (SELECT 1 FROM ssm_version) OR EXISTS (SELECT 1 FROM sm_secret)
    OR EXISTS (SELECT 1 FROM sm_version)
UNION ALL
SELECT 'messaging' AS name WHERE EXISTS (SELECT 1 FROM sqs_queue)
    OR EXISTS (SELECT 1 FROM sqs_message) OR EXISTS (SELECT 1 FROM sqs_group)
    OR EXISTS (SELECT 1 FROM sqs_payload) OR EXISTS (SELECT 1 FROM sqs_sequence)
    OR EXISTS (SELECT 1 FROM sqs_deduplication) OR EXISTS (SELECT 1 FROM sqs_deleted_queue)
    OR EXISTS (SELECT 1 FROM sqs_move_task) OR EXISTS (SELECT 1 FROM sns_topic)
    OR EXISTS (SELECT 1 FROM sns_subscription) OR EXISTS (SELECT 1 FROM sns_message)
    OR EXISTS (SELECT 1 FROM sns_delivery) OR EXISTS (SELECT 1 FROM sns_deduplication)
UNION ALL
SELECT 'scheduling' AS name WHERE EXISTS (SELECT 1 FROM schedule)
    OR EXISTS (SELECT 1 FROM schedule_group)
UNION ALL
SELECT 'storage' AS name WHERE EXISTS (SELECT 1 FROM s3_bucket)
    OR EXISTS (SELECT 1 FROM s3_version) OR EXISTS (SELECT 1 FROM s3_blob)
    OR EXISTS (SELECT 1 FROM s3_piece) OR EXISTS (SELECT 1 FROM s3_upload)
    OR EXISTS (SELECT 1 FROM s3_sequence)
UNION ALL
SELECT 'events' AS name WHERE EXISTS (SELECT 1 FROM events_bus)
    OR EXISTS (SELECT 1 FROM events_rule) OR EXISTS (SELECT 1 FROM events_archive)
    OR EXISTS (SELECT 1 FROM events_archived) OR EXISTS (SELECT 1 FROM events_replay)
UNION ALL
SELECT 'watching' AS name WHERE EXISTS (SELECT 1 FROM log_filter)
    OR EXISTS (SELECT 1 FROM log_policy) OR EXISTS (SELECT 1 FROM log_query)
    OR EXISTS (SELECT 1 FROM log_query_definition) OR EXISTS (SELECT 1 FROM log_query_page)
    OR EXISTS (SELECT 1 FROM alarm) OR EXISTS (SELECT 1 FROM alarm_history)
    OR EXISTS (SELECT 1 FROM alarm_link)
UNION ALL
SELECT DISTINCT CASE sender
    WHEN 'scheduler' THEN 'scheduling'
    WHEN 's3' THEN 'storage'
    WHEN 'events' THEN 'events'
    WHEN 'logs' THEN 'watching'
    WHEN 'cloudwatch' THEN 'watching'
    END AS name FROM outbox;
