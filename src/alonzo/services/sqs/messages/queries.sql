-- name: greatest_id
SELECT max(id) AS id FROM sqs_message;

-- name: insert_message
-- One row; ``records`` makes the statement as wide as a batch, which is one step of the database.
INSERT INTO sqs_message
    (id, queue_id, group_id, message_id, sent_at_ms, visible_at_ms, receive_count,
     earlier_receives, payload_id, body, attributes)
VALUES (:id, :queue_id, :group_id, :message_id, :sent_at_ms, :visible_at_ms, 0, 0,
        :payload_id, :body, :attributes);

-- name: insert_payload
INSERT INTO sqs_payload (id, body, attributes) VALUES (:id, :body, :attributes);

-- name: find_payload
SELECT body, attributes FROM sqs_payload WHERE id = :id;

-- name: delete_payload
DELETE FROM sqs_payload WHERE id = :id;

-- name: claim
UPDATE sqs_message
SET visible_at_ms = :until_ms, receive_count = receive_count + 1,
    first_received_at_ms = COALESCE(first_received_at_ms, :now_ms)
WHERE id IN (
    SELECT id FROM sqs_message
    WHERE queue_id = :queue_id AND visible_at_ms <= :now_ms
    ORDER BY visible_at_ms, id LIMIT :limit
)
RETURNING id, group_id, message_id, sent_at_ms, visible_at_ms, receive_count, earlier_receives,
    first_received_at_ms, dead_letter_source, payload_id, body, attributes;

-- name: claim_in_group
-- Only for a group of which nothing is in flight. What lies behind a delayed one waits for it.
UPDATE sqs_message
SET visible_at_ms = :until_ms, receive_count = receive_count + 1,
    first_received_at_ms = COALESCE(first_received_at_ms, :now_ms)
WHERE id IN (
    SELECT id FROM sqs_message
    WHERE group_id = :group_id AND id > :after_id ORDER BY id LIMIT :limit
) AND id < COALESCE((
    SELECT min(id) FROM (
        SELECT id, visible_at_ms FROM sqs_message
        WHERE group_id = :group_id AND id > :after_id ORDER BY id LIMIT :limit
    ) AS front
    WHERE visible_at_ms > :now_ms
), 9223372036854775807)
RETURNING id, group_id, message_id, sent_at_ms, visible_at_ms, receive_count, earlier_receives,
    first_received_at_ms, dead_letter_source, payload_id, body, attributes;

-- name: claim_again
-- The same receive once more: the timeout begins anew, and nothing is counted.
UPDATE sqs_message SET visible_at_ms = :until_ms WHERE id = :id
RETURNING id, group_id, message_id, sent_at_ms, visible_at_ms, receive_count, earlier_receives,
    first_received_at_ms, dead_letter_source, payload_id, body, attributes;

-- name: next_visible
SELECT visible_at_ms AS at_ms FROM sqs_message
WHERE queue_id = :queue_id ORDER BY visible_at_ms, id LIMIT 1;

-- name: next_ready
SELECT ready_at_ms AS at_ms FROM sqs_group
WHERE queue_id = :queue_id ORDER BY ready_at_ms, id LIMIT 1;

-- name: count_in_flight
SELECT count(*) AS n FROM sqs_message
WHERE queue_id = :queue_id AND visible_at_ms > :now_ms AND receive_count > 0;

-- name: counts
SELECT
    COALESCE(SUM(CASE WHEN visible_at_ms <= :now_ms THEN 1 ELSE 0 END), 0) AS visible,
    COALESCE(SUM(CASE WHEN visible_at_ms > :now_ms AND receive_count = 0 THEN 1 ELSE 0 END), 0)
        AS delayed,
    count(*) AS all_of_them
FROM sqs_message WHERE queue_id = :queue_id;

-- name: find_message
SELECT id, group_id, payload_id, receive_count, visible_at_ms, sent_at_ms FROM sqs_message
WHERE id = :id AND queue_id = :queue_id AND message_id = :message_id;

-- name: delete_messages
-- Ten at most; those that a call does not need are NULL. The sum keeps SQLite from choosing the
-- index on queues, which it would read to its end.
DELETE FROM sqs_message
WHERE id IN (:id_0, :id_1, :id_2, :id_3, :id_4, :id_5, :id_6, :id_7, :id_8, :id_9)
    AND message_id IN (:message_id_0, :message_id_1, :message_id_2, :message_id_3, :message_id_4,
        :message_id_5, :message_id_6, :message_id_7, :message_id_8, :message_id_9)
    AND queue_id + 0 = :queue_id
RETURNING payload_id;

-- name: delete_message
DELETE FROM sqs_message WHERE id = :id;

-- name: set_visible_at
UPDATE sqs_message SET visible_at_ms = :visible_at_ms WHERE id = :id;

-- name: move_message
UPDATE sqs_message
SET id = :new_id, queue_id = :queue_id, group_id = :group_id, message_id = :message_id,
    sent_at_ms = :sent_at_ms, visible_at_ms = :visible_at_ms, receive_count = 0,
    earlier_receives = :earlier_receives, first_received_at_ms = :first_received_at_ms,
    dead_letter_source = :dead_letter_source
WHERE id = :id;

-- name: movable_messages
-- Oldest first.
SELECT id, group_id, dead_letter_source FROM sqs_message
WHERE queue_id = :queue_id AND visible_at_ms <= :now_ms
ORDER BY visible_at_ms, id LIMIT :limit;

-- name: movable_group
-- The group of the oldest message that is not blocked.
SELECT m.group_id AS group_id FROM sqs_message AS m
WHERE m.queue_id = :queue_id AND m.visible_at_ms <= :now_ms
    AND EXISTS (SELECT 1 FROM sqs_group AS g WHERE g.id = m.group_id AND g.ready_at_ms <= :now_ms)
ORDER BY m.visible_at_ms, m.id LIMIT 1;

-- name: movable_in_group
SELECT id, group_id, dead_letter_source FROM sqs_message
WHERE group_id = :group_id AND visible_at_ms <= :now_ms
ORDER BY id LIMIT :limit;

-- name: find_group
SELECT id, name FROM sqs_group WHERE queue_id = :queue_id AND name = :name;

-- name: group_name
SELECT name FROM sqs_group WHERE id = :id;

-- name: insert_group
INSERT INTO sqs_group (queue_id, name, ready_at_ms) VALUES (:queue_id, :name, :ready_at_ms)
RETURNING id;

-- name: ready_groups
SELECT id FROM sqs_group
WHERE queue_id = :queue_id AND ready_at_ms <= :now_ms
ORDER BY ready_at_ms, id LIMIT :limit;

-- name: set_group_ready_at
UPDATE sqs_group SET ready_at_ms = :ready_at_ms WHERE id = :id AND ready_at_ms <> :ready_at_ms;

-- name: delete_group
DELETE FROM sqs_group WHERE id = :id;

-- name: front_of_group
-- Those that were received are the first of their group, and as many as a receive takes at most.
SELECT visible_at_ms, receive_count FROM sqs_message
WHERE group_id = :group_id ORDER BY id LIMIT :limit;

-- name: find_duplicate
SELECT message_id, sequence FROM sqs_deduplication
WHERE queue_id = :queue_id AND scope = :scope AND deduplication_id = :deduplication_id
    AND expires_at_ms > :now_ms;

-- name: remember
INSERT INTO sqs_deduplication
    (queue_id, scope, deduplication_id, message_id, sequence, expires_at_ms)
VALUES (:queue_id, :scope, :deduplication_id, :message_id, :sequence, :expires_at_ms)
ON CONFLICT (queue_id, scope, deduplication_id) DO UPDATE
SET message_id = excluded.message_id, sequence = excluded.sequence,
    expires_at_ms = excluded.expires_at_ms;

-- name: nth_expiry
-- Up to when to forget, so that it is not all at once.
SELECT expires_at_ms AS until_ms FROM sqs_deduplication
WHERE expires_at_ms <= :now_ms ORDER BY expires_at_ms LIMIT 1 OFFSET :offset;

-- name: forget_old
DELETE FROM sqs_deduplication WHERE expires_at_ms <= :until_ms;

-- name: delete_oldest
-- All that became visible up to then; what became visible was sent before that.
DELETE FROM sqs_message
WHERE id IN (
    SELECT id FROM sqs_message
    WHERE queue_id = :queue_id AND visible_at_ms <= :until_ms
    ORDER BY visible_at_ms, id LIMIT :limit
)
RETURNING payload_id, group_id;

-- name: delete_sent_before
DELETE FROM sqs_message
WHERE id IN (
    SELECT id FROM sqs_message
    WHERE queue_id = :queue_id AND id < :before_id LIMIT :limit
)
RETURNING payload_id, group_id;
