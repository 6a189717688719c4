"""Where things lie in an sxes group: every member path of the format is made and taken apart here."""

from __future__ import annotations

import re
from typing import Final, Literal

METADATA: Final = "metadata.json"
DATA: Final = "data"
IMAGES: Final = "images"
BACKGROUNDS: Final = "backgrounds"
CONDITIONS: Final = "conditions"
RAW_CONDITIONS: Final = "rawConditions"
MAPS: Final = "maps"
DOCUMENTS: Final = "documents"
SOURCES: Final = "sources"
RESIDUE: Final = "residue"
INFO: Final = "info.json"
STATE: Final = "state.json"
MAP: Final = "map.json"
ARRAYS: Final = "arrays.json"
TYPE_SUFFIX: Final = ".data"

SharedKind = Literal["backgrounds", "conditions", "rawConditions"]
HashedKind = Literal["documents", "sources", "residue"]
ItemRoot = Literal["data", "images"]

LIST_KEYS: Final[dict[ItemRoot, str]] = {"data": "positionUuids", "images": "imageUuids"}
"""The key of an analysis that lists each kind of item."""

MAP_KEY: Final = "mapUuids"
"""The key of an analysis that lists its maps; a hint, for each `map.json` names its analysis."""

WRITTEN_VERSION: Final = "0.1.0"
"""The version that a new group states, as the format's converter does."""

_KNOWN_VERSION = (0, 1)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def item_folder(root: ItemRoot, uuid: str) -> str:
    """`data/<uuid>/`, `images/<uuid>/`."""
    return f"{root}/{uuid}/"


def type_path(uuid: str, data_type: str) -> str:
    """`data/<uuid>/xes.data`."""
    return f"{DATA}/{uuid}/{data_type}{TYPE_SUFFIX}"


def map_folder(uuid: str) -> str:
    """`maps/<uuid>/`."""
    return f"{MAPS}/{uuid}/"


def hashed_path(kind: HashedKind, digest: str) -> str:
    """`documents/<sha256>.json`, `sources/<sha256>.json`, `residue/<sha256>`."""
    return f"{kind}/{digest}" if kind == RESIDUE else f"{kind}/{digest}.json"


def is_hash(name: str) -> bool:
    """Whether a text is a SHA-256 in lower-case hexadecimal."""
    return _SHA256.fullmatch(name) is not None


def shared_path(kind: SharedKind, digest: str) -> str:
    """`conditions/<sha256>.json`; backgrounds have no suffix."""
    return f"{kind}/{digest}" if kind == BACKGROUNDS else f"{kind}/{digest}.json"


def shared_candidates(kind: SharedKind, digest: str) -> tuple[str, str]:
    """The paths a shared file may have: the right one, then the one that a bug in older writers made."""
    return (f"{kind}/{digest}", f"{kind}/{digest}.json")[:: 1 if kind == BACKGROUNDS else -1]  # type: ignore[return-value]


def shared_digest(path: str) -> str:
    """`conditions/88128d38….json` → `88128d38…`."""
    return path.rpartition("/")[2].removesuffix(".json")


def is_newer(version: str | None) -> bool:
    """Whether a stated version is beyond 0.1.x, or nothing we can compare."""
    if version is None:
        return False
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return True
    return tuple(int(part) for part in parts)[:2] > _KNOWN_VERSION
