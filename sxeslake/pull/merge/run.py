"""Merge: parts of many versions as one group; equal measurements once, and where each came from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import read_state
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.model import Member
from sxeslake.pull.merge.copying import copied_parts
from sxeslake.pull.merge.extras import merge_extras
from sxeslake.pull.merge.joining import keep_measurements
from sxeslake.pull.merge.metadata import MergedMetadata
from sxeslake.pull.merge.provenance import other_files, provenance
from sxeslake.pull.merge.same import KeptItems, MergedItem, Origin, content_key, keep, need_states
from sxeslake.pull.part.assembly import Assembly, Carried, GeneratedMember, made_from
from sxeslake.pull.part.share import Share
from sxeslake.reading.rows import where_true

_LOG = logging.getLogger(__name__)

_LEGACY = "cp932"


def merge(shares: Sequence[Share], *, tool: str, lake_id: str) -> Assembly:
    """One group of the shares of several versions; of equal measurements the first, with what only others have."""
    positions = _items(shares, layout.DATA)
    states = _states(shares, need_states(positions))
    kept = keep_measurements(positions, {origin: read_state(found.value) for origin, found in states.items()})
    images = _items(shares, layout.IMAGES)
    kept_images = keep(images, [content_key(item) for item in images])
    _LOG.info(
        "%d archives: %d of %d positions and %d of %d images are kept",
        len(shares), len(kept.origins), len(positions), len(kept_images.origins), len(images),
    )  # fmt: skip
    _LOG.debug("%d states were read to tell positions apart", len(states))

    metadata = MergedMetadata(kept, kept_images)
    for number, share in enumerate(shares):
        metadata.add(number, share.metadata)
    items = {layout.DATA: kept, layout.IMAGES: kept_images}
    extras = merge_extras(shares, items, metadata)
    for number, share in enumerate(shares):
        metadata.add_maps(number, share.metadata, extras.maps)
    said = {"tool": tool, "lake": lake_id, **provenance(shares, kept, states, metadata, extras.maps)}
    made = {layout.METADATA: _metadata_member(shares, dump(metadata.fields(said))), **extras.made}
    parts, warnings = copied_parts(shares, {**items, layout.MAPS: extras.maps}, extras, made)
    return Assembly(
        title=f"merge of {len(shares)} archives",
        kind="sxes",
        parts=parts,
        made=made,
        positions=len(kept.origins),
        analyses=len(metadata.fields({})["analyses"]),
        carried=[Carried(share.version, _placed(at, kept, metadata)) for at, share in enumerate(shares)],
        warnings=[*warnings, *extras.warnings, *other_files(said)],
    )


def _items(shares: Sequence[Share], root: layout.ItemRoot) -> list[MergedItem]:
    """The positions or images of all shares, in the order listed."""
    found = []
    for number, share in enumerate(shares):
        prefix = f"{root}/"
        there = [folder.removeprefix(prefix) for folder in share.folders if folder.startswith(prefix)]
        uuids: Sequence[str] = there
        if root == layout.DATA:
            uuids = [uuid for uuid in share.positions if prefix + uuid in share.folders]
        found += [MergedItem(number, uuid, share.folders[prefix + uuid]) for uuid in uuids]
    return found


def _states(shares: Sequence[Share], wanted: set[Origin]) -> dict[Origin, Document]:
    """The state.json of some positions, read where they cannot be told apart without."""
    states: dict[Origin, Document] = {}
    for number, share in enumerate(shares):
        paths = {f"{layout.DATA}/{uuid}/{layout.STATE}": uuid for at, uuid in wanted if at == number}
        if paths:
            rows = where_true(share.table, [path in paths for path in share.table["path"].to_pylist()])
            for path, data in share.rows.read(rows):
                states[Origin(number, paths[path])] = parse(path, data, _LEGACY)
    return states


def _placed(share: int, kept: KeptItems, metadata: MergedMetadata) -> Callable[[str, str], str | None]:
    """See `Carried`: the UUIDs that one version's positions and analyses have in the merged group."""
    analyses = {
        origin.uuid: uuid
        for uuid, origins in metadata.origins["analyses"].items()
        for origin in origins
        if origin.share == share
    }

    def place(target: str, uuid: str) -> str | None:
        return kept.uuids.get(Origin(share, uuid)) if target == "position" else analyses.get(uuid)

    return place


def _metadata_member(shares: Sequence[Share], data: bytes) -> GeneratedMember:
    """`metadata.json`, as old as the newest of those that it is made of: the same merge is the same bytes."""
    known = [share.metadata_member for share in shares if share.metadata_member is not None]
    times = [member.modified_ns for member in known if member.modified_ns is not None]
    newest = replace(known[0], dos_time=None, modified_ns=max(times)) if times else Member(layout.METADATA, "file")
    return made_from(newest, layout.METADATA, data)
