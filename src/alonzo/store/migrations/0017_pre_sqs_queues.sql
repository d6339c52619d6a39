-- SQS: queues, and the tasks that move messages back from dead-letter queues.
--
-- Ids of queues are numbers from a sequence of its own, never used again: a message belongs to an
-- id, so a queue made anew under the same name is empty. The same sequence numbers revisions.
CREATE TABLE sqs_sequence (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
);

-- `attributes` (JSON) are those that were set, as text, by AWS's names; what is not there has its
-- default. `purged_at_s` is when PurgeQueue was last called.
CREATE TABLE sqs_queue (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    modified_at_s REAL NOT NULL,
    purged_at_s REAL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account, region, name)
);

-- What is left of deleted queues until the last of their messages is gone.
CREATE TABLE sqs_deleted_queue (
    id INTEGER PRIMARY KEY,
    deleted_at_s REAL NOT NULL
);

-- Tasks of StartMessageMoveTask. `destination_arn` is NULL where each message goes back to the
-- queue that it came from. Times are epoch seconds.
CREATE TABLE sqs_move_task (
    id TEXT PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    source_arn TEXT NOT NULL,
    destination_arn TEXT,
    per_second_max INTEGER,
    state TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    ended_at_s REAL,
    to_move INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    failure TEXT
);

CREATE INDEX sqs_move_task_of_queue ON sqs_move_task (queue_id, started_at_s);
