-- Standards for a condition
--
-- Analyses of samples that somebody annotated with role=standard (the sample, the version or the analysis itself),
-- under the condition that the filters give. Nearest in time to a date, if one is given, else newest first.
--
-- parameter: material text: Only standards annotated with this material.
-- parameter: near date: Those first that were measured nearest to this date.
-- filters: analyses
-- show: sample, material, analysis_name, kind, positions, accelerating_voltage_kv, probe_current_na, grating, acquired_local
WITH said AS (
    SELECT *
    FROM annotations
    WHERE is_current AND value IS NOT NULL AND target IN ('sample', 'analysis')
),

material AS (
    SELECT
        a.archive_id,
        a.analysis_uuid,
        -- What was said of the analysis counts more than what was said of its sample.
        arg_max(s.value, (s.target = 'analysis', s.version IS NOT NULL, s.log_number, s.ordinal)) AS material
    FROM analyses AS a
    INNER JOIN said AS s
        ON
            s.sample = a.sample /*lakes: AND s.lake = a.lake */
            AND (s.version IS NULL OR s.version = a.version)
            AND (s.target = 'sample' OR s.target_uuid = a.analysis_uuid)
    WHERE s.key = 'material'
    GROUP BY a.archive_id, a.analysis_uuid
)

SELECT
    /*lakes: a.lake, */ a.sample,
    a.version,
    m.material,
    a.analysis_uuid,
    a.analysis_name,
    a.kind,
    a.positions,
    a.accelerating_voltage_kv,
    a.probe_current_na,
    a.grating,
    a.spectrometer,
    a.instrument,
    a.acquired_local
FROM analyses AS a
LEFT JOIN material AS m USING (archive_id, analysis_uuid)
WHERE
    /* filters: analyses a */ (
        EXISTS (
            FROM annotations AS s
            WHERE
                s.is_current
                AND s.key = 'role'
                AND lower(s.value) = 'standard'
                AND s.sample = a.sample /*lakes: AND s.lake = a.lake */
                AND (s.version IS NULL OR s.version = a.version)
                AND (s.target = 'sample' OR (s.target = 'analysis' AND s.target_uuid = a.analysis_uuid))
        )
        AND (
            $material IS NULL
            -- What was said of the analysis counts more than what was said of its sample.
            OR lower($material) = (
                SELECT lower(arg_max(s.value, (s.target = 'analysis', s.version IS NOT NULL, s.log_number, s.ordinal)))
                FROM annotations AS s
                WHERE
                    s.is_current
                    AND s.value IS NOT NULL
                    AND s.key = 'material'
                    AND s.sample = a.sample /*lakes: AND s.lake = a.lake */
                    AND (s.version IS NULL OR s.version = a.version)
                    AND (s.target = 'sample' OR (s.target = 'analysis' AND s.target_uuid = a.analysis_uuid))
            )
        )
    )
ORDER BY
    abs(epoch(a.acquired_local) - epoch($near::TIMESTAMP)) NULLS LAST,
    a.acquired_local DESC NULLS LAST,
    a.sample,
    /*lakes: a.lake, */ a.version,
    a.analysis_number;
