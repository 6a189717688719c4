"""The catalogue's tables, column by column.

Made from them: the view `position_documents` (positions with `info_json` and `state_json`), the macro
`sessions_by(hours)`, and `distinct_analyses` and `distinct_positions`, with each measurement once; see `views.py`.
"""

# ruff: noqa: E501 - a declaration reads best as a table, one column a line

from __future__ import annotations

from typing import Final

from sxeslake.catalog.schema.columns import ACQUIRED_AT, FORMAT_VERSION, LOCAL, NUMBER, OWNER, count, number, size, text
from sxeslake.catalog.schema.lake_tables import ANNOTATIONS, BLOBS, DOCUMENTS, MEMBERS, PACKS
from sxeslake.catalog.schema.map_tables import ARRAYS, MAP_CHANNELS, MAPS
from sxeslake.catalog.schema.registry import Column, Table, fingerprint
from sxeslake.errors import NotFoundError
from sxeslake.text.suggest import did_you_mean

_CURRENT_RULE: Final = "A → nA (× 1e9); the average, else the mean of pre and post, else pre, else target"
_STAGE: Final = (
    number("stage_x_mm", "Stage x.", "mm", "state.json stage.x"),
    number("stage_y_mm", "Stage y.", "mm", "state.json stage.y"),
    number("stage_z_mm", "Stage z.", "mm", "state.json stage.z"),
)
_BEAM: Final = (
    number("accelerating_voltage_kv", "Accelerating voltage.", "kV", "state.json probe.acceleratingVoltage"),
    number("probe_current_na", "Probe current.", "nA", "state.json probe.current", _CURRENT_RULE),
    text(
        "probe_current_source",
        "Which reading probe_current_na is: average, pre_post_mean, pre or target.",
        "state.json probe.current",
        None,
    ),
    number("probe_current_target_na", "Set probe current.", "nA", "state.json probe.current.target", "A → nA (× 1e9)"),
    number("magnification", "Magnification.", "×", "state.json probe.beam.magnification"),
    number("probe_diameter_um", "Probe diameter.", "µm", "state.json probe.diameter"),
)  # fmt: skip
_DETECTOR: Final = (
    text("grating", "Diffraction grating.", "condition ccd.grating"),
    text("spectrometer", "Spectrometer.", "condition ccd.spectrometer"),
    text("ccd_name", "Camera.", "condition ccd.name"),
)

ARCHIVES: Final = Table(
    "archives",
    "One row per stored archive version, sxes groups and generic archives alike.",
    (
        *OWNER,
        text("kind", "sxes or generic.", "log entry", None),
        text("name", "File name of the archive.", "source"),
        text("container", "zip, 7z or folder.", "source", None),
        text("source_host", "Host from which it was stored.", "source"),
        text("source_path", "Path on that host.", "source"),
        Column("source_modified_at", "TIMESTAMP WITH TIME ZONE", "Modification time of the source.", unit="UTC", source="source"),
        text("source_sha256", "SHA-256 of the source file.", "source"),
        size("bytes_source", "Size of the source.", "source"),
        size("bytes_raw", "Sum of its members' sizes.", "members"),
        size("bytes_stored", "Bytes that storing it added to the lake.", "log entry"),
        count("members", "Members, folders included.", "members"),
        count("blobs", "Different member contents.", "log entry"),
        count("blobs_new", "Contents that the lake did not hold before.", "log entry"),
        text("content_id", "Identity of the archive's content: equal for equal members.", "log entry", None),
        text("manifest_id", "Manifest object that was written with it; rewriting packs may have put another in its place.", "log entry", None),
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("ingested_at", "TIMESTAMP WITH TIME ZONE", "When it was stored.", unit="UTC", source="log entry"),
        text("ingested_by", "Who stored it.", "log entry"),
        text("tool", "Software that stored it.", "log entry"),
        FORMAT_VERSION,
        count("projects", "Projects in it.", "metadata.json projects"),
        count("analyses", "Analyses in it.", "metadata.json analyses"),
        count("positions", "Positions in it, also those that no analysis lists.", "metadata.json, data/"),
        count("images", "Images in it.", "metadata.json, images/"),
        count("documents", "JSON members.", "members"),
        count("documents_unreadable", "JSON members that are not readable JSON.", "documents"),
        text("problem", "Why the archive's own metadata could not be read.", "metadata.json", None),
        Column("instruments", "VARCHAR[]", "Instruments of its analyses.", source="metadata.json analyses[].instrument"),
        Column("operators", "VARCHAR[]", "Operators named in it.", source="operator of projects, analyses, positions"),
        Column("first_acquired_local", "TIMESTAMP", "Earliest acquisition.", unit="local", source="analyses, positions", conversion=LOCAL),
        Column("last_acquired_local", "TIMESTAMP", "Latest acquisition.", unit="local", source="analyses, positions", conversion=LOCAL),
    ),
    cluster=("archive_id",),
)  # fmt: skip

PROJECTS: Final = Table(
    "projects",
    "One row per project of an sxes archive.",
    (
        *OWNER,
        text("project_uuid", "UUID of the project.", "metadata.json projects[].uuid"),
        Column("project_number", "INTEGER", "Place in the archive, from 1.", source="metadata.json projects[]"),
        text("project_name", "Name.", "metadata.json projects[].name"),
        text("comment", "Comment.", "metadata.json projects[].comment"),
        text("operator", "Operator.", "metadata.json projects[].operator"),
        count("analyses", "Analyses that it lists.", "metadata.json projects[].analysisUuids, or analyses"),
        text("json", "The project's own object as JSON.", "metadata.json projects[]", "re-encoded; see documents for the exact bytes"),
    ),
    cluster=("archive_id",),
)  # fmt: skip

_ANALYSIS_BEAM: Final = (
    number("accelerating_voltage_kv", "Median of its positions' accelerating voltage.", "kV", "positions", "median"),
    number("accelerating_voltage_min_kv", "Minimum.", "kV", "positions", "minimum"),
    number("accelerating_voltage_max_kv", "Maximum.", "kV", "positions", "maximum"),
    count("accelerating_voltage_missing", "Positions without a readable accelerating voltage.", "positions"),
    number("probe_current_na", "Median of its positions' probe current.", "nA", "positions", "median"),
    number("probe_current_min_na", "Minimum.", "nA", "positions", "minimum"),
    number("probe_current_max_na", "Maximum.", "nA", "positions", "maximum"),
    count("probe_current_missing", "Positions without a readable probe current.", "positions"),
    number("probe_current_target_na", "Median of the set probe current.", "nA", "positions", "median"),
    number("probe_current_target_min_na", "Minimum.", "nA", "positions", "minimum"),
    number("probe_current_target_max_na", "Maximum.", "nA", "positions", "maximum"),
    count("probe_current_target_missing", "Positions without a readable target current.", "positions"),
    number("magnification", "The magnification, where all its positions agree.", "×", "positions", "common value"),
    number("probe_diameter_um", "The probe diameter, where all its positions agree.", "µm", "positions", "common value"),
)  # fmt: skip
_ANALYSIS_DETECTOR: Final = (
    text("grating", "The grating, where all its positions agree.", "positions", "common value"),
    Column("gratings", "VARCHAR[]", "Every grating that occurs.", source="positions"),
    count("grating_missing", "Positions without a known grating.", "positions"),
    text("spectrometer", "The spectrometer, where all its positions agree.", "positions", "common value"),
    Column("spectrometers", "VARCHAR[]", "Every spectrometer that occurs.", source="positions"),
    count("spectrometer_missing", "Positions without a known spectrometer.", "positions"),
    text("ccd_name", "The camera, where all its positions agree.", "positions", "common value"),
    Column("accumulation", "INTEGER", "Summed frames, where all its positions agree.", unit="frames", source="positions", conversion="common value"),
    Column("accumulation_min", "INTEGER", "Minimum.", unit="frames", source="positions", conversion="minimum"),
    Column("accumulation_max", "INTEGER", "Maximum.", unit="frames", source="positions", conversion="maximum"),
    count("accumulation_missing", "Positions without a known accumulation.", "positions"),
    Column("types", "VARCHAR[]", "Data types that occur: xes, qlw, sum …", source="positions", conversion="union, sorted"),
    Column("types_common", "VARCHAR[]", "Data types that every position has.", source="positions", conversion="intersection, sorted"),
    Column("condition_ids", "VARCHAR[]", "Conditions of its positions.", source="positions", conversion="union, sorted"),
    Column("operators", "VARCHAR[]", "Operators of its positions, each resolved.", source="positions", conversion="union, sorted"),
)  # fmt: skip
_ANALYSIS_PLACE: Final = (
    number("stage_x_min_mm", "Smallest stage x.", "mm", "positions", "minimum"),
    number("stage_x_max_mm", "Largest stage x.", "mm", "positions", "maximum"),
    number("stage_y_min_mm", "Smallest stage y.", "mm", "positions", "minimum"),
    number("stage_y_max_mm", "Largest stage y.", "mm", "positions", "maximum"),
    number("extent_x_um", "Extent along stage x.", "µm", "positions", "maximum − minimum, mm → µm"),
    number("extent_y_um", "Extent along stage y.", "µm", "positions", "maximum − minimum, mm → µm"),
    count("stage_missing", "Positions without a readable stage x and y.", "positions"),
    Column("lattice_nx", "INTEGER", "Columns of the lattice, along its axis nearest to stage x.", unit="count", source="positions", conversion="lattice fit"),
    Column("lattice_ny", "INTEGER", "Rows of the lattice, along the other axis.", unit="count", source="positions", conversion="lattice fit"),
    number("lattice_step_x_um", "Step between columns.", "µm", "positions", "lattice fit"),
    number("lattice_step_y_um", "Step between rows.", "µm", "positions", "lattice fit"),
    number("lattice_rotation_deg", "Angle of the lattice's columns against stage x, counter-clockwise, −45 to 45.", "°", "positions", "lattice fit"),
    count("lattice_holes", "Places of the lattice without a position.", "positions"),
)  # fmt: skip

ANALYSES: Final = Table(
    "analyses",
    "One row per analysis of an sxes archive, with the range of its positions' conditions.",
    (
        *OWNER,
        text("analysis_uuid", "UUID of the analysis.", "metadata.json analyses[].uuid"),
        Column("analysis_number", "INTEGER", "Place in the archive, from 1.", source="metadata.json analyses[]"),
        text("analysis_name", "Name.", "metadata.json analyses[].name"),
        text("comment", "Comment: its own, else its project's.", "analyses[].comment, projects[].comment"),
        text("comment_source", "analysis or project.", "as comment", None),
        text("operator", "Operator: its own, else its project's.", "analyses[].operator, projects[].operator"),
        text("operator_source", "analysis or project.", "as operator", None),
        text("project_uuid", "Project that lists it.", "metadata.json projects[].uuid"),
        text("project", "Name of that project.", "metadata.json projects[].name"),
        text("instrument", "Instrument: its own, else the one of all its conditions.", "analyses[].instrument, condition ccd.model"),
        Column("acquired_local", "TIMESTAMP", "When it was acquired.", unit="local", source="metadata.json analyses[].acquisitionDate", conversion=LOCAL),
        ACQUIRED_AT,
        Column("last_saved_local", "TIMESTAMP", "When its last position was saved.", unit="local", source="positions acquired_local", conversion="maximum"),
        Column("session", "VARCHAR", "Session: instrument and start, JXA-8530F 2018-04-12 14:07; a new one after more than 6 h of pause (adjustable: `sessions_by(hours)`).", source="analyses of the instrument, whole lake", conversion="gap from the last position saved to the next acquisition", derived=True),
        text("kind", "point, repeat, line, map or points; null where neither a map nor coordinates tell.", "map.json kind, else stage coordinates", "stage, beam → map, free → points; else lattice fit"),
        Column("kind_inferred", "BOOLEAN", "Whether kind was inferred from coordinates; false where a map states it.", source="map.json kind, stage coordinates"),
        count("positions", "Positions that it lists.", "metadata.json analyses[].positionUuids"),
        count("positions_unreadable", "Of these, positions whose info or state is missing or unreadable.", "data/<uuid>/"),
        count("images", "Images that it lists.", "metadata.json analyses[].imageUuids"),
        *_ANALYSIS_BEAM,
        *_ANALYSIS_DETECTOR,
        *_ANALYSIS_PLACE,
        FORMAT_VERSION,
        text("json", "The analysis' own object as JSON, without its lists of positions and images.", "metadata.json analyses[]", "re-encoded; see documents for the exact bytes"),
    ),
    cluster=("grating", "accelerating_voltage_kv", "probe_current_na", "archive_id"),
)  # fmt: skip

POSITIONS: Final = Table(
    "positions",
    "One row per measured position; the original JSON is in documents, joined by the view position_documents.",
    (
        *OWNER,
        text("position_uuid", "UUID of the position.", "metadata.json positionUuids, folder in data/"),
        text("analysis_uuid", "Analysis that lists it; null where none does.", "metadata.json analyses[].uuid"),
        text("analysis_name", "Name of that analysis.", "metadata.json analyses[].name"),
        Column("position_number", "INTEGER", "Place in its analysis, from 1.", source="metadata.json analyses[].positionUuids"),
        text("comment", "Comment: its own, else its analysis', else its project's.", "info.json comment, analyses[], projects[]"),
        text("comment_source", "position, analysis or project.", "as comment", None),
        text("operator", "Operator: its own, else its analysis', else its project's.", "info.json operator, analyses[], projects[]"),
        text("operator_source", "position, analysis or project.", "as operator", None),
        text("project", "Name of the project.", "metadata.json projects[].name"),
        text("instrument", "Instrument: of its analysis, else of its condition.", "analyses[].instrument, condition ccd.model"),
        Column("acquired_local", "TIMESTAMP", "When it was saved.", unit="local", source="state.json saveDate", conversion=LOCAL),
        ACQUIRED_AT,
        *_BEAM,
        number("probe_current_pre_na", "Probe current before.", "nA", "state.json probe.current.pre", "A → nA (× 1e9)"),
        number("probe_current_post_na", "Probe current after.", "nA", "state.json probe.current.post", "A → nA (× 1e9)"),
        number("probe_current_average_na", "Average probe current.", "nA", "state.json probe.current.average", "A → nA (× 1e9)"),
        *_STAGE,
        number("tilt_deg", "Stage tilt; null where the field is a pair whose meaning is unknown.", "°", "state.json stage.tilt", "a single number → double; a list → null"),
        number("beam_x", "Beam deflection x, in the instrument's own units.", None, "state.json probe.beam.x"),
        number("beam_y", "Beam deflection y, in the instrument's own units.", None, "state.json probe.beam.y"),
        number("ccd_temperature_c", "Camera temperature: mean of pre and post, else pre, else post, else target.", "°C", "state.json ccd.temperature"),
        text("condition_id", "Condition: SHA-256 of its file.", "info.json conditionUuid"),
        text("raw_condition_id", "Raw condition: SHA-256 of its file.", "info.json rawConditionUuid, rawCondtionUuid"),
        text("background_id", "Background: SHA-256 of its file.", "info.json backgroundUuid"),
        Column("background_corrected", "BOOLEAN", "Whether the stored spectrum has its background subtracted; null where the metadata does not say.", source="info.json backgroundCorrected"),
        *_DETECTOR,
        Column("accumulation", "INTEGER", "Summed frames.", unit="frames", source="condition ccd.accumulation", conversion=NUMBER),
        number("gain", "Camera gain setting.", None, "condition ccd.gain"),
        text("technique", "Technique, where stated.", "info.json technique"),
        text("element", "Element, where stated.", "info.json element"),
        text("line", "X-ray line, where stated.", "info.json line"),
        text("crystal", "Analysing crystal, where stated.", "info.json crystal"),
        Column("order", "INTEGER", "Order of diffraction, where stated (quote the name in SQL: \"order\").", source="info.json order", conversion=NUMBER),
        number("exposure_s", "Exposure, where stated.", "s", "info.json exposure"),
        number("dwell_ms", "Dwell time, where stated.", "ms", "state.json dwellTime"),
        Column("types", "VARCHAR[]", "Data types: xes, qlw, sum …", source="data/<uuid>/<type>.data", conversion="sorted"),
        count("bytes_raw", "Size of its data arrays.", "members"),
        text("content_id", "Same measurement, whatever its UUID, comment or archive; null without data arrays.", "data/<uuid>/*.data, state.json", "BLAKE3 over type and BLAKE3 of each array, save date and stage x y z"),
        Column("measurement", "VARCHAR", "UUID and content: equal in every copy of this position, `count(DISTINCT measurement)`.", source="position_uuid, content_id", conversion="without data arrays: from its metadata", derived=True),
        text("problem", "What of its metadata is missing or unreadable.", "data/<uuid>/{info,state}.json", None),
        FORMAT_VERSION,
    ),
    cluster=("grating", "accelerating_voltage_kv", "probe_current_na", "archive_id", "position_number"),
)  # fmt: skip

IMAGES: Final = Table(
    "images",
    "One row per image of an sxes archive.",
    (
        *OWNER,
        text("image_uuid", "UUID of the image.", "metadata.json imageUuids, folder in images/"),
        text("analysis_uuid", "Analysis that lists it; null where none does.", "metadata.json analyses[].uuid"),
        Column("image_number", "INTEGER", "Place in its analysis, from 1.", source="metadata.json analyses[].imageUuids"),
        text("image_type", "Type of image.", "images/<uuid>/info.json imageType"),
        text("comment", "Comment.", "images/<uuid>/info.json comment"),
        text("path", "Member that holds the picture.", "images/<uuid>/image.<ext>", None),
        size("bytes_raw", "Size of the picture.", "members"),
        text("blake3", "BLAKE3 of the picture.", "members", None),
        text("condition_id", "Condition: SHA-256 of its file.", "info.json conditionUuid"),
        text("raw_condition_id", "Raw condition: SHA-256 of its file.", "info.json rawConditionUuid, rawCondtionUuid"),
        Column("acquired_local", "TIMESTAMP", "When it was saved.", unit="local", source="state.json saveDate", conversion=LOCAL),
        *_BEAM,
        *_STAGE,
        text("info_json", "The original info.json.", "images/<uuid>/info.json", None),
        text("state_json", "The original state.json.", "images/<uuid>/state.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

CONDITIONS: Final = Table(
    "conditions",
    "One row per condition of an archive (detector and optics, shared by positions).",
    (
        *OWNER,
        text("condition_id", "SHA-256 under which it is stored.", "file name in conditions/", None),
        text("instrument", "Instrument.", "ccd.model"),
        text("ccd_name", "Camera.", "ccd.name"),
        text("spectrometer", "Spectrometer.", "ccd.spectrometer"),
        text("grating", "Diffraction grating.", "ccd.grating"),
        number("mode", "Camera mode.", None, "ccd.mode"),
        Column("accumulation", "INTEGER", "Summed frames.", unit="frames", source="ccd.accumulation", conversion=NUMBER),
        number("gain", "Camera gain setting.", None, "ccd.gain"),
        number("image_rotation_deg", "Rotation of the camera image.", "°", "ccd.image.rotation"),
        number("image_orientation", "Orientation of the camera image.", None, "ccd.image.orientation"),
        Column("size_x", "INTEGER", "Camera size x.", unit="pixels", source="ccd.size.x", conversion=NUMBER),
        Column("size_y", "INTEGER", "Camera size y.", unit="pixels", source="ccd.size.y", conversion=NUMBER),
        Column("rows", "INTEGER", "Rows of the spectrum image.", unit="count", source="ccd.bins.x", conversion="bins.x counts rows, in spite of its name"),
        Column("columns", "INTEGER", "Columns of the spectrum image.", unit="count", source="ccd.bins.y", conversion="bins.y counts columns, in spite of its name"),
        Column("calibration_coefficients", "DOUBLE[]", "Calibration coefficients; their meaning is unknown.", source="calibrationCoefficients", conversion=NUMBER),
        count("positions", "Positions of the archive under this condition.", "positions"),
        text("problem", "Why it could not be read, or that positions name it and it is missing.", "conditions/<sha256>.json", None),
        text("json", "The original JSON.", "conditions/<sha256>.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

RAW_CONDITIONS: Final = Table(
    "raw_conditions",
    "One row per raw condition of an archive (usually empty).",
    (
        *OWNER,
        text("raw_condition_id", "SHA-256 under which it is stored.", "file name in rawConditions/", None),
        Column("is_empty", "BOOLEAN", "Whether dataCondition, mapCondition and mapRawCondition are all empty.", source="rawConditions/<sha256>.json"),
        count("positions", "Positions of the archive that name it.", "positions"),
        text("problem", "Why it could not be read.", "rawConditions/<sha256>.json", None),
        text("json", "The original JSON.", "rawConditions/<sha256>.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

BACKGROUNDS: Final = Table(
    "backgrounds",
    "One row per background of an archive.",
    (
        *OWNER,
        text("background_id", "SHA-256 under which it is stored.", "file name in backgrounds/", "without a suffix"),
        text("path", "Member that holds it; null where positions name it and it is missing.", "members", None),
        size("bytes_raw", "Size.", "members"),
        text("blake3", "BLAKE3 of the file.", "members", None),
        count("positions", "Positions of the archive that name it.", "positions"),
    ),
    cluster=("archive_id",),
)

TABLES: Final = (
    ARCHIVES, PROJECTS, ANALYSES, POSITIONS, IMAGES, CONDITIONS, RAW_CONDITIONS, BACKGROUNDS, MAPS, MAP_CHANNELS,
    ARRAYS, DOCUMENTS, ANNOTATIONS, MEMBERS, BLOBS, PACKS,
)  # fmt: skip
BY_NAME: Final = {table.name: table for table in TABLES}
FINGERPRINT: Final = fingerprint(TABLES)


def tables_called(name: str | None) -> list[Table]:
    """The table of that name, or all; NotFoundError with near misses."""
    if name is None:
        return list(TABLES)
    if name not in BY_NAME:
        raise NotFoundError(f'there is no table "{name}".', hint=did_you_mean(name, BY_NAME))
    return [BY_NAME[name]]
