-- CloudWatch Logs. Events are kept in chunks, one for each flush of a stream, not one row each:
-- `body` is a zlib-compressed JSON list of [timestamp_ms, ingestion_ms, message].
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention_days INTEGER,
    document TEXT NOT NULL DEFAULT '{}',
    UNIQUE (account, region, name)
);

CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_event_ms INTEGER,
    last_event_ms INTEGER,
    last_ingestion_ms INTEGER,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (group_id, name)
);

CREATE INDEX log_stream_recent ON log_stream (group_id, last_event_ms);

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

CREATE INDEX log_chunk_stream ON log_chunk (stream_id, first_ms, id);
CREATE INDEX log_chunk_group ON log_chunk (group_id, first_ms, id);
CREATE INDEX log_chunk_expiry ON log_chunk (group_id, last_ms);
