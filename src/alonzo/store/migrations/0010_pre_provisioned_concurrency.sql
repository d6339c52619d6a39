-- Environments that are to be kept ready for a version, or for the versions of an alias.
--
-- `qualifier` names either; `version` or `alias` repeats it, so that the configuration goes with
-- what it is for. `revision_id` changes with every request, so that what is said of an older one is
-- not taken for what has become of this one.
CREATE TABLE function_provisioned_concurrency (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    version TEXT,
    alias TEXT,
    requested INTEGER NOT NULL,
    revision_id TEXT NOT NULL,
    modified_at_s REAL NOT NULL,
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, version)
        REFERENCES function_version (account, region, name, version) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, alias)
        REFERENCES function_alias (account, region, name, alias) ON DELETE CASCADE
);
