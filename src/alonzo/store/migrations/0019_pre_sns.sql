-- SNS: topics, their subscriptions, and what is on its way to them.
--
-- `document` (JSON) is what is read with its row and never searched for: attributes, tags, tokens.
-- `sequence` counts the messages of a FIFO topic.
CREATE TABLE sns_topic (
    arn TEXT PRIMARY KEY,
    created_at_s REAL NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0,
    document TEXT NOT NULL
);

CREATE TABLE sns_subscription (
    arn TEXT PRIMARY KEY,
    topic_arn TEXT NOT NULL REFERENCES sns_topic (arn) ON DELETE CASCADE,
    created_at_s REAL NOT NULL,
    document TEXT NOT NULL
);

CREATE INDEX sns_subscription_by_topic ON sns_subscription (topic_arn);

-- A message is kept once, until the last of its deliveries is over. `place` is its place in the
-- order of all messages, and never used again while anything refers to it.
CREATE TABLE sns_message (
    place INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    topic_arn TEXT NOT NULL REFERENCES sns_topic (arn) ON DELETE CASCADE,
    document BLOB NOT NULL
);

CREATE INDEX sns_message_by_topic ON sns_message (topic_arn);

-- `group_id` is the message group on FIFO topics, and empty on others. `attempts` are those made.
CREATE TABLE sns_delivery (
    subscription_arn TEXT NOT NULL REFERENCES sns_subscription (arn) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    message_id TEXT NOT NULL REFERENCES sns_message (message_id) ON DELETE CASCADE,
    group_id TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_s REAL NOT NULL,
    PRIMARY KEY (subscription_arn, place)
);

CREATE INDEX sns_delivery_by_message ON sns_delivery (message_id);

-- What a FIFO topic took lately. `scope` is the message group where duplicates are told by group.
CREATE TABLE sns_deduplication (
    topic_arn TEXT NOT NULL REFERENCES sns_topic (arn) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    expires_at_s REAL NOT NULL,
    PRIMARY KEY (topic_arn, scope, deduplication_id)
);

CREATE INDEX sns_deduplication_by_time ON sns_deduplication (expires_at_s);
