-- Positions near a place on the stage
--
-- Nearest first. Stage coordinates mean nothing across mounts, so say which sample, or which session of an
-- instrument, is meant.
--
-- parameter: x number [mm] required: Stage x of the place.
-- parameter: y number [mm] required: Stage y of the place.
-- parameter: radius number [mm] = 0.1: How far from it.
-- parameter: sample text: Sample, SAMPLE or SAMPLE@V.
-- parameter: session text: Session, as the column of analyses has it.
-- filters: positions
-- require: sample or session
-- show: sample, analysis_name, position_number, distance_um, stage_x_mm, stage_y_mm, accelerating_voltage_kv,
-- show: probe_current_na, grating, acquired_local, comment
WITH near AS (
    SELECT
        p.*,
        1000 * sqrt((p.stage_x_mm - $x) ** 2 + (p.stage_y_mm - $y) ** 2) AS distance_um
    FROM positions AS p
    WHERE
        /* filters: positions p */ (
            p.stage_x_mm BETWEEN $x - $radius AND $x + $radius
            AND p.stage_y_mm BETWEEN $y - $radius AND $y + $radius
            AND ($sample IS NULL OR p.sample = $sample OR p.sample || '@' || p.version = $sample)
            AND (
                $session IS NULL
                OR (p.archive_id, p.analysis_uuid) IN (
                    SELECT (archive_id, analysis_uuid) FROM analyses WHERE session = $session
                )
            )
        )
)

SELECT
    /*lakes: n.lake, */ n.sample,
    n.version,
    n.distance_um,
    n.position_uuid,
    n.position_number,
    n.analysis_uuid,
    n.analysis_name,
    a.session,
    n.stage_x_mm,
    n.stage_y_mm,
    n.stage_z_mm,
    n.accelerating_voltage_kv,
    n.probe_current_na,
    n.grating,
    n.comment,
    n.acquired_local
FROM near AS n
LEFT JOIN analyses AS a ON a.archive_id = n.archive_id AND a.analysis_uuid = n.analysis_uuid
WHERE n.distance_um <= 1000 * $radius
ORDER BY n.distance_um, n.sample, /*lakes: n.lake, */ n.version, n.position_number;
