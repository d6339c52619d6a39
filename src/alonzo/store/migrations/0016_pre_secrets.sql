-- Secrets Manager: secrets and their versions.
--
-- `suffix` is the six random characters of the ARN. `document` (JSON) is what is read with a secret
-- and never searched for: description, key, tags, policy, rotation, dates. `deletion_at_s` is set
-- while a deleted secret can be restored.
CREATE TABLE sm_secret (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    suffix TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    deletion_at_s REAL,
    document TEXT NOT NULL,
    UNIQUE (account, region, name)
);

-- `stages` is a JSON list of labels. `sealed` is what KMS made of the value; NULL, as `kind` and
-- `key_arn` are, for a version that a rotation has yet to fill.
CREATE TABLE sm_version (
    secret_id TEXT NOT NULL REFERENCES sm_secret (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    accessed_at_s REAL,
    stages TEXT NOT NULL,
    kind TEXT,
    key_arn TEXT,
    sealed BLOB,
    PRIMARY KEY (secret_id, id)
);
