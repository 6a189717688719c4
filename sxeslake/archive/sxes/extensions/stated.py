"""Which extensions of the format a group states, and whether a newer one forbids writing. Pure.

`metadata.json` says `"extensions":{"maps":1}`. One that its writer holds to be needed by whoever changes the group
stands in `"extensionsRequired":["maps"]` too: who knows no such version of it opens the group for reading only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import mapping, strings, version_of
from sxeslake.archive.sxes.documents.units import integer

Extension = Literal["maps", "arrays", "documents", "sources"]

KNOWN: Final[Mapping[str, int]] = {"maps": 1, "arrays": 1, "documents": 1, "sources": 1}
"""The extensions that are written here, and their versions."""

_USED: Final = "extensions"
_REQUIRED: Final = "extensionsRequired"


def read_extensions(metadata: object) -> dict[str, int]:
    """Name and version of each extension that a `metadata.json` states."""
    found = ((name, integer(version)) for name, version in mapping(mapping(metadata).get(_USED)).items())
    return {name: version for name, version in found if version is not None}


def newer_than_known(metadata: object) -> str | None:
    """Why a group must not be changed: `its format version 0.2.0 is newer than 0.1.0`; None where it may be."""
    version = version_of(metadata)
    if layout.is_newer(version):
        return f"its format version {version} is newer than {layout.WRITTEN_VERSION}"
    stated = read_extensions(metadata)
    for name in strings(mapping(metadata).get(_REQUIRED)):
        if name not in KNOWN:
            return f"it requires the extension {name}, which this version does not know"
        if stated.get(name, 0) > KNOWN[name]:
            return f"it requires the extension {name} {stated[name]}, which is newer than {name} {KNOWN[name]}"
    return None


def state(metadata: dict[str, object], extension: Extension) -> bool:
    """State in a `metadata.json` that an extension is used; whether that changed anything.

    A newer version that is stated there already stays.
    """
    used = metadata.get(_USED)
    if not isinstance(used, dict):
        used = metadata[_USED] = {}
    if (integer(used.get(extension)) or 0) >= KNOWN[extension]:
        return False
    used[extension] = KNOWN[extension]
    return True
