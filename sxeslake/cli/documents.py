"""The JSON documents' keys: contracts that other programs read. New keys go to the end; none is renamed or dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

PLAN = (
    "path", "archives", "groups", "bytes_source", "bytes_largest_group", "copies", "reused", "unrecognised", "missed",
)  # fmt: skip
MISSED = ("path", "status", "error")
INGEST = ("lake", "commit", "archives")
INGESTED = (
    "path", "sample", "version", "status", "error", "kind", "members",
    "bytes_source", "bytes_raw", "blobs", "blobs_new", "bytes_stored",
    "exact", "exact_reason",
)  # fmt: skip
SURVEY = ("lake", "by", "rows", "total", "archives")
SURVEYED = (
    "group", "archives", "bytes_source", "duplicates", "bytes_duplicate", "bytes_stored", "bytes_saved", "failed",
)  # fmt: skip
EXACT = ("sample", "version", "exact", "exact_reason", "encoders", "bytes")
AUDIT = (
    "path", "status", "archive", "size", "sha256",
    "exact", "checked", "differs", "reason", "archive_sha256", "lake", "commit", "commit_blake3",
)  # fmt: skip
AUDIT_VERIFIED = ("path", "was", "status", "holds", "archive", "sha256", "checked", "reason")
LS = (
    "sample", "version", "kind", "name", "members", "bytes_source", "bytes_raw", "ingested_at", "exact", "exact_reason",
)  # fmt: skip
LS_LONG = ("accelerating_voltages_kv", "probe_currents_na", "gratings", "acquired_local")
PULL = (
    "sample", "version", "path", "container", "members", "bytes_raw", "bytes_written", "sha256",
    "exact", "exact_reason",
)  # fmt: skip
PART = (
    "sample", "version", "path", "container", "members", "bytes_raw", "bytes_written", "sha256",
    "positions", "analyses", "samples", "bytes_fetch", "requests", "dry_run", "warnings",
)  # fmt: skip
EXPORT = ("path", "format", "positions", "files", "warnings", "axis_source")
SYNC = (
    "sample", "version", "path", "dry_run", "members", "unchanged", "added", "changed", "removed", "extra",
    "bytes_written", "bytes_moved",
)  # fmt: skip
DIFF = (
    "a", "b", "equal", "members", "members_same", "positions", "positions_same", "conditions", "fields",
    "identical", "differs", "layout", "comment_a", "comment_b", "container_a", "container_b", "maps", "maps_same",
)  # fmt: skip
FORMATS = ("name", "title", "verified")
CONVERT = (
    "path", "dry_run", "container", "members", "analyses", "positions", "maps", "images", "documents",
    "vendor_files", "bytes_source", "bytes_raw", "bytes_written", "sha256", "originals", "files_proved",
    "recognised", "warnings", "left_out",
)  # fmt: skip
RECOGNISED = ("path", "kind", "reader", "files", "encodings", "notes")
ORIGINALS = ("sample", "version", "path", "folders", "vendor_files", "bytes_written")
IDENTIFY = ("path", "kind", "reader", "confidence", "files", "notes")
LINES = (
    "element", "line", "energy_ev", "wavelength_angstrom", "intensity", "order", "observed_ev", "observed_angstrom",
    "band_low_ev", "band_high_ev",
)  # fmt: skip
COMPARE = ("target", "sample", "version", "position_uuid", "data_type", "normalise", "warnings", "others")
COMPARED = (
    "rank", "name", "sample", "version", "number", "position_uuid", "material", "similarity", "days",
    "accelerating_voltage_kv", "probe_current_na", "grating", "spectrometer", "instrument", "acquired_local", "comment",
)  # fmt: skip
PLOT = ("picture", "path", "format", "title", "positions", "axis_source", "warnings")
MEMBERS = ("path", "kind", "size", "modified", "blake3", "crc32")
SERVE = ("url", "lakes")
STATS = (
    "samples", "archives", "members", "bytes_source", "bytes_raw", "blobs",
    "bytes_unique_raw", "bytes_stored", "objects", "packs", "log_head",
)  # fmt: skip
VERIFY = ("ok", "checked", "problems")
CHECKED = ("log_entries", "manifests", "packs", "blobs", "bytes")
PROBLEM = ("kind", "object", "detail", "affects")
REPAIR = ("ok", "dry_run", "commit", "problems", "mended", "lost")
MENDED = ("kind", "object", "detail")
LOST = ("archive", "member", "detail")
OFFER_FAULT = ("offer", "detail")
COPY = ("source", "target", "commits", "tags", "annotations", "archives")
COPIED = ("sample", "version", "to_version", "status", "error")
FORGET = ("dry_run", "commit", "forgotten", "kept")
RESTORE = ("commit", "restored", "warnings")
MARK = ("commit", "marked")
GC = (
    "dry_run", "commit", "collected", "packs_condemned", "packs_rewritten", "manifests_condemned", "orphans",
    "bytes_freed", "bytes_written", "bytes_later", "later", "damaged",
)  # fmt: skip
HEALTH = ("ok", "lake", "checked_at", "commands")
COMMAND_HEALTH = (
    "command", "target", "ok", "result", "why", "age_s", "success_age_s", "max_age_s", "started_at", "ended_at",
    "last_success_at", "duration_s", "exit_code", "bytes_read", "bytes_written", "retries", "failures", "messages",
    "arguments", "run", "host", "pid", "sxeslake_version",
)  # fmt: skip
REPACK = (
    "preset", "dry_run", "commit", "packs", "packs_done", "packs_rewritten", "packs_left", "bytes_before",
    "bytes_after", "damaged",
)  # fmt: skip
DRILL = ("ok", "percent", "seed", "versions", "files")
TIDY = ("dry_run", "commit", "joined", "kept")
MIGRATE = (
    "sample", "version", "path", "status", "form", "to_version", "commit", "out", "members", "bytes_written", "steps",
    "error",
)  # fmt: skip
INTERPRET = (
    "sample", "version", "status", "to_sample", "to_version", "commit", "contents", "analyses", "positions", "maps",
    "images", "documents", "vendor_files", "bytes_source", "members", "blobs", "blobs_new", "arrays_new",
    "bytes_arrays_new", "json_new", "bytes_json_new", "bytes_stored", "warnings", "left_out", "error",
)  # fmt: skip
MIGRATED = ("step", "form", "does", "changes", "examples")
TABLES_PUBLISHED = ("table", "version", "commit", "rows", "files", "added", "removed", "bytes_written")
RENAME = ("sample", "to", "versions", "commit")
CALIBRATION = (
    "id", "grating", "spectrometer", "instrument", "data_type", "unit", "first", "last", "valid_from", "valid_until",
    "source", "uncertainty", "derived",
)  # fmt: skip
CALIBRATION_SHOWN = (*CALIBRATION, "channels", "middle", "coefficients", "table")
CALIBRATION_CHANGED = ("commit", "added", "present", "removed", "dry_run")
LOG = ("number", "time", "who", "host", "tool", "message", "what", "archives")


def document(result: Any, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """A typed result as JSON-able dictionary: the contract's keys first and in order, the others after them."""
    fields = _plain(result)
    assert isinstance(fields, dict)
    missing = [key for key in keys if key not in fields]
    assert not missing, f"{type(result).__name__} lacks {missing}"
    return {key: fields[key] for key in keys} | fields


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and paths as what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return fields | {key: said for key, said in _also(fields).items() if key not in fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        from sxeslake.archive.times import Moment  # noqa: PLC0415  (start-up time of --help)

        return str(value) if isinstance(value, Moment) else value.isoformat().replace("+00:00", "Z")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def named(ref: str | None) -> dict[str, Any]:
    """`ti-grains@2` as a sample and a version, both null where nothing is named."""
    sample, at, number = (ref or "").rpartition("@")
    if at and number.isdecimal():
        return {"sample": sample, "version": int(number)}
    return {"sample": ref or None, "version": None}


_AFFECTED = ("marked", "collected", "forgotten", "restored", "affects")
"""Older names of the versions that a command changed, or that a problem is about."""


def _also(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What has one name in all documents, beside older names that are kept for the programs that read them."""
    also: dict[str, Any] = {}
    if "archive" in fields:
        also |= named(fields["archive"])
    if "log_head" in fields:
        also["commit"] = fields["log_head"]
    if "number" in fields:
        also |= {"commit": fields["number"], "affected": [named(each) for each in fields["archives"]]}
    if "time" in fields:
        name = "committed_at" if "number" in fields else "annotated_at" if "key" in fields else "ingested_at"
        also[name] = fields["time"]
    if "modified" in fields:
        has_zone = (fields["modified"] or "").endswith("Z")
        names = ("modified_at", "modified_local") if has_zone else ("modified_local", "modified_at")
        also |= dict(zip(names, (fields["modified"], None), strict=True))
    if "size" in fields:
        also["bytes_source" if "sha256" in fields else "bytes_raw"] = fields["size"]
    if "bytes_moved" in fields:
        also["bytes_fetch"] = fields["bytes_moved"]
    changed = next((fields[key] for key in _AFFECTED if key in fields), None)
    if changed is not None:
        also["affected"] = [_version(each) for each in changed]
    return also


def _version(each: Any) -> dict[str, Any]:
    return named(each) if isinstance(each, str) else {key: each[key] for key in ("sample", "version")}
