"""What makes two archives the same: ids over a canonical encoding of their members, never over container bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from blake3 import blake3

from sxeslake.model import Digest, Member

_CONTENT = struct.Struct("<cIQ")
_LAYOUT = struct.Struct("<cIIQqqq")
_ABSENT = -(2**63)


def content_id(members: Iterable[tuple[Member, Digest]]) -> str:
    """Names and contents, sorted by path: the same for a zip, its repack as 7z, and the unpacked folder.

    A member adds: `f` or `d`, u32 bytes of the path, u64 size, the path in UTF-8, its BLAKE3 (32 zero bytes for a
    folder). Members come sorted by the UTF-8 bytes of their path.
    """
    hasher = blake3(b"sxeslake content 1\n")
    for member, digest in members:
        path = member.path.encode()
        kind = b"d" if member.kind == "directory" else b"f"
        hasher.update(_CONTENT.pack(kind, len(path), member.size) + path + digest)
    return hasher.hexdigest()


def layout_id(members: Iterable[Member]) -> str:
    """Everything else that a pull gives back: order, times, attributes, legacy names; members in archive order."""
    hasher = blake3(b"sxeslake layout 1\n")
    for member in members:
        path, raw_name = member.path.encode(), member.raw_name or b""
        kind = b"d" if member.kind == "directory" else b"f"
        hasher.update(
            _LAYOUT.pack(
                kind,
                len(path),
                len(raw_name),
                member.size,
                _or_absent(member.modified_ns),
                _or_absent(member.attributes),
                _or_absent(member.dos_time),
            )
            + path
            + raw_name
        )
    return hasher.hexdigest()


def _or_absent(value: int | None) -> int:
    return _ABSENT if value is None else value
