-- SQS: messages, the groups of FIFO queues, and what was sent in the deduplication window.
--
-- `id` grows with the time of sending: it is the order of a FIFO queue and its sequence numbers.
-- `visible_at_ms` is when the message may be received: the end of its delay or of its visibility
-- timeout. `receive_count` counts in this queue alone, `earlier_receives` in the queue whose dead
-- letter it is. A large body is in `sqs_payload`, so that a receive does not write it again.
CREATE TABLE sqs_message (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    group_id INTEGER,
    message_id TEXT NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    visible_at_ms INTEGER NOT NULL,
    receive_count INTEGER NOT NULL,
    earlier_receives INTEGER NOT NULL,
    first_received_at_ms INTEGER,
    dead_letter_source TEXT,
    payload_id INTEGER,
    body TEXT,
    attributes BLOB
);

-- What a receive looks for. `receive_count` is there for the counts: they read the index alone.
CREATE INDEX sqs_message_visible ON sqs_message (queue_id, visible_at_ms, id, receive_count);
CREATE INDEX sqs_message_in_group ON sqs_message (group_id, id) WHERE group_id IS NOT NULL;

CREATE TABLE sqs_payload (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    attributes BLOB NOT NULL
);

-- A message group of a FIFO queue, as long as it has messages. `ready_at_ms` is when its first
-- message may be received: none of the group is in flight then.
CREATE TABLE sqs_group (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    ready_at_ms INTEGER NOT NULL,
    UNIQUE (queue_id, name)
);
CREATE INDEX sqs_group_ready ON sqs_group (queue_id, ready_at_ms, id);

-- What a FIFO queue has taken in the last minutes. `scope` is the message group where each group
-- has its own window, and empty where the queue has one.
CREATE TABLE sqs_deduplication (
    queue_id INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (queue_id, scope, deduplication_id)
);
CREATE INDEX sqs_deduplication_expiry ON sqs_deduplication (expires_at_ms);
