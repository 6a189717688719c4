"""JSON Schemas of what each command prints with --json, from one vocabulary: a key means the same everywhere.

A schema describes this version: documents and rows with a fixed set of keys are closed (`additionalProperties: false`).
Left open are rows of `query`, `find` and `conditions`, whose columns are those of the question; values of fields that
the instrument's maker chose (`diff`); names of options and of instruments that the user chose (`use`).
"""

from __future__ import annotations

from typing import Any

from sxeslake.cli import documents as keys

DRAFT = "https://json-schema.org/draft/2020-12/schema"
INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"

CONVENTIONS = """--json prints one document to stdout; `sxeslake schema --json-schema COMMAND` prints its JSON Schema.

An error is {"error": {"kind", "message", "exit_code"}}. What is not known is null.

A schema describes this version: objects with a fixed set of keys have those of the schema and no others. Later \
versions may add keys, and rename or remove none: a program must ignore keys that it does not know.

Instants end in _at, and are UTC: 2026-11-26T19:40:16Z. Times without a zone end in _local. Sizes in bytes begin with \
bytes_; other units end a key: _kv, _na, _mm, _s.

A version is "sample" and "version"; those that a command changed are in "affected". "commit" is a number of the \
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
    "accelerating_voltage_max_kv": ("n?", "Highest accelerating voltage in kV."),
    "accelerating_voltage_min_kv": ("n?", "Lowest accelerating voltage in kV."),
    "accelerating_voltages_kv": ("l?", "Voltages that occur, in kV."),
    "accumulation": ("i?", "Exposures that were added up."),
    "acquired_local": ("s?", "First acquisition, the instrument's clock without a zone."),
    "activity": ("o?", "What a watcher does now: looking, taking or waiting; null where none runs."),
    "added": ("i|l", "Files added; of calibrations their ids."),
    "affected": ("l", "Versions that the command changed or is about; version null: the whole sample."),
    "affects": ("l", "Versions that a problem is about, map@1; older form of affected."),
    "age_s": ("n?", "Time since the last run ended, in seconds; of a run that lasts, since it began."),
    "analyses": ("l|i", "Analyses: their UUIDs, or how many."),
    "analysis_name": ("s?", "Name of the analysis."),
    "analysis_uuid": ("s?", "UUID of the analysis."),
    "annotated_at": ("s", "When it was written, UTC."),
    "annotations": ("l|i|s?", "Annotations; in a copy their number, in a pull the file with them."),
    "archive": ("s?", "Older form of sample and version, map@1."),
    "archive_sha256": ("s?", "SHA-256 of the file that the lake gives back."),
    "archives": ("l|i", "Archives, a row each or how many; in the log their names."),
    "archives_read": ("i", "Archives that the estimate was made from."),
    "arguments": ("l", "The command line of a run, without secrets."),
    "array_version": ("i", "Version of the data, from 1."),
    "arrays_new": ("i", "Arrays that the lake did not have."),
    "arrays": ("l", "Data types that the archive describes: shape, axis, positions."),
    "attempts": ("i", "How often it was tried."),
    "axis_method": ("s?", "How the axis was derived; null: the instrument stated it."),
    "axis_quantity": ("s?", "What the axis is: position, wavelength, energy."),
    "axis_source": ("s?", "Where wavelengths and energies come from; null: channels only."),
    "axis_start": ("n?", "First value of the axis, in axis_unit."),
    "axis_step": ("n?", "From one value of the axis to the next, in axis_unit."),
    "axis_unit": ("s?", "Unit of the axis."),
    "b": ("s", "Second archive, map@2."),
    "background_corrected": ("b?", "Whether a background was subtracted."),
    "background_id": ("s?", "Id of the background."),
    "band_high_ev": ("n", "Upper end of a mark in eV."),
    "band_low_ev": ("n", "Lower end of a mark in eV."),
    "blake3": ("s?", "BLAKE3 of a file, hexadecimal."),
    "blobs": ("i", "Different contents."),
    "blobs_new": ("i", "Contents that the lake did not have."),
    "by": ("s", "What the row is."),
    "bytes": ("i", "Bytes that were read or are taken."),
    "bytes_derived": ("i", "Bytes of the catalogue and other objects that can be rebuilt."),
    "bytes_duplicate": ("i", "Bytes of files that are copies."),
    "bytes_fetch": ("i", "Bytes to fetch from the lake."),
    "bytes_freed": ("i", "Bytes that are freed."),
    "bytes_largest_group": ("i", "Bytes of the largest group of a plan, which one worker ingests."),
    "bytes_later": ("i", "Bytes that a later run can free."),
    "bytes_moved": ("i", "Older name of bytes_fetch, in bytes."),
    "bytes_after": ("i", "Of what replaces it."),
    "bytes_arrays_new": ("i", "Bytes of those arrays, unpacked."),
    "bytes_before": ("i", "Of what was rewritten, as it stood."),
    "bytes_json_new": ("i", "Bytes of JSON documents that the lake did not have, unpacked."),
    "bytes_raw": ("i", "Unpacked size in bytes."),
    "bytes_read": ("i?", "Bytes that a run read."),
    "bytes_saved": ("i", "Bytes that storing once saves."),
    "bytes_source": ("i", "Size of the original in bytes."),
    "bytes_stored": ("i", "Bytes that it takes in the lake."),
    "bytes_unique_raw": ("i", "Unpacked size in bytes, equal content once."),
    "bytes_written": ("i?", "Bytes written."),
    "calibrations": ("i", "Calibrations."),
    "ccd_temperature_c": ("n?", "Temperature of the camera in °C."),
    "change": ("s", "added, removed, changed and the like."),
    "changed": ("i|l", "Files changed; of a planned ingest those that are not as planned."),
    "changed_at": ("s?", "When the status was written, UTC."),
    "channel_name": ("s?", "Name of the channel."),
    "channel_version": ("i", "Version of the channel, from 1."),
    "changes": ("i", "Members that are changed or added."),
    "channels": ("i?", "Channels of a spectrum of that type."),
    "checked": ("o|s?", "What was checked, or how."),
    "checked_at": ("s", "When it was checked, UTC."),
    "checks": ("l", "Checks: name, ok, detail, hint."),
    "coefficients": ("l", "Polynomial in the channel number from 0, constant first, in unit; empty with a table."),
    "collected": ("l", "Older form of affected."),
    "columns": ("l", "Columns: name, type, unit."),
    "command": ("s", "A command."),
    "commands": ("l", "Commands that work unattended, a row each; of `copy` one for each target."),
    "comment": ("s?", "Comment."),
    "comment_a": ("s", "Comment of archive a."),
    "comment_b": ("s", "Comment of archive b."),
    "commit": ("i?", "Number of the commit; null where nothing was written."),
    "commit_blake3": ("s?", "BLAKE3 of the commit."),
    "commits": ("l", "Numbers of the commits."),
    "committed_at": ("s", "When the commit was made, UTC."),
    "compared": ("i", "Members that were compared."),
    "complete": ("b", "Whether everything requested was read."),
    "condition_a": ("s?", "Id of the condition in archive a."),
    "condition_b": ("s?", "Id of the condition in archive b."),
    "condition_id": ("s?", "Id of the condition."),
    "conditions": ("l", "Conditions that differ."),
    "confidence": ("n?", "How sure the reader is, 0 to 1; null where none takes the file."),
    "container": ("s?", "zip, 7z, folder or opaque."),
    "container_a": ("s", "Container of archive a."),
    "container_b": ("s", "Container of archive b."),
    "content_id": ("s", "Digest of names and contents, equal for equal content."),
    "conversion": ("s?", "How the source's unit becomes the column's."),
    "converted": ("s?", "Of files of an instrument: what they are; null of an archive."),
    "contents": ("s?", "What it holds, in words."),
    "copies": ("i", "Files that are copies."),
    "counts": ("o", "How many items are in each state."),
    "crc32": ("s?", "CRC-32 of a file, hexadecimal."),
    "created": ("b", "Whether the lake was made."),
    "crystal": ("s?", "Analysing crystal."),
    "damage": ("b", "Whether the lake has lost something."),
    "damaged": ("l", "What was found damaged, in words."),
    "data": ("s", "The content, as encoding says."),
    "data_type": ("s", "Data type: qlw, or spectrum, the column sum of xes."),
    "days": ("n?", "Days from the first spectrum to this one."),
    "default": ("s?", "Name of the lake in use; null is the embedded one."),
    "derived": ("b", "Whether it is the built-in fit."),
    "detail": ("s", "More of it, in words."),
    "differs": ("l?", "In what they differ."),
    "does": ("s", "What it does, in a sentence."),
    "doubtful": ("l", "Clocks that are not believed, in words; there only if any are."),
    "documents": ("i", "Documents: tables and reports as JSON."),
    "dry_run": ("b", "Whether nothing was changed."),
    "dtype": ("s?", "Type of the values, as numpy writes it."),
    "duplicate_of": ("s?", "A version with the same names and contents, map@1."),
    "duplicates": ("i", "Archives that are copies."),
    "duration_s": ("n?", "How long a run took, in seconds."),
    "dwell_ms": ("n?", "Time a point in ms."),
    "element": ("s", "Symbol of an element."),
    "embedded": ("s", "URL of the embedded lake."),
    "encoders": ("l", "Encoders that make the file again."),
    "encodings": ("l", "Encodings in which texts were read."),
    "encoding": ("s", "utf-8 or base64."),
    "ended_at": ("s?", "When a run ended, UTC; null while it lasts, or where it was killed."),
    "energy_ev": ("n", "Photon energy in eV."),
    "equal": ("b", "Whether names and contents are the same."),
    "error": ("s?", "What failed; null where nothing did."),
    "error_bytes": ("i", "Uncertainty of bytes_stored, in bytes."),
    "estimate": ("o?", "What the whole takes, from a sample; only of --quick."),
    "every_s": ("n?", "Time from one round to the next, in seconds."),
    "exact": ("b?", "Whether the original file can be given back byte for byte."),
    "exact_reason": ("s?", "Why not."),
    "examples": ("l", "Some of them, in words."),
    "exit_code": ("i", "Exit code of the error; 0 where nothing failed."),
    "extra": ("i", "Entries of the folder that the archive does not have."),
    "failed": ("i", "Archives that failed."),
    "failures": ("i?", "What failed in a run."),
    "field": ("s", "Name of the field."),
    "fields": ("l", "Fields that differ: where, field, a, b."),
    "files": ("l", "Files that were pulled or written, a row each; of a finding their paths."),
    "files_proved": ("i", "Vendor files of which every byte was found again in the archive."),
    "first": ("n?", "The axis in the first channel, in unit."),
    "folders": ("l", "Folders that were made, below path; . is path itself."),
    "forgotten": ("l", "Older form of affected, with more of each version."),
    "form": ("s", "Form of the format, 0.1.0+maps."),
    "format": ("s?", "Format of the export or the picture; null where nothing was written."),
    "gc": ("o?", "What the collection after an ingest did; only with --gc."),
    "gone": ("i", "No longer in the folder."),
    "grating": ("s?", "Diffraction grating."),
    "gratings": ("l?", "Gratings that occur."),
    "group": ("s", "What the row is."),
    "groups": ("i|o", "Groups of archives that are likely to share content; of lakes, each a list by its name."),
    "healed": ("i", "Contents stored again, for they were missing or damaged."),
    "held": ("b", "Whether the version is on hold."),
    "help": ("s", "What it is."),
    "hint": ("s?", "What to do."),
    "holds": ("b", "Whether the report is still true."),
    "host": ("s", "Machine."),
    "id": ("s", "Id of the calibration."),
    "identical": ("b", "Whether nothing differs at all."),
    "ignored": ("i", "Nothing that the lake takes."),
    "images": ("i", "Pictures."),
    "ingested_at": ("s", "When the version was stored, UTC."),
    "install": ("s", "How to install the script."),
    "instrument": ("s?", "Instrument."),
    "intensity": ("n", "Share of the transitions into a level, 0 to 1."),
    "interpreted_from": ("s?", "The version whose files of an instrument it was made from, raw@1."),
    "into": ("s", "The sample that it becomes part of."),
    "items": ("l", "Archives and folders of instruments that were seen, a row each."),
    "joined": ("l", "Samples that are joined: sample, into, versions."),
    "kept": ("l|s?", "What stays and why; of a demo, the folder."),
    "kept_because": ("s?", "Why it stays."),
    "key": ("s", "Key of the annotation."),
    "kind": ("s?", "What it is: sxes, generic; file, directory, link."),
    "lake": ("s?", "URL of the lake; of a sample the short name; in an audit its identity."),
    "lake_trouble": ("o?", "Why the lake takes nothing, and since when; null where it does."),
    "lakes": ("l", "Named lakes: name, url, storage_options."),
    "last": ("n?", "The axis in the last channel, in unit."),
    "last_round": ("o?", "The last round."),
    "last_saved_local": ("s?", "When it was last saved, the instrument's clock without a zone."),
    "last_success_at": ("s?", "End of the last run that did all, UTC."),
    "last_taken_at": ("s?", "End of the last round that took something, UTC."),
    "late": ("b", "Whether the last round is overdue."),
    "later": ("l", "What a later run can free, in words."),
    "layout": ("l", "Members that differ in times, attributes or order."),
    "json_new": ("i", "JSON documents that the lake did not have."),
    "left_out": ("l", "What could not be read, and why."),
    "line": ("s", "X-ray line."),
    "links": ("l", "Links that were not followed, in words."),
    "log_entries": ("i", "Entries of the log."),
    "log_head": ("i", "Older name of commit."),
    "lost": ("l", "What cannot be repaired."),
    "lost_workers": ("i", "Workers that ended unexpectedly; others did their work."),
    "magnification": ("n?", "Magnification."),
    "manifests": ("i", "Manifests."),
    "manifests_condemned": ("i", "Manifests that are to be deleted."),
    "map_name": ("s?", "Name of the map."),
    "map_uuid": ("s", "UUID of the map."),
    "maps": ("i|l", "Maps, a row each; in a comparison those that differ; of a conversion how many."),
    "maps_at_5_kv": ("l", "Rows of the demonstrated question."),
    "maps_same": ("i", "Maps that are the same."),
    "marked": ("l", "Older form of affected."),
    "material": ("s?", "What the annotation material says."),
    "max_age_s": ("n?", "How old the last success may be, in seconds."),
    "measurement": ("l", "Analyses, a row each; voltages in kV, currents in nA."),
    "member": ("s?", "Path inside the archive; null: the whole archive."),
    "members": ("i|l", "Files and folders, how many; in a comparison those that differ."),
    "members_same": ("i", "Files and folders that are the same."),
    "mended": ("l", "What is repaired: kind, object, detail."),
    "message": ("s?", "The message."),
    "messages": ("l", "Words of the first failures."),
    "middle": ("n?", "The axis in the middle channel, in unit."),
    "migrated_from": ("s?", "The version that it was made from, map@1."),
    "missed": ("l", "What could not be searched, and why."),
    "mode": ("s?", "watch, or once: one round at a time."),
    "modified": ("s?", "Older form of modified_at or modified_local."),
    "modified_at": ("s?", "When the file was written, UTC; null where no zone is known."),
    "modified_local": ("s?", "The same on a clock without a zone, as old zips have it."),
    "name": ("s", "Name of the original file, or of a reader of vendor files."),
    "new_bytes": ("i", "Bytes uploaded."),
    "new_parts": ("i", "Parts uploaded."),
    "new_segments": ("i", "Segments of the log uploaded."),
    "next_attempt_at": ("s?", "When it is tried again, UTC."),
    "normalise": ("s", "How spectra are normalised: max, current or none."),
    "notes": ("l", "How it was understood, in words."),
    "notify": ("s?", "Where failed runs are reported: a command, or the host of a URL; null nowhere."),
    "number": ("i?", "Number of a position through its archive; in the log the older name of commit."),
    "object": ("s", "Key of an object in the bucket."),
    "objects": ("i", "Objects in the bucket."),
    "observed_angstrom": ("n", "Position of a line on a wavelength axis, in Å."),
    "observed_ev": ("n", "Position of a line on an energy axis, in eV."),
    "offer": ("s", "Where contents were offered."),
    "offer_faults": ("l", "Offers that could not be read: offer, detail."),
    "ok": ("b", "Whether all is well."),
    "operator": ("s?", "Operator."),
    "order": ("i", "Order of diffraction."),
    "originals": ("s", "How the vendor's files can be had again: recipe, members or none."),
    "orphans": ("i", "Objects that no commit names."),
    "others": ("l", "Spectra other than the target, the most similar first."),
    "out": ("s?", "The new file."),
    "packs": ("i", "Packs."),
    "preset": ("s", "How much time compression took: fast, balanced or small."),
    "packs_added": ("i", "Packs that the commit added."),
    "packs_condemned": ("i", "Packs that are to be deleted."),
    "packs_read": ("i", "Packs of which every byte, or the sample, was read."),
    "packs_done": ("i", "Packs that were encoded with as much effort before, or would save nothing."),
    "packs_left": ("i", "Packs that are left to another run."),
    "packs_rewritten": ("i", "Packs that are rewritten."),
    "packs_unread": ("i", "Packs that were to be read when the time was up."),
    "parts": ("i", "Parts of the catalogue."),
    "passed_over": ("i", "Packs that an earlier run found whole."),
    "path": ("s?", "Path of the file, or inside the archive."),
    "path_added": ("b", "Whether it is one more path of a version that the lake holds."),
    "paths": ("l", "Where the file was found."),
    "percent": ("n", "How many of the versions, in percent."),
    "picture": ("s", "spectrum, map, stage or ccd."),
    "pid": ("i?", "Number of the process."),
    "points": ("i?", "Points of a map; in a comparison those that differ."),
    "position_number": ("i?", "Number of the position in its analysis, from 1."),
    "position_uuid": ("s", "UUID of a position."),
    "positions": ("i|l", "Positions, how many; in a comparison those that differ."),
    "positions_same": ("i", "Positions that are the same."),
    "present": ("l", "Ids that were there already."),
    "probe_current_max_na": ("n?", "Highest probe current in nA."),
    "probe_current_min_na": ("n?", "Lowest probe current in nA."),
    "probe_current_na": ("n?", "Probe current in nA."),
    "probe_currents_na": ("l?", "Currents that occur, in nA."),
    "problems": ("l|i", "What is wrong, a row each or how many."),
    "project": ("s?", "Name of the project."),
    "pulled": ("o", "The archive that was pulled, as `pull` prints it."),
    "python": ("s", "Version of Python."),
    "quantity": ("s?", "What the values are: counts."),
    "question": ("s?", "Title of the question; null for SQL."),
    "queue": ("s", "Folder of the queue."),
    "rank": ("i", "Place by similarity, from 1."),
    "reader": ("s?", "Reader of vendor files; null where none takes the file."),
    "reason": ("s?", "Why."),
    "recognised": ("l", "What was recognised, then each file that no reader takes."),
    "removed": ("i|l", "Files removed; of calibrations their ids."),
    "renamed": ("l", "Pairs: a name that this system cannot hold, and the name as written."),
    "renamed_from": ("s?", "The name it would have had, were that not another archive's."),
    "requests": ("i", "Requests, about."),
    "restored": ("l", "Older form of affected, with more of each version."),
    "result": ("s", "What became of the last run: ok, failed, interrupted, running, died, never."),
    "retries": ("i?", "Requests to the storage that were tried again."),
    "reused": ("i", "Rows of an earlier plan whose files are unchanged."),
    "row_count": ("i", "Rows in the document."),
    "rows": ("l", "Rows."),
    "rows_before": ("i?", "Rows in the catalogue that was there."),
    "run": ("s?", "Id of a run: the name of its record."),
    "running": ("b", "Whether the process runs."),
    "sample": ("s?", "Name of the sample."),
    "samples": ("i|l", "Samples, how many; of a part the versions, map@1."),
    "saturated": ("i", "Saturated pixels; only of ccd."),
    "script": ("s", "The completion script."),
    "seconds": ("n", "How long it took, in seconds."),
    "seed": ("i?", "Repeats the same choice."),
    "seen": ("i", "Seen, and not unchanged for long enough."),
    "settle_s": ("n?", "How long something must be unchanged before it is taken, in seconds."),
    "settled": ("i", "Unchanged for long enough, and waiting."),
    "sha256": ("s?", "SHA-256 of the file, hexadecimal."),
    "shape": ("l?", "Length along each dimension."),
    "shell": ("s", "bash, zsh or fish."),
    "similarity": ("n?", "Pearson's correlation with the target, -1 to 1."),
    "since_at": ("s?", "Since when, UTC."),
    "size": ("i", "Older name of bytes_source or bytes_raw, in bytes."),
    "size_a": ("i?", "Size in archive a, in bytes; null: not there."),
    "size_b": ("i?", "Size in archive b, in bytes; null: not there."),
    "source": ("s|o", "Where it came from."),
    "source_host": ("s", "Machine that the file came from; only of --as-source."),
    "source_path": ("s", "Path that the file came from; only of --as-source."),
    "spectrometer": ("s?", "Spectrometer."),
    "stage_x_mm": ("n?", "Stage position x in mm."),
    "stage_y_mm": ("n?", "Stage position y in mm."),
    "stage_z_mm": ("n?", "Stage position z in mm."),
    "started_at": ("s?", "When a run began, UTC."),
    "state": ("s", "there or away."),
    "status": ("s", "What became of it."),
    "step_x_um": ("n?", "Distance of neighbouring columns in µm."),
    "step_y_um": ("n?", "Distance of neighbouring rows in µm."),
    "step": ("s", "Name of a step."),
    "steps": ("l", "What is changed, in order."),
    "still_s": ("n?", "How long it has been unchanged, in seconds; only of seen."),
    "stopped_at": ("s?", "When the watcher ended, UTC; null where it runs or was killed."),
    "storage_options": ("o", "Options of its storage, as the user named them."),
    "success_age_s": ("n?", "Time since the last success, in seconds."),
    "summary": ("s", "running, stuck, not running, between rounds or overdue."),
    "sxeslake_version": ("s?", "Version of sxeslake."),
    "table": ("s|l", "Name of the table; of a calibration pairs of channel and value."),
    "tables": ("l", "Tables that were compared or published, a row each."),
    "tags": ("i|l", "Tags."),
    "taken": ("i", "In the lake."),
    "target": ("s", "The lake that is copied to."),
    "text": ("s", "The text."),
    "time": ("s", "Older name of committed_at, ingested_at or annotated_at."),
    "time_zones": ("o", "Time zone of each instrument's clock."),
    "title": ("s", "Title of the question, the picture or the format."),
    "to": ("s", "The new name."),
    "to_sample": ("s?", "The sample that was made of it."),
    "to_version": ("i?", "Number of the version in the target."),
    "tool": ("s", "Program and version that wrote it."),
    "topic": ("s?", "The subject of the query."),
    "total": ("o", "The same of all rows."),
    "truncated": ("b", "Whether a limit cut the rows."),
    "type": ("s", "Type of the column."),
    "types": ("l", "Types of data that differ."),
    "uncertainty": ("n?", "Uncertainty of the axis, in unit."),
    "unchanged": ("i", "Files that were the same."),
    "unit": ("s", "Unit of the axis: angstrom or ev."),
    "unlinked": ("l", "Links that could lead out of the folder, written as files."),
    "unreadable": ("l", "What could not be looked at, and why."),
    "unrecognised": ("l", "Files that are not archives."),
    "url": ("s", "URL of the lake, or of the published tables."),
    "uuid": ("s?", "UUID of what it annotates."),
    "uuid_a": ("s?", "UUID in archive a."),
    "uuid_b": ("s?", "UUID in archive b."),
    "valid_from": ("s?", "First day of acquisition that it is for."),
    "valid_until": ("s?", "Last day of acquisition that it is for."),
    "value": ("s", "Value of the annotation."),
    "vendor_files": ("i", "Files of instruments."),
    "verified": ("s", "How the reader was verified."),
    "version": ("i|s?", "Number of the version; of `sxeslake version` the program's."),
    "versions": ("i|l", "Versions: their numbers, or how many."),
    "warnings": ("l", "What to know, in words."),
    "was": ("s", "Status in the report."),
    "watchers": ("l", "Watchers, a row each."),
    "wavelength_angstrom": ("n", "Wavelength in Å."),
    "what": ("l", "What was done, in words."),
    "where": ("s", "Which part of the archive it belongs to."),
    "who": ("s", "User."),
    "why": ("s?", "What is wrong; null where all is well."),
    "why_empty": ("s?", "Which condition left no row; null where there are rows."),
    "workers": ("i", "Processes or tasks that worked at the same time."),
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


def _object(*names: str, optional: tuple[str, ...] = (), **nested: dict[str, Any]) -> dict[str, Any]:
    """An object that has these keys and no others; of `nested` what is in a key, where its word does not say it."""
    described = {name: _of(name) | nested.get(name, {}) for name in (*names, *optional)}
    return {
        "type": "object", "properties": described, "required": list(dict.fromkeys(names)),
        "additionalProperties": False,
    }  # fmt: skip


def _list(row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": row}


def _either(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(shapes)}


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return shape | {"type": [shape["type"], "null"]}


_ANY = {"type": ["string", "number", "boolean", "array", "object", "null"], "description": "As the archive has it."}
_OPEN = {"additionalProperties": True}

_ROWS = _list({"type": "object", "description": "One row; columns and units: `schema`, or --envelope."} | _OPEN)
_UNIT = {"type": ["string", "null"]}
_COLUMNS = _list(_object("name", "type", "unit", unit=_UNIT))
_WRITTEN = _object("path", "columns", "rows", rows={"type": "integer"}) | {
    "description": "With -o: the file, its rows and columns."
}
_ENVELOPE = _object(
    "question", "columns", "rows", "row_count", "truncated", "notes", "why_empty", columns=_COLUMNS, rows=_ROWS
)
_ANSWER = _either(_ROWS, _ENVELOPE, _WRITTEN)

_VERSIONS = _list(_object("sample", "version"))
_MARK = _object(*keys.MARK, "affected", affected=_VERSIONS)
_JUDGED = _list(_object("sample", "version", "ingested_at", "name", "bytes_source", "kept_because"))
_JOINED = _list(_object("sample", "into", "versions", "kept_because"))

_INGESTED = _object(
    *keys.INGESTED, "warnings", "renamed_from", "path_added", "duplicate_of", "healed", "left_out", "converted",
)  # fmt: skip
_ESTIMATE = _object("archives", "archives_read", "copies", "bytes_source", "bytes_stored", "error_bytes")
_SURVEYED = _object(*keys.SURVEYED)

_FROM = ("source_path", "source_host")
_PULLED = _object(*keys.PULL, "renamed", "annotations", "damaged", "unlinked", optional=_FROM)
_FAILED = _object("sample", "version", "path", "error", optional=_FROM)
_PART = _object(*keys.PART, "renamed", "annotations", optional=("exact", "exact_reason"))
_PULL = _either(_PULLED, _PART, _list(_either(_PULLED, _FAILED, _PART)))

_FIELDS = _list(_object("where", "field", "a", "b", a=_ANY, b=_ANY))
_DIFF = _object(
    *keys.DIFF,
    members=_list(_object("path", "change", "size_a", "size_b")),
    positions=_list(_object("change", "uuid_a", "uuid_b", "comment", "types")),
    conditions=_list(_object("condition_a", "condition_b", "positions", "fields", fields=_FIELDS)),
    fields=_FIELDS,
    layout=_list(_object("path", "what", "a", "b", what={"type": "string"}, a=_ANY, b=_ANY)),
    maps=_list(
        _object(
            "change", "uuid_a", "uuid_b", "name", "channels", "points",
            name={"type": ["string", "null"], "description": "Name of the map."},
            channels={"type": "array", "description": "Names of the channels that differ."},
            points={"type": "integer"},
        )
    ),
)  # fmt: skip

_TEXT_OR_NULL = {"type": ["string", "null"]}
_INTEGER_OR_NULL = {"type": ["integer", "null"]}
_CHANNELS = _list(
    _object(
        "channel_name", "element", "line", "order", "crystal", "spectrometer", "dwell_ms", "dtype", "shape", "quantity",
        "unit", "channel_version", "accelerating_voltage_kv", "probe_current_na",
        element=_TEXT_OR_NULL, line=_TEXT_OR_NULL, order=_INTEGER_OR_NULL,
        spectrometer=_INTEGER_OR_NULL | {"description": "Number of the spectrometer."},
        unit=_TEXT_OR_NULL | {"description": "Unit of the values."},
    )
)  # fmt: skip
_MAPS = _list(
    _object(
        "map_uuid", "map_name", "kind", "rows", "columns", "points", "positions", "step_x_um", "step_y_um", "channels",
        kind=_TEXT_OR_NULL | {"description": "stage, beam, line or free."},
        rows=_INTEGER_OR_NULL | {"description": "Rows of a raster."},
        columns=_INTEGER_OR_NULL | {"description": "Columns of a raster."},
        positions={"type": "integer", "description": "Points that have a position."},
        channels=_CHANNELS | {"description": "Channels, a row each; the newest version of each."},
    )
)  # fmt: skip
_ARRAYS = _list(
    _object(
        "data_type", "dtype", "shape", "axis_quantity", "axis_unit", "axis_start", "axis_step", "axis_method",
        "array_version", "positions", data_type={"type": "string", "description": "Data type: qlw, wds-ch3."},
    )
)  # fmt: skip
_MODIFIED = ("modified", "modified_at", "modified_local")
_SHOWN = _object(
    "sample", "version", "kind", "name", "container", "members", "bytes_source", "bytes_raw", "blobs", "blobs_new",
    "bytes_stored", "content_id", "ingested_at", "who", "host", "tool", "message", "source", "versions", "tags",
    "analyses", "warnings", "held", "annotations", "exact", "exact_reason", "paths", "measurement",
    source=_object(
        "path", "host", "name", "container", "size", "bytes_source", "sha256", "migrated_from", "interpreted_from",
        *_MODIFIED,
    ),
    paths=_list(_object("path", "host", "name", "who", "time", "ingested_at", *_MODIFIED)),
    annotations=_list(_object("version", "target", "uuid", "key", "value", "who", "time", "annotated_at")),
    measurement=_list(
        _object(
            "analysis_uuid", "analysis_name", "kind", "positions", "accelerating_voltage_kv",
            "accelerating_voltage_min_kv", "accelerating_voltage_max_kv", "probe_current_na", "probe_current_min_na",
            "probe_current_max_na", "grating", "spectrometer", "instrument", "acquired_local", "last_saved_local",
            "operator", "project", "comment", "maps", "arrays", maps=_MAPS, arrays=_ARRAYS,
        )
    ),
)  # fmt: skip
_COMPARED = _object(
    *keys.COMPARED, "analysis_uuid", "analysis_name", "position_number", "stage_x_mm", "stage_y_mm", "stage_z_mm",
    "accumulation", "ccd_temperature_c", "operator", "project", "magnification", "condition_id", "background_id",
    "background_corrected",
)  # fmt: skip
_PLOTTED = _object("sample", "version", "analysis_name", "position_uuid", "position_number", "comment")

_STATES = _object("seen", "settled", "taken", "failed", "ignored", "gone")
_WATCHER = _object(
    "lake", "queue", "running", "mode", "pid", "host", "started_at", "stopped_at", "every_s", "settle_s", "activity",
    "last_round", "last_taken_at", "lake_trouble", "counts", "folders", "items", "late", "exit_code", "summary",
    host=_TEXT_OR_NULL,
    activity=_or_null(
        _object("what", "where", "since_at", what={"type": "string"}, where=_TEXT_OR_NULL | {"description": "Where."})
    ),
    last_round=_or_null(
        _object(
            "started_at", "ended_at", "seconds", "added", "unchanged", "failed", "bytes_read", "bytes_stored", "error"
        )
    ),
    lake_trouble=_or_null(_object("error", "since_at", "attempts")),
    counts=_STATES,
    folders=_list(
        _object(
            "path", "state", "reason", "since_at", "counts", "unreadable",
            counts=_STATES, unreadable=_list(_object("path", "reason")),
        )
    ),
    items=_list(
        _object(
            "path", "kind", "status", "bytes_source", "sample", "version", "reason", "attempts", "next_attempt_at",
            "still_s", "changed_at",
            sample=_TEXT_OR_NULL, version=_INTEGER_OR_NULL,
        )
    ),
)  # fmt: skip

_HEALTH = _object(
    *keys.COMMAND_HEALTH,
    target=_TEXT_OR_NULL, exit_code=_INTEGER_OR_NULL, bytes_written=_INTEGER_OR_NULL, host=_TEXT_OR_NULL,
)  # fmt: skip

SCHEMAS: dict[str, dict[str, Any]] = {
    "annotate": _object(
        "commit", "annotations", "notes",
        annotations=_list(_object("sample", "version", "target", "uuid", "key", "value")),
    ),
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
    "catalog": _object(
        "equal", "commit", "tables",
        tables=_list(_object("table", "rows", "rows_before", "equal", rows={"type": "integer"})),
    ),
    "checkpoint": _object("commit", "new_segments", "new_parts", "new_bytes", "parts", "bytes"),
    "publish": _object(
        "commit", "url", "tables",
        tables=_list(_object(*keys.TABLES_PUBLISHED, rows={"type": "integer"}, files={"type": "integer"})),
    ),
    "compare": _object(*keys.COMPARE, others=_list(_COMPARED)),
    "completion": _object("shell", "install", "script"),
    "conditions": _ANSWER,
    "copy": _object(
        *keys.COPY, "dry_run", "bytes_raw", "calibrations", "bytes_written", archives=_list(_object(*keys.COPIED))
    ),
    "demo": _object(
        "archives", "bytes_source", "bytes_stored", "pulled", "compared", "equal", "maps_at_5_kv", "kept", "seconds",
        optional=("url",),
        archives=_list(_INGESTED),
        pulled=_PULLED,
        maps_at_5_kv=_list(
            _object(
                "sample", "version", "positions", "accelerating_voltage_kv", "probe_current_na", "grating", "instrument"
            )
        ),
    ),
    "diff": _DIFF,
    "doctor": _object("ok", "checks", checks=_list(_object("name", "ok", "detail", "hint", optional=("damage",)))),
    "drill": _object(*keys.DRILL, files=_list(_object("sample", "version", "status", "bytes", "sha256", "reason"))),
    "exact": _list(_object(*keys.EXACT)),
    "export": _either(
        _object(*keys.EXPORT, files=_list(_object("path", "bytes_written", "sha256"))), _PULL
    ),
    "find": _ANSWER,
    "forget": _object(
        *keys.FORGET, "affected", optional=("doubtful",), forgotten=_JUDGED, kept=_JUDGED, affected=_VERSIONS
    ),
    "gc": _object(*keys.GC, "affected", affected=_VERSIONS),
    "health": _object(*keys.HEALTH, commands=_list(_HEALTH)),
    "repack": _object(*keys.REPACK),
    "help": _object("topic", "text"),
    "hold": _MARK,
    "ingest": _object(
        *keys.INGEST, "unrecognised", "dry_run", "damaged", "links", "estimate", "workers", "changed", "lost_workers",
        "gc",
        archives=_list(_INGESTED), estimate=_or_null(_ESTIMATE), changed=_list({"type": "string"}),
        gc=_or_null(_object(*keys.GC, "affected", affected=_VERSIONS)),
    ),
    "init": _object("lake", "created"),
    "convert": _object(*keys.CONVERT, recognised=_list(_object(*keys.RECOGNISED))),
    "formats": _list(_object(*keys.FORMATS)),
    "identify": _list(_object(*keys.IDENTIFY)),
    "interpret": _list(_object(*keys.INTERPRET, "exit_code")),
    "lines": _list(_object(*keys.LINES)),
    "log": _list(
        _object(
            *keys.LOG, "commit", "committed_at", "affected", "packs_added", "packs_condemned", affected=_VERSIONS
        )
    ),
    "ls": _list(_object(*keys.LS, "lake", optional=keys.LS_LONG)),
    "members": _list(_object(*keys.MEMBERS, "bytes_raw", "modified_at", "modified_local")),
    "migrate": _list(_object(*keys.MIGRATE, "exit_code", steps=_list(_object(*keys.MIGRATED)))),
    "originals": _object(*keys.ORIGINALS),
    "plan": _object(
        *keys.PLAN, archives={"type": "integer"}, copies={"type": "integer"}, missed=_list(_object(*keys.MISSED))
    ),
    "plot": _object(*keys.PLOT, optional=("saturated",), positions=_list(_PLOTTED)),
    "pull": _PULL,
    "query": _ANSWER,
    "release": _MARK,
    "rename": _object(*keys.RENAME),
    "repair": _object(
        *keys.REPAIR, "offer_faults",
        mended=_list(_object(*keys.MENDED)),
        lost=_list(_object(*keys.LOST, "sample", "version")),
        offer_faults=_list(_object(*keys.OFFER_FAULT)),
    ),
    "report": _object(*keys.SURVEY, rows=_list(_SURVEYED), total=_SURVEYED, archives=_list(_INGESTED)),
    "restore": _object(*keys.RESTORE, "affected", restored=_JUDGED, affected=_VERSIONS),
    "schema": _either(
        _list(
            _object(
                "table", "help", "columns",
                columns=_list(
                    _object("name", "type", "unit", "source", "conversion", "help", unit=_UNIT)
                ),
            )
        ),
        {"type": "object", "description": "With --json-schema: a JSON Schema.", "required": ["$schema"]} | _OPEN,
    ),
    "serve": _object(*keys.SERVE, lakes=_list({"type": "string"})),
    "show": _SHOWN,
    "stats": _object(*keys.STATS, "commit", "bytes_derived"),
    "sync": _object(*keys.SYNC, "bytes_fetch", "renamed", "unlinked"),
    "tag": _MARK,
    "tidy": _object(*keys.TIDY, joined=_JOINED, kept=_JOINED),
    "use": _object(
        "default", "embedded", "lakes", "groups", "time_zones", "notify",
        lakes=_list(_object("name", "url", "storage_options", storage_options=_OPEN)), groups=_OPEN, time_zones=_OPEN,
    ),
    "verify": _object(
        *keys.VERIFY, "complete", "passed_over", "packs_read", "packs_unread", "seed", "notes",
        checked=_object(*keys.CHECKED),
        problems=_list(_object(*keys.PROBLEM, "affected", affected=_VERSIONS)),
    ),
    "version": _object("version", "python"),
    "watch": _object("ok", "exit_code", "watchers", watchers=_list(_WATCHER)),
}  # fmt: skip
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
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}


def json_schema(command: str) -> dict[str, Any]:
    """The JSON Schema of a command's document, or of the error in its place."""
    return {"$schema": DRAFT, "title": f"sxeslake {command} --json", "anyOf": [SCHEMAS[command], ERROR]}
