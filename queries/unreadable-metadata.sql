-- Metadata that is missing or cannot be read
--
-- Every archive, position, condition and JSON member with a problem. All of them stay stored and listed.
--
-- show: sample, what, problem, path
SELECT /*lakes: lake, */ sample, version, 'archive' AS what, name AS path, NULL AS uuid, problem
FROM archives
WHERE problem IS NOT NULL
UNION ALL
SELECT /*lakes: lake, */ sample, version, 'document', path, owner_id, coalesce(problem, 'is not readable JSON')
FROM documents
WHERE NOT readable
UNION ALL
SELECT /*lakes: lake, */ sample, version, 'position', 'data/' || position_uuid, position_uuid, problem
FROM positions
WHERE problem IS NOT NULL
UNION ALL
SELECT /*lakes: lake, */ sample, version, 'condition', 'conditions/' || condition_id || '.json', condition_id, problem
FROM conditions
WHERE problem IS NOT NULL
UNION ALL
SELECT /*lakes: lake, */ sample, version, 'raw condition', 'rawConditions/' || raw_condition_id || '.json', raw_condition_id, problem
FROM raw_conditions
WHERE problem IS NOT NULL
UNION ALL
SELECT /*lakes: lake, */ sample, version, 'background', 'backgrounds/' || background_id, background_id, 'is named by positions, and missing'
FROM backgrounds
WHERE path IS NULL
ORDER BY sample, /*lakes: lake, */ version, what, path;
