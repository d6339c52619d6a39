-- Layers, and which of them versions of functions use.
--
-- `last_version` of a layer is the highest number it ever gave; the row outlives every version, so
-- that no number is given twice.
CREATE TABLE layer (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    last_version INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- `document` holds what the API shows and has no column of its own (JSON). `runtimes` and
-- `architectures` repeat two of its lists for filters, each value between commas. `policy` is the
-- layer's policy document (JSON), NULL while it has none.
CREATE TABLE layer_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    runtimes TEXT NOT NULL,
    architectures TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    code_bytes INTEGER NOT NULL,
    unzipped_bytes INTEGER NOT NULL,
    policy TEXT,
    policy_revision_id TEXT,
    PRIMARY KEY (account, region, name, version),
    FOREIGN KEY (account, region, name) REFERENCES layer (account, region, name)
);

CREATE INDEX layer_version_code ON layer_version (code_sha256);

-- The layers of a version as it was set, with what is needed once the layer itself has been deleted
-- (JSON, control/records.py).
ALTER TABLE function_version ADD COLUMN layers TEXT NOT NULL DEFAULT '[]';

-- What those layers need, for the version as it was set and as it serves: `tree` is the name of
-- their merged tree (model/functions.py), `code_sha256` one of the packages in it.
CREATE TABLE function_version_layer (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    tree TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    PRIMARY KEY (account, region, name, version, tree, code_sha256),
    FOREIGN KEY (account, region, name, version)
        REFERENCES function_version (account, region, name, version) ON DELETE CASCADE
);

CREATE INDEX function_version_layer_code ON function_version_layer (code_sha256);
CREATE INDEX function_version_layer_tree ON function_version_layer (tree);
