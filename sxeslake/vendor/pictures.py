"""What picture a file is and how large, from its first bytes: suffixes of instruments mislead.

Bytes of unknown origin: every offset is held against the file's size, and no header is followed without end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from .tree import Tree

MAGIC_BYTES = 32
"""What `media_type` wants of a file."""


class PictureKind(NamedTuple):
    """A kind of picture: its name, its type, its first bytes and its usual suffixes."""

    name: str
    media_type: str
    starts: tuple[bytes, ...]
    suffixes: tuple[str, ...]


_BMP: Final = PictureKind("BMP", "image/bmp", (b"BM",), (".bmp", ".dib"))
PICTURES: Final = (
    PictureKind("TIFF", "image/tiff", (b"II*\0", b"MM\0*"), (".tif", ".tiff")),
    PictureKind("JPEG", "image/jpeg", (b"\xff\xd8\xff",), (".jpg", ".jpeg")),
    PictureKind("PNG", "image/png", (b"\x89PNG\r\n\x1a\n",), (".png",)),
    _BMP,
)
"""The pictures that instruments write."""

_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_JPEG_SEGMENTS = 1000
_TIFF_ENTRIES = 4096
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_IMAGE_WIDTH, _IMAGE_HEIGHT = 256, 257


@dataclass(frozen=True, slots=True)
class Tag:
    """A field of a TIFF: where its values stand in the file."""

    kind: int
    count: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Tiff:
    """The first directory of a TIFF; fields that lead out of the file are left out."""

    order: str
    """`<` or `>`."""
    tags: Mapping[int, Tag]


def picture_kind(head: bytes, size: int | None = None) -> PictureKind | None:
    """The kind of a picture by its first `MAGIC_BYTES` bytes, or None where they are of no picture.

    Two letters alone make no bitmap: it has a header of a known length, or states the file's `size`.
    """
    kind = next((each for each in PICTURES if head.startswith(each.starts)), None)
    if kind is not _BMP or int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return kind
    return kind if size is not None and int.from_bytes(head[2:6], "little") == size else None


def media_type(head: bytes) -> str | None:
    """The type of a picture by its first `MAGIC_BYTES` bytes, or None where they are of no picture."""
    kind = picture_kind(head)
    return kind.media_type if kind else None


def picture_size(tree: Tree, path: str) -> tuple[int, int] | None:
    """Width and height in pixels, or None where the header does not give them."""
    head = tree.read(path, 0, MAGIC_BYTES)
    match media_type(head):
        case "image/tiff":
            size = _tiff_size(tree, path)
        case "image/jpeg":
            size = _jpeg_size(tree, path)
        case "image/png":
            size = _unpacked(">II", head, 16)
        case "image/bmp" if head[14] == 12:
            size = _unpacked("<HH", head, 18)
        case "image/bmp":
            size = _unpacked("<ii", head, 18)
        case _:
            return None
    if size is None:
        return None
    width, height = size[0], abs(size[1])  # a BMP whose first row is the upper one has a negative height
    return (width, height) if width > 0 and height > 0 else None


def read_tiff(tree: Tree, path: str) -> Tiff | None:
    """The first directory of a TIFF, or None where there is none."""
    size = tree.sizes[path]
    head = tree.read(path, 0, 8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", head, 4)
    counted = _unpacked(f"{order}H", tree.read(path, start, 2), 0)
    if counted is None:
        return None
    entries = tree.read(path, start + 2, 12 * min(counted[0], _TIFF_ENTRIES))
    tags: dict[int, Tag] = {}
    for at in range(0, len(entries) - 11, 12):
        number, kind, count, value = struct.unpack_from(f"{order}HHII", entries, at)
        length = _TIFF_SIZES.get(kind, 0) * count
        offset = start + 2 + at + 8 if length <= 4 else value
        if length and offset + length <= size:
            tags.setdefault(number, Tag(kind, count, offset, length))
    return Tiff(order, tags)


def tiff_number(tree: Tree, path: str, tiff: Tiff, number: int) -> int | None:
    """The first value of a field of whole numbers."""
    tag = tiff.tags.get(number)
    code = {1: "B", 3: "H", 4: "I"}.get(tag.kind) if tag else None
    if tag is None or code is None:
        return None
    value = _unpacked(f"{tiff.order}{code}", tree.read(path, tag.offset, 4), 0)
    return value[0] if value else None


def _tiff_size(tree: Tree, path: str) -> tuple[int, ...] | None:
    tiff = read_tiff(tree, path)
    if tiff is None:
        return None
    width, height = (tiff_number(tree, path, tiff, number) for number in (_IMAGE_WIDTH, _IMAGE_HEIGHT))
    return None if width is None or height is None else (width, height)


def _jpeg_size(tree: Tree, path: str) -> tuple[int, ...] | None:
    """From the start of the frame, which stands after previews and comments of any length."""
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        head = tree.read(path, at, 9)
        if len(head) < 9 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker == 0xFF:  # fill
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = _unpacked(">HH", head, 5)
            return size and (size[1], size[0])
        else:
            at += 2 + max(2, int.from_bytes(head[2:4], "big"))
    return None


def _unpacked(form: str, data: bytes, offset: int) -> tuple[int, ...] | None:
    """Numbers at a place, or None where the bytes end before."""
    return struct.unpack_from(form, data, offset) if offset + struct.calcsize(form) <= len(data) else None
