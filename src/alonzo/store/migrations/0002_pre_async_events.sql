-- Accepted events (InvocationType=Event) until they have been handled. `lease_until_s` is NULL
-- while nobody works on the event; a restart forgets the leases of the process that died.
CREATE TABLE async_event (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function_name TEXT NOT NULL,
    qualifier TEXT,
    payload BLOB NOT NULL,
    trace_header TEXT,
    accepted_at_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_s REAL NOT NULL,
    lease_until_s REAL
);

CREATE INDEX async_event_due ON async_event (due_at_s, id);
