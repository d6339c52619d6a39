-- name: find_entity
SELECT unique_id, account, kind, name, path, created_at_s, document
FROM iam_entity
WHERE account = :account AND kind = :kind AND name_key = :name_key;

-- name: find_by_id
SELECT unique_id, account, kind, name, path, created_at_s, document
FROM iam_entity
WHERE unique_id = :unique_id;

-- name: insert_entity
INSERT INTO iam_entity (unique_id, account, kind, name_key, name, path, created_at_s, document)
VALUES (:unique_id, :account, :kind, :name_key, :name, :path, :created_at_s, :document)
ON CONFLICT (account, kind, name_key) DO NOTHING;

-- name: update_entity
UPDATE iam_entity
SET name_key = :name_key, name = :name, path = :path, document = :document
WHERE unique_id = :unique_id;

-- name: delete_entity
DELETE FROM iam_entity WHERE unique_id = :unique_id;

-- name: list_entities
SELECT unique_id, account, kind, name, path, created_at_s, document
FROM iam_entity
WHERE account = :account AND kind = :kind AND name_key > :after
  AND substr(path, 1, length(:path)) = :path
ORDER BY name_key
LIMIT :limit;

-- name: count_entities
SELECT count(*) AS n FROM iam_entity WHERE account = :account AND kind = :kind;

-- name: all_of_kind
SELECT unique_id, account, kind, name, path, created_at_s, document
FROM iam_entity
WHERE kind = :kind;

-- name: put_inline
INSERT INTO iam_inline_policy (entity_id, name, document)
VALUES (:entity_id, :name, :document)
ON CONFLICT (entity_id, name) DO UPDATE SET document = excluded.document;

-- name: find_inline
SELECT document FROM iam_inline_policy WHERE entity_id = :entity_id AND name = :name;

-- name: delete_inline
DELETE FROM iam_inline_policy WHERE entity_id = :entity_id AND name = :name;

-- name: list_inline
SELECT name, document FROM iam_inline_policy WHERE entity_id = :entity_id ORDER BY name;

-- name: attach
INSERT INTO iam_attachment (entity_id, usage, policy_arn, account)
VALUES (:entity_id, :usage, :policy_arn, :account)
ON CONFLICT (entity_id, usage, policy_arn) DO NOTHING;

-- name: detach
DELETE FROM iam_attachment
WHERE entity_id = :entity_id AND usage = :usage AND policy_arn = :policy_arn;

-- name: detach_all
DELETE FROM iam_attachment WHERE entity_id = :entity_id AND usage = :usage;

-- name: list_attached
SELECT policy_arn FROM iam_attachment
WHERE entity_id = :entity_id AND usage = :usage
ORDER BY policy_arn;

-- name: count_attachments
SELECT count(*) AS n FROM iam_attachment
WHERE account = :account AND policy_arn = :policy_arn AND usage = :usage;

-- name: entities_of_policy
SELECT e.unique_id, e.account, e.kind, e.name, e.path, e.created_at_s, e.document, a.usage
FROM iam_attachment a JOIN iam_entity e ON e.unique_id = a.entity_id
WHERE a.account = :account AND a.policy_arn = :policy_arn
ORDER BY e.kind, e.name_key, a.usage;

-- name: attached_arns
SELECT DISTINCT policy_arn FROM iam_attachment WHERE account = :account AND usage = :usage;

-- name: add_member
INSERT INTO iam_group_member (group_id, user_id) VALUES (:group_id, :user_id)
ON CONFLICT (group_id, user_id) DO NOTHING;

-- name: remove_member
DELETE FROM iam_group_member WHERE group_id = :group_id AND user_id = :user_id;

-- name: members_of_group
SELECT e.unique_id, e.account, e.kind, e.name, e.path, e.created_at_s, e.document
FROM iam_group_member m JOIN iam_entity e ON e.unique_id = m.user_id
WHERE m.group_id = :group_id
ORDER BY e.name_key;

-- name: groups_of_user
SELECT e.unique_id, e.account, e.kind, e.name, e.path, e.created_at_s, e.document
FROM iam_group_member m JOIN iam_entity e ON e.unique_id = m.group_id
WHERE m.user_id = :user_id
ORDER BY e.name_key;

-- name: insert_key
INSERT INTO iam_access_key (id, user_id, active, secret, created_at_s)
VALUES (:id, :user_id, 1, :secret, :created_at_s);

-- name: keys_of_user
SELECT id, user_id, active, secret, created_at_s, last_used
FROM iam_access_key
WHERE user_id = :user_id
ORDER BY created_at_s, id;

-- name: find_key
SELECT id, user_id, active, secret, created_at_s, last_used FROM iam_access_key WHERE id = :id;

-- name: set_key_active
UPDATE iam_access_key SET active = :active WHERE id = :id;

-- name: set_key_used
UPDATE iam_access_key SET last_used = :last_used WHERE id = :id;

-- name: delete_key
DELETE FROM iam_access_key WHERE id = :id;

-- name: insert_version
INSERT INTO iam_policy_version (policy_id, number, is_default, created_at_s, document)
VALUES (:policy_id, :number, 0, :created_at_s, :document);

-- name: set_default_version
UPDATE iam_policy_version
SET is_default = CASE WHEN number = :number THEN 1 ELSE 0 END
WHERE policy_id = :policy_id;

-- name: list_versions
SELECT number, is_default, created_at_s, document FROM iam_policy_version
WHERE policy_id = :policy_id
ORDER BY number DESC;

-- name: delete_version
DELETE FROM iam_policy_version WHERE policy_id = :policy_id AND number = :number;

-- name: put_profile_role
INSERT INTO iam_profile_role (profile_id, role_id) VALUES (:profile_id, :role_id)
ON CONFLICT (profile_id) DO NOTHING;

-- name: delete_profile_role
DELETE FROM iam_profile_role WHERE profile_id = :profile_id AND role_id = :role_id;

-- name: role_of_profile
SELECT role_id FROM iam_profile_role WHERE profile_id = :profile_id;

-- name: profiles_of_role
SELECT e.unique_id, e.account, e.kind, e.name, e.path, e.created_at_s, e.document
FROM iam_profile_role p JOIN iam_entity e ON e.unique_id = p.profile_id
WHERE p.role_id = :role_id
ORDER BY e.name_key;

-- name: note_deleted_role
INSERT INTO iam_deleted_role (arn) VALUES (:arn) ON CONFLICT (arn) DO NOTHING;

-- name: forget_deleted_role
DELETE FROM iam_deleted_role WHERE arn = :arn;

-- name: deleted_roles
SELECT arn FROM iam_deleted_role;

-- name: find_alias
SELECT alias FROM iam_account_alias WHERE account = :account;

-- name: put_alias
INSERT INTO iam_account_alias (account, alias) VALUES (:account, :alias)
ON CONFLICT (account) DO UPDATE SET alias = excluded.alias;

-- name: alias_owner
SELECT account FROM iam_account_alias WHERE alias = :alias;

-- name: delete_alias
DELETE FROM iam_account_alias WHERE account = :account AND alias = :alias;
