-- Resource-based policies of functions, versions and aliases.
--
-- `qualifier` is empty for the function itself; `version` and `alias` repeat it where it names one,
-- so that the policy goes with it. `document` is the policy as the API answers it (JSON). Its
-- revision is that of the function, version or alias.
CREATE TABLE function_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    version TEXT,
    alias TEXT,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, version)
        REFERENCES function_version (account, region, name, version) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, alias)
        REFERENCES function_alias (account, region, name, alias) ON DELETE CASCADE
);

-- Code signing configurations. `document` holds what the API shows and has no column (JSON).
CREATE TABLE code_signing_config (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (account, region, id)
);

-- Which functions have one.
CREATE TABLE function_code_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    config_id TEXT NOT NULL,
    PRIMARY KEY (account, region, name),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, config_id)
        REFERENCES code_signing_config (account, region, id)
);

CREATE INDEX function_code_signing_config ON function_code_signing (account, region, config_id, name);
