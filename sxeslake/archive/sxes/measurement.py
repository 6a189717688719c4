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
from functools import lru_cache

from blake3 import blake3

from sxeslake.model import Digest

_DOMAIN = b"sxeslake position 1\n"


def position_content_id(
    arrays: Sequence[tuple[str, Digest]], saved_local: datetime | None, stage_mm: Sequence[float | None]
) -> str | None:
    """The identity of a measurement from its arrays, `("xes", <32 bytes>)` sorted by type, time and place."""
    if not arrays:
        return None
    parts = [part for kind, digest in arrays for part in (_label(kind), digest)]
    saved = "-" if saved_local is None else saved_local.isoformat()
    place = " ".join(map(_written, stage_mm))
    return blake3(b"%b%b\n%b" % (_DOMAIN, b"".join(parts), f"{saved} {place}".encode())).hexdigest()


@lru_cache(maxsize=256)
def _label(kind: str) -> bytes:
    return kind.encode("utf-8", "surrogatepass") + b"\0"


@lru_cache(maxsize=4096)
def _written(value_mm: float | None) -> str:
    """A coordinate as text; those of a map's rows and columns come again and again."""
    return "-" if value_mm is None else repr(value_mm + 0.0)  # + 0.0: -0.0 is 0.0
