-- Parameter Store: parameters, and up to a hundred versions of each.
--
-- `document` (JSON) of a parameter holds its tags; of a version its type, description, key, pattern,
-- tier, data type, author and labels. `value` is UTF-8, or for a SecureString what KMS made of it.
CREATE TABLE ssm_parameter (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    tier TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (account, region, name)
);

CREATE TABLE ssm_version (
    parameter_id INTEGER NOT NULL REFERENCES ssm_parameter (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    created_at_s REAL NOT NULL,
    document TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (parameter_id, number)
);
