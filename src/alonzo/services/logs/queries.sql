-- name: find_group
SELECT id, name, created_ms, retention_days, stored_bytes, document
FROM log_group
WHERE account = :account AND region = :region AND name = :name;

-- name: insert_group
INSERT INTO log_group (account, region, name, created_ms, document)
VALUES (:account, :region, :name, :created_ms, :document)
ON CONFLICT (account, region, name) DO NOTHING;

-- name: list_groups
SELECT id, name, created_ms, retention_days, stored_bytes, document
FROM log_group
WHERE account = :account AND region = :region
  AND name > :after AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: grow_group
UPDATE log_group SET stored_bytes = stored_bytes + :bytes WHERE id = :group_id;

-- name: shrink_group_by_stream
UPDATE log_group
SET stored_bytes = stored_bytes - (SELECT stored_bytes FROM log_stream WHERE id = :stream_id)
WHERE id = :group_id;

-- name: set_retention
UPDATE log_group SET retention_days = :days WHERE id = :group_id;

-- name: set_document
UPDATE log_group SET document = :document WHERE id = :group_id;

-- name: delete_group
DELETE FROM log_group WHERE id = :group_id;

-- name: delete_some_chunks_of_group
DELETE FROM log_chunk
WHERE id IN (SELECT id FROM log_chunk WHERE group_id = :group_id LIMIT :limit);

-- name: delete_some_streams_of_group
-- Of those that have no chunks any more.
DELETE FROM log_stream
WHERE id IN (SELECT id FROM log_stream WHERE group_id = :group_id LIMIT :limit);

-- name: find_stream
SELECT id, name FROM log_stream WHERE group_id = :group_id AND name = :name;

-- name: insert_stream
INSERT INTO log_stream (group_id, name, created_ms)
VALUES (:group_id, :name, :created_ms)
ON CONFLICT (group_id, name) DO NOTHING;

-- name: list_streams_by_name
SELECT name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms
FROM log_stream
WHERE group_id = :group_id AND name > :name AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: list_streams_by_name_descending
SELECT name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms
FROM log_stream
WHERE group_id = :group_id AND name < :name AND name >= :prefix AND name < :prefix_end
ORDER BY name DESC
LIMIT :limit;

-- name: list_streams_by_time
SELECT name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms
FROM log_stream
WHERE group_id = :group_id AND (last_event_ms, name) > (:last_event_ms, :name)
ORDER BY last_event_ms, name
LIMIT :limit;

-- name: list_streams_by_time_descending
SELECT name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms
FROM log_stream
WHERE group_id = :group_id AND (last_event_ms, name) < (:last_event_ms, :name)
ORDER BY last_event_ms DESC, name DESC
LIMIT :limit;

-- name: grow_stream
UPDATE log_stream
SET first_event_ms = CASE
        WHEN first_event_ms IS NULL OR first_event_ms > :first_ms THEN :first_ms
        ELSE first_event_ms
    END,
    last_event_ms = CASE WHEN last_event_ms < :last_ms THEN :last_ms ELSE last_event_ms END,
    last_ingestion_ms = :ingestion_ms,
    stored_bytes = stored_bytes + :bytes
WHERE id = :stream_id;

-- name: delete_stream
DELETE FROM log_stream WHERE id = :stream_id;

-- name: delete_some_chunks_of_stream
DELETE FROM log_chunk
WHERE id IN (SELECT id FROM log_chunk WHERE stream_id = :stream_id LIMIT :limit);

-- name: insert_chunk
INSERT INTO log_chunk (stream_id, group_id, first_ms, last_ms, events, bytes, body)
VALUES (:stream_id, :group_id, :first_ms, :last_ms, :events, :bytes, :body);

-- name: scan_stream
SELECT c.id, c.first_ms, c.last_ms, c.bytes, c.body, s.name AS stream
FROM log_chunk c JOIN log_stream s ON s.id = c.stream_id
WHERE c.stream_id = :stream_id
  AND (c.first_ms, c.id) > (:edge_ms, :edge_id)
  AND c.last_ms >= :start_ms AND c.first_ms <= :end_ms
ORDER BY c.first_ms, c.id
LIMIT :limit;

-- name: scan_stream_descending
SELECT c.id, c.first_ms, c.last_ms, c.bytes, c.body, s.name AS stream
FROM log_chunk c JOIN log_stream s ON s.id = c.stream_id
WHERE c.stream_id = :stream_id
  AND (c.last_ms, c.id) < (:edge_ms, :edge_id)
  AND c.last_ms >= :start_ms AND c.first_ms <= :end_ms
ORDER BY c.last_ms DESC, c.id DESC
LIMIT :limit;

-- name: scan_group
SELECT c.id, c.first_ms, c.last_ms, c.bytes, c.body, s.name AS stream
FROM log_chunk c JOIN log_stream s ON s.id = c.stream_id
WHERE c.group_id = :group_id
  AND (c.first_ms, c.id) > (:edge_ms, :edge_id)
  AND c.last_ms >= :start_ms AND c.first_ms <= :end_ms
  AND s.name >= :prefix AND s.name < :prefix_end
ORDER BY c.first_ms, c.id
LIMIT :limit;

-- name: scan_group_descending
SELECT c.id, c.first_ms, c.last_ms, c.bytes, c.body, s.name AS stream
FROM log_chunk c JOIN log_stream s ON s.id = c.stream_id
WHERE c.group_id = :group_id
  AND (c.last_ms, c.id) < (:edge_ms, :edge_id)
  AND c.last_ms >= :start_ms AND c.first_ms <= :end_ms
  AND s.name >= :prefix AND s.name < :prefix_end
ORDER BY c.last_ms DESC, c.id DESC
LIMIT :limit;

-- name: groups_with_retention
SELECT id FROM log_group WHERE retention_days IS NOT NULL;

-- name: retention_of_group
SELECT retention_days FROM log_group WHERE id = :group_id;

-- name: expired_chunks
SELECT id, stream_id, bytes FROM log_chunk
WHERE group_id = :group_id AND last_ms < :cutoff_ms
ORDER BY last_ms
LIMIT :limit;

-- name: delete_chunk
DELETE FROM log_chunk WHERE id = :id;

-- name: shrink_stream
UPDATE log_stream
SET stored_bytes = stored_bytes - :bytes,
    first_event_ms = (SELECT MIN(first_ms) FROM log_chunk WHERE stream_id = :stream_id)
WHERE id = :stream_id;

-- name: insert_known_chunk
INSERT INTO log_chunk (stream_id, group_id, first_ms, last_ms, events, bytes, body)
VALUES (:stream_id, :group_id, :first_ms, :last_ms, :events, :bytes, :body)
RETURNING id;

-- name: find_chunk
SELECT c.body, s.name AS stream, g.name AS group_name, g.account, g.region
FROM log_chunk c
JOIN log_stream s ON s.id = c.stream_id
JOIN log_group g ON g.id = c.group_id
WHERE c.id = :id;

-- name: all_filters
SELECT g.account, g.region, g.name AS group_name, f.kind, f.name, f.document
FROM log_filter f JOIN log_group g ON g.id = f.group_id
ORDER BY f.id;

-- name: filters_of_group
SELECT f.kind, f.name, f.document
FROM log_filter f JOIN log_group g ON g.id = f.group_id
WHERE g.account = :account AND g.region = :region AND g.name = :group_name
ORDER BY f.id;

-- name: put_filter
INSERT INTO log_filter (group_id, kind, name, created_ms, document)
VALUES (:group_id, :kind, :name, :created_ms, :document)
ON CONFLICT (group_id, kind, name) DO UPDATE SET document = excluded.document;

-- name: find_filter
SELECT id FROM log_filter WHERE group_id = :group_id AND kind = :kind AND name = :name;

-- name: count_filters
SELECT COUNT(*) AS n FROM log_filter WHERE group_id = :group_id AND kind = :kind;

-- name: delete_filter
DELETE FROM log_filter WHERE group_id = :group_id AND kind = :kind AND name = :name;

-- name: list_filters_of_group
SELECT name, created_ms, document FROM log_filter
WHERE group_id = :group_id AND kind = :kind AND name > :after
  AND name >= :prefix AND name < :prefix_end
ORDER BY name
LIMIT :limit;

-- name: list_filters
SELECT g.name AS group_name, f.name, f.created_ms, f.document
FROM log_filter f JOIN log_group g ON g.id = f.group_id
WHERE g.account = :account AND g.region = :region AND f.kind = :kind
  AND (g.name, f.name) > (:after_group, :after)
ORDER BY g.name, f.name
LIMIT :limit;

-- name: all_policies
SELECT p.id, p.account, p.region, p.name, p.revision, p.updated_ms, p.document,
  g.name AS group_name
FROM log_policy p LEFT JOIN log_group g ON g.id = p.group_id
ORDER BY p.id;

-- name: policies_of_region
SELECT p.id, p.account, p.region, p.name, p.revision, p.updated_ms, p.document,
  g.name AS group_name
FROM log_policy p LEFT JOIN log_group g ON g.id = p.group_id
WHERE p.account = :account AND p.region = :region
ORDER BY p.name, p.id;

-- name: add_policy
INSERT INTO log_policy (account, region, name, group_id, revision, updated_ms, document)
VALUES (:account, :region, :name, :group_id, :revision, :updated_ms, :document);

-- name: change_policy
UPDATE log_policy
SET name = :name, revision = :revision, updated_ms = :updated_ms, document = :document
WHERE id = :id;

-- name: delete_policy
DELETE FROM log_policy WHERE id = :id;

-- name: add_query
INSERT INTO log_query (id, account, region, created_s, status, document)
VALUES (:id, :account, :region, :created_s, :status, :document);

-- name: end_query
UPDATE log_query SET status = :status, bytes = :bytes, document = :document
WHERE id = :id AND status = 'Scheduled';

-- name: find_query
SELECT id, account, region, created_s, status, document FROM log_query WHERE id = :id;

-- name: open_queries
SELECT id, account, region, created_s, status, document FROM log_query
WHERE status = 'Scheduled' LIMIT :limit;

-- name: list_queries
SELECT id, account, region, created_s, status, document FROM log_query
WHERE account = :account AND region = :region
ORDER BY created_s DESC, id DESC
LIMIT :limit;

-- name: weigh_queries
SELECT COUNT(*) AS n, SUM(bytes) AS bytes FROM log_query
WHERE account = :account AND region = :region;

-- name: oldest_queries
SELECT id, bytes FROM log_query
WHERE account = :account AND region = :region AND status <> 'Scheduled'
ORDER BY created_s, id
LIMIT :limit;

-- name: delete_query
DELETE FROM log_query WHERE id = :id;

-- name: forget_queries
DELETE FROM log_query WHERE id IN (
    SELECT id FROM log_query WHERE created_s < :before_s ORDER BY created_s, id LIMIT :limit
);

-- name: add_query_page
INSERT INTO log_query_page (query_id, first, rows, body)
VALUES (:query_id, :first, :rows, :body);

-- name: query_pages
SELECT first, rows, body FROM log_query_page
WHERE query_id = :query_id AND first < :end AND first + rows > :start
ORDER BY first LIMIT :limit;

-- name: add_query_definition
INSERT INTO log_query_definition (id, account, region, name, modified_ms, document)
VALUES (:id, :account, :region, :name, :modified_ms, :document);

-- name: change_query_definition
UPDATE log_query_definition
SET name = :name, modified_ms = :modified_ms, document = :document
WHERE id = :id;

-- name: list_query_definitions
SELECT id, name, modified_ms, document FROM log_query_definition
WHERE account = :account AND region = :region AND name >= :prefix AND name < :prefix_end
ORDER BY name, id;

-- name: delete_query_definition
DELETE FROM log_query_definition WHERE id = :id AND account = :account AND region = :region;
