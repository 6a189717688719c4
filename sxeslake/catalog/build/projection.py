"""One archive version → its rows in every table of the catalogue. Pure: documents and member table in, tables out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import (
    AnalysisFields,
    ProjectFields,
    read_analyses,
    read_projects,
    version_of,
)
from sxeslake.archive.sxes.extensions.map_fields import MapFields
from sxeslake.catalog.build.analyses import analysis_row
from sxeslake.catalog.build.documents import Contents, DocumentReader, DocumentRows
from sxeslake.catalog.build.maps import array_columns, channel_rows, kind_of, map_rows, maps_by_analysis
from sxeslake.catalog.build.member_files import MemberFiles, member_files
from sxeslake.catalog.build.positions import PositionRows, latest, position_rows, runs_of, uses_of
from sxeslake.catalog.build.rows import ColumnValues, Gathered, Same, hex_of, table_of
from sxeslake.catalog.build.shared_files import (
    background_rows,
    condition_rows,
    image_rows,
    originals,
    project_rows,
    raw_condition_rows,
)
from sxeslake.catalog.model import Document, VersionHeader
from sxeslake.catalog.schema import tables
from sxeslake.catalog.schema.lake_tables import DOCUMENTS, MEMBERS
from sxeslake.catalog.schema.registry import Table
from sxeslake.model import MIB

Tables = dict[str, pa.Table]


class TableRows(NamedTuple):
    """Rows of one table, and whether more of it follow."""

    name: str
    rows: pa.Table
    more: bool = False


Read = tuple[VersionHeader, pa.Table, Contents]
"""A version, its members, and what its documents say."""


def project(header: VersionHeader, members: pa.Table, documents: Iterable[Document]) -> Tables:
    """Rows of one archive version by table name. Broken or absent metadata leaves columns null, never drops a row."""
    found: dict[str, list[pa.Table]] = {}
    for name, rows, _ in projected([(header, members, documents)], DocumentReader()):
        found.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(rows) for name, rows in found.items()}


def projected(
    archives: Sequence[tuple[VersionHeader, pa.Table, Iterable[Document]]], reader: DocumentReader
) -> Iterator[TableRows]:
    """Rows of some versions, table by table: whoever writes each at once needs memory for one.

    Of small versions many at once, for a table of a few rows takes as long as one of thousands.
    """
    yield TableRows("members", _member_table([(header, members) for header, members, _ in archives]))
    read: list[Read] = []
    waiting = 0
    for header, members, documents in archives:
        read.append((header, members, Contents()))
        large = _larger_documents(members, reader.limit)
        for size in reader.read(read[-1][2], documents, sxes=header.kind == "sxes", large=large):
            waiting += size
            if waiting >= _TEXT_BYTES:  # amid a very large archive
                yield TableRows("documents", _document_table(read), more=True)
                waiting = 0
    yield TableRows("documents", _document_table(read))
    groups = {name: Gathered(tables.BY_NAME[name]) for name in _GROUP_TABLES}
    rows = Gathered(tables.ARCHIVES)
    files = member_files([members if header.kind == "sxes" else members.slice(0, 0) for header, members, _ in read])
    for (header, members, contents), own in zip(read, files, strict=True):
        summary = _add_group(groups, header, own, contents) if header.kind == "sxes" else {}
        rows.add_rows([_archive_row(header, members, contents, summary)], {})
        contents.infos.clear()
        contents.states.clear()
        contents.maps.clear()
        contents.arrays.clear()
    if any(header.kind == "sxes" for header, _, _ in archives):
        for name in _GROUP_TABLES:
            yield TableRows(name, groups.pop(name).table())  # and the lists that it was made from go
    yield TableRows("archives", rows.table())


_TEXT_BYTES: Final = 8 * MIB
_GROUP_TABLES = (
    "projects", "analyses", "positions", "images", "conditions", "raw_conditions", "backgrounds",
    "maps", "map_channels", "arrays",
)  # fmt: skip


def _owner(header: VersionHeader) -> dict[str, Same]:
    return {"archive_id": Same(header.archive_id), "sample": Same(header.sample), "version": Same(header.version)}


def _add_group(
    groups: Mapping[str, Gathered], header: VersionHeader, files: MemberFiles, contents: Contents
) -> dict[str, Any]:
    """Add the rows of an sxes group; what the archive's own row says of it."""
    metadata, owner = contents.metadata, _owner(header)
    projects, analyses = read_projects(metadata), read_analyses(metadata)
    by_analysis = _project_of_analysis(projects)
    arrays, pictures = files.arrays, files.below(layout.IMAGES)
    runs = runs_of(analyses, by_analysis, contents.infos.keys() | contents.states.keys() | arrays.keys())
    uses = uses_of(contents, runs)
    conditions, condition_fields = condition_rows(contents, uses.conditions)
    positions = position_rows(contents, arrays, condition_fields, runs)
    there = contents.infos.keys() | contents.states.keys() | arrays.keys() if contents.maps else ()
    arrays.clear()  # by the hundred thousand
    images = image_rows(contents, analyses, pictures)
    version = {"archive_format_version": version_of(metadata)}
    stated = owner | {name: Same(value) for name, value in version.items()}
    groups["projects"].add_rows(project_rows(projects, originals(metadata, "projects")), owner)
    groups["analyses"].add_rows(
        _analysis_rows(analyses, originals(metadata, "analyses"), by_analysis, positions, maps_by_analysis(contents)),
        stated,
    )
    groups["positions"].add(positions.count, {**positions.columns, **stated})
    groups["images"].add_rows(images, owner)
    groups["conditions"].add_rows(conditions, owner)
    groups["raw_conditions"].add_rows(raw_condition_rows(contents, uses.raw_conditions), owner)
    groups["backgrounds"].add_rows(background_rows(files.below(layout.BACKGROUNDS), uses.backgrounds), owner)
    groups["maps"].add_rows(map_rows(contents, analyses, there), owner)
    groups["map_channels"].add_rows(channel_rows(contents, files.below(layout.MAPS)), owner)
    described, columns = array_columns(contents)
    groups["arrays"].add(described, {**columns, **owner})
    return version | _summary(projects, analyses, positions, len(images), contents)


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
    maps: Mapping[str, Sequence[MapFields]],
) -> list[dict[str, Any]]:
    rows = []
    for number, (analysis, original, (start, end)) in enumerate(
        zip(analyses, objects, positions.slices, strict=True), 1
    ):
        whole = end - start == positions.count
        own = positions.columns if whole else {name: each[start:end] for name, each in positions.columns.items()}
        kind = kind_of(maps.get(analysis.uuid or "", ()))
        rows.append(analysis_row(number, analysis, original, projects.get(analysis.uuid or ""), own, kind))
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
        "positions": positions.count,
        "images": images,
        "instruments": sorted(instruments - {None}),
        "operators": sorted(operators - {None}),
        "first_acquired_local": min((time for time in times if time is not None), default=None),
        "last_acquired_local": latest(times),
        "problem": contents.metadata_problem,
    }


def _archive_row(
    header: VersionHeader, members: pa.Table, contents: Contents, summary: Mapping[str, Any]
) -> dict[str, Any]:
    source = header.source
    return {
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
        "documents": contents.documents,
        "documents_unreadable": contents.unreadable,
        **summary,
    }


def _time_from_ns(value: object) -> datetime | None:
    if not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _member_table(archives: Sequence[tuple[VersionHeader, pa.Table]]) -> pa.Table:
    members = pa.concat_tables([table.select(_MEMBER_COLUMNS) for _, table in archives])
    folder = members["directory"]
    columns: dict[str, ColumnValues] = {
        "path": members["path"],
        "ordinal": members["ordinal"],
        "kind": pc.if_else(folder, "directory", "file"),
        "bytes_raw": members["size"],
        "modified_at": pc.divide(members["modified_ns"], 1000).cast(pa.timestamp("us")),
        "attributes": members["attributes"],
        "crc32": members["crc32"],
        "blake3": pc.if_else(folder, pa.scalar(None, pa.string()), hex_of(members["blake3"])),
    }
    return _owned(MEMBERS, columns, [(header, table.num_rows) for header, table in archives])


_MEMBER_COLUMNS = ["path", "ordinal", "directory", "size", "modified_ns", "attributes", "crc32", "blake3"]


def _owned(spec: Table, columns: Mapping[str, ColumnValues], counts: Sequence[tuple[VersionHeader, int]]) -> pa.Table:
    """A table with the columns that say whose rows they are, so many of each version."""
    whose = np.repeat(np.arange(len(counts)), [count for _, count in counts])
    owners = [_owner(header) for header, _ in counts]
    own: dict[str, ColumnValues] = {
        name: pa.array([owner[name].value for owner in owners], spec.arrow.field(name).type).take(pa.array(whose))
        for name in ("archive_id", "sample", "version")
    }
    return table_of(spec, len(whose), {**columns, **own})


def _document_table(read: Sequence[Read]) -> pa.Table:
    """The documents that were read since the last time."""
    files = [contents.files for _, _, contents in read]
    paths = [path for each in files for path in each.paths]
    problems = [problem for each in files for problem in each.problems]
    digests = [
        chunk
        for _, members, contents in read
        if contents.files.paths
        for chunk in _digests(members, contents.files.paths).chunks
    ]
    columns: dict[str, ColumnValues] = {
        "path": paths,
        "owner": [owner for each in files for owner in each.owners],
        "owner_id": [owner_id for each in files for owner_id in each.owner_ids],
        "name": [path.rpartition("/")[2].rpartition(".")[0] for path in paths],
        "bytes_raw": [size for each in files for size in each.sizes],
        "blake3": hex_of(pa.chunked_array(digests, pa.binary(32))),
        "readable": [problem is None for problem in problems],
        "problem": problems,
        "json": pa.chunked_array([text for each in files for text in each.texts], pa.string()),
    }
    counts = [(header, len(contents.files.paths)) for header, _, contents in read]
    for _, _, contents in read:
        contents.files = DocumentRows()
    return _owned(DOCUMENTS, columns, counts)


def bytes_of_documents(members: pa.Table, limit: int) -> int:
    """Bytes of all JSON members that are not larger than a limit."""
    sizes = members["size"]
    wanted = pc.and_(_is_json(members), pc.less_equal(sizes, limit))
    return int(pc.sum(sizes.filter(wanted)).as_py() or 0)


def _larger_documents(members: pa.Table, limit: int) -> list[tuple[str, int]]:
    """Path and size of every JSON member that is larger than a limit."""
    large = pc.greater(members["size"], limit)
    if not pc.any(large).as_py():
        return []
    files = members.select(["path", "size"]).filter(pc.and_(_is_json(members), large))
    return list(zip(files["path"].to_pylist(), files["size"].to_pylist(), strict=True))


def _is_json(members: pa.Table) -> pa.ChunkedArray:
    return pc.and_(pc.ends_with(members["path"], ".json"), pc.invert(members["directory"]))


def _digests(members: pa.Table, paths: Sequence[str]) -> pa.ChunkedArray:
    """The BLAKE3 of some members, which nearly always are a run of those with their suffix."""
    files = members.select(["path", "blake3"]).filter(pc.ends_with(members["path"], ".json", ignore_case=True))
    wanted = pa.array(paths, pa.string())
    first = pc.index(files["path"], wanted[0]).as_py() if len(wanted) else 0
    run = files.slice(max(first, 0), len(wanted))
    if run["path"].equals(pa.chunked_array([wanted])):
        return run["blake3"]
    places = pc.index_in(wanted, value_set=files["path"])
    return files["blake3"].take(places)
