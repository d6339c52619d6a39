-- IAM: users, groups, roles, managed policies and instance profiles of an account.
--
-- An entity is known by its unique id for ever, by its name while it has it. `name_key` is the name
-- in lower case: names differ by more than case. `document` (JSON) is what is read with it and never
-- searched for.
CREATE TABLE iam_entity (
    unique_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name_key TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (account, kind, name_key)
);

CREATE TABLE iam_inline_policy (
    entity_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (entity_id, name)
);

-- `usage` is 'policy', or 'boundary' for the permissions boundary. The policy may be AWS's own.
CREATE TABLE iam_attachment (
    entity_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    usage TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (entity_id, usage, policy_arn)
);
CREATE INDEX iam_attachment_policy ON iam_attachment (account, policy_arn, usage);

CREATE TABLE iam_group_member (
    group_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX iam_group_member_user ON iam_group_member (user_id);

-- `secret` is sealed with a key of the data directory. `last_used` is JSON, NULL before any use.
CREATE TABLE iam_access_key (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    active INTEGER NOT NULL,
    secret TEXT NOT NULL,
    created_at_s REAL NOT NULL,
    last_used TEXT
);
CREATE INDEX iam_access_key_user ON iam_access_key (user_id);

CREATE TABLE iam_policy_version (
    policy_id TEXT NOT NULL REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    is_default INTEGER NOT NULL,
    created_at_s REAL NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (policy_id, number)
);

CREATE TABLE iam_profile_role (
    profile_id TEXT PRIMARY KEY REFERENCES iam_entity (unique_id) ON DELETE CASCADE,
    role_id TEXT NOT NULL REFERENCES iam_entity (unique_id)
);
CREATE INDEX iam_profile_role_role ON iam_profile_role (role_id);

-- Roles that were deleted and not made again: a function may still have one, and must not pass for
-- one whose role was never known.
CREATE TABLE iam_deleted_role (
    arn TEXT PRIMARY KEY
);

-- An alias belongs to one account of the platform.
CREATE TABLE iam_account_alias (
    account TEXT PRIMARY KEY,
    alias TEXT NOT NULL UNIQUE
);
