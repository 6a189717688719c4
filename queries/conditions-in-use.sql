-- Conditions in use
--
-- Which beam and detector conditions occur together, and how often. The current is the one that was asked for, to two
-- figures; beside it the range of what was measured.
--
-- filters: positions
-- show: accelerating_voltage_kv, probe_current_target_na, grating, spectrometer, instrument, accumulation, positions,
-- show: samples, last_acquired_local
SELECT
    p.accelerating_voltage_kv,
    CASE
        WHEN p.probe_current_target_na > 0
        THEN round(p.probe_current_target_na, 1 - floor(log10(p.probe_current_target_na))::INTEGER)
    END AS probe_current_target_na,
    p.grating,
    p.spectrometer,
    p.instrument,
    p.accumulation,
    count(*) AS positions,
    count(DISTINCT (p.archive_id, p.analysis_uuid)) AS analyses,
    count(DISTINCT (/*lakes: p.lake, */ p.sample)) AS samples,
    min(p.probe_current_na) AS probe_current_min_na,
    max(p.probe_current_na) AS probe_current_max_na,
    min(p.acquired_local) AS first_acquired_local,
    max(p.acquired_local) AS last_acquired_local
FROM positions AS p
WHERE /* filters: positions p */ true
GROUP BY ALL
ORDER BY positions DESC, 1, 2, 3, 4, 5, 6;
