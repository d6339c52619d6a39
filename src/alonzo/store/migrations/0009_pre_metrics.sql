-- Metrics and usage. What the platform counts is written as one row of `metric_journal` for each
-- flush of the log, in the same commit as the log's lines: a zlib-compressed JSON document (see
-- `services/cloudwatch/journal.py`). Every minute, and before each read, one commit turns the rows
-- into points and usage and deletes them.
CREATE TABLE metric_journal (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- `dimensions` is a JSON list of [name, value], ordered. `last_s` is the start of the youngest point.
CREATE TABLE metric (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    last_s INTEGER NOT NULL,
    UNIQUE (account, region, namespace, name, dimensions)
);

CREATE INDEX metric_last ON metric (last_s);

-- A point covers `period_s` seconds from `start_s`. `distribution` is NULL where all values are
-- alike, and empty where there is none.
CREATE TABLE metric_point (
    metric_id INTEGER NOT NULL REFERENCES metric (id) ON DELETE CASCADE,
    start_s INTEGER NOT NULL,
    period_s INTEGER NOT NULL,
    unit TEXT NOT NULL,
    samples REAL NOT NULL,
    total REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    distribution BLOB,
    PRIMARY KEY (metric_id, start_s, period_s, unit)
);

CREATE INDEX metric_point_age ON metric_point (period_s, start_s);

-- What functions used. `provisioned` is 1 for what ran in, or was reserved as, provisioned
-- concurrency; `reserved_ms` are the milliseconds of environments reserved so.
CREATE TABLE function_usage (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    memory_mib INTEGER NOT NULL,
    tmp_mib INTEGER NOT NULL,
    provisioned INTEGER NOT NULL,
    start_s INTEGER NOT NULL,
    period_s INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    billed_ms INTEGER NOT NULL,
    reserved_ms INTEGER NOT NULL,
    streamed_bytes INTEGER NOT NULL,
    PRIMARY KEY (
        account, region, function, version, architecture, memory_mib, tmp_mib, provisioned,
        start_s, period_s
    )
);

CREATE INDEX function_usage_age ON function_usage (period_s, start_s);
