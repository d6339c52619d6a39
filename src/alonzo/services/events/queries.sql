-- name: all_buses
SELECT arn, document FROM events_bus;

-- name: all_rules
SELECT arn, document FROM events_rule;

-- name: all_archives
SELECT arn, document FROM events_archive;

-- name: find_bus
SELECT arn, document FROM events_bus WHERE arn = :arn;

-- name: save_bus
INSERT INTO events_bus (arn, document) VALUES (:arn, :document)
ON CONFLICT (arn) DO UPDATE SET document = excluded.document;

-- name: delete_bus
DELETE FROM events_bus WHERE arn = :arn;

-- name: count_rules
SELECT COUNT(*) AS n FROM events_rule WHERE bus_arn = :bus_arn;

-- name: find_rule
SELECT arn, due_at_s, document FROM events_rule WHERE arn = :arn;

-- name: save_rule
INSERT INTO events_rule (arn, bus_arn, due_at_s, document)
VALUES (:arn, :bus_arn, :due_at_s, :document)
ON CONFLICT (arn) DO UPDATE SET due_at_s = excluded.due_at_s, document = excluded.document;

-- name: delete_rule
DELETE FROM events_rule WHERE arn = :arn;

-- name: next_due
SELECT MIN(due_at_s) AS due_at_s FROM events_rule;

-- name: due_rules
SELECT arn, due_at_s, document FROM events_rule WHERE due_at_s <= :now_s
ORDER BY due_at_s LIMIT :limit;

-- name: move_rule
UPDATE events_rule SET due_at_s = :due_at_s WHERE arn = :arn;

-- name: find_archive
SELECT arn, document FROM events_archive WHERE arn = :arn;

-- name: save_archive
INSERT INTO events_archive (arn, bus_arn, document) VALUES (:arn, :bus_arn, :document)
ON CONFLICT (arn) DO UPDATE SET document = excluded.document;

-- name: delete_archive
DELETE FROM events_archive WHERE arn = :arn;

-- name: archive_event
-- The archive may have gone meanwhile.
INSERT INTO events_archived (archive_arn, event_at_s, archived_at_s, document)
SELECT arn, :event_at_s, :archived_at_s, :document FROM events_archive WHERE arn = :archive_arn;

-- name: archive_size
SELECT COUNT(*) AS n, COALESCE(SUM(LENGTH(document)), 0) AS n_bytes
FROM events_archived WHERE archive_arn = :archive_arn;

-- name: expire
DELETE FROM events_archived WHERE id IN (
    SELECT id FROM events_archived
    WHERE archive_arn = :archive_arn AND archived_at_s < :before_s LIMIT :limit
);

-- name: find_replay
SELECT arn, document FROM events_replay WHERE arn = :arn;

-- name: all_replays
SELECT arn, document FROM events_replay ORDER BY arn;

-- name: add_replay
INSERT INTO events_replay (arn, archive_arn, position_s, position_id, document)
VALUES (:arn, :archive_arn, :position_s, :position_id, :document);

-- name: save_replay
UPDATE events_replay SET document = :document WHERE arn = :arn;

-- name: move_replay
UPDATE events_replay SET position_s = :position_s, position_id = :position_id WHERE arn = :arn;

-- name: events_to_replay
SELECT id, event_at_s, document FROM events_archived
WHERE archive_arn = :archive_arn AND event_at_s < :until_s
    AND (event_at_s > :position_s OR (event_at_s = :position_s AND id > :position_id))
ORDER BY event_at_s, id LIMIT :limit;

-- name: forget_replay
DELETE FROM events_replay WHERE arn = :arn;

-- name: replay_position
SELECT position_s, position_id FROM events_replay WHERE arn = :arn;
