"""One `metadata.json` of many: projects and analyses kept with their origin, lists in the new UUIDs. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import analysis_uuids_key, strings, version_of
from sxeslake.pull.merge.same import KeptItems, Origin, derived_uuid
from sxeslake.pull.part.outline import PICTURES, POSITIONS, Fields

PROVENANCE: Final = "provenance"
"""The key of `metadata.json` that says where everything came from; see ARCHIVE.md."""

_LISTS: Final = (POSITIONS, PICTURES, layout.MAP_KEY, "analysisUuids", "analyses")
_EXTENSIONS: Final = "extensions"
_REQUIRED: Final = "extensionsRequired"


class MergedMetadata:
    """Takes one outline after the other; an entry that is there already grows, another of its UUID stands apart."""

    def __init__(self, positions: KeptItems, images: KeptItems) -> None:
        self._positions, self._images = positions, images
        self._top: dict[str, Any] = {}
        self.otherwise: list[dict[str, Any]] = []  # a group: its own top-level fields that others overruled
        self._analyses: dict[str, dict[str, Any]] = {}
        self._projects: dict[str, dict[str, Any]] = {}
        self._said: dict[tuple[str, str], str] = {}  # kind and UUID → what the entry of that UUID says
        self._placed: dict[tuple[str, Origin], str] = {}
        self.origins: dict[str, dict[str, list[Origin]]] = {"projects": {}, "analyses": {}}

    def add(self, share: int, fields: Fields) -> None:
        """Merge one group's pruned metadata."""
        self._add_top(fields)
        renamed: dict[str, str] = {}
        for analysis in _objects(fields, "analyses"):
            uuid, entry = self._entry(share, "analyses", self._analyses, analysis)
            renamed.setdefault(str(analysis.get("uuid", "")), uuid)
            for key, kept in ((POSITIONS, self._positions), (PICTURES, self._images)):
                if key in analysis or key == POSITIONS:
                    uuids = (kept.uuids.get(Origin(share, item)) for item in strings(analysis.get(key)))
                    _extend(entry, key, [item for item in uuids if item is not None])
        for project in _objects(fields, "projects"):
            _, entry = self._entry(share, "projects", self._projects, project)
            own = analysis_uuids_key(project)
            key = next((name for name in ("analysisUuids", "analyses") if name in entry), own)
            _extend(entry, key, [renamed[uuid] for uuid in strings(project.get(own)) if uuid in renamed])

    def placed(self, what: str, origin: Origin) -> str | None:
        """The UUID of an analysis or a project of a group; None where it is not there."""
        return self._placed.get((_KINDS[what], origin))

    def add_maps(self, share: int, fields: Fields, maps: KeptItems) -> None:
        """List the maps of one group, which have found their new UUIDs."""
        for analysis in _objects(fields, "analyses"):
            if layout.MAP_KEY in analysis:
                uuid = self._placed["analyses", Origin(share, str(analysis.get("uuid") or ""))]
                uuids = (maps.uuids.get(Origin(share, item)) for item in strings(analysis[layout.MAP_KEY]))
                _extend(self._analyses[uuid], layout.MAP_KEY, [item for item in uuids if item is not None])

    def fields(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """The whole."""
        return {
            "version": self._top.get("version") or layout.WRITTEN_VERSION,
            **{key: value for key, value in self._top.items() if key != "version"},
            "projects": list(self._projects.values()),
            "analyses": list(self._analyses.values()),
            PROVENANCE: dict(provenance),
        }

    def _add_top(self, fields: Fields) -> None:
        overruled: dict[str, Any] = {}
        if version_of(fields) is not None and "version" not in self._top:
            self._top["version"] = fields["version"]
        for key, value in fields.items():
            if key in ("version", "projects", "analyses"):
                continue
            if key in (_EXTENSIONS, _REQUIRED):
                self._top[key] = _with_extensions(self._top.get(key), value)
                continue
            if key == PROVENANCE or self._top.setdefault(key, value) != value:
                overruled[key] = value
        self.otherwise.append(overruled)

    def _entry(
        self, share: int, kind: str, entries: dict[str, dict[str, Any]], fields: Fields
    ) -> tuple[str, dict[str, Any]]:
        """The entry of the new group for one of an old group: the same, or a copy without its lists."""
        said = json.dumps({key: value for key, value in fields.items() if key not in _LISTS}, sort_keys=True)
        uuid = str(fields.get("uuid") or "")
        if not uuid or (uuid in entries and self._said[kind, uuid] != said):
            uuid = derived_uuid(f"{kind}\n{said}", ())
        if uuid not in entries:
            entries[uuid] = {key: value for key, value in fields.items() if key not in _LISTS} | {"uuid": uuid}
            self._said[kind, uuid] = said
        origin = Origin(share, str(fields.get("uuid") or ""))
        self.origins[kind].setdefault(uuid, []).append(origin)
        self._placed.setdefault((kind, origin), uuid)
        return uuid, entries[uuid]


_KINDS: Final = {"analysis": "analyses", "project": "projects"}


def _with_extensions(known: Any, stated: Any) -> Any:
    """What both groups state: of each extension the newer version, or the names that either requires."""
    if isinstance(known, dict) and isinstance(stated, dict):
        return known | {name: max(known.get(name, version), version, key=_rank) for name, version in stated.items()}
    if isinstance(known, list) and isinstance(stated, list):
        return [*known, *(name for name in stated if name not in known)]
    return stated if known is None else known


def _rank(version: Any) -> int:
    return version if isinstance(version, int) else 0


def _objects(fields: Fields, key: str) -> Sequence[Mapping[str, Any]]:
    entries = fields.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _extend(entry: dict[str, Any], key: str, uuids: Sequence[str]) -> None:
    entry[key] = list(dict.fromkeys([*entry.get(key, ()), *uuids]))
