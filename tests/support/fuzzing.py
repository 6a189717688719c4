"""Small archives, and what becomes of them when their bytes are changed: read, or refused by a named error."""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import py7zr

from support.small_lakes import counts, group
from sxeslake.archive.container import create_writer, open_container
from sxeslake.errors import SxeslakeError
from sxeslake.model import MIB, Limits, Member

CORPUS = Path(__file__).parents[1] / "corpus" / "archives"
LIMITS = Limits(members=10_000, raw_bytes=64 * MIB, ratio_floor_bytes=8 * MIB)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class Edit(NamedTuple):
    """A change of some bytes, at a place between 0 and 1 of the whole."""

    kind: str  # set, insert, delete, cut
    place: float
    data: bytes


@cache
def seeds() -> tuple[bytes, ...]:
    """A zip of each method, and 7z with and without compression: a few members, empty ones and folders among them."""
    contents = {**group(1, positions=1), "empty": b"", "ä.txt": b"text " * 20, "n.bin": counts(3, 60)}
    made = []
    for method in _METHODS:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.comment = b"comment"
            for name, data in contents.items():
                archive.writestr(zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0)), data, method)
        made.append(buffer.getvalue())
    for kind, level in (("zip", 6), ("7z", 0), ("7z", 3)):
        buffer = io.BytesIO()
        writer = create_writer(buffer, "zip" if kind == "zip" else "7z", level=level, threads=1)
        writer.add(Member("folder", "directory", modified_ns=10**18), [])
        for name, data in contents.items():
            writer.add(Member(name, "file", len(data), modified_ns=10**18), [data])
        writer.close()
        made.append(buffer.getvalue())
    return tuple(made)


@cache
def locked() -> tuple[bytes, ...]:
    """Encrypted 7z, whose password is `p`: names hidden with and without compression, and names open."""
    made = []
    for level in (0, 3):
        buffer = io.BytesIO()
        writer = create_writer(buffer, "7z", level=level, threads=1, password="p")
        for name, data in group(1, positions=1).items():
            writer.add(Member(name, "file", len(data)), [data])
        writer.close()
        made.append(buffer.getvalue())
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", password="p") as archive:
        archive.writestr(b"text " * 20, "a.txt")
    return (*made, buffer.getvalue())


def edited(data: bytes, edits: Sequence[Edit], *, seal: bool) -> bytes:
    """The bytes after the changes; with `seal`, the checksums of a 7z header are made right again."""
    changed = bytearray(data)
    for edit in edits:
        at = int(edit.place * len(changed))
        if edit.kind == "set":
            changed[at : at + len(edit.data)] = edit.data
        elif edit.kind == "insert":
            changed[at:at] = edit.data
        elif edit.kind == "delete":
            del changed[at : at + len(edit.data)]
        else:
            del changed[at:]
    if seal and changed[:2] == b"7z" and len(changed) >= 32:
        start = 32 + int.from_bytes(changed[12:20], "little")
        size = int.from_bytes(changed[20:28], "little")
        changed[28:32] = zlib.crc32(changed[start : start + size]).to_bytes(4, "little")
        changed[8:12] = zlib.crc32(changed[12:32]).to_bytes(4, "little")
    return bytes(changed)


def outcome(data: bytes, password: str | tuple[str, ...] = ()) -> str:
    """`read`, or the name of the error; whatever is no error of ours, or takes for ever, comes through."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        path.write_bytes(data)
        try:
            with open_container(path, limits=LIMITS, password=password) as container:
                sizes = dict.fromkeys(range(len(container.members)), 0)
                for job in container.jobs():
                    for piece in job():
                        sizes[piece.member] += len(piece.data)
                assert all(sizes[number] == member.size for number, member in enumerate(container.members))
        except SxeslakeError as error:
            return type(error).__name__
    return "read"
