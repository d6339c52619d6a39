-- Published versions, aliases, and what a function has beside its versions.
--
-- `last_version` of a function is the highest number it ever gave, so that none is given twice.
-- `published_digest` says what was published under it (control/publishing.py), so that the same
-- content is not published again. `reserved_concurrency` is NULL where none is reserved.
ALTER TABLE function ADD COLUMN published_digest TEXT;
ALTER TABLE function ADD COLUMN reserved_concurrency INTEGER;
ALTER TABLE function ADD COLUMN recursive_loop TEXT NOT NULL DEFAULT 'Terminate';

CREATE INDEX function_reserved ON function (account, region, reserved_concurrency)
WHERE reserved_concurrency IS NOT NULL;

-- `number` is the version as a number, for the order of lists; 0 is $LATEST. `runtime_management`
-- is the configuration of that name (JSON), NULL for the default.
ALTER TABLE function_version ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE function_version ADD COLUMN runtime_management TEXT;

CREATE UNIQUE INDEX function_version_number ON function_version (account, region, name, number);
-- Lists of functions skip their versions, however many there are.
CREATE INDEX function_version_latest ON function_version (account, region, name) WHERE number = 0;

-- In the order in which the deployer takes them, so that a long queue is never sorted.
DROP INDEX function_version_deploying;
CREATE INDEX function_version_due ON function_version (account, region, name, version)
WHERE deploying = 1;
-- The account's use of code storage is counted on every publication.
CREATE INDEX function_version_unzipped ON function_version (account, region, unzipped_bytes);

-- `additional_version` gets the share `additional_weight` of the calls, `version` the rest; both
-- are NULL where all calls go to one version. A version that an alias names cannot go.
CREATE TABLE function_alias (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version TEXT NOT NULL,
    additional_version TEXT,
    additional_weight REAL,
    description TEXT NOT NULL,
    revision_id TEXT NOT NULL,
    PRIMARY KEY (account, region, name, alias),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, version)
        REFERENCES function_version (account, region, name, version),
    FOREIGN KEY (account, region, name, additional_version)
        REFERENCES function_version (account, region, name, version)
);

CREATE INDEX function_alias_version ON function_alias (account, region, name, version);
CREATE INDEX function_alias_additional ON function_alias (account, region, name, additional_version);

-- The tenant that an event is for, where the function keeps its tenants apart.
ALTER TABLE async_event ADD COLUMN tenant_id TEXT;
