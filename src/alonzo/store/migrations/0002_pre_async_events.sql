-- Accepted events (InvocationType=Event) until they have been handled. `function_path` is the
-- function's `account/region/name`. `running` is 1 while an attempt runs; the next start forgets it.
CREATE TABLE async_event (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    function_path TEXT NOT NULL,
    qualifier TEXT,
    running INTEGER NOT NULL DEFAULT 0,
    accepted_at_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_s REAL NOT NULL,
    trace_header TEXT,
    payload BLOB NOT NULL
);

-- One step finds the next function that has events waiting, another its next event.
CREATE INDEX async_event_waiting ON async_event (running, function_path, due_at_s, id);
