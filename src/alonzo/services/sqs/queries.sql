-- name: next_number
INSERT INTO sqs_sequence (name, last) VALUES ('queue', 1)
ON CONFLICT (name) DO UPDATE SET last = sqs_sequence.last + 1
RETURNING last;

-- name: every_queue
SELECT id, revision, account, region, name, created_at_s, modified_at_s, attributes, tags
FROM sqs_queue;

-- name: find_queue
SELECT id, revision, account, region, name, created_at_s, modified_at_s, attributes, tags
FROM sqs_queue
WHERE id = :id;

-- name: find_queue_by_name
SELECT id, revision, account, region, name, created_at_s, modified_at_s, attributes, tags
FROM sqs_queue
WHERE account = :account AND region = :region AND name = :name;

-- name: insert_queue
INSERT INTO sqs_queue
    (id, revision, account, region, name, created_at_s, modified_at_s, attributes, tags)
VALUES (:id, :revision, :account, :region, :name, :now_s, :now_s, :attributes, :tags);

-- name: set_attributes
UPDATE sqs_queue
SET attributes = :attributes, modified_at_s = :now_s, revision = :revision
WHERE id = :id;

-- name: set_tags
UPDATE sqs_queue SET tags = :tags, revision = :revision WHERE id = :id;

-- name: purged_at
SELECT purged_at_s FROM sqs_queue WHERE id = :id;

-- name: set_purged_at
UPDATE sqs_queue SET purged_at_s = :now_s WHERE id = :id;

-- name: delete_queue
DELETE FROM sqs_queue WHERE id = :id;

-- name: insert_deleted_queue
INSERT INTO sqs_deleted_queue (id, deleted_at_s) VALUES (:id, :now_s);

-- name: deleted_queues
SELECT id, deleted_at_s FROM sqs_deleted_queue ORDER BY id LIMIT :limit;

-- name: forget_deleted_queue
DELETE FROM sqs_deleted_queue WHERE id = :id;

-- name: insert_move_task
INSERT INTO sqs_move_task
    (id, queue_id, source_arn, destination_arn, per_second_max, state, started_at_s, to_move,
     moved)
VALUES (:id, :queue_id, :source_arn, :destination_arn, :per_second_max, 'RUNNING', :now_s,
        :to_move, 0);

-- name: forget_old_move_tasks
DELETE FROM sqs_move_task
WHERE queue_id = :queue_id AND ended_at_s IS NOT NULL AND id NOT IN (
    SELECT id FROM sqs_move_task WHERE queue_id = :queue_id
    ORDER BY started_at_s DESC, id LIMIT :limit
);

-- name: find_move_task
SELECT id, queue_id, source_arn, destination_arn, per_second_max, state, started_at_s,
    to_move, moved, failure
FROM sqs_move_task WHERE id = :id;

-- name: move_tasks_of_queue
SELECT id, queue_id, source_arn, destination_arn, per_second_max, state, started_at_s,
    to_move, moved, failure
FROM sqs_move_task WHERE queue_id = :queue_id
ORDER BY started_at_s DESC, id LIMIT :limit;

-- name: active_move_tasks
SELECT id, queue_id, source_arn, destination_arn, per_second_max, state, started_at_s,
    to_move, moved, failure
FROM sqs_move_task WHERE ended_at_s IS NULL
ORDER BY started_at_s, id;

-- name: count_moved
UPDATE sqs_move_task SET moved = moved + :moved WHERE id = :id;

-- name: cancel_move_task
UPDATE sqs_move_task SET state = 'CANCELLING' WHERE id = :id AND state = 'RUNNING';

-- name: end_move_task
UPDATE sqs_move_task SET state = :state, failure = :failure, ended_at_s = :now_s WHERE id = :id;

-- name: delete_move_tasks
DELETE FROM sqs_move_task WHERE queue_id = :queue_id;
