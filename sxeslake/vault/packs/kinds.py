"""Which blobs share frames and packs: like lies beside like."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sxeslake.model import KIB, MIB

PackKind = Literal["json", "array"]

ALONE_BYTES = 64 * KIB  # a blob of this size is a frame of its own
FRAME_BYTES = 256 * KIB  # smaller ones share a frame up to this size: what reading one of them costs
HELD_BYTES = 16 * KIB  # of a large group: files of positions below this share frames as positions are listed …
HELD_FRAME_BYTES = 64 * KIB  # … of this size: who reads in another order decodes each of them many times
WINDOW_BYTES = 16 * MIB  # of members, raw, that a pull reads at once: a third of that comes over the wire
_TAIL_CHARS = 16


FOLLOWS = {"sum.data": ("xes.data", 4, 2049)}
"""Members that follow from another in the same folder, as low bytes of the column sums of its WIDTH x STRIDE rows."""


class Kind(NamedTuple):
    """`json`/`state.json`, `array`/`qlw.data`/32760: the pack, the likeness, the size where it is a likeness too."""

    pack: PackKind
    group: str
    size: int


def kind_of(path: str, size: int) -> Kind:
    """`data/<uuid>/qlw.data` → the kind of all qlw spectra of that length; JSON goes to packs of its own."""
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    if suffix.lower() == "json" and dot:
        # `info.json` is alike in every position; a name made of a hash or a uuid says nothing but its suffix.
        return Kind("json", name if len(stem) <= _TAIL_CHARS else ".json", 0)
    if suffix == "data" and dot:
        return Kind("array", name, size)
    folder = path.partition("/")[0] if "/" in path else ""
    if folder == "backgrounds":
        return Kind("array", "backgrounds", size)
    if size >= ALONE_BYTES:
        return Kind("array", suffix.lower() if dot else "", size)
    return Kind("array", suffix.lower()[:_TAIL_CHARS] if dot else "", 0)
