-- What becomes of the events of a function, version or alias, and the records of those that are over.
--
-- `qualifier` is `$LATEST` for the function itself; `version` and `alias` repeat it where it names
-- one of them, so that the configuration goes with it. NULL is "not set". Destinations are ARNs.
CREATE TABLE function_event_invoke (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    version TEXT,
    alias TEXT,
    retries_max INTEGER,
    age_s_max INTEGER,
    on_success TEXT,
    on_failure TEXT,
    modified_at_s REAL NOT NULL,
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, version)
        REFERENCES function_version (account, region, name, version) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, alias)
        REFERENCES function_alias (account, region, name, alias) ON DELETE CASCADE
);

-- `runs` counts the runs of the function that have ended, or may have; `attempts` the tries since
-- then. `last_response` and `last_version` are those of the last run that failed, where a record
-- may need them.
ALTER TABLE async_event ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE async_event ADD COLUMN last_response BLOB;
ALTER TABLE async_event ADD COLUMN last_version TEXT;

-- Records on their way to a destination. Each is put in by the commit that ends its event, and
-- deleted once the destination has it. `sender_arn` is the function's, qualified.
CREATE TABLE async_delivery (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    sender_arn TEXT NOT NULL,
    target_arn TEXT NOT NULL,
    ended_at_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_s REAL NOT NULL,
    trace_header TEXT NOT NULL,
    record BLOB NOT NULL
);

CREATE INDEX async_delivery_due ON async_delivery (due_at_s, id);
