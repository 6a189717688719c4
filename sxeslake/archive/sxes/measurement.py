r"""When two positions are the same measurement: `content_id`.

UUIDs are random per conversion, comments and operators get edited, archives are saved again under other names. What
stays is what was measured, where and when. `content_id` is the BLAKE3-256, in hexadecimal, of these bytes:

    sxeslake position 1\n
    <type>\0<BLAKE3 of the data array, 32 bytes>     for each data array, sorted by type
    \n<save date> <stage x> <stage y> <stage z>       `2018-04-13T18:53:48 2.9855 -1.145 10.764`, `-` where unknown

The arrays alone would do for real spectra, whose noise never repeats; time and place keep apart measurements that
recorded nothing. They enter as values, not as text, so that `"2.50"` and `2.5` agree. A position without a data array
has no `content_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from blake3 import blake3

from sxeslake.model import Digest

_DOMAIN = b"sxeslake position 1\n"


def position_content_id(
    arrays: Sequence[tuple[str, Digest]], saved_local: datetime | None, stage_mm: Sequence[float | None]
) -> str | None:
    """The identity of a measurement from its arrays, `("xes", <32 bytes>)` sorted by type, time and place."""
    described = b"".join(array_label(kind) + digest for kind, digest in arrays)
    (found,) = position_content_ids([described], [saved_local], [[value] for value in stage_mm])
    return found


def position_content_ids(
    described: Sequence[bytes], saved_local: Sequence[datetime | None], stage_mm: Sequence[Sequence[float | None]]
) -> list[str | None]:
    """The identities of many measurements, from columns: `described` are the labels of arrays, each with its hash.

    `stage_mm` are columns too: x, y, z.
    """
    written = {value: "-" if value is None else repr(value + 0.0) for axis in stage_mm for value in set(axis)}
    # + 0.0: -0.0 is 0.0. The coordinates of a map's rows and columns come again and again.
    places = zip(*([written[value] for value in axis] for axis in stage_mm), strict=True)
    found: list[str | None] = []
    for arrays, saved, place in zip(described, saved_local, places, strict=True):
        if arrays:
            when = "-" if saved is None else saved.isoformat()
            ending = f"\n{when} {' '.join(place)}"
            found.append(blake3(_DOMAIN + arrays + ending.encode()).hexdigest())
        else:
            found.append(None)
    return found


def array_label(kind: str) -> bytes:
    """What stands before the hash of a data array."""
    return kind.encode("utf-8", "surrogatepass") + b"\0"
