"""Tables of what extensions of the format describe: maps, their channels, arrays beyond those of the camera."""

# ruff: noqa: E501 - a declaration reads best as a table, one column a line

from __future__ import annotations

from typing import Final

from sxeslake.catalog.schema.columns import LOCAL, NUMBER, OWNER, count, number, size, text
from sxeslake.catalog.schema.registry import Column, Table

_AXIS_RULE: Final = "the axis that the instrument stated, else the derived one"
_FRAME_MM: Final = "where the frame is in mm"

MAPS: Final = Table(
    "maps",
    "One row per map: a raster, a line or free points, with channels that were measured at each of them.",
    (
        *OWNER,
        text("map_uuid", "UUID of the map.", "folder in maps/", None),
        text("analysis_uuid", "Analysis that it belongs to.", "map.json analysisUuid"),
        text("analysis_name", "Name of that analysis.", "metadata.json analyses[].name"),
        text("map_name", "Name.", "map.json name"),
        text("comment", "Comment.", "map.json comment"),
        text("kind", "stage, beam, line or free; null where it is none of these.", "map.json kind"),
        Column("rows", "INTEGER", "Rows of a raster.", unit="count", source="map.json shape"),
        Column("columns", "INTEGER", "Columns of a raster.", unit="count", source="map.json shape"),
        count("points", "Points of the map.", "map.json shape, points.positionUuids"),
        count("positions", "Points that have a position in this archive.", "map.json points.positionUuids, data/"),
        text("point_order", "Whether points are counted row by row or column by column: row, column.", "map.json order", "row where it is not stated"),
        text("frame_quantity", "What moved: stage or beam.", "map.json frame.quantity"),
        text("frame_unit", "Unit of frame_origin and of the steps.", "map.json frame.unit"),
        Column("frame_origin", "DOUBLE[]", "x, y and perhaps z of the first point.", source="map.json frame.origin"),
        Column("frame_column_step", "DOUBLE[]", "From one column to the next, as a vector.", source="map.json frame.step[0]"),
        Column("frame_row_step", "DOUBLE[]", "From one row to the next, as a vector.", source="map.json frame.step[1]"),
        number("origin_x_mm", "Stage x of the first point.", "mm", "map.json frame.origin", _FRAME_MM),
        number("origin_y_mm", "Stage y of the first point.", "mm", "map.json frame.origin", _FRAME_MM),
        number("origin_z_mm", "Stage z of the first point.", "mm", "map.json frame.origin", _FRAME_MM),
        number("step_x_um", "Distance of neighbouring columns.", "µm", "map.json frame.step[0]", "length, mm → µm; where the frame is in mm"),
        number("step_y_um", "Distance of neighbouring rows.", "µm", "map.json frame.step[1]", "length, mm → µm; where the frame is in mm"),
        count("channels", "Channels that no newer version replaces.", "map.json channels"),
        Column("elements", "VARCHAR[]", "Elements of these channels.", source="map.json channels[].element", conversion="union, sorted"),
        Column("acquired_local", "TIMESTAMP", "When its state was saved.", unit="local", source="state.json saveDate of the position that stateUuid names, or next to map.json", conversion=LOCAL),
        number("accelerating_voltage_kv", "Accelerating voltage.", "kV", "that state.json probe.acceleratingVoltage"),
        number("probe_current_na", "Probe current.", "nA", "that state.json probe.current", "as in positions"),
        number("stage_x_mm", "Stage x.", "mm", "that state.json stage.x"),
        number("stage_y_mm", "Stage y.", "mm", "that state.json stage.y"),
        number("stage_z_mm", "Stage z.", "mm", "that state.json stage.z"),
        text("problem", "What of it is missing or unreadable.", "maps/<uuid>/map.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

MAP_CHANNELS: Final = Table(
    "map_channels",
    "One row per channel of a map, older versions too.",
    (
        *OWNER,
        text("map_uuid", "UUID of the map.", "folder in maps/", None),
        text("analysis_uuid", "Analysis that the map belongs to.", "map.json analysisUuid"),
        Column("channel_number", "INTEGER", "Place in the map, from 1.", source="map.json channels[]"),
        text("channel_name", "Name.", "map.json channels[].name"),
        text("element", "Element.", "map.json channels[].element"),
        text("line", "X-ray line.", "map.json channels[].line"),
        Column("order", "INTEGER", 'Order of diffraction (quote the name in SQL: "order").', source="map.json channels[].order", conversion=NUMBER),
        Column("spectrometer", "INTEGER", "Number of the spectrometer, from 1.", source="map.json channels[].spectrometer", conversion=NUMBER),
        text("crystal", "Analysing crystal.", "map.json channels[].crystal"),
        number("dwell_ms", "Time a point.", "ms", "map.json channels[].dwellTime"),
        text("dtype", "Type of its values, as numpy writes it.", "map.json channels[].dtype"),
        Column("shape", "BIGINT[]", "Length along each dimension.", source="map.json channels[].shape"),
        text("quantity", "What the values are: counts, intensity …", "map.json channels[].quantity"),
        text("unit", "Their unit.", "map.json channels[].unit"),
        text("path", "Member that holds the values.", "map.json channels[].member", None),
        size("bytes_raw", "Size of that member; null where it is missing.", "members"),
        text("blake3", "BLAKE3 of that member.", "members", None),
        text("condition_id", "Condition of this channel: SHA-256 of its file.", "map.json channels[].conditionUuid"),
        text("raw_condition_id", "Raw condition of this channel: SHA-256 of its file.", "map.json channels[].rawConditionUuid"),
        number("accelerating_voltage_kv", "Accelerating voltage: its condition's, else its map's.", "kV", "condition probe.acceleratingVoltage, maps"),
        number("probe_current_na", "Probe current: its condition's, else its map's.", "nA", "condition probe.current, maps", "as in positions"),
        Column("channel_version", "INTEGER", "Version of this channel, from 1.", source="map.json channels[].version"),
        text("supersedes", "File of the channel that it is a newer version of.", "map.json channels[].supersedes"),
        Column("is_current", "BOOLEAN", "Whether no other channel of the map is a newer version of it.", source="map.json channels[].supersedes"),
        text("problem", "Why its values cannot be read.", "map.json channels[], members", None),
    ),
    cluster=("element", "crystal", "archive_id"),
)  # fmt: skip

ARRAYS: Final = Table(
    "arrays",
    "One row per data type of a position that its arrays.json describes.",
    (
        *OWNER,
        text("position_uuid", "UUID of the position.", "folder in data/", None),
        text("data_type", "Data type: qlw, wds-ch3 …", "arrays.json keys", None),
        text("dtype", "Type of its values, as numpy writes it.", "arrays.json dtype"),
        Column("shape", "BIGINT[]", "Length along each dimension.", source="arrays.json shape"),
        text("axis_quantity", "What the axis along the last dimension is: position, wavelength, energy.", "arrays.json axis, derivedAxis", _AXIS_RULE),
        text("axis_unit", "Its unit.", "arrays.json axis, derivedAxis", _AXIS_RULE),
        number("axis_start", "Its first value, in axis_unit.", None, "arrays.json axis, derivedAxis", _AXIS_RULE),
        number("axis_step", "From one value to the next, in axis_unit.", None, "arrays.json axis, derivedAxis", _AXIS_RULE),
        text("axis_method", "How the axis was derived; null where the instrument stated it.", "arrays.json axis, derivedAxis", _AXIS_RULE),
        Column("axis_values", "DOUBLE[]", "All values of an axis that is not even, in axis_unit.", source="arrays.json axis, derivedAxis", conversion=_AXIS_RULE),
        Column("array_columns", "VARCHAR[]", "Names along the last dimension.", source="arrays.json columns"),
        text("condition_id", "Condition of this data type alone.", "arrays.json conditionUuid"),
        text("raw_condition_id", "Raw condition of this data type alone.", "arrays.json rawConditionUuid"),
        text("made_by", "Who or what made it.", "arrays.json madeBy"),
        Column("array_version", "INTEGER", "Version of this data, from 1.", source="arrays.json version"),
        text("supersedes", "Data type that it is a newer version of.", "arrays.json supersedes"),
        Column("is_current", "BOOLEAN", "Whether no other data type of the position is a newer version of it.", source="arrays.json supersedes"),
    ),
    cluster=("data_type", "archive_id"),
)  # fmt: skip
