-- KMS: keys of an account in a region, their material, aliases and grants.
--
-- `document` (JSON) of a key is what is read with it and never searched for: description, manager,
-- policy, tags, rotation. `deletion_at_s` is NULL unless the state is PendingDeletion.
CREATE TABLE kms_key (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    state TEXT NOT NULL,
    deletion_at_s REAL,
    document TEXT NOT NULL
);
CREATE INDEX kms_key_region ON kms_key (account, region, id);
CREATE INDEX kms_key_deletion ON kms_key (deletion_at_s) WHERE deletion_at_s IS NOT NULL;

-- `sealed` is the material under a secret of the data directory; it goes with its key, and nothing
-- that was encrypted with it can be read again. The highest number encrypts, all of them decrypt.
CREATE TABLE kms_material (
    key_id TEXT NOT NULL REFERENCES kms_key (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    cause TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (key_id, number)
);

CREATE TABLE kms_alias (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES kms_key (id) ON DELETE CASCADE,
    created_at_s REAL NOT NULL,
    updated_at_s REAL NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX kms_alias_key ON kms_alias (key_id);

CREATE TABLE kms_grant (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES kms_key (id) ON DELETE CASCADE,
    created_at_s REAL NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX kms_grant_key ON kms_grant (key_id);
