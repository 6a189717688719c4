"""Rows of the small tables of an archive: projects, images, conditions, raw conditions, backgrounds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import (
    AnalysisFields,
    ConditionFields,
    ProjectFields,
    at,
    mapping,
    read_condition,
)
from sxeslake.archive.sxes.documents.units import integer
from sxeslake.catalog.build.documents import Contents
from sxeslake.catalog.build.member_files import File

Rows = list[dict[str, Any]]
_LISTS = frozenset({"analysisUuids", "analyses"})


def project_rows(projects: Sequence[ProjectFields], originals: Sequence[Mapping[str, object]]) -> Rows:
    """One row per project."""
    return [
        {
            "project_uuid": project.uuid,
            "project_number": number,
            "project_name": project.name,
            "comment": project.comment,
            "operator": project.operator,
            "analyses": len(project.analysis_uuids),
            "json": without(original, _LISTS),
        }
        for number, (project, original) in enumerate(zip(projects, originals, strict=True), 1)
    ]


def condition_rows(contents: Contents, used: Counter[str]) -> tuple[Rows, dict[str, ConditionFields]]:
    """One row per condition that is there or named, and the typed fields by id."""
    rows: Rows = []
    fields: dict[str, ConditionFields] = {}
    for condition_id in sorted(contents.conditions.keys() | used.keys()):
        value = contents.conditions.get(condition_id)
        condition = fields[condition_id] = read_condition(value)
        row = {name: getattr(condition, name) for name in _CONDITION_COLUMNS}
        coefficients = list(condition.calibration_coefficients)
        row |= {
            "condition_id": condition_id,
            "mode": condition.mode,
            "size_x": integer(at(value, "ccd", "size", "x")),
            "size_y": integer(at(value, "ccd", "size", "y")),
            "calibration_coefficients": coefficients or None,
            "positions": used[condition_id],
            **_file(contents, "conditions", condition_id, contents.conditions),
        }
        rows.append(row)
    return rows, fields


_CONDITION_COLUMNS = (
    "instrument", "ccd_name", "spectrometer", "grating", "accumulation", "gain", "image_rotation_deg",
    "image_orientation", "rows", "columns",
)  # fmt: skip


def raw_condition_rows(contents: Contents, used: Counter[str]) -> Rows:
    """One row per raw condition that is there or named."""
    return [
        {
            "raw_condition_id": raw_id,
            "is_empty": _is_empty(contents.raw_conditions.get(raw_id)),
            "positions": used[raw_id],
            **_file(contents, "rawConditions", raw_id, contents.raw_conditions),
        }
        for raw_id in sorted(contents.raw_conditions.keys() | used.keys())
    ]


def _is_empty(value: object) -> bool | None:
    if not isinstance(value, dict):
        return None
    return not any(value.get(key) for key in ("dataCondition", "mapCondition", "mapRawCondition"))


def _file(contents: Contents, folder: str, file_id: str, found: Mapping[str, object]) -> dict[str, Any]:
    """Text and trouble of a shared JSON file."""
    path = f"{folder}/{file_id}.json"
    if file_id not in found:
        return {"problem": "missing, though positions name it", "json": None}
    problem = contents.problems.get(path)
    if problem is None and folder == "conditions":
        problem = "; ".join(read_condition(found[file_id]).unread) or None
    return {"problem": problem, "json": contents.texts.get(path)}


def background_rows(files: Sequence[File], used: Counter[str]) -> Rows:
    """One row per background that is there, `files`, or named."""
    rows: Rows = [
        {
            "background_id": background_id,
            "path": file.path,
            "bytes_raw": file.size,
            "blake3": file.blake3,
            "positions": used[background_id],
        }
        for file in files
        for background_id in [file.path.removeprefix(f"{layout.BACKGROUNDS}/").removesuffix(".json")]
    ]
    found = {row["background_id"] for row in rows}
    return rows + [{"background_id": each, "positions": used[each]} for each in sorted(used.keys() - found)]


def image_rows(contents: Contents, analyses: Sequence[AnalysisFields], files: Sequence[File]) -> Rows:
    """One row per image that is listed or there; `files` are their pictures, `images/<uuid>/image.png`."""
    pictures = {
        file.path.split("/")[1]: {"path": file.path, "bytes_raw": file.size, "blake3": file.blake3}
        for file in files
        if file.path.count("/") == 2
    }
    listed = [(uuid, analysis.uuid, n) for analysis in analyses for n, uuid in enumerate(analysis.image_uuids, 1)]
    known = {uuid for uuid, _, _ in listed}
    found = contents.image_infos.keys() | contents.image_states.keys() | pictures.keys()
    listed += [(uuid, None, 0) for uuid in sorted(found - known)]
    return [
        _image_row(contents, uuid) | {"analysis_uuid": analysis_uuid, "image_number": number or None}
        | pictures.get(uuid, {})
        for uuid, analysis_uuid, number in listed
    ]  # fmt: skip


_IMAGE_STATE = (
    "accelerating_voltage_kv", "probe_current_na", "probe_current_source", "probe_current_target_na", "magnification",
    "probe_diameter_um",
)  # fmt: skip


def _image_row(contents: Contents, uuid: str) -> dict[str, Any]:
    info, state = contents.image_infos.get(uuid), contents.image_states.get(uuid)
    row: dict[str, Any] = {
        "image_uuid": uuid,
        "info_json": contents.texts.get(f"images/{uuid}/info.json"),
        "state_json": contents.texts.get(f"images/{uuid}/state.json"),
    }
    if info is not None:
        names = ("image_type", "condition_id", "raw_condition_id")
        row |= {name: getattr(info.shared.fields, name) for name in names} | {"comment": info.comment}
    if state is not None:
        row |= {name: getattr(state.shared, name) for name in _IMAGE_STATE}
        row |= {
            "acquired_local": state.saved_local,
            "stage_x_mm": state.stage_x_mm,
            "stage_y_mm": state.stage_y_mm,
            "stage_z_mm": state.stage_z_mm,
        }
    return row


def originals(metadata: object, key: str) -> list[Mapping[str, object]]:
    """The objects of a list in metadata.json as they are, in the order of the typed ones."""
    value = mapping(metadata).get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def without(original: Mapping[str, object], lists: Collection[str]) -> str:
    """An object of metadata.json as JSON, without its long lists of UUIDs."""
    kept = {key: value for key, value in original.items() if key not in lists}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)
