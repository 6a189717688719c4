"""The catalogue's tables, column by column.

Made from them: the view `position_documents` (positions with `info_json` and `state_json`) and the macro
`sessions_by(hours)`; see `views.py`.
"""

# ruff: noqa: E501 - a declaration reads best as a table, one column a line

from __future__ import annotations

from typing import Final

from .schema import Column, Table, fingerprint

_ARCHIVE_ID: Final = Column(
    "archive_id",
    "BIGINT",
    "Number of this archive version in the lake; joins every table.",
    source="log entry",
    conversion="log number × 2^20 + place in the entry",
)
_SAMPLE: Final = Column("sample", "VARCHAR", "Name under which the archive's versions live.", source="log entry")
_VERSION: Final = Column("version", "INTEGER", "Version number of the sample, from 1.", source="log entry")
_OWNER: Final = (_ARCHIVE_ID, _SAMPLE, _VERSION)

_LOCAL: Final = "YYYY/MM/DD hh:mm:ss → timestamp without time zone, as the instrument's clock showed it"
_UTC: Final = "acquired_local in the time zone configured for the instrument; null without one, and in a repeated or skipped hour of a clock change"
_NUMBER: Final = "number, or string that holds one → double; anything else → null"


def _text(name: str, help_: str, source: str, conversion: str | None = "empty → null") -> Column:
    return Column(name, "VARCHAR", help_, source=source, conversion=conversion)


def _count(name: str, help_: str, source: str | None = None) -> Column:
    return Column(name, "BIGINT", help_, unit="count", source=source)


def _bytes(name: str, help_: str, source: str | None = None) -> Column:
    return Column(name, "BIGINT", help_, unit="B", source=source)


def _number(name: str, help_: str, unit: str | None, source: str, conversion: str = _NUMBER) -> Column:
    return Column(name, "DOUBLE", help_, unit=unit, source=source, conversion=conversion)


_FORMAT_VERSION: Final = _text(
    "archive_format_version", "Version of the sxes format that the archive states.", "metadata.json version"
)
_ACQUIRED_AT: Final = Column(
    "acquired_at",
    "TIMESTAMP WITH TIME ZONE",
    "When it was acquired, UTC.",
    unit="UTC",
    source="acquired_local",
    conversion=_UTC,
    derived=True,
)
_CURRENT_RULE: Final = "A → nA (× 1e9); the average, else the mean of pre and post, else pre, else target"
_STAGE: Final = (
    _number("stage_x_mm", "Stage x.", "mm", "state.json stage.x"),
    _number("stage_y_mm", "Stage y.", "mm", "state.json stage.y"),
    _number("stage_z_mm", "Stage z.", "mm", "state.json stage.z"),
)
_BEAM: Final = (
    _number("accelerating_voltage_kv", "Accelerating voltage.", "kV", "state.json probe.acceleratingVoltage"),
    _number("probe_current_na", "Probe current.", "nA", "state.json probe.current", _CURRENT_RULE),
    _text(
        "probe_current_source",
        "Which reading probe_current_na is: average, pre_post_mean, pre or target.",
        "state.json probe.current",
        None,
    ),
    _number("probe_current_target_na", "Probe current that was asked for.", "nA", "state.json probe.current.target", "A → nA (× 1e9)"),
    _number("magnification", "Magnification.", "×", "state.json probe.beam.magnification"),
    _number("probe_diameter_um", "Probe diameter.", "µm", "state.json probe.diameter"),
)  # fmt: skip
_DETECTOR: Final = (
    _text("grating", "Diffraction grating.", "condition ccd.grating"),
    _text("spectrometer", "Spectrometer.", "condition ccd.spectrometer"),
    _text("ccd_name", "Camera.", "condition ccd.name"),
)

ARCHIVES: Final = Table(
    "archives",
    "One row per stored archive version, sxes groups and generic archives alike.",
    (
        *_OWNER,
        _text("kind", "sxes or generic.", "log entry", None),
        _text("name", "File name of the archive.", "source"),
        _text("container", "zip, 7z or folder.", "source", None),
        _text("source_host", "Host from which it was stored.", "source"),
        _text("source_path", "Path on that host.", "source"),
        Column("source_modified_at", "TIMESTAMP WITH TIME ZONE", "Modification time of the source.", unit="UTC", source="source"),
        _text("source_sha256", "SHA-256 of the source file.", "source"),
        _bytes("bytes_source", "Size of the source.", "source"),
        _bytes("bytes_raw", "Sum of its members' sizes.", "members"),
        _bytes("bytes_stored", "Bytes that storing it added to the lake.", "log entry"),
        _count("members", "Members, folders included.", "members"),
        _count("blobs", "Different member contents.", "log entry"),
        _count("blobs_new", "Contents that the lake did not hold before.", "log entry"),
        _text("content_id", "Identity of the archive's content: equal for equal members.", "log entry", None),
        _text("manifest_id", "Manifest object that was written with it; rewriting packs may have put another in its place.", "log entry", None),
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("ingested_at", "TIMESTAMP WITH TIME ZONE", "When it was stored.", unit="UTC", source="log entry"),
        _text("ingested_by", "Who stored it.", "log entry"),
        _text("tool", "Software that stored it.", "log entry"),
        _FORMAT_VERSION,
        _count("projects", "Projects in it.", "metadata.json projects"),
        _count("analyses", "Analyses in it.", "metadata.json analyses"),
        _count("positions", "Positions in it, also those that no analysis lists.", "metadata.json, data/"),
        _count("images", "Images in it.", "metadata.json, images/"),
        _count("documents", "JSON members.", "members"),
        _count("documents_unreadable", "JSON members that are not readable JSON.", "documents"),
        _text("problem", "Why the archive's own metadata could not be read.", "metadata.json", None),
        Column("instruments", "VARCHAR[]", "Instruments of its analyses.", source="metadata.json analyses[].instrument"),
        Column("operators", "VARCHAR[]", "Operators named in it.", source="operator of projects, analyses, positions"),
        Column("first_acquired_local", "TIMESTAMP", "Earliest acquisition.", unit="local", source="analyses, positions", conversion=_LOCAL),
        Column("last_acquired_local", "TIMESTAMP", "Latest acquisition.", unit="local", source="analyses, positions", conversion=_LOCAL),
    ),
    cluster=("archive_id",),
)  # fmt: skip

PROJECTS: Final = Table(
    "projects",
    "One row per project of an sxes archive.",
    (
        *_OWNER,
        _text("project_uuid", "UUID of the project.", "metadata.json projects[].uuid"),
        Column("project_number", "INTEGER", "Place in the archive, from 1.", source="metadata.json projects[]"),
        _text("project_name", "Name.", "metadata.json projects[].name"),
        _text("comment", "Comment.", "metadata.json projects[].comment"),
        _text("operator", "Operator.", "metadata.json projects[].operator"),
        _count("analyses", "Analyses that it lists.", "metadata.json projects[].analysisUuids, or analyses"),
        _text("json", "The project's own object as JSON.", "metadata.json projects[]", "re-encoded; see documents for the exact bytes"),
    ),
    cluster=("archive_id",),
)  # fmt: skip

_ANALYSIS_BEAM: Final = (
    _number("accelerating_voltage_kv", "Median of its positions' accelerating voltage.", "kV", "positions", "median"),
    _number("accelerating_voltage_min_kv", "Minimum.", "kV", "positions", "minimum"),
    _number("accelerating_voltage_max_kv", "Maximum.", "kV", "positions", "maximum"),
    _count("accelerating_voltage_missing", "Positions without a readable accelerating voltage.", "positions"),
    _number("probe_current_na", "Median of its positions' probe current.", "nA", "positions", "median"),
    _number("probe_current_min_na", "Minimum.", "nA", "positions", "minimum"),
    _number("probe_current_max_na", "Maximum.", "nA", "positions", "maximum"),
    _count("probe_current_missing", "Positions without a readable probe current.", "positions"),
    _number("probe_current_target_na", "Median of the current that was asked for.", "nA", "positions", "median"),
    _number("probe_current_target_min_na", "Minimum.", "nA", "positions", "minimum"),
    _number("probe_current_target_max_na", "Maximum.", "nA", "positions", "maximum"),
    _count("probe_current_target_missing", "Positions without a readable target current.", "positions"),
    _number("magnification", "The magnification, where all its positions agree.", "×", "positions", "common value"),
    _number("probe_diameter_um", "The probe diameter, where all its positions agree.", "µm", "positions", "common value"),
)  # fmt: skip
_ANALYSIS_DETECTOR: Final = (
    _text("grating", "The grating, where all its positions agree.", "positions", "common value"),
    Column("gratings", "VARCHAR[]", "Every grating that occurs.", source="positions"),
    _count("grating_missing", "Positions without a known grating.", "positions"),
    _text("spectrometer", "The spectrometer, where all its positions agree.", "positions", "common value"),
    Column("spectrometers", "VARCHAR[]", "Every spectrometer that occurs.", source="positions"),
    _count("spectrometer_missing", "Positions without a known spectrometer.", "positions"),
    _text("ccd_name", "The camera, where all its positions agree.", "positions", "common value"),
    Column("accumulation", "INTEGER", "Summed frames, where all its positions agree.", unit="frames", source="positions", conversion="common value"),
    Column("accumulation_min", "INTEGER", "Minimum.", unit="frames", source="positions", conversion="minimum"),
    Column("accumulation_max", "INTEGER", "Maximum.", unit="frames", source="positions", conversion="maximum"),
    _count("accumulation_missing", "Positions without a known accumulation.", "positions"),
    Column("types", "VARCHAR[]", "Data types that occur: xes, qlw, sum …", source="positions", conversion="union, sorted"),
    Column("types_common", "VARCHAR[]", "Data types that every position has.", source="positions", conversion="intersection, sorted"),
    Column("condition_ids", "VARCHAR[]", "Conditions of its positions.", source="positions", conversion="union, sorted"),
    Column("operators", "VARCHAR[]", "Operators of its positions, each resolved.", source="positions", conversion="union, sorted"),
)  # fmt: skip
_ANALYSIS_PLACE: Final = (
    _number("stage_x_min_mm", "Smallest stage x.", "mm", "positions", "minimum"),
    _number("stage_x_max_mm", "Largest stage x.", "mm", "positions", "maximum"),
    _number("stage_y_min_mm", "Smallest stage y.", "mm", "positions", "minimum"),
    _number("stage_y_max_mm", "Largest stage y.", "mm", "positions", "maximum"),
    _number("extent_x_um", "Extent along stage x.", "µm", "positions", "maximum − minimum, mm → µm"),
    _number("extent_y_um", "Extent along stage y.", "µm", "positions", "maximum − minimum, mm → µm"),
    _count("stage_missing", "Positions without a readable stage x and y.", "positions"),
    Column("lattice_nx", "INTEGER", "Columns of the lattice, along its axis nearest to stage x.", unit="count", source="positions", conversion="lattice fit"),
    Column("lattice_ny", "INTEGER", "Rows of the lattice, along the other axis.", unit="count", source="positions", conversion="lattice fit"),
    _number("lattice_step_x_um", "Step between columns.", "µm", "positions", "lattice fit"),
    _number("lattice_step_y_um", "Step between rows.", "µm", "positions", "lattice fit"),
    _number("lattice_rotation_deg", "Angle of the lattice's columns against stage x, counter-clockwise, −45 to 45.", "°", "positions", "lattice fit"),
    _count("lattice_holes", "Places of the lattice without a position.", "positions"),
)  # fmt: skip

ANALYSES: Final = Table(
    "analyses",
    "One row per analysis of an sxes archive, with the range of its positions' conditions.",
    (
        *_OWNER,
        _text("analysis_uuid", "UUID of the analysis.", "metadata.json analyses[].uuid"),
        Column("analysis_number", "INTEGER", "Place in the archive, from 1.", source="metadata.json analyses[]"),
        _text("analysis_name", "Name.", "metadata.json analyses[].name"),
        _text("comment", "Comment: its own, else its project's.", "analyses[].comment, projects[].comment"),
        _text("comment_source", "analysis or project.", "as comment", None),
        _text("operator", "Operator: its own, else its project's.", "analyses[].operator, projects[].operator"),
        _text("operator_source", "analysis or project.", "as operator", None),
        _text("project_uuid", "Project that lists it.", "metadata.json projects[].uuid"),
        _text("project", "Name of that project.", "metadata.json projects[].name"),
        _text("instrument", "Instrument: its own, else the one of all its conditions.", "analyses[].instrument, condition ccd.model"),
        Column("acquired_local", "TIMESTAMP", "When it was acquired.", unit="local", source="metadata.json analyses[].acquisitionDate", conversion=_LOCAL),
        _ACQUIRED_AT,
        Column("last_saved_local", "TIMESTAMP", "When its last position was saved.", unit="local", source="positions acquired_local", conversion="maximum"),
        Column("session", "VARCHAR", "Session: instrument and start, JXA-8530F 2018-04-12 14:07; a new one after more than 6 h of pause (adjustable: `sessions_by(hours)`).", source="analyses of the instrument, whole lake", conversion="gap from the last position saved to the next acquisition", derived=True),
        _text("kind", "point, repeat, line, map or points; null where coordinates do not tell.", "stage coordinates", "lattice fit"),
        Column("kind_inferred", "BOOLEAN", "Whether kind was inferred from coordinates; the format itself has no kind.", source="stage coordinates"),
        _count("positions", "Positions that it lists.", "metadata.json analyses[].positionUuids"),
        _count("positions_unreadable", "Of these, positions whose info or state is missing or unreadable.", "data/<uuid>/"),
        _count("images", "Images that it lists.", "metadata.json analyses[].imageUuids"),
        *_ANALYSIS_BEAM,
        *_ANALYSIS_DETECTOR,
        *_ANALYSIS_PLACE,
        _FORMAT_VERSION,
        _text("json", "The analysis' own object as JSON, without its lists of positions and images.", "metadata.json analyses[]", "re-encoded; see documents for the exact bytes"),
    ),
    cluster=("grating", "accelerating_voltage_kv", "probe_current_na", "archive_id"),
)  # fmt: skip

POSITIONS: Final = Table(
    "positions",
    "One row per measured position; the original JSON is in documents, joined by the view position_documents.",
    (
        *_OWNER,
        _text("position_uuid", "UUID of the position.", "metadata.json positionUuids, folder in data/"),
        _text("analysis_uuid", "Analysis that lists it; null where none does.", "metadata.json analyses[].uuid"),
        _text("analysis_name", "Name of that analysis.", "metadata.json analyses[].name"),
        Column("position_number", "INTEGER", "Place in its analysis, from 1.", source="metadata.json analyses[].positionUuids"),
        _text("comment", "Comment: its own, else its analysis', else its project's.", "info.json comment, analyses[], projects[]"),
        _text("comment_source", "position, analysis or project.", "as comment", None),
        _text("operator", "Operator: its own, else its analysis', else its project's.", "info.json operator, analyses[], projects[]"),
        _text("operator_source", "position, analysis or project.", "as operator", None),
        _text("project", "Name of the project.", "metadata.json projects[].name"),
        _text("instrument", "Instrument: of its analysis, else of its condition.", "analyses[].instrument, condition ccd.model"),
        Column("acquired_local", "TIMESTAMP", "When it was saved.", unit="local", source="state.json saveDate", conversion=_LOCAL),
        _ACQUIRED_AT,
        *_BEAM,
        _number("probe_current_pre_na", "Probe current before.", "nA", "state.json probe.current.pre", "A → nA (× 1e9)"),
        _number("probe_current_post_na", "Probe current after.", "nA", "state.json probe.current.post", "A → nA (× 1e9)"),
        _number("probe_current_average_na", "Average probe current.", "nA", "state.json probe.current.average", "A → nA (× 1e9)"),
        *_STAGE,
        _number("tilt_deg", "Stage tilt; null where the field is a pair whose meaning is unknown.", "°", "state.json stage.tilt", "a single number → double; a list → null"),
        _number("beam_x", "Beam deflection x, in the instrument's own units.", None, "state.json probe.beam.x"),
        _number("beam_y", "Beam deflection y, in the instrument's own units.", None, "state.json probe.beam.y"),
        _number("ccd_temperature_c", "Camera temperature: mean of pre and post, else pre, else post, else target.", "°C", "state.json ccd.temperature"),
        _text("condition_id", "Condition: SHA-256 of its file.", "info.json conditionUuid"),
        _text("raw_condition_id", "Raw condition: SHA-256 of its file.", "info.json rawConditionUuid, rawCondtionUuid"),
        _text("background_id", "Background: SHA-256 of its file.", "info.json backgroundUuid"),
        Column("background_corrected", "BOOLEAN", "Whether the stored spectrum has its background subtracted; null where the metadata does not say.", source="info.json backgroundCorrected"),
        *_DETECTOR,
        Column("accumulation", "INTEGER", "Summed frames.", unit="frames", source="condition ccd.accumulation", conversion=_NUMBER),
        _number("gain", "Camera gain setting.", None, "condition ccd.gain"),
        _text("technique", "Technique, where stated.", "info.json technique"),
        _text("element", "Element, where stated.", "info.json element"),
        _text("line", "X-ray line, where stated.", "info.json line"),
        _text("crystal", "Analysing crystal, where stated.", "info.json crystal"),
        Column("order", "INTEGER", "Order of diffraction, where stated (quote the name in SQL: \"order\").", source="info.json order", conversion=_NUMBER),
        _number("exposure_s", "Exposure, where stated.", "s", "info.json exposure"),
        _number("dwell_ms", "Dwell time, where stated.", "ms", "state.json dwellTime"),
        Column("types", "VARCHAR[]", "Data types: xes, qlw, sum …", source="data/<uuid>/<type>.data", conversion="sorted"),
        _count("bytes_raw", "Size of its data arrays.", "members"),
        _text("content_id", "Same measurement, whatever its UUID, comment or archive; null without data arrays.", "data/<uuid>/*.data, state.json", "BLAKE3 over type and BLAKE3 of each array, save date and stage x y z"),
        _text("problem", "What of its metadata is missing or unreadable.", "data/<uuid>/{info,state}.json", None),
        _FORMAT_VERSION,
    ),
    cluster=("grating", "accelerating_voltage_kv", "probe_current_na", "archive_id", "position_number"),
)  # fmt: skip

IMAGES: Final = Table(
    "images",
    "One row per image of an sxes archive.",
    (
        *_OWNER,
        _text("image_uuid", "UUID of the image.", "metadata.json imageUuids, folder in images/"),
        _text("analysis_uuid", "Analysis that lists it; null where none does.", "metadata.json analyses[].uuid"),
        Column("image_number", "INTEGER", "Place in its analysis, from 1.", source="metadata.json analyses[].imageUuids"),
        _text("image_type", "Type of image.", "images/<uuid>/info.json imageType"),
        _text("comment", "Comment.", "images/<uuid>/info.json comment"),
        _text("path", "Member that holds the picture.", "images/<uuid>/image.<ext>", None),
        _bytes("bytes_raw", "Size of the picture.", "members"),
        _text("blake3", "BLAKE3 of the picture.", "members", None),
        _text("condition_id", "Condition: SHA-256 of its file.", "info.json conditionUuid"),
        _text("raw_condition_id", "Raw condition: SHA-256 of its file.", "info.json rawConditionUuid, rawCondtionUuid"),
        Column("acquired_local", "TIMESTAMP", "When it was saved.", unit="local", source="state.json saveDate", conversion=_LOCAL),
        *_BEAM,
        *_STAGE,
        _text("info_json", "The original info.json.", "images/<uuid>/info.json", None),
        _text("state_json", "The original state.json.", "images/<uuid>/state.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

CONDITIONS: Final = Table(
    "conditions",
    "One row per condition of an archive (detector and optics, shared by positions).",
    (
        *_OWNER,
        _text("condition_id", "SHA-256 under which it is stored.", "file name in conditions/", None),
        _text("instrument", "Instrument.", "ccd.model"),
        _text("ccd_name", "Camera.", "ccd.name"),
        _text("spectrometer", "Spectrometer.", "ccd.spectrometer"),
        _text("grating", "Diffraction grating.", "ccd.grating"),
        _number("mode", "Camera mode.", None, "ccd.mode"),
        Column("accumulation", "INTEGER", "Summed frames.", unit="frames", source="ccd.accumulation", conversion=_NUMBER),
        _number("gain", "Camera gain setting.", None, "ccd.gain"),
        _number("image_rotation_deg", "Rotation of the camera image.", "°", "ccd.image.rotation"),
        _number("image_orientation", "Orientation of the camera image.", None, "ccd.image.orientation"),
        Column("size_x", "INTEGER", "Camera size x.", unit="pixels", source="ccd.size.x", conversion=_NUMBER),
        Column("size_y", "INTEGER", "Camera size y.", unit="pixels", source="ccd.size.y", conversion=_NUMBER),
        Column("rows", "INTEGER", "Rows of the spectrum image.", unit="count", source="ccd.bins.x", conversion="bins.x counts rows, in spite of its name"),
        Column("columns", "INTEGER", "Columns of the spectrum image.", unit="count", source="ccd.bins.y", conversion="bins.y counts columns, in spite of its name"),
        Column("calibration_coefficients", "DOUBLE[]", "Calibration coefficients; their meaning is unknown.", source="calibrationCoefficients", conversion=_NUMBER),
        _count("positions", "Positions of the archive under this condition.", "positions"),
        _text("problem", "Why it could not be read, or that positions name it and it is missing.", "conditions/<sha256>.json", None),
        _text("json", "The original JSON.", "conditions/<sha256>.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

RAW_CONDITIONS: Final = Table(
    "raw_conditions",
    "One row per raw condition of an archive (usually empty).",
    (
        *_OWNER,
        _text("raw_condition_id", "SHA-256 under which it is stored.", "file name in rawConditions/", None),
        Column("is_empty", "BOOLEAN", "Whether dataCondition, mapCondition and mapRawCondition are all empty.", source="rawConditions/<sha256>.json"),
        _count("positions", "Positions of the archive that name it.", "positions"),
        _text("problem", "Why it could not be read.", "rawConditions/<sha256>.json", None),
        _text("json", "The original JSON.", "rawConditions/<sha256>.json", None),
    ),
    cluster=("archive_id",),
)  # fmt: skip

BACKGROUNDS: Final = Table(
    "backgrounds",
    "One row per background of an archive.",
    (
        *_OWNER,
        _text("background_id", "SHA-256 under which it is stored.", "file name in backgrounds/", "without a suffix"),
        _text("path", "Member that holds it; null where positions name it and it is missing.", "members", None),
        _bytes("bytes_raw", "Size.", "members"),
        _text("blake3", "BLAKE3 of the file.", "members", None),
        _count("positions", "Positions of the archive that name it.", "positions"),
    ),
    cluster=("archive_id",),
)

DOCUMENTS: Final = Table(
    "documents",
    "One row per JSON member, also of generic archives: the original text.",
    (
        *_OWNER,
        _text("path", "Path of the member.", "members", None),
        _text("owner", "What it describes in an sxes archive: archive, position, image, condition, raw_condition; else null.", "path", None),
        _text("owner_id", "UUID or SHA-256 of what it describes.", "path", None),
        _text("name", "File name without suffix: info, state …", "path", None),
        _bytes("bytes_raw", "Size.", "members"),
        _text("blake3", "BLAKE3 of the file.", "members", None),
        Column("readable", "BOOLEAN", "Whether it is readable JSON.", source="documents"),
        _text("problem", "Why it is not.", "documents", None),
        _text("json", "The text as stored; null where it is no Unicode text.", "members", None),
    ),
    cluster=("archive_id", "path"),
)  # fmt: skip

ANNOTATIONS: Final = Table(
    "annotations",
    "Who said what of a sample, version, analysis or position, and when. Later values of a key replace earlier ones.",
    (
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("ordinal", "INTEGER", "Place in that commit.", source="log entry"),
        _text("sample", "Sample.", "log entry", None),
        Column("version", "INTEGER", "Version; null where it holds for all versions.", source="log entry"),
        Column("archive_id", "BIGINT", "Archive version; null where it holds for all versions.", source="log entry"),
        _text("target", "sample, analysis or position.", "log entry", None),
        _text("target_uuid", "UUID of the analysis or position.", "log entry", None),
        _text("key", "Key: material, mount, coating, role, proposal, exposure_s …", "log entry", None),
        _text("value", "Value; null where the key was removed.", "log entry", None),
        _text("annotated_by", "Who said it.", "log entry"),
        Column("annotated_at", "TIMESTAMP WITH TIME ZONE", "When.", unit="UTC", source="log entry"),
        Column("is_current", "BOOLEAN", "Whether nothing later replaced it.", source="annotations", derived=True),
    ),
    cluster=("log_number",),
)  # fmt: skip

MEMBERS: Final = Table(
    "members",
    "One row per member of every archive version, folders included.",
    (
        *_OWNER,
        _text("path", "Path in the archive.", "manifest", None),
        Column("ordinal", "BIGINT", "Place in the archive, from 0.", source="manifest"),
        _text("kind", "file or directory.", "manifest", None),
        _bytes("bytes_raw", "Size.", "manifest"),
        Column("modified_at", "TIMESTAMP WITH TIME ZONE", "Modification time.", unit="UTC", source="manifest", conversion="ns → µs"),
        Column("attributes", "BIGINT", "Attributes in the form of 7z.", source="manifest"),
        Column("crc32", "BIGINT", "CRC-32.", source="manifest"),
        _text("blake3", "BLAKE3 of the content.", "manifest", "hexadecimal"),
    ),
    cluster=("archive_id", "path"),
)  # fmt: skip

BLOBS: Final = Table(
    "blobs",
    "One row per stored content. A member larger than the chunk size is several.",
    (
        _text("blake3", "BLAKE3 of the content.", "pack footer", "hexadecimal"),
        _text("pack_id", "Pack that holds it.", "pack footer", None),
        _bytes("bytes_raw", "Size.", "pack footer"),
        _bytes("bytes_stored", "Stored size; in a shared frame its share.", "pack footer"),
        _text("codec", "How it is encoded.", "pack footer", None),
        Column("log_number", "BIGINT", "Commit that added the pack.", source="log entry"),
    ),
    cluster=("blake3",),
    retire="pack_id",
)

PACKS: Final = Table(
    "packs",
    "One row per pack object.",
    (
        _text("pack_id", "Id of the pack.", "log entry", None),
        _text("kind", "What it holds: documents or data.", "log entry", None),
        _bytes("bytes_stored", "Size of the object.", "log entry"),
        _bytes("bytes_raw", "Sum of its contents' sizes.", "pack footer"),
        _count("blobs", "Contents in it.", "pack footer"),
        Column("log_number", "BIGINT", "Commit that added it.", source="log entry"),
        Column("added_at", "TIMESTAMP WITH TIME ZONE", "When.", unit="UTC", source="log entry"),
    ),
    cluster=("log_number",),
    retire="pack_id",
)

TABLES: Final = (
    ARCHIVES, PROJECTS, ANALYSES, POSITIONS, IMAGES, CONDITIONS, RAW_CONDITIONS, BACKGROUNDS, DOCUMENTS, ANNOTATIONS,
    MEMBERS, BLOBS, PACKS,
)  # fmt: skip
BY_NAME: Final = {table.name: table for table in TABLES}
FINGERPRINT: Final = fingerprint(TABLES)
