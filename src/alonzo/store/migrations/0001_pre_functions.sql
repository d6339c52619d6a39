-- Functions and their versions.
--
-- `document` is the configuration as the user set it and as the API shows it (JSON, members as in
-- the service model); what has a column of its own is not in it. `state` and `last_update_status`
-- are those of the API, each with its reason.
-- `serving` is the record that invokes run on (model/functions.py), NULL until the version has been
-- deployed once; after an update it stays the old one until the new code is ready, and so does
-- `serving_code_sha256`, which names that record's code. `deploying` is 1 while there is work for
-- the deployer. `revision_id` changes whenever the row does, so it fences late writers.
CREATE TABLE function (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '{}',
    last_version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE function_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    document TEXT NOT NULL,
    revision_id TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason_code TEXT,
    state_reason TEXT,
    last_update_status TEXT,
    last_update_status_reason_code TEXT,
    last_update_status_reason TEXT,
    deploying INTEGER NOT NULL DEFAULT 0,
    code_sha256 TEXT NOT NULL,
    code_bytes INTEGER NOT NULL,
    unzipped_bytes INTEGER NOT NULL,
    serving TEXT,
    serving_code_sha256 TEXT,
    PRIMARY KEY (account, region, name, version),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE
);

CREATE INDEX function_version_deploying ON function_version (deploying) WHERE deploying = 1;
CREATE INDEX function_version_code ON function_version (code_sha256);
CREATE INDEX function_version_serving_code ON function_version (serving_code_sha256);

-- The blobs that the control plane put, noted before each was written, so that one that no version
-- came to need is found and deleted. `used_at_s` is when a request last relied on it. `collecting`
-- is 1 from the decision to delete the blob until it is gone; nobody may rely on it meanwhile.
CREATE TABLE code_package (
    sha256 TEXT PRIMARY KEY,
    used_at_s REAL NOT NULL,
    collecting INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX code_package_used ON code_package (used_at_s);
