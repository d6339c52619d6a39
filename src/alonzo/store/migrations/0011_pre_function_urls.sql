-- Function URLs: one for a function, one for each of its aliases.
--
-- `qualifier` is empty for the function itself; `alias` repeats it where it names one, so that the
-- URL goes with it. `cors` is what the API was given (JSON), NULL where there is nothing.
CREATE TABLE function_url (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    alias TEXT,
    auth_type TEXT NOT NULL,
    invoke_mode TEXT NOT NULL,
    cors TEXT,
    created_at_s REAL NOT NULL,
    modified_at_s REAL NOT NULL,
    UNIQUE (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function (account, region, name) ON DELETE CASCADE,
    FOREIGN KEY (account, region, name, alias)
        REFERENCES function_alias (account, region, name, alias) ON DELETE CASCADE
);
