-- name: all_topics
SELECT arn, created_at_s, document FROM sns_topic;

-- name: all_subscriptions
SELECT arn, topic_arn, created_at_s, document FROM sns_subscription;

-- name: find_topic
SELECT arn, created_at_s, document FROM sns_topic WHERE arn = :arn;

-- name: find_subscription
SELECT arn, topic_arn, created_at_s, document FROM sns_subscription WHERE arn = :arn;

-- name: save_topic
INSERT INTO sns_topic (arn, created_at_s, document) VALUES (:arn, :created_at_s, :document)
ON CONFLICT (arn) DO UPDATE SET document = excluded.document;

-- name: delete_topic
DELETE FROM sns_topic WHERE arn = :arn;

-- name: save_subscription
INSERT INTO sns_subscription (arn, topic_arn, created_at_s, document)
VALUES (:arn, :topic_arn, :created_at_s, :document)
ON CONFLICT (arn) DO UPDATE SET document = excluded.document;

-- name: delete_subscription
DELETE FROM sns_subscription WHERE arn = :arn;

-- name: delete_some_messages
-- Of one topic, with what is on its way of them.
DELETE FROM sns_message
WHERE place IN (SELECT place FROM sns_message WHERE topic_arn = :topic_arn LIMIT :limit);

-- name: delete_some_deliveries
-- Of one subscription.
DELETE FROM sns_delivery
WHERE subscription_arn = :arn AND place IN (
    SELECT place FROM sns_delivery WHERE subscription_arn = :arn LIMIT :limit
)
RETURNING message_id;

-- name: next_sequence
UPDATE sns_topic SET sequence = sequence + 1 WHERE arn = :arn RETURNING sequence;

-- name: find_duplicate
SELECT message_id, sequence FROM sns_deduplication
WHERE topic_arn = :topic_arn AND scope = :scope AND deduplication_id = :deduplication_id
    AND expires_at_s > :now_s;

-- name: add_deduplication
INSERT INTO sns_deduplication
    (topic_arn, scope, deduplication_id, message_id, sequence, expires_at_s)
VALUES (:topic_arn, :scope, :deduplication_id, :message_id, :sequence, :expires_at_s)
ON CONFLICT (topic_arn, scope, deduplication_id) DO UPDATE
SET message_id = excluded.message_id, sequence = excluded.sequence,
    expires_at_s = excluded.expires_at_s;

-- name: nth_expiry
SELECT expires_at_s AS until_s FROM sns_deduplication
WHERE expires_at_s <= :now_s ORDER BY expires_at_s LIMIT 1 OFFSET :offset;

-- name: forget_deduplications
DELETE FROM sns_deduplication WHERE expires_at_s <= :until_s;

-- name: add_message
INSERT INTO sns_message (message_id, topic_arn, document)
VALUES (:message_id, :topic_arn, :document)
RETURNING place;

-- name: find_message
SELECT document FROM sns_message WHERE message_id = :message_id;

-- name: live_subscription
SELECT 1 AS live FROM sns_subscription WHERE arn = :arn;

-- name: add_delivery
INSERT INTO sns_delivery (subscription_arn, place, message_id, group_id, due_at_s)
SELECT arn, :place, :message_id, :group_id, :due_at_s FROM sns_subscription WHERE arn = :arn;

-- name: waiting_subscriptions
-- Steps from subscription to subscription along the key, however long their queues are.
WITH RECURSIVE waiting (arn) AS (
    SELECT MIN(subscription_arn) FROM sns_delivery
    UNION ALL
    SELECT (SELECT MIN(subscription_arn) FROM sns_delivery WHERE subscription_arn > waiting.arn)
    FROM waiting WHERE arn IS NOT NULL
)
SELECT arn FROM waiting WHERE arn IS NOT NULL;

-- name: next_deliveries
SELECT place, message_id, group_id, attempts, due_at_s FROM sns_delivery
WHERE subscription_arn = :arn AND place > :after
ORDER BY place
LIMIT :limit;

-- name: finish_delivery
DELETE FROM sns_delivery
WHERE subscription_arn = :arn AND place = :place AND message_id = :message_id;

-- name: finish_message
DELETE FROM sns_message WHERE message_id = :message_id AND NOT EXISTS (
    SELECT 1 FROM sns_delivery WHERE message_id = :message_id
);

-- name: postpone_delivery
UPDATE sns_delivery SET attempts = :attempts, due_at_s = :due_at_s
WHERE subscription_arn = :arn AND place = :place AND message_id = :message_id;
