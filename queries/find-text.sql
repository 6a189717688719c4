-- Find words anywhere
--
-- Names, comments, operators, projects, source paths, annotations and JSON documents that hold all the words, without
-- regard to case. Filters narrow it to archives with an analysis that fits.
--
-- parameter: text text required: Words to find.
-- filters: analyses
-- show: sample, found_in, text, path
WITH chosen AS (
    SELECT DISTINCT a.archive_id, a.sample
    FROM analyses AS a
    WHERE /* filters: analyses a */ true
),

texts AS (
    SELECT archive_id, sample, version, 'archive' AS found_in, name AS path, NULL AS uuid,
        concat_ws(' · ', sample, name, source_path) AS text
    FROM archives
    UNION ALL
    SELECT archive_id, sample, version, 'project', NULL, project_uuid,
        concat_ws(' · ', project_name, comment, operator)
    FROM projects
    UNION ALL
    SELECT archive_id, sample, version, 'analysis', NULL, analysis_uuid,
        concat_ws(' · ', analysis_name, comment, operator, instrument, project)
    FROM analyses
    UNION ALL
    -- Comments and operators of their own; inherited ones were seen above.
    SELECT archive_id, sample, version, 'position', NULL, position_uuid,
        concat_ws(
            ' · ',
            CASE WHEN comment_source = 'position' THEN comment END,
            CASE WHEN operator_source = 'position' THEN operator END
        )
    FROM positions
    WHERE comment_source = 'position' OR operator_source = 'position'
    UNION ALL
    SELECT archive_id, sample, version, 'image', path, image_uuid, comment
    FROM images
    UNION ALL
    SELECT archive_id, sample, version, 'annotation', NULL, target_uuid, key || '=' || value
    FROM annotations
    WHERE is_current AND value IS NOT NULL
    UNION ALL
    SELECT archive_id, sample, version, 'document', path, owner_id, json
    FROM documents
)

SELECT
    t.sample,
    t.version,
    t.found_in,
    -- A long text is shown around the first word.
    CASE
        WHEN length(t.text) <= 200 THEN t.text
        ELSE substr(t.text, greatest(1, instr(lower(t.text), split_part(lower(trim($text)), ' ', 1)) - 80), 200)
    END AS text,
    t.uuid,
    t.path
FROM texts AS t
WHERE
    t.text IS NOT NULL
    AND len(list_filter(string_split_regex(lower(trim($text)), '\s+'), lambda word: NOT contains(lower(t.text), word))) = 0
    AND (
        NOT $filtered
        OR t.archive_id IN (SELECT archive_id FROM chosen)
        OR (t.archive_id IS NULL AND t.sample IN (SELECT sample FROM chosen))
    )
-- What people wrote comes before the JSON that it stands in.
ORDER BY t.found_in = 'document', t.sample, t.version, t.found_in, t.path, t.uuid;
