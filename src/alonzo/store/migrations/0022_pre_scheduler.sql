-- EventBridge Scheduler: schedules and their groups. The group `default` is always there and has no
-- row.
--
-- `document` (JSON) is what is read with its row and never searched for.
CREATE TABLE schedule_group (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    modified_at_s REAL NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- `tick_at_s` is when the schedule is looked at next; NULL: never. `anchor_s` is from when on rates
-- are counted. `document` has the settings, and `target` the target with its input.
CREATE TABLE schedule (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    modified_at_s REAL NOT NULL,
    anchor_s REAL NOT NULL,
    tick_at_s REAL,
    document TEXT NOT NULL,
    target_arn TEXT NOT NULL,
    target TEXT NOT NULL
);

CREATE UNIQUE INDEX schedule_by_name ON schedule (account, region, group_name, name);

-- One timer serves all schedules: it asks for the first of these.
CREATE INDEX schedule_by_tick ON schedule (tick_at_s) WHERE tick_at_s IS NOT NULL;
