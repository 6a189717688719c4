-- Positions whose probe current drifted
--
-- The probe current before and after the position differ by more than the drift allowed; worst first.
--
-- parameter: drift number [%] = 2: How much the current may change, of its value before.
-- filters: positions
-- show: sample, analysis_name, position_number, drift_percent, probe_current_pre_na, probe_current_post_na,
-- show: accelerating_voltage_kv, grating, acquired_local
SELECT
    /*lakes: p.lake, */ p.sample,
    p.version,
    p.analysis_name,
    p.position_number,
    p.position_uuid,
    p.probe_current_pre_na,
    p.probe_current_post_na,
    p.probe_current_na,
    p.probe_current_target_na,
    100 * (p.probe_current_post_na - p.probe_current_pre_na) / p.probe_current_pre_na AS drift_percent,
    p.accelerating_voltage_kv,
    p.grating,
    p.instrument,
    p.acquired_local
FROM positions AS p
WHERE
    /* filters: positions p */ (
        p.probe_current_pre_na <> 0
        AND abs(p.probe_current_post_na - p.probe_current_pre_na) > abs(p.probe_current_pre_na) * $drift / 100
    )
ORDER BY abs(drift_percent) DESC, p.sample, /*lakes: p.lake, */ p.version, p.position_number;
