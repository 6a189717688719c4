-- Values of each condition
--
-- For every condition the values that occur, and in how many positions, archives and samples; most frequent first.
-- The current is the one that was asked for, to two figures.
--
-- filters: positions
-- show: condition, value, positions, archives, samples
WITH chosen AS (
    SELECT
        p.archive_id,
        /*lakes: p.lake, */ p.sample,
        p.accelerating_voltage_kv,
        CASE
            WHEN p.probe_current_target_na > 0
            THEN round(p.probe_current_target_na, 1 - floor(log10(p.probe_current_target_na))::INTEGER)
        END AS probe_current_target_na,
        p.grating,
        p.spectrometer,
        p.instrument,
        p.accumulation
    FROM positions AS p
    WHERE /* filters: positions p */ true
),

counted AS (
    SELECT
        CASE 0
            WHEN grouping(accelerating_voltage_kv) THEN 'accelerating_voltage_kv'
            WHEN grouping(probe_current_target_na) THEN 'probe_current_target_na'
            WHEN grouping(grating) THEN 'grating'
            WHEN grouping(spectrometer) THEN 'spectrometer'
            WHEN grouping(instrument) THEN 'instrument'
            ELSE 'accumulation'
        END AS condition,
        coalesce(
            accelerating_voltage_kv::VARCHAR,
            probe_current_target_na::VARCHAR,
            grating,
            spectrometer,
            instrument,
            accumulation::VARCHAR
        ) AS value,
        count(*) AS positions,
        count(DISTINCT archive_id) AS archives,
        count(DISTINCT (/*lakes: lake, */ sample)) AS samples
    FROM chosen
    GROUP BY GROUPING SETS (
        (accelerating_voltage_kv),
        (probe_current_target_na),
        (grating),
        (spectrometer),
        (instrument),
        (accumulation)
    )
)

SELECT *
FROM counted
ORDER BY condition, positions DESC, value NULLS LAST;
