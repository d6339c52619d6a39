-- CloudWatch Logs: which services may write. `group_id` is NULL for a policy of the whole account in
-- a region, by name; a group has at most one of its own.
CREATE TABLE log_policy (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    group_id INTEGER UNIQUE REFERENCES log_group (id) ON DELETE CASCADE,
    revision TEXT NOT NULL,
    updated_ms INTEGER NOT NULL,
    document TEXT NOT NULL
);

CREATE INDEX log_policy_of_region ON log_policy (account, region, name);

-- Queries of Logs Insights. `status` is Scheduled until a query is over; `document` (JSON) holds what
-- was asked and what was counted. `bytes` is what its pages take.
CREATE TABLE log_query (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_s REAL NOT NULL,
    status TEXT NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0,
    document TEXT NOT NULL
);

CREATE INDEX log_query_of_region ON log_query (account, region, created_s, id);
CREATE INDEX log_query_age ON log_query (created_s, id);

-- Results: `body` is a zlib-compressed JSON list of rows, `first` the place of its first one.
CREATE TABLE log_query_page (
    query_id TEXT NOT NULL REFERENCES log_query (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (query_id, first)
);

-- Queries that somebody has saved under a name. `document` (JSON) is what was put.
CREATE TABLE log_query_definition (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    document TEXT NOT NULL
);

CREATE INDEX log_query_definition_of_region ON log_query_definition (account, region, name, id);
