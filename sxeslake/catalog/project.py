"""One archive version → its rows in every table of the catalogue. Pure: documents and member table in, tables out."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.sxes_metadata import AnalysisFields, ProjectFields, read_analyses, read_projects, version_of
from sxeslake.catalog import tables
from sxeslake.catalog.analyses import analysis_row
from sxeslake.catalog.model import Document, VersionHeader
from sxeslake.catalog.positions import PositionRows, arrays_of, latest, places_of, position_rows
from sxeslake.catalog.reading import Contents, read_documents
from sxeslake.catalog.rows import ColumnValues, Same, hex_of, table_of, table_of_rows
from sxeslake.catalog.shared_files import (
    background_rows,
    condition_rows,
    image_rows,
    originals,
    project_rows,
    raw_condition_rows,
)

Tables = dict[str, pa.Table]


def project(header: VersionHeader, members: pa.Table, documents: Iterable[Document]) -> Tables:
    """Rows of one archive version by table name. Broken or absent metadata leaves columns null, never drops a row."""
    return dict(projected(header, members, documents))


def projected(
    header: VersionHeader, members: pa.Table, documents: Iterable[Document]
) -> Iterator[tuple[str, pa.Table]]:
    """The same, table by table: whoever writes each at once needs memory for one."""
    sxes = header.kind == "sxes"
    owner = {
        "archive_id": Same(header.archive_id),
        "sample": Same(header.sample),
        "version": Same(header.version),
    }
    yield "members", _member_table(owner, members)
    with _collector_paused():
        contents = read_documents(documents, sxes=sxes)
    yield "documents", _document_table(owner, contents, members)
    contents.files.forget_texts()
    summary: dict[str, Any] = {}
    if sxes:
        with _collector_paused():
            group, summary = _group_tables(owner, members, contents)
        yield from group.items()
    yield "archives", _archive_table(header, members, contents, summary)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cycles meanwhile: half a million small values hold none, and looking took a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _group_tables(owner: Mapping[str, Same], members: pa.Table, contents: Contents) -> tuple[Tables, dict[str, Any]]:
    """The tables of an sxes group, and what the archive's own row says of them."""
    metadata = contents.metadata
    projects, analyses = read_projects(metadata), read_analyses(metadata)
    by_analysis = _project_of_analysis(projects)
    arrays = arrays_of(members)
    places, slices = places_of(analyses, by_analysis, contents.infos.keys() | contents.states.keys() | arrays.keys())
    ids = [info.fields for place in places if (info := contents.infos.get(place.uuid))]
    used = Counter(info.condition_id for info in ids if info.condition_id)
    conditions, condition_fields = condition_rows(contents, used)
    positions = position_rows(
        {**owner, "archive_format_version": Same(version_of(metadata))},
        contents, arrays, condition_fields, places, slices,
    )  # fmt: skip
    analysis_rows = _analysis_rows(analyses, originals(metadata, "analyses"), by_analysis, positions)
    images = image_rows(contents, analyses, members)
    raw_used = Counter(info.raw_condition_id for info in ids if info.raw_condition_id)
    background_used = Counter(info.background_id for info in ids if info.background_id)
    shared = {name: same.value for name, same in owner.items()}
    version = {"archive_format_version": version_of(metadata)}
    made = {
        "projects": table_of_rows(
            tables.PROJECTS, project_rows(projects, originals(metadata, "projects")), shared
        ),
        "analyses": table_of_rows(tables.ANALYSES, analysis_rows, shared | version),
        "positions": positions.table,
        "images": table_of_rows(tables.IMAGES, images, shared),
        "conditions": table_of_rows(tables.CONDITIONS, conditions, shared),
        "raw_conditions": table_of_rows(tables.RAW_CONDITIONS, raw_condition_rows(contents, raw_used), shared),
        "backgrounds": table_of_rows(tables.BACKGROUNDS, background_rows(members, background_used), shared),
    }  # fmt: skip
    return made, version | _summary(projects, analyses, positions, len(images), contents)


def _project_of_analysis(projects: Sequence[ProjectFields]) -> dict[str, ProjectFields]:
    """Analysis UUID → the first project that lists it."""
    found: dict[str, ProjectFields] = {}
    for each in projects:
        for uuid in each.analysis_uuids:
            found.setdefault(uuid, each)
    return found


def _analysis_rows(
    analyses: Sequence[AnalysisFields],
    objects: Sequence[Mapping[str, object]],
    projects: Mapping[str, ProjectFields],
    positions: PositionRows,
) -> list[dict[str, Any]]:
    rows = []
    for number, (analysis, original, (start, end)) in enumerate(
        zip(analyses, objects, positions.slices, strict=True), 1
    ):
        own = {name: values[start:end] for name, values in positions.columns.items()}
        rows.append(analysis_row(number, analysis, original, projects.get(analysis.uuid or ""), own))
    return rows


def _summary(
    projects: Sequence[ProjectFields],
    analyses: Sequence[AnalysisFields],
    positions: PositionRows,
    images: int,
    contents: Contents,
) -> dict[str, Any]:
    """What the archive's row says of its group."""
    columns = positions.columns
    times = [*(analysis.acquired_local for analysis in analyses), *columns["acquired_local"]]
    operators = {*columns["operator"], *(p.operator for p in projects), *(a.operator for a in analyses)}
    instruments = {*columns["instrument"], *(a.instrument for a in analyses)}
    return {
        "projects": len(projects),
        "analyses": len(analyses),
        "positions": positions.table.num_rows,
        "images": images,
        "instruments": sorted(instruments - {None}),
        "operators": sorted(operators - {None}),
        "first_acquired_local": min((time for time in times if time is not None), default=None),
        "last_acquired_local": latest(times),
        "problem": contents.metadata_problem,
    }


def _archive_table(
    header: VersionHeader, members: pa.Table, contents: Contents, summary: Mapping[str, Any]
) -> pa.Table:
    source = header.source
    row = {
        "archive_id": header.archive_id,
        "sample": header.sample,
        "version": header.version,
        "kind": header.kind,
        "name": source.get("name"),
        "container": source.get("container"),
        "source_host": source.get("host"),
        "source_path": source.get("path"),
        "source_modified_at": _time_from_ns(source.get("modified_ns")),
        "source_sha256": source.get("sha256"),
        "bytes_source": header.bytes_source,
        "bytes_raw": header.bytes_raw,
        "bytes_stored": header.bytes_stored,
        "members": members.num_rows,
        "blobs": header.blobs,
        "blobs_new": header.blobs_new,
        "content_id": header.content_id,
        "manifest_id": header.manifest_id,
        "log_number": header.log_number,
        "ingested_at": header.ingested_at,
        "ingested_by": header.ingested_by,
        "tool": header.tool,
        "documents": len(contents.files.paths),
        "documents_unreadable": sum(problem is not None for problem in contents.files.problems),
        **summary,
    }
    return table_of_rows(tables.ARCHIVES, [row], {})


def _time_from_ns(value: object) -> datetime | None:
    if not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _member_table(owner: Mapping[str, ColumnValues], members: pa.Table) -> pa.Table:
    folder = members["directory"]
    no_text = pa.scalar(None, pa.string())
    columns: dict[str, ColumnValues] = {
        "path": members["path"],
        "ordinal": members["ordinal"],
        "kind": pc.if_else(folder, "directory", "file"),
        "bytes_raw": members["size"],
        "modified_at": pc.divide(members["modified_ns"], 1000).cast(pa.timestamp("us")),
        "attributes": members["attributes"],
        "crc32": members["crc32"],
        "blake3": pc.if_else(folder, no_text, hex_of(members["blake3"])),
    }
    return table_of(tables.MEMBERS, members.num_rows, {**columns, **owner})


def _document_table(owner: Mapping[str, ColumnValues], contents: Contents, members: pa.Table) -> pa.Table:
    files = contents.files
    jsons = members.filter(pc.ends_with(members["path"], ".json", ignore_case=True)).select(["path", "blake3"])
    digests = dict(zip(jsons["path"].to_pylist(), hex_of(jsons["blake3"]).to_pylist(), strict=True))
    columns: dict[str, ColumnValues] = {
        "path": files.paths,
        "owner": [owner.kind for owner in files.owners],
        "owner_id": [owner.id for owner in files.owners],
        "name": [path.rpartition("/")[2].rpartition(".")[0] for path in files.paths],
        "bytes_raw": files.sizes,
        "blake3": [digests.get(path) for path in files.paths],
        "readable": [problem is None for problem in files.problems],
        "problem": files.problems,
        "json": files.texts(),
    }
    return table_of(tables.DOCUMENTS, len(files.paths), {**columns, **owner})
