-- name: add_to_journal
INSERT INTO metric_journal (body) VALUES (:body);

-- name: read_journal
SELECT id, body FROM metric_journal ORDER BY id LIMIT :limit;

-- name: trim_journal
DELETE FROM metric_journal WHERE id <= :id;

-- name: find_metric
SELECT id FROM metric
WHERE account = :account AND region = :region AND namespace = :namespace AND name = :name
  AND dimensions = :dimensions;

-- name: add_metric
INSERT INTO metric (account, region, namespace, name, dimensions, last_s)
VALUES (:account, :region, :namespace, :name, :dimensions, :last_s)
RETURNING id;

-- name: touch_metric
UPDATE metric SET last_s = :last_s WHERE id = :id AND last_s < :last_s;

-- name: count_metrics
SELECT account, region, COUNT(*) AS metrics FROM metric GROUP BY account, region;

-- name: find_point
SELECT samples, total, low, high, distribution FROM metric_point
WHERE metric_id = :metric_id AND start_s = :start_s AND period_s = :period_s AND unit = :unit;

-- name: put_point
INSERT INTO metric_point
    (metric_id, start_s, period_s, unit, samples, total, low, high, distribution)
VALUES
    (:metric_id, :start_s, :period_s, :unit, :samples, :total, :low, :high, :distribution)
ON CONFLICT (metric_id, start_s, period_s, unit) DO UPDATE SET
    samples = excluded.samples, total = excluded.total, low = excluded.low, high = excluded.high,
    distribution = excluded.distribution;

-- name: points
SELECT start_s, unit, samples, total, low, high, distribution FROM metric_point
WHERE metric_id = :metric_id AND start_s >= :start_s AND start_s < :end_s
  AND period_s <= :period_s
ORDER BY start_s
LIMIT :limit;

-- name: points_without_distribution
SELECT start_s, unit, samples, total, low, high, NULL AS distribution FROM metric_point
WHERE metric_id = :metric_id AND start_s >= :start_s AND start_s < :end_s
  AND period_s <= :period_s
ORDER BY start_s
LIMIT :limit;

-- name: list_metrics
SELECT id, namespace, name, dimensions FROM metric
WHERE account = :account AND region = :region
  AND (namespace, name, dimensions) > (:after_namespace, :after_name, :after_dimensions)
  AND last_s >= :since_s
ORDER BY namespace, name, dimensions
LIMIT :limit;

-- name: list_metrics_of_namespace
SELECT id, namespace, name, dimensions FROM metric
WHERE account = :account AND region = :region AND namespace = :namespace
  AND (name, dimensions) > (:after_name, :after_dimensions)
  AND last_s >= :since_s
ORDER BY name, dimensions
LIMIT :limit;

-- name: list_metrics_of_name
SELECT id, namespace, name, dimensions FROM metric
WHERE account = :account AND region = :region AND namespace = :namespace AND name = :name
  AND dimensions > :after_dimensions
  AND last_s >= :since_s
ORDER BY dimensions
LIMIT :limit;

-- name: points_of_age
SELECT metric_id, start_s, unit, samples, total, low, high, distribution FROM metric_point
WHERE period_s = :period_s AND start_s < :before_s
ORDER BY start_s
LIMIT :limit;

-- name: delete_point
DELETE FROM metric_point
WHERE metric_id = :metric_id AND start_s = :start_s AND period_s = :period_s AND unit = :unit;

-- name: silent_metrics
SELECT id, account, region FROM metric WHERE last_s < :before_s LIMIT :limit;

-- name: delete_metric
DELETE FROM metric WHERE id = :id;

-- name: add_usage
INSERT INTO function_usage
    (account, region, function, version, architecture, memory_mib, tmp_mib, provisioned, start_s,
     period_s, requests, errors, billed_ms, reserved_ms, streamed_bytes)
VALUES
    (:account, :region, :function, :version, :architecture, :memory_mib, :tmp_mib, :provisioned,
     :start_s, :period_s, :requests, :errors, :billed_ms, :reserved_ms, :streamed_bytes)
ON CONFLICT
    (account, region, function, version, architecture, memory_mib, tmp_mib, provisioned, start_s,
     period_s)
DO UPDATE SET
    requests = function_usage.requests + excluded.requests,
    errors = function_usage.errors + excluded.errors,
    billed_ms = function_usage.billed_ms + excluded.billed_ms,
    reserved_ms = function_usage.reserved_ms + excluded.reserved_ms,
    streamed_bytes = function_usage.streamed_bytes + excluded.streamed_bytes;

-- name: usage_of_age
SELECT account, region, function, version, architecture, memory_mib, tmp_mib, provisioned, start_s,
    period_s, requests, errors, billed_ms, reserved_ms, streamed_bytes
FROM function_usage
WHERE period_s = :period_s AND start_s < :before_s
ORDER BY start_s
LIMIT :limit;

-- name: delete_usage
DELETE FROM function_usage
WHERE account = :account AND region = :region AND function = :function AND version = :version
  AND architecture = :architecture AND memory_mib = :memory_mib AND tmp_mib = :tmp_mib
  AND provisioned = :provisioned AND start_s = :start_s AND period_s = :period_s;

-- name: usage
SELECT region, function, version, architecture, memory_mib, tmp_mib, provisioned,
    start_s / :grain_s * :grain_s AS grain_start_s,
    SUM(requests) AS requests, SUM(errors) AS errors, SUM(billed_ms) AS billed_ms,
    SUM(reserved_ms) AS reserved_ms, SUM(streamed_bytes) AS streamed_bytes
FROM function_usage
WHERE account = :account AND start_s >= :start_s AND start_s < :end_s
  AND (:region = '' OR region = :region) AND (:function = '' OR function = :function)
GROUP BY region, function, version, architecture, memory_mib, tmp_mib, provisioned, grain_start_s
ORDER BY region, function, version, grain_start_s
LIMIT :limit;
