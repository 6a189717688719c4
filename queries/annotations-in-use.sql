-- Annotations in use
--
-- Every key and value that somebody says of a sample, a version or an analysis, and of how many analyses and samples it
-- holds; most frequent first.
--
-- filters: analyses
-- show: key, value, analyses, samples
SELECT
    s.key,
    s.value,
    count(DISTINCT (a.archive_id, a.analysis_uuid)) AS analyses,
    count(DISTINCT (/*lakes: a.lake, */ a.sample)) AS samples
FROM analyses AS a
INNER JOIN annotations AS s
    ON
        s.is_current
        AND s.value IS NOT NULL
        AND s.sample = a.sample /*lakes: AND s.lake = a.lake */
        AND (s.version IS NULL OR s.version = a.version)
        AND (s.target = 'sample' OR (s.target = 'analysis' AND s.target_uuid = a.analysis_uuid))
WHERE /* filters: analyses a */ true
GROUP BY s.key, s.value
ORDER BY analyses DESC, s.key, s.value;
