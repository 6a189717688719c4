"""What every container offers to those who read and write archives, and the first bytes that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import ContainerKind, Job, Member

SEVENZIP_MAGIC = b"7z\xbc\xaf\x27\x1c"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
PROGRAM_MAGICS = (b"MZ", b"\x7fELF")

WAS_ENCRYPTED = "the archive was encrypted; its contents are stored unencrypted"
"""The note of a container that a password has opened."""


class Container(Protocol):
    """An archive that can be read: a zip, a 7z or a folder. Also a context manager."""

    @property
    def kind(self) -> ContainerKind:
        """`zip`, `7z` or `folder`."""

    @property
    def comment(self) -> bytes:
        """The archive's own comment, as bytes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: bytes of the file that are in no member."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Of a folder: what cannot be read, and why."""

    @property
    def members(self) -> Sequence[Member]:
        """All members in archive order; may be built on demand."""

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:
        """All file contents in archive order; each job decodes about `chunk_bytes`, in any thread.

        A member larger than `chunk_bytes` comes as pieces cut at multiples of it; any other is one piece. Empty
        files and folders give no piece. Sizes and CRC-32 are checked.

        Parameters
        ----------
        chunk_bytes : int
            How much a job decodes, in bytes unpacked.

        Returns
        -------
        iterator of Job
            Callables that give pieces.
        """

    def read(self, index: int) -> bytes:
        """The whole content of one member.

        Parameters
        ----------
        index : int
            Its place in `members`.

        Returns
        -------
        bytes
            The content, proved by its CRC-32.
        """

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ArchiveWriter(Protocol):
    """An archive that is being written."""

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """Append a member.

        Parameters
        ----------
        member : Member
            Its path, size, time and attributes.
        data : iterable of bytes
            Its content, of `member.size` bytes; consumed inside the call.
        """

    def close(self) -> None:
        """Finish the archive; the file beneath stays open."""
