-- CloudWatch Logs. Events are kept in chunks, one for each flush of a stream, not one row each:
-- `body` is a zlib-compressed JSON list [ingestion_ms, [timestamp_ms, ...], [message, ...]], oldest
-- first. A chunk never changes, so (timestamp, chunk id, place in the chunk) names an event for
-- good. No chunk spans more than a minute, so a time range finds its chunks by either end.
-- `stored_bytes` counts what chunks held before compression. `document` holds tags, class and
-- deletion protection (JSON).
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention_days INTEGER,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    document TEXT NOT NULL DEFAULT '{}',
    UNIQUE (account, region, name)
);

-- `last_event_ms` is 0 while the stream has no event.
CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_event_ms INTEGER,
    last_event_ms INTEGER NOT NULL DEFAULT 0,
    last_ingestion_ms INTEGER,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (group_id, name)
);

CREATE INDEX log_stream_recent ON log_stream (group_id, last_event_ms, name);

CREATE TABLE log_chunk (
    id INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL REFERENCES log_stream (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX log_chunk_stream_first ON log_chunk (stream_id, first_ms, id);
CREATE INDEX log_chunk_stream_last ON log_chunk (stream_id, last_ms, id);
CREATE INDEX log_chunk_group_first ON log_chunk (group_id, first_ms, id);
CREATE INDEX log_chunk_group_last ON log_chunk (group_id, last_ms, id);
