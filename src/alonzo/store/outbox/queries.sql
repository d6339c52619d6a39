-- name: add
INSERT INTO outbox (sender, lane, about, document, accepted_at_s, due_at_s)
VALUES (:sender, :lane, :about, :document, :accepted_at_s, :due_at_s);

-- name: waiting_lanes
-- Steps from lane to lane along the index: what it costs depends on the lanes, not on the parcels.
WITH RECURSIVE waiting (lane) AS (
    SELECT MIN(lane) FROM outbox WHERE sender = :sender
    UNION ALL
    SELECT (SELECT MIN(lane) FROM outbox WHERE sender = :sender AND lane > waiting.lane)
    FROM waiting WHERE lane IS NOT NULL
)
SELECT lane, (
    SELECT MIN(due_at_s) FROM outbox WHERE sender = :sender AND lane = waiting.lane
) AS due_at_s
FROM waiting WHERE lane IS NOT NULL
ORDER BY due_at_s, lane;

-- name: due
SELECT id, due_at_s FROM outbox WHERE sender = :sender AND lane = :lane
ORDER BY due_at_s, id LIMIT :limit;

-- name: find
SELECT id, lane, about, document, attempts, accepted_at_s FROM outbox WHERE id = :id;

-- name: postpone
UPDATE outbox SET attempts = :attempts, due_at_s = :due_at_s WHERE id = :id;

-- name: finish
DELETE FROM outbox WHERE id = :id;

-- name: count
SELECT COUNT(*) AS n FROM outbox WHERE sender = :sender;
