-- Positions that are saturated or odd
--
-- What their metadata shows: a current off its target, a camera warmer or colder than in the rest of the analysis,
-- data types or sizes unlike the others', no background where the others have one, unreadable metadata. Saturation
-- itself is in the spectra, not in the catalogue: it is listed where somebody annotated the position with
-- saturated=….
--
-- parameter: off number [%] = 10: How far the current may be from its target.
-- parameter: warm number [°C] = 5: How far the camera's temperature may be from its median in the analysis.
-- filters: positions
-- show: sample, analysis_name, position_number, reasons, probe_current_na, probe_current_target_na, ccd_temperature_c,
-- show: acquired_local, comment
WITH chosen AS (
    SELECT p.*
    FROM positions AS p
    WHERE /* filters: positions p */ true
),

usual AS (
    SELECT
        archive_id,
        analysis_uuid,
        median(ccd_temperature_c) AS ccd_temperature_c,
        mode(bytes_raw) AS bytes_raw,
        mode(types) AS types,
        count(background_id) * 2 > count(*) AS has_background
    FROM chosen
    GROUP BY archive_id, analysis_uuid
),

saturated AS (
    SELECT DISTINCT /*lakes: lake, */ sample, version, target_uuid
    FROM annotations
    WHERE is_current AND target = 'position' AND key = 'saturated' AND lower(value) NOT IN ('false', 'no', '0')
),

judged AS (
    SELECT
        c.*,
        list_filter(
            [
                CASE WHEN s.target_uuid IS NOT NULL THEN 'saturated' END,
                CASE WHEN c.problem IS NOT NULL THEN 'metadata: ' || c.problem END,
                CASE WHEN len(c.types) = 0 THEN 'no data' END,
                CASE WHEN len(c.types) > 0 AND c.types <> u.types THEN 'other data types' END,
                CASE WHEN c.types = u.types AND c.bytes_raw <> u.bytes_raw THEN 'other data size' END,
                CASE
                    WHEN
                        abs(c.probe_current_na - c.probe_current_target_na)
                        > abs(c.probe_current_target_na) * $off / 100
                    THEN 'current off target'
                END,
                CASE WHEN abs(c.ccd_temperature_c - u.ccd_temperature_c) > $warm THEN 'camera temperature' END,
                CASE WHEN u.has_background AND c.background_id IS NULL THEN 'no background' END
            ],
            lambda reason: reason IS NOT NULL
        ) AS reasons
    FROM chosen AS c
    LEFT JOIN usual AS u ON u.archive_id = c.archive_id AND u.analysis_uuid IS NOT DISTINCT FROM c.analysis_uuid
    LEFT JOIN saturated AS s
        ON
            s.sample = c.sample /*lakes: AND s.lake = c.lake */
            AND s.target_uuid = c.position_uuid
            AND (s.version IS NULL OR s.version = c.version)
)

SELECT
    /*lakes: lake, */ sample,
    version,
    analysis_name,
    position_number,
    position_uuid,
    reasons,
    probe_current_na,
    probe_current_target_na,
    ccd_temperature_c,
    types,
    bytes_raw,
    comment,
    acquired_local
FROM judged
WHERE len(reasons) > 0
ORDER BY sample, /*lakes: lake, */ version, analysis_name, position_number;
