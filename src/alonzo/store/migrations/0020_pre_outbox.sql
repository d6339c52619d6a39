-- What services have to hand over to others: records of their own, and the queue they leave by.

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    lane TEXT NOT NULL,
    about TEXT NOT NULL,
    document BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    accepted_at_s REAL NOT NULL,
    due_at_s REAL NOT NULL
);

-- One step finds the next lane in which something waits, another its next parcel: a lane that is
-- slow keeps no other waiting.
CREATE INDEX outbox_waiting ON outbox (sender, lane, due_at_s, id);
