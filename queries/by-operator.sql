-- Work by operator
--
-- How much each operator measured, where and when.
--
-- filters: analyses
-- show: operator, analyses, positions, maps, samples, instruments, projects, first_acquired_local, last_acquired_local
SELECT
    a.operator,
    count(*) AS analyses,
    sum(a.positions)::BIGINT AS positions,
    count(*) FILTER (a.kind = 'map') AS maps,
    count(DISTINCT (/*lakes: a.lake, */ a.sample)) AS samples,
    list_sort(list(DISTINCT a.instrument) FILTER (a.instrument IS NOT NULL)) AS instruments,
    list_sort(list(DISTINCT a.project) FILTER (a.project IS NOT NULL)) AS projects,
    min(a.acquired_local) AS first_acquired_local,
    max(a.acquired_local) AS last_acquired_local
FROM analyses AS a
WHERE /* filters: analyses a */ true
GROUP BY a.operator
ORDER BY analyses DESC, a.operator NULLS LAST;
