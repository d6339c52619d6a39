-- Functions and their versions. `document` is the configuration as the API shows it (JSON, members
-- as in the service model). `serving` is the record that invokes run on (model/functions.py), NULL
-- until the version has been deployed once; after an update it stays the old one until the new
-- code is ready. `state` is State of the API.
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
    serving TEXT,
    state TEXT NOT NULL,
    last_update_status TEXT,
    deploying INTEGER NOT NULL DEFAULT 0,
    code_sha256 TEXT NOT NULL,
    code_bytes INTEGER NOT NULL,
    unzipped_bytes INTEGER NOT NULL,
    PRIMARY KEY (account, region, name, version),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE
);

CREATE INDEX function_version_deploying ON function_version (deploying) WHERE deploying = 1;
CREATE INDEX function_version_code ON function_version (code_sha256);
