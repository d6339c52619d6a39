-- name: find_group
SELECT name, created_at_s, modified_at_s, document FROM schedule_group
WHERE account = :account AND region = :region AND name = :name;

-- name: list_groups
SELECT name, created_at_s, modified_at_s, document FROM schedule_group
WHERE account = :account AND region = :region
    AND name > :after AND name >= :prefix AND name < :prefix_end
ORDER BY name LIMIT :limit;

-- name: count_groups
SELECT COUNT(*) AS n FROM schedule_group WHERE account = :account AND region = :region;

-- name: save_group
INSERT INTO schedule_group (account, region, name, created_at_s, modified_at_s, document)
VALUES (:account, :region, :name, :created_at_s, :modified_at_s, :document)
ON CONFLICT (account, region, name) DO UPDATE
SET modified_at_s = excluded.modified_at_s, document = excluded.document;

-- name: delete_group
DELETE FROM schedule_group WHERE account = :account AND region = :region AND name = :name;

-- name: delete_some_schedules
DELETE FROM schedule WHERE id IN (
    SELECT id FROM schedule
    WHERE account = :account AND region = :region AND group_name = :name LIMIT :limit
);

-- name: find_schedule
SELECT * FROM schedule
WHERE account = :account AND region = :region AND group_name = :group_name AND name = :name;

-- name: list_schedules
-- In the order of groups and names. The first and the last group are the same for one alone.
SELECT group_name, name, state, created_at_s, modified_at_s, target_arn FROM schedule
WHERE account = :account AND region = :region
    AND (group_name, name) > (:after_group, :after)
    AND group_name >= :first_group AND group_name <= :last_group
    AND name >= :prefix AND name < :prefix_end
    AND (:state = '' OR state = :state)
ORDER BY group_name, name LIMIT :limit;

-- name: count_schedules
SELECT COUNT(*) AS n FROM schedule WHERE account = :account AND region = :region;

-- name: add_schedule
INSERT INTO schedule (
    account, region, group_name, name, state, created_at_s, modified_at_s, anchor_s, tick_at_s,
    document, target_arn, target
)
VALUES (
    :account, :region, :group_name, :name, :state, :created_at_s, :modified_at_s, :anchor_s,
    :tick_at_s, :document, :target_arn, :target
);

-- name: update_schedule
UPDATE schedule
SET state = :state, modified_at_s = :modified_at_s, anchor_s = :anchor_s, tick_at_s = :tick_at_s,
    document = :document, target_arn = :target_arn, target = :target
WHERE id = :id;

-- name: delete_schedule
DELETE FROM schedule WHERE id = :id;

-- name: first_tick
SELECT MIN(tick_at_s) AS tick_at_s FROM schedule WHERE tick_at_s IS NOT NULL;

-- name: due
SELECT * FROM schedule WHERE tick_at_s IS NOT NULL AND tick_at_s <= :now_s
ORDER BY tick_at_s, id LIMIT :limit;

-- name: move_tick
-- Of one that nobody else has moved meanwhile.
UPDATE schedule SET tick_at_s = :next_at_s, document = :document
WHERE id = :id AND tick_at_s = :tick_at_s;

-- name: end_schedule
DELETE FROM schedule WHERE id = :id AND tick_at_s = :tick_at_s;

-- name: put_off
UPDATE schedule SET tick_at_s = :tick_at_s WHERE id = :id;
