"""What makes two archives the same: ids over a canonical encoding of their members, never over container bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from blake3 import blake3

from sxeslake.archive.columns import ABSENT
from sxeslake.model import Digest, Member

_CONTENT = struct.Struct("<cIQ")
_LAYOUT = struct.Struct("<cIIQqqq")


def content_id(members: Iterable[tuple[Member, Digest]]) -> str:
    """Names and contents, sorted by path: the same for a zip, its repack as 7z, and the unpacked folder.

    A member adds: `f` or `d`, u32 bytes of the path, u64 size, the path in UTF-8, its BLAKE3 (32 zero bytes for a
    folder). Members come sorted by the UTF-8 bytes of their path.
    """
    return content_id_of((member.path, member.kind == "directory", member.size, digest) for member, digest in members)


def content_id_of(members: Iterable[tuple[str, bool, int, Digest]]) -> str:
    """`content_id` of path, whether it is a folder, size and BLAKE3: objects are dear where there are many."""
    hasher = blake3(b"sxeslake content 1\n")
    for name, is_directory, size, digest in members:
        path = name.encode()
        hasher.update(_CONTENT.pack(b"d" if is_directory else b"f", len(path), size) + path + digest)
    return hasher.hexdigest()


def content_ids_by_folders(members: Iterable[tuple[str, bool, int, Digest]]) -> list[str]:
    """`content_id` of the same files without entries for the folders that they lie in, and with all of those.

    Some programs write such entries and some do not, and a folder on a disk always has them. Members come sorted.
    """
    rows = list(members)
    parents = {path[:at] for path, *_ in rows for at, sign in enumerate(path) if sign == "/"}
    paths = {path for path, *_ in rows}
    bare = [row for row in rows if not (row[1] and row[0] in parents)]
    full = sorted([*rows, *((path, True, 0, bytes(32)) for path in parents - paths)], key=lambda row: row[0])
    return [content_id_of(bare), content_id_of(full)]


def layout_id(members: Iterable[Member]) -> str:
    """Everything else that a pull gives back: order, times, attributes, legacy names; members in archive order."""
    return layout_id_of(
        (
            member.path,
            member.kind == "directory",
            member.size,
            _or_absent(member.modified_ns),
            _or_absent(member.attributes),
            _or_absent(member.dos_time),
            member.raw_name,
        )
        for member in members
    )


def layout_id_of(members: Iterable[tuple[str, bool, int, int, int, int, bytes | None]]) -> str:
    """`layout_id` of path, whether it is a folder, size, time, attributes, DOS time and raw name.

    A member adds: `f` or `d`, u32 bytes of the path and of the raw name, u64 size, i64 time, attributes and DOS time
    (-2^63: not known), the path in UTF-8, the raw name.
    """
    hasher = blake3(b"sxeslake layout 1\n")
    for name, is_directory, size, modified_ns, attributes, dos_time, raw_name in members:
        path, raw = name.encode(), raw_name or b""
        kind = b"d" if is_directory else b"f"
        hasher.update(_LAYOUT.pack(kind, len(path), len(raw), size, modified_ns, attributes, dos_time) + path + raw)
    return hasher.hexdigest()


def _or_absent(value: int | None) -> int:
    return ABSENT if value is None else value
