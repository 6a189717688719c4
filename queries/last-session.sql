-- The last session of each instrument
--
-- Its analyses, in the order in which they were measured. A session ends when nothing was measured for longer than
-- the gap; filters choose among the analyses of that session.
--
-- parameter: gap number [h] = 6: A pause longer than this ends a session.
-- filters: analyses
-- show: instrument, sample, analysis_name, kind, positions, accelerating_voltage_kv, probe_current_na, grating,
-- show: acquired_local, operator
WITH measured AS (
    SELECT
        a.*,
        coalesce(greatest(a.last_saved_local, a.acquired_local), a.acquired_local) AS ended_local
    FROM analyses AS a
    WHERE a.acquired_local IS NOT NULL
),

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

-- Counted from the end: nothing starts a session after an analysis of the last one.
numbered AS (
    SELECT
        *,
        count(*) FILTER (pause > to_seconds($gap * 3600)) OVER (
            PARTITION BY instrument
            ORDER BY acquired_local, archive_id, analysis_number
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS sessions_later
    FROM paused
)

SELECT
    n.instrument,
    /*lakes: n.lake, */ n.sample,
    n.version,
    n.analysis_uuid,
    n.analysis_name,
    n.kind,
    n.positions,
    n.accelerating_voltage_kv,
    n.probe_current_na,
    n.grating,
    n.spectrometer,
    n.operator,
    n.project,
    n.acquired_local,
    n.ended_local
FROM numbered AS n
WHERE n.sessions_later = 0 AND /* filters: analyses n */ true
ORDER BY n.instrument, n.acquired_local, n.sample, /*lakes: n.lake, */ n.version, n.analysis_number;
