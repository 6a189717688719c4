-- The same measurement elsewhere
--
-- Positions whose measurement (arrays, time, place; whatever the UUID or the comment) is also stored in another
-- archive, one row per pair.
--
-- parameter: sample text: Only what this sample has, SAMPLE or SAMPLE@V.
-- filters: positions
-- default: copies = true
-- show: sample, analysis_name, position_number, other_sample, other_analysis_name, other_position_number, comment_differs
WITH archive AS (
    SELECT archive_id
    FROM archives
    WHERE sample = $sample OR sample || '@' || version = $sample
),

mine AS (
    SELECT p.*
    FROM positions AS p
    WHERE
        p.content_id IS NOT NULL
        AND ($sample IS NULL OR p.archive_id IN (SELECT archive_id FROM archive))
        AND /* filters: positions p */ true
)

SELECT
    /*lakes: m.lake, */ m.sample,
    m.version,
    m.analysis_name,
    m.position_number,
    m.position_uuid,
    /*lakes: o.lake AS other_lake, */ o.sample AS other_sample,
    o.version AS other_version,
    o.analysis_name AS other_analysis_name,
    o.position_number AS other_position_number,
    o.position_uuid AS other_position_uuid,
    m.comment IS DISTINCT FROM o.comment AS comment_differs,
    m.content_id
FROM mine AS m
INNER JOIN positions AS o ON o.content_id = m.content_id AND o.archive_id <> m.archive_id
ORDER BY
    m.sample,
    /*lakes: m.lake, */ m.version,
    m.analysis_name,
    m.position_number,
    o.sample,
    /*lakes: o.lake, */ o.version,
    o.position_number;
