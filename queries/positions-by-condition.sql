-- Positions by condition
--
-- One row per measured position whose own conditions fit.
--
-- filters: positions
-- show: sample, analysis_name, kind, position_number, accelerating_voltage_kv, probe_current_na, grating, acquired_local,
-- show: stage_x_mm, stage_y_mm, comment
SELECT
    /*lakes: p.lake, */ p.sample,
    p.version,
    p.position_uuid,
    p.position_number,
    p.analysis_uuid,
    p.analysis_name,
    a.kind,
    a.kind_inferred,
    p.accelerating_voltage_kv,
    p.probe_current_na,
    p.probe_current_source,
    p.probe_current_target_na,
    p.grating,
    p.spectrometer,
    p.instrument,
    p.accumulation,
    p.stage_x_mm,
    p.stage_y_mm,
    p.stage_z_mm,
    p.operator,
    p.project,
    p.comment,
    p.types,
    p.acquired_local,
    p.acquired_at,
    p.content_id
FROM positions AS p
LEFT JOIN analyses AS a ON a.archive_id = p.archive_id AND a.analysis_uuid = p.analysis_uuid
WHERE /* filters: positions p */ true
ORDER BY p.sample, /*lakes: p.lake, */ p.version, a.analysis_number NULLS LAST, p.position_number;
