-- name: all_alarms
SELECT id, account, region, name, revision, state, document, state_document FROM alarm ORDER BY id;

-- name: find_alarm
SELECT id, account, region, name, revision, state, document, state_document FROM alarm
WHERE account = :account AND region = :region AND name = :name;

-- name: alarm_by_id
SELECT id, account, region, name, revision, state, document, state_document FROM alarm
WHERE id = :id;

-- name: list_alarms
SELECT id, account, region, name, revision, state, document, state_document FROM alarm
WHERE account = :account AND region = :region AND name > :after
  AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: count_alarms
SELECT COUNT(*) AS n FROM alarm WHERE account = :account AND region = :region;

-- name: add_alarm
INSERT INTO alarm (account, region, name, revision, state, document, state_document)
VALUES (:account, :region, :name, 1, :state, :document, :state_document);

-- name: change_alarm
UPDATE alarm SET revision = revision + 1, document = :document WHERE id = :id;

-- name: change_tags
UPDATE alarm SET document = :document WHERE id = :id;

-- name: change_state
UPDATE alarm SET state = :state, state_document = :state_document
WHERE id = :id AND revision = :revision AND state = :before;

-- name: delete_alarm
DELETE FROM alarm WHERE id = :id;

-- name: add_history
INSERT INTO alarm_history (account, region, name, at_s, kind, summary, data)
VALUES (:account, :region, :name, :at_s, :kind, :summary, :data);

-- name: history_of_region
SELECT id, name, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND (at_s, id) < (:edge_s, :edge_id)
ORDER BY at_s DESC, id DESC
LIMIT :limit;

-- name: history_of_region_ascending
SELECT id, name, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND (at_s, id) > (:edge_s, :edge_id)
ORDER BY at_s, id
LIMIT :limit;

-- name: history_of_alarm
SELECT id, name, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region AND name = :name
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND (at_s, id) < (:edge_s, :edge_id)
ORDER BY at_s DESC, id DESC
LIMIT :limit;

-- name: history_of_alarm_ascending
SELECT id, name, at_s, kind, summary, data FROM alarm_history
WHERE account = :account AND region = :region AND name = :name
  AND at_s >= :start_s AND at_s < :end_s AND (:kind = '' OR kind = :kind)
  AND (at_s, id) > (:edge_s, :edge_id)
ORDER BY at_s, id
LIMIT :limit;

-- name: forget_history
DELETE FROM alarm_history WHERE id IN (
    SELECT id FROM alarm_history WHERE at_s < :before_s ORDER BY at_s LIMIT :limit
);
