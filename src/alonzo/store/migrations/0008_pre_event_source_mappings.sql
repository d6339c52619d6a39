-- Event source mappings.
--
-- `source_key` names what is read and which part of it, so that no function reads it twice.
-- `document` holds the members that the API shows and that have no column (JSON). `state` is the
-- API's; `enabled` is what it should come to. A mapping outlives its function.
CREATE TABLE event_source_mapping (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    function_name TEXT NOT NULL,
    function_qualifier TEXT,
    kind TEXT NOT NULL,
    source_arn TEXT,
    source_key TEXT NOT NULL,
    document TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    modified_at_s REAL NOT NULL,
    PRIMARY KEY (account, region, id)
);

CREATE INDEX event_source_mapping_source ON event_source_mapping (account, region, source_key);
CREATE INDEX event_source_mapping_arn ON event_source_mapping (account, region, source_arn, id);
CREATE INDEX event_source_mapping_function
    ON event_source_mapping (account, region, function_name, id);
CREATE INDEX event_source_mapping_busy ON event_source_mapping (state)
WHERE state NOT IN ('Enabled', 'Disabled');
