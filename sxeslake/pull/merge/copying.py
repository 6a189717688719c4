"""Which members of each version go into a merged group, under which path. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import read_info
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.model import Digest
from sxeslake.pull.merge.extras import MergedExtras
from sxeslake.pull.merge.same import KeptItems, Origin
from sxeslake.pull.part.assembly import GeneratedMember, VersionPart, made_from
from sxeslake.pull.part.share import Share, shared_paths
from sxeslake.reading.rows import in_archive_order

_LOG = logging.getLogger(__name__)

_SHARED = (layout.CONDITIONS, layout.RAW_CONDITIONS, layout.BACKGROUNDS)


def copied_parts(
    shares: Sequence[Share], kept: Mapping[str, KeptItems], extras: MergedExtras, made: dict[str, GeneratedMember]
) -> tuple[list[VersionPart], list[str]]:
    """The rows to copy from each version; an `info.json` under another UUID is added to `made`. And warnings.

    `kept` are positions, images and maps by their folders.
    """
    there: dict[str, Digest] = {}  # path in the new group → what stands there
    parts: list[VersionPart] = []
    warnings: list[str] = []
    for number, share in enumerate(shares):
        needed = _shared_of(number, shares, kept)
        if needed is not None:
            needed |= extras.needed[number]
        taken: list[int] = []
        columns = (share.table[name].to_pylist() for name in ("path", "blake3", "directory"))
        for at, (path, digest, is_folder) in enumerate(zip(*columns, strict=True)):
            left_out = is_folder or path in extras.left_out[number]
            new = None if left_out else _new_path(number, path, shares, kept, needed)
            if new is None:
                continue
            if new not in there:
                there[new] = digest
                taken.append(at)
            elif there[new] != digest:
                _LOG.info("%s: %s differs from that of an archive before it; left out", share.version.name, path)
                warnings.append(f"{share.version.name}: another {path} than that of an archive before it; left out")
        table = share.table.take(pa.array(taken, pa.int64()))
        folders = dict(_moved(number, share, kept))
        _LOG.debug("%s: %d files copied, %d folders moved", share.version.name, len(taken), len(folders))
        made.update(_rewritten(share, table, folders))
        parts.append(VersionPart(share.rows, in_archive_order(table), folders))
    return parts, warnings


def _new_path(
    number: int, path: str, shares: Sequence[Share], kept: Mapping[str, KeptItems], needed: set[str] | None
) -> str | None:
    """Where a file stands in the new group; None where an equal item before it has one, or nothing needs it."""
    root, _, rest = path.partition("/")
    if root in _SHARED:
        return path if needed is None or path in needed else None
    uuid, _, name = rest.partition("/")
    if root not in kept or not name:
        return path
    origin = Origin(number, uuid)
    new = kept[root].uuids.get(origin)
    if new is None:
        return None
    return f"{root}/{new}/{name}" if origin == _giver(shares, kept, root, new, name) else None


def _giver(shares: Sequence[Share], kept: Mapping[str, KeptItems], root: str, uuid: str, name: str) -> Origin | None:
    """Which of the equal items a file is taken from: the first that has it."""
    origins = kept[root].origins[uuid]
    return next((each for each in origins if name in shares[each.share].folders[f"{root}/{each.uuid}"]), None)


def _shared_of(number: int, shares: Sequence[Share], kept: Mapping[str, KeptItems]) -> set[str] | None:
    """The shared files of items whose own words go into the new group; None is all: who needs them is unreadable."""
    needed: set[str] = set()
    for path, document in shares[number].infos.items():
        root, uuid, _ = path.split("/", 2)
        origin = Origin(number, uuid)
        new = kept[root].uuids.get(origin)
        if new is None or _giver(shares, kept, root, new, layout.INFO) != origin:
            continue
        if document.raw and not document.fields:
            return None
        needed.update(shared_paths(read_info(document.value)))
    return needed


def _moved(number: int, share: Share, kept: Mapping[str, KeptItems]) -> Iterator[tuple[str, str]]:
    """The folders of one version that have another name in the new group."""
    for folder in share.folders:
        root, _, uuid = folder.partition("/")
        new = kept[root].uuids.get(Origin(number, uuid))
        if new is not None and new != uuid:
            yield folder, f"{root}/{new}"


def _rewritten(share: Share, table: pa.Table, folders: Mapping[str, str]) -> Iterator[tuple[str, GeneratedMember]]:
    """The `info.json` of items that got another UUID; one that cannot be read keeps its bytes."""
    places = [
        at
        for at, path in enumerate(table["path"].to_pylist())
        if path in share.infos and path.rpartition("/")[0] in folders
    ]
    for row in share.rows.rows(table.take(pa.array(places, pa.int64()))):
        path = row.member.path
        document, folder = share.infos[path], folders[path.rpartition("/")[0]]
        if document.fields and document.encoding is not None:
            data = dump({**document.fields, "uuid": folder.partition("/")[2]}, document.encoding)
            yield f"{folder}/{layout.INFO}", made_from(row.member, f"{folder}/{layout.INFO}", data)
