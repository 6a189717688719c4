-- Analyses of any kind by condition
--
-- One row per analysis: points, lines, maps and those whose kind is unknown, newest first. Voltage and current
-- are medians over its positions.
--
-- filters: analyses
-- show: sample, analysis_name, kind, positions, accelerating_voltage_kv, probe_current_na, grating, acquired_local, comment
SELECT
    /*lakes: a.lake, */ a.sample,
    a.version,
    a.analysis_uuid,
    a.analysis_name,
    a.kind,
    a.kind_inferred,
    a.positions,
    a.accelerating_voltage_kv,
    a.probe_current_na,
    a.grating,
    a.spectrometer,
    a.instrument,
    a.acquired_local,
    a.acquired_at,
    a.operator,
    a.project,
    a.comment,
    a.accumulation,
    a.accelerating_voltage_min_kv,
    a.accelerating_voltage_max_kv,
    a.probe_current_min_na,
    a.probe_current_max_na
FROM analyses AS a
WHERE /* filters: analyses a */ true
ORDER BY a.acquired_local DESC NULLS LAST, a.sample, /*lakes: a.lake, */ a.version, a.analysis_number;
