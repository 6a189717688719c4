"""What is taken of one version: its rows and documents, read with as few requests as the layout allows."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import InfoFields, read_info
from sxeslake.archive.sxes.documents.text import Document, parse
from sxeslake.archive.sxes.documents.units import text
from sxeslake.archive.sxes.shared import Background, Condition, RawCondition
from sxeslake.errors import MemberNotFoundError, NotFoundError
from sxeslake.model import Digest, Member
from sxeslake.pull.part.extras import (
    ROOTS,
    Extras,
    MapRows,
    named_files,
    read_maps,
    take_arrays,
    take_documents,
    take_maps,
    take_sources,
)
from sxeslake.pull.part.listed import asked, choice_of
from sxeslake.pull.part.outline import Choice, Outline, choose, pictures, pruned, read_outline
from sxeslake.pull.part.wanted import PartSpec
from sxeslake.reading.rows import MemberRows, in_archive_order, joined, where_true
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_LEGACY = "cp932"
_FEW_ROWS = 5000  # what is read of their documents stays at hand until it is written
_WILDCARD = re.compile(r"[*?\[]")

Folder = dict[str, Digest]
"""The files of a position's or an image's folder: name → BLAKE3."""


@dataclass(slots=True)
class Share:
    """What is taken of one version; of a group its outline, of a generic archive members alone."""

    rows: MemberRows
    table: pa.Table  # members that are copied, in archive order; without metadata.json where that is pruned
    outline: Outline | None = None
    choice: Choice | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)  # pruned
    metadata_member: Member | None = None
    metadata_raw: bytes = b""
    infos: dict[str, Document] = field(default_factory=dict)  # path of an info.json → what it says
    folders: dict[str, Folder] = field(default_factory=dict)  # `data/<uuid>` → all its files, wanted or not
    extras: Extras = field(default_factory=Extras)

    @property
    def version(self) -> Version:
        """The version that it is a part of."""
        return self.rows.version

    @property
    def positions(self) -> tuple[str, ...]:
        """The positions taken, also those that no analysis lists."""
        return () if self.choice is None else (*self.choice.positions, *self.choice.unlisted)


def share_of(
    vault: Vault, version: Version, wanted: PartSpec, chosen: Collection[str] | None = None, *, by: str = ""
) -> Share:
    """Read what is needed to know which members of a version are wanted. NotFoundError where none is."""
    with vault.reading(version):
        return _share(MemberRows(vault, version), wanted, chosen, by)


def _share(rows: MemberRows, wanted: PartSpec, chosen: Collection[str] | None, by: str) -> Share:
    members = matching(rows, wanted.members) if wanted.members else []
    if not wanted.of_a_group and chosen is None and wanted.members:
        return Share(rows, in_archive_order(joined(members)))
    if rows.version.archive.kind != "sxes":
        raise NotFoundError(
            "not an sxes group: it has no positions.", where=rows.version.name, hint="--member GLOB takes members."
        )
    share = _group_share(rows, wanted, chosen, by)
    if members:
        there = set(share.table["path"].to_pylist()) | {layout.METADATA}
        more = [where_true(table, [path not in there for path in table["path"].to_pylist()]) for table in members]
        share.table = in_archive_order(joined([share.table, *more]))
    return share


def _group_share(rows: MemberRows, wanted: PartSpec, chosen: Collection[str] | None, by: str) -> Share:
    where = rows.version.name
    outline, choice, member, raw, maps = _outline(rows, wanted, chosen, by)
    share = Share(rows, joined([]), outline, metadata_member=member, metadata_raw=raw)
    tables = _folders(share, layout.DATA, (*choice.positions, *choice.unlisted), wanted)
    share.choice = choice = _existing(share, choice, wanted)
    if missing := wanted.missing_types({name for folder in share.folders.values() for name in folder}):
        there = sorted({name.removesuffix(layout.TYPE_SUFFIX) for folder in share.folders.values() for name in folder
                        if name.endswith(layout.TYPE_SUFFIX)})  # fmt: skip
        raise NotFoundError(
            f"--types {','.join(missing)} leaves nothing: no position has it.",
            where=where, hint=f"There is {', '.join(there)}." if there else None,
        )  # fmt: skip
    share.metadata = pruned(outline, choice, images=wanted.keeps_images)
    if wanted.keeps_images:
        tables += _folders(share, layout.IMAGES, pictures(share.metadata), PartSpec())
    share.infos = {path: parse(path, data, _LEGACY) for path, data in rows.read(_documents(tables)) if _is_info(path)}
    share.table = in_archive_order(joined(_with_extras(share, maps, tables, wanted)))
    return share


def _with_extras(share: Share, maps: MapRows, tables: Sequence[pa.Table], wanted: PartSpec) -> list[pa.Table]:
    """The rows of items with those of shared files, maps, documents and sources."""
    rows, extras = share.rows, share.extras
    found = take_arrays(rows, tables, wanted, extras)
    of_maps = take_maps(rows, maps, share.metadata, set(share.positions), extras)
    _list_files(share, layout.MAPS, joined(of_maps))
    found += of_maps
    found += _shared(rows, share.infos.values(), named_files(extras))
    found += take_sources(rows, joined(found)["path"].to_pylist, extras)
    there = {
        "position": set(share.positions),
        "image": [folder.partition("/")[2] for folder in share.folders if folder.startswith(f"{layout.IMAGES}/")],
        "map": extras.maps,
        "source": extras.sources,
        **{
            what: {text(entry.get("uuid")) for entry in share.metadata[key]}
            for what, key in (("analysis", "analyses"), ("project", "projects"))
        },
    }
    return [*found, *take_documents(rows, there, extras)]


def _list_files(share: Share, root: str, table: pa.Table) -> None:
    """Note the files of folders that are taken whole."""
    columns = (table[name].to_pylist() for name in ("path", "blake3", "directory"))
    for path, digest, is_folder in zip(*columns, strict=True):
        _, uuid, *rest = path.split("/", 2)
        if rest and rest[0] and not is_folder:
            share.folders.setdefault(f"{root}/{uuid}", {})[rest[0]] = digest


def _outline(
    rows: MemberRows, wanted: PartSpec, chosen: Collection[str] | None, by: str
) -> tuple[Outline, Choice, Member, bytes, MapRows]:
    """What is chosen of a group; its `metadata.json` is read only where the manifest does not tell enough."""
    what = asked(rows, wanted, chosen)
    extras = [group for root in ROOTS for group in rows.finder.beginning(root)]
    rows.groups(
        [*rows.finder.at([layout.METADATA]), *rows.finder.shared, *extras, *(() if what is None else what.groups)]
    )
    row = _metadata_row(rows)
    (found,) = rows.rows(row)
    if what is not None:
        maps = read_maps(rows, Outline(rows.outline, "utf-8"))
        known = choice_of(rows, what, wanted, chosen, () if wanted.positions else set(maps.owners.values()))
        if known is not None:
            return *known, found.member, b"", maps
    ((_, raw),) = rows.read(row)
    outline = read_outline(raw, where=rows.version.name)
    maps = read_maps(rows, outline)
    choice = choose(
        outline, wanted, chosen, where=rows.version.name, by=by, mapped=set(maps.owners.values())
    )  # fmt: skip
    return outline, choice, found.member, raw, maps


def _metadata_row(rows: MemberRows) -> pa.Table:
    for table, _ in rows.at([layout.METADATA]):
        return table
    raise MemberNotFoundError("it holds no metadata.json.", where=rows.version.name)


def _folders(share: Share, root: layout.ItemRoot, uuids: Sequence[str], wanted: PartSpec) -> list[pa.Table]:
    """The wanted rows of the folders of positions or images; all names go to `share.folders`."""
    kept = set(uuids)
    tables = []
    for table, paths in share.rows.folders(root, kept):
        mask = []
        for path, digest, is_folder in zip(
            paths, table["blake3"].to_pylist(), table["directory"].to_pylist(), strict=True
        ):
            _, uuid, *rest = path.split("/", 2)
            name = rest[0] if rest else ""
            mask.append(uuid in kept and (not name or is_folder or wanted.keeps(name)))
            if uuid in kept and name and not is_folder:
                share.folders.setdefault(f"{root}/{uuid}", {})[name] = digest
        tables.append(where_true(table, mask))
    return tables


def _existing(share: Share, choice: Choice, wanted: PartSpec) -> Choice:
    """The choice without positions that are listed, and not there; NotFoundError for one asked for by its UUID."""
    gone = {uuid for uuid in (*choice.positions, *choice.unlisted) if f"{layout.DATA}/{uuid}" not in share.folders}
    if not gone:
        return choice
    where = share.version.name
    asked = [uuid for uuid in gone if uuid in wanted.positions]
    if asked:
        known = share.outline.positions() if share.outline else []
        near = difflib.get_close_matches(asked[0], known[:5000], n=2)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {len(known):,}, counted from 1."
        raise NotFoundError(f"there is no position {asked[0]}.", where=where, hint=hint)
    left = Choice(
        tuple(uuid for uuid in choice.positions if uuid not in gone),
        choice.analyses,
        tuple(uuid for uuid in choice.unlisted if uuid not in gone),
    )
    if not left.positions and not left.unlisted:
        raise NotFoundError("none of the chosen positions has a folder in it.", where=where)
    return left


def _documents(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of each `info.json`. Of a few items those of `state.json` too: it stands beside, and comes in one go."""
    rows = joined(tables)
    suffixes = (f"/{layout.INFO}", f"/{layout.STATE}") if rows.num_rows <= _FEW_ROWS else (f"/{layout.INFO}",)
    return where_true(rows, [path.endswith(suffixes) and path.count("/") == 2 for path in rows["path"].to_pylist()])


def _is_info(path: str) -> bool:
    return path.endswith(f"/{layout.INFO}") and path.count("/") == 2


_KINDS = (("condition_id", Condition), ("raw_condition_id", RawCondition), ("background_id", Background))


def _shared(rows: MemberRows, infos: Iterable[Document], more: Iterable[str]) -> list[pa.Table]:
    """The rows of shared files that some items name; all, where nobody can read what one of them names."""
    wanted = set(more)
    for document in infos:
        if document.raw and not document.fields:
            prefixes = [f"{kind.kind}/" for _, kind in _KINDS]
            return [table for table, _ in rows.below(prefixes)]
        wanted.update(shared_paths(read_info(document.value)))
    return [table for table, _ in rows.at(wanted)]


def shared_paths(info: InfoFields) -> Iterator[str]:
    """The paths that the shared files of an item may have."""
    for name, kind in _KINDS:
        if digest := getattr(info, name):
            yield from layout.shared_candidates(kind.kind, digest)


def matching(rows: MemberRows, globs: Sequence[str]) -> list[pa.Table]:
    """The rows of members that any of the globs fits; a path that ends in `/` takes all below. Case counts."""
    found: set[str] = set()
    tables = []
    for table, paths in rows.below([_WILDCARD.split(glob, maxsplit=1)[0] for glob in globs]):
        hits = [[glob for glob in globs if fits(path, glob)] for path in paths]
        found.update(*hits)
        tables.append(where_true(table, [bool(globs_hit) for globs_hit in hits]))
    for glob in globs:
        if glob not in found:
            raise MemberNotFoundError(
                f"--member {glob} fits no member.",
                where=rows.version.name,
                hint=f"`sxeslake members {rows.version.name}` lists them.",
            )
    return tables


def fits(path: str, glob: str) -> bool:
    """Whether a glob means a member: `data/*/qlw.data`, `notes/`, an exact path; `*` also passes `/`."""
    return path == glob or (path.startswith(glob) if glob.endswith("/") else fnmatch.fnmatchcase(path, glob))
