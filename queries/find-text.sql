-- Find words anywhere
--
-- Names, comments, operators, projects, source paths, annotations and JSON documents that hold all the words, without
-- regard to case. Filters narrow it to archives with an analysis that fits. The same text in copies is one hit, shown
-- where it was stored first; `copies` says how often it is left out.
--
-- parameter: text text required: Words to find.
-- filters: analyses
-- show: sample, found_in, text, path
WITH chosen AS (
    SELECT DISTINCT /*lakes: a.lake, */ a.archive_id, a.sample
    FROM analyses AS a
    WHERE /* filters: analyses a */ true
),

texts AS (
    SELECT /*lakes: lake, */ archive_id, sample, version, 'archive' AS found_in, name AS path, NULL AS uuid,
        concat_ws(' · ', sample, name, source_path) AS text
    FROM archives
    UNION ALL
    SELECT /*lakes: lake, */ archive_id, sample, version, 'project', NULL, project_uuid,
        concat_ws(' · ', project_name, comment, operator)
    FROM projects
    UNION ALL
    SELECT /*lakes: lake, */ archive_id, sample, version, 'analysis', NULL, analysis_uuid,
        concat_ws(' · ', analysis_name, comment, operator, instrument, project)
    FROM analyses
    UNION ALL
    -- Comments and operators of their own; inherited ones were seen above.
    SELECT /*lakes: lake, */ archive_id, sample, version, 'position', NULL, position_uuid,
        concat_ws(
            ' · ',
            CASE WHEN comment_source = 'position' THEN comment END,
            CASE WHEN operator_source = 'position' THEN operator END
        )
    FROM positions
    WHERE comment_source = 'position' OR operator_source = 'position'
    UNION ALL
    SELECT /*lakes: lake, */ archive_id, sample, version, 'image', path, image_uuid, comment
    FROM images
    UNION ALL
    SELECT /*lakes: lake, */ archive_id, sample, version, 'annotation', NULL, target_uuid, key || '=' || value
    FROM annotations
    WHERE is_current AND value IS NOT NULL
    UNION ALL
    SELECT /*lakes: lake, */ archive_id, sample, version, 'document', path, owner_id, json
    FROM documents
),

hits AS (
    SELECT
        t.*,
        -- A text is a copy at the same project, analysis, image or measurement; a document in an equal archive; names of
        -- archives of one sample.
        CASE
            WHEN t.found_in = 'annotation' THEN concat_ws('@', /*lakes: t.lake, */ t.sample, t.version)
            WHEN t.found_in IN ('project', 'analysis', 'image') THEN t.text
            WHEN p.measurement IS NOT NULL THEN p.measurement || t.text
            WHEN t.found_in = 'archive' THEN concat_ws('@', t.sample, coalesce(r.content_id, t.archive_id::VARCHAR))
            ELSE coalesce(r.content_id, t.archive_id::VARCHAR)
        END AS identity,
        CASE WHEN t.found_in <> 'archive' THEN t.path END AS place_in_archive
    FROM texts AS t
    LEFT JOIN archives AS r ON r.archive_id = t.archive_id
    LEFT JOIN positions AS p ON p.archive_id = t.archive_id AND p.position_uuid = t.uuid
    WHERE
        t.text IS NOT NULL
        AND len(
            list_filter(string_split_regex(lower(trim($text)), '\s+'), lambda word: NOT contains(lower(t.text), word))
        ) = 0
        AND (
            NOT $filtered
            OR t.archive_id IN (SELECT archive_id FROM chosen)
            OR (t.archive_id IS NULL AND t.sample IN (SELECT c.sample FROM chosen AS c /*lakes: WHERE c.lake = t.lake */))
        )
),

dated AS (
    SELECT
        *,
        min(archive_id) OVER (
            PARTITION BY found_in, uuid, place_in_archive, identity, /*lakes: lake, */ sample
        ) AS first_archive_id
    FROM hits
),

placed AS (
    SELECT
        *,
        row_number() OVER (copies ORDER BY first_archive_id, archive_id DESC) AS place,
        count(*) OVER copies AS hits
    FROM dated
    WINDOW copies AS (PARTITION BY found_in, uuid, place_in_archive, identity)
)

SELECT
    /*lakes: t.lake, */ t.sample,
    t.version,
    t.found_in,
    -- A long text is shown around the first word.
    CASE
        WHEN length(t.text) <= 200 THEN t.text
        ELSE substr(t.text, greatest(1, instr(lower(t.text), split_part(lower(trim($text)), ' ', 1)) - 80), 200)
    END AS text,
    t.uuid,
    t.path,
    CASE WHEN $copies THEN 0 ELSE t.hits - 1 END AS copies
FROM placed AS t
WHERE $copies OR t.place = 1
-- What people wrote comes before the JSON that it stands in.
ORDER BY t.found_in = 'document', t.sample, /*lakes: t.lake, */ t.version, t.found_in, t.path, t.uuid;
