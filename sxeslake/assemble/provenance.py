"""Where everything in a merged group came from, as its `metadata.json` says it; see ARCHIVE.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents import Document
from sxeslake.assemble.merging import MergedMetadata
from sxeslake.assemble.same import Kept, Origin
from sxeslake.assemble.share import Share

_REFERENCES: Final = ("uuid", "conditionUuid", "rawConditionUuid", "rawCondtionUuid", "backgroundUuid")


def provenance(
    shares: Sequence[Share], kept: Kept, states: Mapping[Origin, Document], metadata: MergedMetadata
) -> dict[str, Any]:
    """The archives, then the origins of each project, analysis and position, the kept one first."""
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
    said["positions"] = {
        uuid: [
            {**origin, **_otherwise(shares, states, found[0], other)}
            for origin, other in zip(_origins(uuid, found), found, strict=True)
        ]
        for uuid, found in kept.origins.items()
    }
    return said


def _origins(uuid: str, origins: Iterable[Origin]) -> list[dict[str, Any]]:
    """`[{"archive": 0}, {"archive": 2, "uuid": "…"}]`: the UUID only where it was another one."""
    return [
        {"archive": share} if theirs == uuid else {"archive": share, "uuid": theirs}
        for share, theirs in dict.fromkeys(origins)
    ]


def _otherwise(
    shares: Sequence[Share], states: Mapping[Origin, Document], kept: Origin, other: Origin
) -> dict[str, Any]:
    """What an equal measurement said in other words: those of its fields that the kept one has not."""
    if other == kept:
        return {}
    said: dict[str, Any] = {}
    for name, (mine, theirs) in {
        layout.INFO: (_info(shares, kept), _info(shares, other)),
        layout.STATE: (states.get(kept), states.get(other)),
    }.items():
        if mine is not None and theirs is not None and mine.raw != theirs.raw:
            known = mine.fields
            differs = {
                key: value
                for key, value in theirs.fields.items()
                if key not in _REFERENCES and (key not in known or known[key] != value)
            }
            if differs:
                said[name] = differs
    return {"otherwise": said} if said else {}


def _info(shares: Sequence[Share], origin: Origin) -> Document | None:
    return shares[origin.share].infos.get(f"{layout.DATA}/{origin.uuid}/{layout.INFO}")
