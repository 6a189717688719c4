-- Maps by element and crystal
--
-- One row per channel of a map: what was measured with which spectrometer and crystal, under which voltage and current.
-- Only the newest version of a channel. Filters choose the analyses that the maps belong to.
--
-- parameter: element text: Element, Ti.
-- parameter: crystal text: Analysing crystal, PETH, or a pattern such as PET*.
-- filters: analyses
-- show: sample, analysis_name, map_name, element, line, crystal, spectrometer, points, dwell_ms, accelerating_voltage_kv,
-- show: probe_current_na
SELECT
    /*lakes: c.lake, */ c.sample,
    c.version,
    c.analysis_uuid,
    m.analysis_name,
    c.map_uuid,
    m.map_name,
    m.kind,
    c.channel_name,
    c.element,
    c.line,
    c."order",
    c.crystal,
    c.spectrometer,
    m.rows,
    m.columns,
    m.points,
    m.step_x_um,
    m.step_y_um,
    c.dwell_ms,
    c.accelerating_voltage_kv,
    c.probe_current_na,
    c.quantity,
    c.unit,
    c.path,
    m.acquired_local,
    m.comment
FROM map_channels AS c
INNER JOIN maps AS m ON m.archive_id = c.archive_id AND m.map_uuid = c.map_uuid
LEFT JOIN analyses AS a ON a.archive_id = c.archive_id AND a.analysis_uuid = c.analysis_uuid
WHERE
    c.is_current
    AND ($element IS NULL OR lower(c.element) = lower($element))
    AND ($crystal IS NULL OR c.crystal ILIKE replace(replace($crystal, '*', '%'), '?', '_'))
    AND (/* filters: analyses a */ true)
ORDER BY c.element, c.crystal, c.sample, /*lakes: c.lake, */ c.version, m.map_name, c.channel_number;
