"""A file that cannot be taken apart, as an archive of one member: itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from sxeslake.archive.file_facts import attributes_of
from sxeslake.archive.names import printable
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.closing import Closing
from sxeslake.errors import InputError, NotAnArchiveError
from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import ContainerKind, Job, Member, Piece


class OpaqueFile(Closing):
    """A container whose only member is the file itself; `reason` says why it was not taken apart."""

    comment = b""
    left_out: tuple[str, ...] = ()

    def __init__(self, path: Path, reason: str) -> None:
        self._file = RangedFile(path)
        facts = path.stat()
        self.kind = _kind(path)
        self.notes = (f"kept whole, as one opaque file: {reason}",)
        name = printable(path.resolve().name).replace("\\", "_")
        mode = attributes_of(facts, is_folder=False, is_link=False) if os.name == "posix" else None
        modified_ns = facts.st_mtime_ns if abs(facts.st_mtime_ns) < 1 << 63 else None
        self.members: Sequence[Member] = (Member(name, "file", self._file.size, modified_ns, mode),)

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:
        """The file in pieces."""
        for offset in range(0, self._file.size, chunk_bytes):
            yield partial(self._piece, offset, min(chunk_bytes, self._file.size - offset))

    def _piece(self, offset: int, size: int) -> list[Piece]:
        data = self._file.read(offset, size)
        if len(data) != size:
            raise InputError("changed while it was read", where=self._file.path)
        return [Piece(0, offset, data)]

    def read(self, index: int) -> bytes:
        """The whole file."""
        if index not in (0, -1):
            raise IndexError(index)
        return self._file.read(0, self._file.size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _kind(path: Path) -> ContainerKind:
    """What the file says it is; by its suffix where it says nothing."""
    from sxeslake.archive.container import sniff  # noqa: PLC0415 - it imports this module's readers

    try:
        return sniff(path)
    except NotAnArchiveError:
        return "7z" if path.suffix.lower() in (".7z", ".pl7z") else "zip"
