"""Short heads with units for columns of the catalogue and of the library's queries: `accelerating_voltage_kv` → `kV`.

A column that is not listed keeps its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HEADS: Final[Mapping[str, str]] = {
    # beam
    "accelerating_voltage_kv": "kV",
    "accelerating_voltage_min_kv": "min. kV",
    "accelerating_voltage_max_kv": "max. kV",
    "probe_current_na": "nA",
    "probe_current_min_na": "min. nA",
    "probe_current_max_na": "max. nA",
    "probe_current_pre_na": "nA before",
    "probe_current_post_na": "nA after",
    "probe_current_average_na": "average nA",
    "probe_current_target_na": "target nA",
    "probe_current_target_min_na": "min. target nA",
    "probe_current_target_max_na": "max. target nA",
    "probe_current_source": "nA from",
    "drift_percent": "drift %",
    "magnification": "magnification ×",
    "probe_diameter_um": "probe µm",
    # detector
    "accumulation": "frames",
    "accumulation_min": "min. frames",
    "accumulation_max": "max. frames",
    "ccd_name": "camera",
    "ccd_temperature_c": "camera °C",
    "exposure_s": "exposure s",
    "dwell_ms": "dwell ms",
    # place
    "stage_x_mm": "x mm",
    "stage_y_mm": "y mm",
    "stage_z_mm": "z mm",
    "tilt_deg": "tilt °",
    "distance_um": "distance µm",
    "extent_x_um": "extent x µm",
    "extent_y_um": "extent y µm",
    "lattice_nx": "points x",
    "lattice_ny": "points y",
    "lattice_step_x_um": "step x µm",
    "lattice_step_y_um": "step y µm",
    "lattice_rotation_deg": "rotation °",
    "point_order": "order of points",
    "origin_x_mm": "origin x mm",
    "origin_y_mm": "origin y mm",
    "origin_z_mm": "origin z mm",
    "step_x_um": "map step x µm",
    "step_y_um": "map step y µm",
    # time
    "acquired_local": "acquired",
    "acquired_at": "acquired at",
    "first_acquired_local": "first acquired",
    "last_acquired_local": "last acquired",
    "last_saved_local": "last saved",
    "started_local": "started",
    "ended_local": "ended",
    "duration_h": "hours",
    "ingested_at": "stored",
    "last_ingested_at": "last stored",
    "source_modified_at": "file changed",
    "annotated_at": "annotated",
    # what it is
    "analysis_name": "analysis",
    "analysis_number": "analysis no.",
    "analysis_uuid": "analysis id",
    "position_number": "position",
    "position_uuid": "position id",
    "project_name": "project",
    "project_uuid": "project id",
    "image_uuid": "image id",
    "map_name": "map",
    "map_uuid": "map id",
    "channel_name": "channel",
    "channel_number": "channel no.",
    "channel_version": "channel version",
    "data_type": "data",
    "array_version": "data version",
    "kind_inferred": "kind inferred",
    "types": "data",
    "session_number": "session no.",
    "other_sample": "other sample",
    "other_analysis_name": "other analysis",
    "other_position_number": "other position",
    "other_position_uuid": "other position id",
    "comment_differs": "other comment",
    "found_in": "found in",
    # bytes
    "bytes_source": "files",
    "bytes_raw": "unpacked",
    "bytes_unique_raw": "without repeats",
    "bytes_stored": "in the lake",
    "bytes_packs": "in the lake",
    "bytes_saved": "saved",
    "blobs_new": "new blobs",
    "latest_version": "newest version",
    "unique_per_raw": "unique / unpacked",
    "stored_per_source": "lake / files",
}


def head(name: str) -> str:
    """The head of a column in a table for people."""
    return HEADS.get(name, name)
