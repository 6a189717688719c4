"""Where everything in a merged group came from, as its `metadata.json` says it; see ARCHIVE.md. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import Document
from sxeslake.model import Digest
from sxeslake.pull.merge.extras import described_in
from sxeslake.pull.merge.metadata import MergedMetadata
from sxeslake.pull.merge.same import KeptItems, Origin
from sxeslake.pull.part.share import Share

_HASH: Final = "blake3"
"""What stands for a file that is no JSON object: its hash, by which the lake finds it."""


def provenance(
    shares: Sequence[Share],
    kept: KeptItems,
    states: Mapping[Origin, Document],
    metadata: MergedMetadata,
    maps: KeptItems,
) -> dict[str, Any]:
    """The archives, then the origins of each project, analysis, map and position, the kept one first."""
    archives = []
    for share, otherwise in zip(shares, metadata.otherwise, strict=True):
        archive = share.version.archive
        entry: dict[str, Any] = {
            "sample": archive.sample,
            "version": archive.version,
            "manifest": archive.manifest,
            "contentId": archive.content_id,
        }
        archives.append({**entry, "metadata": otherwise} if otherwise else entry)
    said: dict[str, Any] = {"archives": archives}
    for kind in ("projects", "analyses"):
        said[kind] = {uuid: _origins(uuid, found) for uuid, found in metadata.origins[kind].items()}
    if maps.origins:
        said["maps"] = {uuid: _origins(uuid, found) for uuid, found in maps.origins.items()}
    said["positions"] = {
        uuid: [
            {**origin, **otherwise}
            for origin, otherwise in zip(_origins(uuid, found), _otherwise(shares, states, found), strict=True)
        ]
        for uuid, found in kept.origins.items()
    }
    return said


def other_files(said: Mapping[str, Any]) -> list[str]:
    """A warning for each archive with files that stand aside for others of their name, JSON apart."""
    found: Counter[int] = Counter()
    for origins in said["positions"].values():
        for origin in origins:
            found[origin["archive"]] += sum(_HASH in fields for fields in origin.get("otherwise", {}).values())
    archives = said["archives"]
    return [
        f"{archives[at]['sample']}@{archives[at]['version']}: files that differ from those of equal positions before "
        f"them: {count:,}; left out, and named in the provenance"
        for at, count in sorted(found.items())
        if count
    ]


def _origins(uuid: str, origins: Iterable[Origin]) -> list[dict[str, Any]]:
    """`[{"archive": 0}, {"archive": 2, "uuid": "…"}]`: the UUID only where it was another one."""
    return [
        {"archive": share} if theirs == uuid else {"archive": share, "uuid": theirs}
        for share, theirs in dict.fromkeys(origins)
    ]


def _otherwise(
    shares: Sequence[Share], states: Mapping[Origin, Document], origins: Sequence[Origin]
) -> Iterator[dict[str, Any]]:
    """What each copy of a measurement says in other words than those before it: fields of JSON, hashes of files."""
    kept = origins[0]
    there: dict[str, Digest] = {}
    described: dict[str, Any] = {}
    for other in origins:
        files = shares[other.share].folders[f"{layout.DATA}/{other.uuid}"]
        said: dict[str, Any] = {}
        for name, digest in sorted(files.items()):
            if name == layout.ARRAYS:
                entries = described_in(shares[other.share].extras, digest).items()
                said[name] = {kind: entry for kind, entry in entries if described.setdefault(kind, entry) != entry}
            elif there.setdefault(name, digest) != digest:
                mine, theirs = (_document(shares, states, origin, name) for origin in (kept, other))
                said[name] = _fields(mine, theirs) if theirs is not None and theirs.fields else {_HASH: digest.hex()}
        said = {name: fields for name, fields in said.items() if fields}
        yield {"otherwise": said} if said else {}


def _fields(mine: Document | None, theirs: Document) -> dict[str, Any]:
    known = {} if mine is None else mine.fields
    return {
        key: value
        for key, value in theirs.fields.items()
        if key != "uuid" and (key not in known or known[key] != value)
    }


def _document(shares: Sequence[Share], states: Mapping[Origin, Document], origin: Origin, name: str) -> Document | None:
    if name == layout.STATE:
        return states.get(origin)
    return _info(shares, origin) if name == layout.INFO else None


def _info(shares: Sequence[Share], origin: Origin) -> Document | None:
    return shares[origin.share].infos.get(f"{layout.DATA}/{origin.uuid}/{layout.INFO}")
