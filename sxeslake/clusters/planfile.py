"""A plan as a Parquet file: a row an archive, and in its metadata what the search could not look into."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from sxeslake.archive.file_facts import Links
from sxeslake.clusters.rows import Plan, PlanRow
from sxeslake.disk.output import written_file
from sxeslake.errors import InputError, NotFoundError
from sxeslake.ingest.discovery import PassedOver
from sxeslake.ingest.vendors import Form

VERSION: Final = 1
_KEY: Final = b"sxeslake.plan"
_SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("relative", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("group", pa.int64(), nullable=False),
        pa.field("ends", pa.string()),
        pa.field("sketch", pa.list_(pa.uint64()), nullable=False),
        # Where a name is no UTF-8, which text columns cannot hold: the bytes.
        pa.field("path_bytes", pa.binary()),
        pa.field("relative_bytes", pa.binary()),
    ]
)


def write_plan(plan: Plan, out: Path, tool: str) -> None:
    """Write a plan over the one that is there, or leave that one whole."""
    about = {
        "version": VERSION, "tool": tool, "complete": plan.complete, "form": plan.form, "links": plan.links,
        "unrecognised": [str(path) for path in plan.unrecognised],
        "passed_over": [[str(each.path), each.status, each.reason] for each in plan.passed_over],
    }  # fmt: skip
    rows = plan.rows
    columns: dict[str, Sequence[Any]] = {
        "path": [_text(row.path) for row in rows], "relative": [_text(row.relative) for row in rows],
        "kind": [row.kind for row in rows], "size": [row.size for row in rows],
        "mtime": pa.array([row.mtime_ns for row in rows], pa.int64()).cast(pa.timestamp("ns", "UTC")),
        "sha256": [row.sha256 for row in rows], "group": [row.group for row in rows],
        "ends": [row.ends for row in rows], "sketch": [list(row.sketch) for row in rows],
        "path_bytes": [_bytes(row.path) for row in rows], "relative_bytes": [_bytes(row.relative) for row in rows],
    }  # fmt: skip
    table = pa.table(columns, schema=_SCHEMA.with_metadata({_KEY: json.dumps(about)}))
    with written_file(out, force=True) as file:
        pq.write_table(table, file, compression="zstd")


def read_plan(path: Path) -> Plan:
    """Read a plan; NotFoundError where there is none, InputError where this is none that can be read."""
    if not path.exists():
        raise NotFoundError("there is no such plan.", where=path, hint="`sxeslake plan DIR --out FILE` makes one.")
    if path.is_dir():
        raise InputError("this is a folder, not a plan.", where=path, hint="`sxeslake plan DIR --out FILE` makes one.")
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[_KEY])
    except OSError as error:
        if error.errno is None or isinstance(error, pa.ArrowException):
            raise _no_plan(path) from error
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from error
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise _no_plan(path) from error
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise InputError(
            "this plan is of another version of sxeslake.", where=path,
            hint="Make it again with this one: `sxeslake plan DIR --out FILE`.",
        )  # fmt: skip
    try:
        return _plan(table.cast(_SCHEMA), about)
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _no_plan(path) from error


def is_plan(path: Path) -> bool:
    """Whether a file is a plan of this or another version."""
    try:
        return _KEY in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def _plan(table: pa.Table, about: dict[str, Any]) -> Plan:
    table = table.set_column(table.schema.get_field_index("mtime"), "mtime", table["mtime"].cast(pa.int64()))
    rows = [
        PlanRow(
            _path(row["path"], row["path_bytes"]), _path(row["relative"], row["relative_bytes"]), row["kind"],
            row["size"], row["mtime"], row["sha256"], row["ends"], tuple(row["sketch"]), row["group"],
        )
        for row in table.to_pylist()
    ]  # fmt: skip
    return Plan(
        rows, cast("Form", about["form"]), cast("Links", about["links"]),
        [Path(each) for each in about["unrecognised"]],
        [PassedOver(Path(path), status, reason) for path, status, reason in about["passed_over"]],
        bool(about["complete"]),
    )  # fmt: skip


def _no_plan(path: Path) -> InputError:
    return InputError(
        "this is not a plan, or it is damaged.", where=path, hint="`sxeslake plan DIR --out FILE` makes one."
    )


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _bytes(path: Path) -> bytes | None:
    raw = os.fsencode(path)
    return None if _text(path).encode() == raw and "\\" not in str(path) else raw


def _path(text: str, raw: bytes | None) -> Path:
    return Path(text if raw is None else os.fsdecode(raw))
