-- Sessions by instrument
--
-- Analyses of one instrument belong to one session until nothing was measured for longer than the gap. Newest first;
-- filters choose which analyses are counted, not where a session ends.
--
-- parameter: gap number [h] = 6: A pause longer than this ends a session.
-- filters: analyses
-- show: instrument, started_local, ended_local, duration_h, analyses, positions, samples, operators,
-- show: accelerating_voltage_min_kv, accelerating_voltage_max_kv
WITH measured AS (
    SELECT
        a.*,
        coalesce(greatest(a.last_saved_local, a.acquired_local), a.acquired_local) AS ended_local
    FROM analyses AS a
    WHERE a.acquired_local IS NOT NULL
),

-- An earlier analysis can be the one that ended last, hence the running maximum.
paused AS (
    SELECT
        *,
        acquired_local
        - max(ended_local) OVER (
            PARTITION BY instrument
            ORDER BY acquired_local, archive_id, analysis_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS pause
    FROM measured
),

numbered AS (
    SELECT
        *,
        count(*) FILTER (pause IS NULL OR pause > to_seconds($gap * 3600)) OVER (
            PARTITION BY instrument
            ORDER BY acquired_local, archive_id, analysis_number
        ) AS session_number
    FROM paused
)

SELECT
    n.instrument,
    n.session_number,
    min(n.acquired_local) AS started_local,
    max(n.ended_local) AS ended_local,
    round(epoch(max(n.ended_local) - min(n.acquired_local)) / 3600, 2) AS duration_h,
    count(*) AS analyses,
    sum(n.positions)::BIGINT AS positions,
    list_sort(list(DISTINCT n.sample)) AS samples,
    list_sort(list(DISTINCT n.operator) FILTER (n.operator IS NOT NULL)) AS operators,
    min(n.accelerating_voltage_min_kv) AS accelerating_voltage_min_kv,
    max(n.accelerating_voltage_max_kv) AS accelerating_voltage_max_kv
FROM numbered AS n
WHERE /* filters: analyses n */ true
GROUP BY n.instrument, n.session_number
ORDER BY started_local DESC, n.instrument;
