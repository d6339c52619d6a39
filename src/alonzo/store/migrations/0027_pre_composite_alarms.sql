-- CloudWatch: composite alarms. `kind` is as the API names it. `hold` (JSON) says why actions wait,
-- and `release_at_s` until when; both are NULL where none do.
ALTER TABLE alarm ADD COLUMN kind TEXT NOT NULL DEFAULT 'MetricAlarm';
ALTER TABLE alarm ADD COLUMN hold TEXT;
ALTER TABLE alarm ADD COLUMN release_at_s REAL;

CREATE INDEX alarm_release ON alarm (release_at_s);
CREATE INDEX alarm_kind ON alarm (account, region, kind);

ALTER TABLE alarm_history ADD COLUMN alarm_type TEXT NOT NULL DEFAULT 'MetricAlarm';

-- Which alarms a composite alarm looks at: those of its rule, and its suppressor.
CREATE TABLE alarm_link (
    alarm_id INTEGER NOT NULL REFERENCES alarm (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    child TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (alarm_id, role, child)
);

CREATE INDEX alarm_link_of_child ON alarm_link (account, region, child, role);
