-- CloudWatch Logs: what watches the events of a group. `kind` is subscription or metric; `document`
-- (JSON) holds the pattern and what is done with events that match.
CREATE TABLE log_filter (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (group_id, kind, name)
);

-- CloudWatch: alarms. `document` (JSON) is what was put, `state_document` (JSON) why the state is
-- what it is. `revision` grows with every change, so that a verdict on an older one is not kept.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    state_document TEXT NOT NULL,
    UNIQUE (account, region, name)
);

-- What happened to alarms; it outlives them.
CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    at_s REAL NOT NULL,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE INDEX alarm_history_of_region ON alarm_history (account, region, at_s, id);
CREATE INDEX alarm_history_of_alarm ON alarm_history (account, region, name, at_s, id);
CREATE INDEX alarm_history_age ON alarm_history (at_s);
