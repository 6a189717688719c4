-- Maps by beam condition
--
-- One row per map of the whole lake, newest first. Voltage and current are medians over the map's positions;
-- a map matches when all its positions do (--match any: when one does). Voltages and currents have their
-- minimum and maximum beside them.
--
-- filters: analyses
-- default: kind = map
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
    a.probe_current_max_na,
    a.lattice_nx,
    a.lattice_ny,
    a.lattice_step_x_um,
    a.lattice_step_y_um
FROM analyses AS a
WHERE /* filters: analyses a */ true
ORDER BY a.acquired_local DESC NULLS LAST, a.sample, /*lakes: a.lake, */ a.version, a.analysis_number;
