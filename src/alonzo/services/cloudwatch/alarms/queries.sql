-- name: all_alarms
SELECT id, account, region, name, kind, revision, state, document, state_document, hold
FROM alarm
ORDER BY id;

-- name: find_alarm
SELECT id, account, region, name, kind, revision, state, document, state_document, hold
FROM alarm
WHERE account = :account AND region = :region AND name = :name;

-- name: alarm_exists
SELECT id FROM alarm WHERE account = :account AND region = :region AND name = :name;

-- name: list_alarms
SELECT id, account, region, name, kind, revision, state, document, state_document, hold
FROM alarm
WHERE account = :account AND region = :region AND name > :after
  AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: count_alarms
SELECT COUNT(*) AS n FROM alarm WHERE account = :account AND region = :region;

-- name: count_alarms_of_kind
SELECT COUNT(*) AS n FROM alarm
WHERE account = :account AND region = :region AND kind = :kind;

-- name: add_alarm
INSERT INTO alarm (account, region, name, kind, revision, state, document, state_document)
VALUES (:account, :region, :name, :kind, 1, :state, :document, :state_document);

-- name: unlink_alarm
DELETE FROM alarm_link WHERE alarm_id = :id;

-- name: link_alarm
INSERT INTO alarm_link (alarm_id, account, region, child, role)
VALUES (:id, :account, :region, :child, :role);

-- name: parents_of_alarm
SELECT a.name FROM alarm_link l JOIN alarm a ON a.id = l.alarm_id
WHERE l.account = :account AND l.region = :region AND l.child = :child AND l.role = :role
ORDER BY a.name;

-- name: count_other_parents
SELECT COUNT(*) AS n FROM alarm_link
WHERE account = :account AND region = :region AND child = :name AND role = :role
  AND alarm_id <> :id;

-- name: composite_versions
SELECT name, id, revision, state, hold, document FROM alarm
WHERE account = :account AND region = :region AND kind = :kind;

-- name: metric_versions
SELECT name, id, revision, state FROM alarm
WHERE account = :account AND region = :region AND kind = :kind;

-- name: due_releases
SELECT id, account, region, name, kind, revision, state, document, state_document, hold
FROM alarm
WHERE release_at_s <= :now_s
ORDER BY release_at_s
LIMIT :limit;

-- name: next_release
SELECT MIN(release_at_s) AS at_s FROM alarm;

-- name: change_alarm
UPDATE alarm SET revision = revision + 1, document = :document WHERE id = :id;

-- name: change_tags
UPDATE alarm SET document = :document WHERE id = :id;

-- name: change_state
UPDATE alarm
SET state = :state, state_document = :state_document, hold = :hold, release_at_s = :release_at_s
WHERE id = :id AND revision = :revision AND state = :before;

-- name: delete_alarm
DELETE FROM alarm WHERE id = :id;

-- name: add_history
INSERT INTO alarm_history (account, region, name, alarm_type, at_s, kind, summary, data)
VALUES (:account, :region, :name, :alarm_type, :at_s, :kind, :summary, :data);

-- name: history_of_region
SELECT id, name, alarm_type, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND alarm_type IN (:type, :other_type)
  AND (at_s, id) < (:edge_s, :edge_id)
ORDER BY at_s DESC, id DESC
LIMIT :limit;

-- name: history_of_region_ascending
SELECT id, name, alarm_type, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND alarm_type IN (:type, :other_type)
  AND (at_s, id) > (:edge_s, :edge_id)
ORDER BY at_s, id
LIMIT :limit;

-- name: history_of_alarm
SELECT id, name, alarm_type, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region AND name = :name
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND alarm_type IN (:type, :other_type)
  AND (at_s, id) < (:edge_s, :edge_id)
ORDER BY at_s DESC, id DESC
LIMIT :limit;

-- name: history_of_alarm_ascending
SELECT id, name, alarm_type, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region AND name = :name
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND alarm_type IN (:type, :other_type)
  AND (at_s, id) > (:edge_s, :edge_id)
ORDER BY at_s, id
LIMIT :limit;

-- name: forget_history
DELETE FROM alarm_history WHERE id IN (
    SELECT id FROM alarm_history WHERE at_s < :before_s ORDER BY at_s LIMIT :limit
);
