-- EventBridge: event buses, rules with their targets, archives and replays.
--
-- `document` (JSON) is what is read with its row and never searched for. A default bus has a row
-- once something about it was changed; until then it is there without one.
CREATE TABLE events_bus (
    arn TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

-- `due_at_s` is the next tick of a rule with a schedule, and NULL of all others: one step along the
-- index finds what comes next, however many there are.
CREATE TABLE events_rule (
    arn TEXT PRIMARY KEY,
    bus_arn TEXT NOT NULL,
    due_at_s REAL,
    document TEXT NOT NULL
);

CREATE INDEX events_rule_by_bus ON events_rule (bus_arn);
CREATE INDEX events_rule_due ON events_rule (due_at_s);

CREATE TABLE events_archive (
    arn TEXT PRIMARY KEY,
    bus_arn TEXT NOT NULL,
    document TEXT NOT NULL
);

-- What an archive keeps. `event_at_s` is the event's own time, by which replays choose;
-- `archived_at_s` when it came, by which retention counts.
CREATE TABLE events_archived (
    id INTEGER PRIMARY KEY,
    archive_arn TEXT NOT NULL REFERENCES events_archive (arn) ON DELETE CASCADE,
    event_at_s REAL NOT NULL,
    archived_at_s REAL NOT NULL,
    document BLOB NOT NULL
);

CREATE INDEX events_archived_by_time ON events_archived (archive_arn, event_at_s, id);
CREATE INDEX events_archived_by_age ON events_archived (archive_arn, archived_at_s);

-- `position_s` and `position_id` are the last event that a replay has sent.
CREATE TABLE events_replay (
    arn TEXT PRIMARY KEY,
    archive_arn TEXT NOT NULL,
    position_s REAL NOT NULL,
    position_id INTEGER NOT NULL,
    document TEXT NOT NULL
);
