-- name: runtimes_in_use
SELECT DISTINCT
    json_extract(serving, '$.runtime') AS runtime,
    json_extract(serving, '$.memory_mib') AS memory_mib
FROM function_version WHERE serving IS NOT NULL;
