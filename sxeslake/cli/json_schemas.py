"""JSON Schemas of what each command prints with --json, from one vocabulary: a key means the same everywhere.

Schemas are open (`additionalProperties`): keys may be added; those that are required stay.
"""

from __future__ import annotations

from typing import Any

from sxeslake.cli import documents as keys

DRAFT = "https://json-schema.org/draft/2020-12/schema"
INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"

CONVENTIONS = """--json prints one document to stdout; `sxeslake schema --json-schema COMMAND` prints its JSON Schema.

An error is {"error": {"kind", "message", "exit_code"}}. What is not known is null. Keys may be added, none is renamed \
or removed; objects may have more keys than the schema lists.

Instants end in _at, and are UTC: 2026-11-26T19:40:16Z. Times without a zone end in _local. Sizes in bytes begin with \
bytes_; other units end a key: _kv, _na, _mm, _s.

A version is "sample" and "version"; those that a command changed stand in "affected". "commit" is a number of the \
log, null where nothing was written.

Kept for older programs: archive (sample, version), number and log_head (commit), time (committed_at, ingested_at, \
annotated_at), size (bytes_source of files, bytes_raw of members), modified (modified_at, \
modified_local), bytes_moved (bytes_fetch), marked, collected, forgotten, restored and affects (affected).

query, find and conditions print a list of rows, a row a line. With --envelope it is an object: question, columns with \
units, rows, row_count, truncated, notes."""

_TYPES = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "l": "array", "o": "object"}

_WORDS: dict[str, tuple[str, str]] = {
    "a": ("s", "First archive, map@1."),
    "accelerating_voltage_kv": ("n?", "Accelerating voltage in kV."),
    "accelerating_voltages_kv": ("l?", "Voltages that occur, in kV."),
    "acquired_local": ("s?", "First acquisition, the instrument's clock without a zone."),
    "added": ("i|l", "Files added; of calibrations their ids."),
    "affected": ("l", "Versions that the command changed or is about; version null: the whole sample."),
    "analyses": ("l|i", "Analyses: their UUIDs, or how many."),
    "analysis_name": ("s?", "Name of the analysis."),
    "annotations": ("l|i|s?", "What was said; in a copy how many, in a pull the file with them."),
    "archive": ("s?", "Older form of sample and version, map@1."),
    "archive_sha256": ("s?", "SHA-256 of the file that the lake gives back."),
    "archives": ("l|i", "Archives, a row each or how many; in the log their names."),
    "axis_source": ("s?", "Where wavelengths and energies come from; null: channels only."),
    "b": ("s", "Second archive, map@2."),
    "band_high_ev": ("n", "Upper end of a mark in eV."),
    "band_low_ev": ("n", "Lower end of a mark in eV."),
    "blake3": ("s?", "BLAKE3 of a file, hexadecimal."),
    "blobs": ("i", "Different contents."),
    "blobs_new": ("i", "Contents that the lake did not have."),
    "by": ("s", "What a row stands for."),
    "bytes": ("i", "Bytes that were read or are taken."),
    "bytes_fetch": ("i", "Bytes to fetch from the lake."),
    "bytes_freed": ("i", "Bytes that are freed."),
    "bytes_later": ("i", "Bytes that a later run can free."),
    "bytes_moved": ("i", "Older name of bytes_fetch, in bytes."),
    "bytes_raw": ("i", "Unpacked size in bytes."),
    "bytes_source": ("i", "Size of the original in bytes."),
    "bytes_stored": ("i", "Bytes that it takes in the lake."),
    "bytes_unique_raw": ("i", "Unpacked size in bytes, equal content once."),
    "bytes_written": ("i?", "Bytes written."),
    "changed": ("i", "Files changed."),
    "channels": ("i?", "Channels of a spectrum of that type."),
    "checked": ("o|s?", "What was checked, or how."),
    "checks": ("l", "Checks: name, ok, detail, hint."),
    "coefficients": ("l", "Polynomial in the channel number from 0, constant first, in unit; empty with a table."),
    "collected": ("l", "Older form of affected."),
    "columns": ("l", "Columns: name, type, unit."),
    "comment": ("s?", "Comment."),
    "comment_a": ("s", "Comment of archive a."),
    "comment_b": ("s", "Comment of archive b."),
    "commit": ("i?", "Number of the commit; null where nothing was written."),
    "commit_blake3": ("s?", "BLAKE3 of the commit."),
    "commits": ("l", "Numbers of the commits."),
    "committed_at": ("s", "When the commit was made, UTC."),
    "compared": ("i", "Members that were compared."),
    "conditions": ("l", "Conditions that differ."),
    "confidence": ("n?", "How sure the reader is, 0 to 1; null where none takes the file."),
    "container": ("s?", "zip, 7z, folder or opaque."),
    "container_a": ("s", "Container of archive a."),
    "container_b": ("s", "Container of archive b."),
    "crc32": ("s?", "CRC-32 of a file, hexadecimal."),
    "created": ("b", "Whether the lake was made."),
    "damaged": ("l", "What was found damaged, in words."),
    "data": ("s", "The content, as encoding says."),
    "data_type": ("s", "Data type: qlw, or spectrum, the column sum of xes."),
    "days": ("n?", "Days from the first spectrum to this one."),
    "default": ("s?", "Name of the lake in use; null is the embedded one."),
    "derived": ("b", "Whether it is the built-in fit."),
    "differs": ("l?", "In what they differ."),
    "dry_run": ("b", "Whether nothing was changed."),
    "element": ("s", "Symbol of an element."),
    "embedded": ("s", "URL of the embedded lake."),
    "encoders": ("l", "Encoders that make the file again."),
    "encoding": ("s", "utf-8 or base64."),
    "energy_ev": ("n", "Photon energy in eV."),
    "equal": ("b", "Whether names and contents are the same."),
    "error": ("s?", "What failed; null where nothing did."),
    "exact": ("b?", "Whether the original file can be given back byte for byte."),
    "exact_reason": ("s?", "Why not."),
    "extra": ("i", "Entries of the folder that the archive does not have."),
    "fields": ("l", "Fields that differ: where, field, a, b."),
    "files": ("l", "Files that were pulled or written, a row each; of a finding their paths."),
    "first": ("n?", "The axis in the first channel, in unit."),
    "forgotten": ("l", "Older form of affected, with more of each version."),
    "format": ("s?", "Format of the export or the picture; null where nothing was written."),
    "grating": ("s?", "Diffraction grating."),
    "gratings": ("l?", "Gratings that occur."),
    "help": ("s", "What it is."),
    "holds": ("b", "Whether what the report said still holds."),
    "host": ("s", "Machine."),
    "id": ("s", "Id of the calibration."),
    "identical": ("b", "Whether nothing differs at all."),
    "ingested_at": ("s", "When the version was stored, UTC."),
    "install": ("s", "How to install the script."),
    "instrument": ("s?", "Instrument."),
    "intensity": ("n", "Share of the transitions into a level, 0 to 1."),
    "joined": ("l", "Samples that are joined: sample, into, versions."),
    "kept": ("l|s?", "What stays and why; of a demo, the folder."),
    "kind": ("s?", "What it is: sxes, generic; file, directory, link."),
    "lake": ("s?", "URL of the lake; in an audit its identity."),
    "lakes": ("l", "Named lakes: name, url, storage_options."),
    "last": ("n?", "The axis in the last channel, in unit."),
    "later": ("l", "What a later run can free, in words."),
    "layout": ("l", "Members that differ in times, attributes or order."),
    "line": ("s", "X-ray line."),
    "log_head": ("i", "Older name of commit."),
    "lost": ("l", "What cannot be repaired."),
    "manifests_condemned": ("i", "Manifests that are to be deleted."),
    "maps_at_5_kv": ("l", "Rows of the demonstrated question."),
    "marked": ("l", "Older form of affected."),
    "material": ("s?", "What the annotation material says."),
    "measurement": ("l", "Analyses, a row each; voltages in kV, currents in nA."),
    "members": ("i|l", "Files and folders, how many; in a comparison those that differ."),
    "members_same": ("i", "Files and folders that are the same."),
    "mended": ("l", "What is repaired: kind, object, detail."),
    "message": ("s?", "The message."),
    "middle": ("n?", "The axis in the middle channel, in unit."),
    "modified": ("s?", "Older form of modified_at or modified_local."),
    "modified_at": ("s?", "When the file was written, UTC; null where no zone is known."),
    "modified_local": ("s?", "The same on a clock without a zone, as old zips have it."),
    "name": ("s", "Name of the original file, or of a reader of vendor files."),
    "new_bytes": ("i", "Bytes uploaded."),
    "new_parts": ("i", "Parts uploaded."),
    "new_segments": ("i", "Segments of the log uploaded."),
    "normalise": ("s", "How spectra are normalised: max, current or none."),
    "notes": ("l", "How it was understood, in words."),
    "number": ("i?", "Number of a position through its archive; in the log the older name of commit."),
    "objects": ("i", "Objects in the bucket."),
    "observed_angstrom": ("n", "Where a line stands on a wavelength axis, in Å."),
    "observed_ev": ("n", "Where a line stands on an energy axis, in eV."),
    "ok": ("b", "Whether all is well."),
    "order": ("i", "Order of diffraction."),
    "orphans": ("i", "Objects that no commit names."),
    "others": ("l", "Spectra beside the target, the most alike first."),
    "packs": ("i", "Packs."),
    "packs_condemned": ("i", "Packs that are to be deleted."),
    "packs_rewritten": ("i", "Packs that are rewritten."),
    "parts": ("i", "Parts of the catalogue."),
    "path": ("s?", "Path of the file, or inside the archive."),
    "paths": ("l", "Where the file was found."),
    "percent": ("n", "How many of the versions, in percent."),
    "picture": ("s", "spectrum, map, stage or ccd."),
    "position_uuid": ("s", "UUID of a position."),
    "positions": ("i|l", "Positions, how many; in a comparison those that differ."),
    "positions_same": ("i", "Positions that are the same."),
    "present": ("l", "Ids that were there already."),
    "probe_current_na": ("n?", "Probe current in nA."),
    "probe_currents_na": ("l?", "Currents that occur, in nA."),
    "problems": ("l|i", "What is wrong, a row each or how many."),
    "pulled": ("o", "The archive that was pulled, as `pull` prints it."),
    "python": ("s", "Version of Python."),
    "rank": ("i", "Place by similarity, from 1."),
    "reader": ("s?", "Reader of vendor files; null where none takes the file."),
    "reason": ("s?", "Why."),
    "removed": ("i|l", "Files removed; of calibrations their ids."),
    "requests": ("i", "Requests, about."),
    "restored": ("l", "Older form of affected, with more of each version."),
    "rows": ("l", "Rows."),
    "sample": ("s?", "Name of the sample."),
    "samples": ("i|l", "Samples, how many; of a part the versions, map@1."),
    "script": ("s", "The completion script."),
    "seconds": ("n", "How long it took, in seconds."),
    "seed": ("i?", "Repeats the same choice."),
    "sha256": ("s?", "SHA-256 of the file, hexadecimal."),
    "shell": ("s", "bash, zsh or fish."),
    "similarity": ("n?", "Pearson's correlation with the target, -1 to 1."),
    "size": ("i", "Older name of bytes_source or bytes_raw, in bytes."),
    "source": ("s|o", "Where it came from."),
    "spectrometer": ("s?", "Spectrometer."),
    "status": ("s", "What became of it."),
    "table": ("s|l", "Name of the table; of a calibration pairs of channel and value."),
    "tables": ("l", "Tables that were compared: table, rows, rows_before, equal."),
    "tags": ("i|l", "Tags."),
    "target": ("s", "The lake that is copied to."),
    "text": ("s", "The text."),
    "time": ("s", "Older name of committed_at, ingested_at or annotated_at."),
    "time_zones": ("o", "Time zone of each instrument's clock."),
    "title": ("s", "Title of the question, the picture or the format."),
    "to": ("s", "The new name."),
    "tool": ("s", "Program and version that wrote it."),
    "topic": ("s?", "What was asked about."),
    "total": ("o", "The same of all rows."),
    "uncertainty": ("n?", "Uncertainty of the axis, in unit."),
    "unchanged": ("i", "Files that were the same."),
    "unit": ("s", "Unit of the axis: angstrom or ev."),
    "valid_from": ("s?", "First day of acquisition that it is for."),
    "valid_until": ("s?", "Last day of acquisition that it is for."),
    "verified": ("s", "How the reader was verified."),
    "version": ("i|s?", "Number of the version; of `sxeslake version` the program's."),
    "versions": ("i|l", "Versions: their numbers, or how many."),
    "warnings": ("l", "What to know, in words."),
    "was": ("s", "Status in the report."),
    "wavelength_angstrom": ("n", "Wavelength in Å."),
    "what": ("l", "What was done, in words."),
    "who": ("s", "User."),
}
"""Of each key its types (s, i, n, b, l, o: string … object; `?`: or null) and what it means, with its unit."""


def _of(name: str) -> dict[str, Any]:
    letters, meaning = _WORDS[name]
    types = [_TYPES[letter] for letter in letters.removesuffix("?").split("|")]
    types += ["null"] if letters.endswith("?") else []
    made: dict[str, Any] = {"type": types if len(types) > 1 else types[0], "description": meaning}
    if name.endswith("_at"):
        made["pattern"] = INSTANT
    return made


def _object(*names: str, **nested: dict[str, Any]) -> dict[str, Any]:
    described = {name: _of(name) | nested.get(name, {}) for name in names}
    return {"type": "object", "properties": described, "required": list(names), "additionalProperties": True}


def _list(row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": row}


def _either(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(shapes)}


_ROWS = _list({"type": "object", "description": "One row; columns and units: `schema`, or --envelope."})
_WRITTEN = _object("path", "columns") | {"description": "With -o: the file, its rows and columns."}
_ENVELOPE = _object("columns", "rows", "notes")
_ANSWER = _either(_ROWS, _ENVELOPE, _WRITTEN)
_MARK = _object(*keys.MARK, "affected")
_PULLED = _object("sample", "version", "path")

SCHEMAS: dict[str, dict[str, Any]] = {
    "annotate": _object("commit", "annotations", "notes"),
    "audit": _list(
        _either(
            _object(*keys.AUDIT, "sample", "version", "bytes_source"),
            _object(*keys.AUDIT_VERIFIED, "sample", "version"),
        )
    ),
    "calibration": _either(
        _object(*keys.CALIBRATION_CHANGED), _list(_object(*keys.CALIBRATION)), _object(*keys.CALIBRATION_SHOWN)
    ),
    "cat": _object("sample", "version", "path", "size", "bytes_raw", "encoding", "data"),
    "catalog": _object("equal", "commit", "tables"),
    "checkpoint": _object("commit", "new_segments", "new_parts", "new_bytes", "parts", "bytes"),
    "compare": _object(*keys.COMPARE, others={"items": _object(*keys.COMPARED)}),
    "completion": _object("shell", "install", "script"),
    "conditions": _ANSWER,
    "copy": _object(*keys.COPY),
    "demo": _object("archives", "bytes_source", "bytes_stored", "pulled", "compared", "equal", "kept", "seconds"),
    "diff": _object(*keys.DIFF),
    "doctor": _object("ok", "checks"),
    "drill": _object(*keys.DRILL),
    "exact": _list(_object(*keys.EXACT)),
    "export": _either(_object(*keys.EXPORT), _PULLED, _list(_PULLED)),
    "find": _ANSWER,
    "forget": _object(*keys.FORGET, "affected"),
    "gc": _object(*keys.GC, "affected"),
    "help": _object("topic", "text"),
    "hold": _MARK,
    "ingest": _object(*keys.INGEST, archives={"items": _object(*keys.INGESTED)}),
    "init": _object("lake", "created"),
    "formats": _list(_object(*keys.FORMATS)),
    "identify": _list(_object(*keys.IDENTIFY)),
    "lines": _list(_object(*keys.LINES)),
    "log": _list(_object(*keys.LOG, "commit", "committed_at", "affected")),
    "ls": _list(_object(*keys.LS)),
    "members": _list(_object(*keys.MEMBERS, "bytes_raw", "modified_at", "modified_local")),
    "plot": _object(*keys.PLOT),
    "pull": _either(_PULLED, _list(_PULLED)),
    "query": _ANSWER,
    "release": _MARK,
    "rename": _object(*keys.RENAME),
    "repair": _object(*keys.REPAIR),
    "report": _object(*keys.SURVEY),
    "restore": _object(*keys.RESTORE, "affected"),
    "schema": _list(_object("table", "help", "columns")),
    "show": _object("sample", "version", "kind", "container", "ingested_at", "source", "paths", "measurement"),
    "stats": _object(*keys.STATS, "commit"),
    "sync": _object(*keys.SYNC, "bytes_fetch"),
    "tag": _MARK,
    "tidy": _object(*keys.TIDY),
    "use": _object("default", "embedded", "lakes", "time_zones"),
    "verify": _object(*keys.VERIFY),
    "version": _object("version", "python"),
}
"""What each command prints where it does not fail."""

ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "kind": {"type": "string", "description": "Kind of the error."},
                "message": {"type": "string", "description": "What, where, and what to do."},
                "exit_code": {"type": "integer", "description": "The exit code."},
            },
            "required": ["kind", "message", "exit_code"],
        }
    },
    "required": ["error"],
}


def json_schema(command: str) -> dict[str, Any]:
    """The JSON Schema of a command's document, or of the error in its place."""
    return {"$schema": DRAFT, "title": f"sxeslake {command} --json", "anyOf": [SCHEMAS[command], ERROR]}
