-- name: runtimes_in_use
SELECT DISTINCT json_extract(serving, '$.runtime') AS runtime
FROM function_version WHERE serving IS NOT NULL;
