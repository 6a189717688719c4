"""Archive: what a version is, what was measured in it, what it is made of, and where it came from."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sxeslake.errors import DamagedLakeError, SxeslakeError
from sxeslake.text.table import size
from sxeslake.web.answers import Cell, WebPage, WebTable
from sxeslake.web.failures import failure_of
from sxeslake.web.links import link
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.tables import records_of, result_of, table_of, text_of

if TYPE_CHECKING:
    from sxeslake.catalog.measurement import MeasuredAnalysis
    from sxeslake.views import MemberRow, VersionInfo
    from sxeslake.web.visit import Visit

MEMBERS_SHOWN: Final = 200
_IMAGES_SHOWN: Final = 60
_COMMITS_SHOWN: Final = 50
_DOCUMENT: Final = ".json"
MEMBER_COLUMNS: Final = ("path", "kind", "size", "modified", "blake3", "crc32")


def page(visit: Visit) -> WebPage:
    """A version whole."""
    info = visit.lake.show(visit.of)
    ref = f"{info.sample}@{info.version}"
    troubles: list[str] = []
    analyses = _analyses(visit, ref, troubles) if info.kind == "sxes" else []
    members = _members(visit, ref, troubles)
    images = _images(visit, ref, troubles) if info.kind == "sxes" else []
    log = visit.served.history.of(info.sample, _COMMITS_SHOWN)
    facts = _facts(info)
    return WebPage(
        "archive.html",
        ref,
        {
            "archive": ref,
            "about": _public(info),
            "analyses": analyses,
            "images": images,
            "history": records_of(log),
            "members_shown": records_of(members),
            "troubles": troubles,
        },
        shell=shell_line(visit, "show", ref),
        python=python_call(visit, f"lake.show({ref!r}"),
        view={
            "ref": ref,
            "info": info,
            "facts": facts,
            "analysis_table": _analyses_table(ref, analyses),
            "member_table": _members_table(ref, info, members),
            "history_table": table_of(
                visit, result_of(records_of(log), ("number", "time", "who", "what", "message"), "History"), "history",
            ),
            "versions": [(number, link("archive", of=f"{info.sample}@{number}")) for number in info.versions],
        },
        permalink=link("archive", of=ref),
        is_whole=not troubles,
    )  # fmt: skip


def _analyses(visit: Visit, ref: str, troubles: list[str]) -> list[MeasuredAnalysis]:
    """What was measured; nothing where the catalogue cannot be made."""
    try:
        return visit.lake.measurement(ref)
    except DamagedLakeError as error:
        troubles.append(f"The analyses cannot be listed: {failure_of(error, [visit.lake.url]).what}")
        return []


def _members(visit: Visit, ref: str, troubles: list[str]) -> list[MemberRow]:
    """The first files; none where their list is damaged."""
    try:
        return list(islice(visit.lake.members(ref), MEMBERS_SHOWN))
    except DamagedLakeError as error:
        troubles.append(f"The files cannot be listed: {failure_of(error, [visit.lake.url]).what}")
        return []


def _facts(info: VersionInfo) -> list[tuple[str, str]]:
    """Label and value, a line each."""
    saved = info.bytes_source - info.bytes_stored
    facts = [
        ("archive", f"{info.kind}, {info.container}, {size(info.bytes_source)}"),
        ("contents", f"{info.members:,} files and folders, {size(info.bytes_raw)} unpacked"),
        ("file", f"{info.source.name}, from {info.source.host}"),
        ("stored", f"{text_of(info.ingested_at)} by {info.who}"),
        (
            "deduplication",
            f"{info.blobs_new:,} of {info.blobs:,} contents were new; {size(info.bytes_stored)} in the lake"
            + (f", {size(saved)} saved" if saved > 0 else ""),
        ),
        ("exact", "yes: the original file comes back byte for byte" if info.exact else f"no: {info.exact_reason}"),
        ("tags", ", ".join(info.tags)),
        ("held", "yes: it cannot be forgotten" if info.held else ""),
        ("message", info.message or ""),
        ("content id", info.content_id),
        ("SHA-256", info.source.sha256 or ""),
    ]
    facts += [("annotation", f"{said.key} = {said.value} ({said.target}, {said.who})") for said in info.annotations]
    facts += [("warning", warning) for warning in info.warnings]
    return [(label, value) for label, value in facts if value]


def _public(info: VersionInfo) -> dict[str, Any]:
    """All that the log knows, but for the folders of the machine that it came from."""
    known = asdict(info)
    known["source"].pop("path")
    for path in known["paths"]:
        path.pop("path")
    return known


def _images(visit: Visit, ref: str, troubles: list[str]) -> list[dict[str, Any]]:
    """The pictures of the sample; one that cannot be read is named."""
    found: list[dict[str, Any]] = []
    try:
        images = visit.lake.open_group(ref).images
        for image in islice(images, _IMAGES_SHOWN):
            visit.job.check()
            state = image.state
            found.append({
                "uuid": image.uuid, "type": image.image_type, "comment": image.resolved_comment.value,
                "stage_x_mm": state.stage_x_mm, "stage_y_mm": state.stage_y_mm,
                "magnification": state.magnification, "saved_local": state.saved_local,
                "href": link("picture", of=ref, image=image.uuid),
            })  # fmt: skip
    except SxeslakeError as error:
        failure = failure_of(error, [visit.lake.url])
        troubles.append(f"Some images cannot be read: {failure.what}")
    return found


def _analyses_table(ref: str, analyses: list[MeasuredAnalysis]) -> WebTable:
    heads = ("analysis", "kind", "positions", "kV", "nA", "grating", "acquired", "operator", "project", "comment")
    rows = [
        [
            Cell(each.analysis_name or f"analysis {number}", link("analysis", of=ref, analysis=each.analysis_uuid)),
            Cell(each.kind or ""), Cell(f"{each.positions:,}"),
            Cell(text_of(each.accelerating_voltage_kv)), Cell(text_of(each.probe_current_na)),
            Cell(each.grating or ""), Cell(text_of(each.acquired_local)), Cell(each.operator or ""),
            Cell(each.project or ""), Cell(each.comment or ""),
        ]
        for number, each in enumerate(analyses, 1)
    ]  # fmt: skip
    numeric = [False, False, True, True, True, False, False, False, False, False]
    return WebTable("Analyses", heads, numeric, rows, len(rows))


def _members_table(ref: str, info: VersionInfo, members: list[Any]) -> WebTable:
    rows = [
        [
            Cell(row.path, link("member", of=ref, path=row.path) if row.kind == "file" else ""),
            Cell(row.kind), Cell(size(row.size) if row.kind == "file" else ""),
            Cell("" if row.modified is None else text_of(row.modified)),
        ]
        for row in members
    ]  # fmt: skip
    return WebTable(
        "Files and folders, in the order of the archive", ("path", "kind", "size", "modified"),
        (False, False, True, False), rows, info.members, take=link("rows", table="members", of=ref),
    )  # fmt: skip
