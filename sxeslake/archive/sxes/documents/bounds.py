"""How large a JSON member may be that is read as metadata: in bytes, and in what it takes once it is parsed.

Longer ones are stored like any other member. They are never held in memory whole: an archive of 3 MB can hold a
`metadata.json` of a gigabyte, and 64 MiB of small lists take gigabytes as Python objects.
"""

from __future__ import annotations

from typing import Final

from sxeslake.model import DOCUMENT_BYTES, MIB

PARSED_BYTES: Final = 256 * MIB
TOO_MANY_VALUES: Final = "holds too many values to be read in bounded memory"
_LIGHT: Final = 64 * 1024  # so short that nothing in it takes much
_OBJECT, _LIST, _VALUE = 200, 80, 72  # bytes of the interpreter, about


def too_large(size: int, limit: int = DOCUMENT_BYTES) -> str | None:
    """Why a document of `size` bytes is not read; None where it is."""
    return f"larger than {limit / MIB:g} MiB, so it is stored and not read" if size > limit else None


def parsed_bytes(data: bytes) -> int:
    """About what a document takes in memory when it is parsed; 0 for a short one."""
    if len(data) <= _LIGHT:
        return 0
    return len(data) + data.count(b"{") * _OBJECT + data.count(b"[") * _LIST + data.count(b",") * _VALUE


def is_apple_double(path: str) -> bool:
    """Whether it is what macOS puts beside a file, `__MACOSX/._info.json`, which is no JSON whatever its name."""
    return path.startswith("__MACOSX/") or path.rpartition("/")[2].startswith("._")
