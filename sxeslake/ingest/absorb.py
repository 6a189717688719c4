"""One archive, taken in: its members read, hashed and looked up; new blobs handed on to be framed."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake.archive.container import Container
from sxeslake.archive.parallel import in_order
from sxeslake.errors import DamagedArchiveError
from sxeslake.format import identity
from sxeslake.format.manifest import NO_DIGEST, Blob
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.columns import MemberColumns
from sxeslake.ingest.metadata import MAX_JSON_BYTES, METADATA, MetadataReader
from sxeslake.model import Digest, Job
from sxeslake.vault.frames import FrameMaker, NewBlob

EMPTY = blake3(b"").digest()
_LOOK_UP = 4096  # digests asked of the index at once


def _silent(_: int) -> None:
    """Nobody watches."""


class Hashed(NamedTuple):
    """A piece of a member, with its address and checksum."""

    member: int
    offset: int
    data: bytes
    digest: Digest
    crc32: int


@dataclass(slots=True)
class Absorbed:
    """An archive as numbers: for each member its digest, CRC-32 and the blobs that it is made of."""

    members: MemberColumns
    digests: bytearray  # 32 bytes a member
    crcs: array[int]
    first_blob: array[int]  # the number of the only blob; -1: none, see `chunks`
    chunks: dict[int, list[int]] = field(default_factory=dict)
    new_numbers: range = range(0)  # of the run's blob table: what was first met in this archive
    arrays_met: set[Digest] = field(default_factory=set)  # arrays of this archive that were met before
    metadata: MetadataReader = field(default_factory=MetadataReader)
    comment: bytes = b""
    notes: tuple[str, ...] = ()
    layout_id: str = ""
    raw_bytes: int = 0

    def digest(self, member: int) -> Digest:
        """The BLAKE3 of a member."""
        return bytes(self.digests[32 * member : 32 * member + 32])

    def order(self) -> list[int]:
        """Members by the UTF-8 bytes of their paths."""
        paths = [path.encode() for path in self.members.paths]
        return sorted(range(len(paths)), key=paths.__getitem__)

    def content_id(self, order: Sequence[int]) -> str:
        """See `format.identity`."""
        return identity.content_id((self.members[number], self.digest(number)) for number in order)

    def blob_numbers(self) -> npt.NDArray[np.int64]:
        """The numbers of the blobs that it is made of, each once."""
        chunks = np.fromiter((number for numbers in self.chunks.values() for number in numbers), np.int64)
        found = np.unique(np.concatenate((np.frombuffer(self.first_blob, np.int64), chunks)))
        return found[found >= 0]


class Absorber:
    """Takes archives in, one after the other, for one run."""

    def __init__(
        self,
        table: BlobTable,
        find: Callable[[Sequence[Digest]], dict[Digest, Blob]],
        frames: FrameMaker | None,
        *,
        chunk_bytes: int,
        threads: int,
        encoding: str | None = None,
    ) -> None:
        self._table, self._find, self._frames = table, find, frames
        self._chunk_bytes, self._threads, self._encoding = chunk_bytes, threads, encoding

    def absorb(
        self, container: Container, start: Callable[[int], None] = _silent, advance: Callable[[int], None] = _silent
    ) -> Absorbed:
        """Read an archive whole, telling its raw bytes at the start and on the way.

        InputError leaves the run as it was, but for blobs that nobody refers to.
        """
        members = MemberColumns(container.members)
        count = len(members)
        crcs, first_blob = array("I", [0]) * count, array("q", [-1]) * count
        taken = Absorbed(members, bytearray(32 * count), crcs, first_blob)
        taken.comment, taken.notes = container.comment, container.notes
        taken.metadata = MetadataReader(self._encoding)
        taken.layout_id, taken.raw_bytes = identity.layout_id(members), sum(members.sizes)
        start(taken.raw_bytes)
        for number, size in enumerate(members.sizes):
            if size == 0 and not members.is_directory(number):
                taken.digests[32 * number : 32 * number + 32] = EMPTY
                taken.metadata.look(members.paths[number], b"")
        large, first_number = _Large(taken), len(self._table)
        results = in_order((_hashing(job) for job in container.jobs(self._chunk_bytes)), threads=self._threads)
        try:
            for pieces in results:
                for at in range(0, len(pieces), _LOOK_UP):
                    self._take(taken, large, pieces[at : at + _LOOK_UP])
                advance(sum(len(piece.data) for piece in pieces))
        finally:
            results.close()
        large.finish()
        _check_whole(taken)
        taken.new_numbers = range(first_number, len(self._table))
        return taken

    def _take(self, taken: Absorbed, large: _Large, pieces: Sequence[Hashed]) -> None:
        unknown = list({piece.digest for piece in pieces if self._table.number(piece.digest) is None})
        known = self._find(unknown) if unknown else {}
        for piece in pieces:
            path = taken.members.paths[piece.member]
            number = self._number(taken, piece, path, known)
            if piece.offset == 0 and len(piece.data) == taken.members.sizes[piece.member]:
                taken.digests[32 * piece.member : 32 * piece.member + 32] = piece.digest
                taken.crcs[piece.member] = piece.crc32
                taken.first_blob[piece.member] = number
                taken.metadata.look(path, piece.data)
            else:
                large.add(piece, number)

    def _number(self, taken: Absorbed, piece: Hashed, path: str, known: dict[Digest, Blob]) -> int:
        number = self._table.number(piece.digest)
        if (number is not None or piece.digest in known) and _is_measured(path, piece.data):
            taken.arrays_met.add(piece.digest)
        if number is not None:
            return number
        if piece.digest in known:
            return self._table.add_known(known[piece.digest])
        number = self._table.add_new(piece.digest, len(piece.data))
        if self._frames is not None:
            self._frames.add(path, NewBlob(number, piece.digest, piece.data))
        return number


class _Large:
    """Members of several chunks: hash and CRC run on from piece to piece."""

    def __init__(self, taken: Absorbed) -> None:
        self._taken = taken
        self._member = -1
        self._hasher, self._crc, self._size = blake3(), 0, 0
        self._text: list[bytes] | None = None  # of a metadata.json, which a group of 100,000 positions has in chunks

    def add(self, piece: Hashed, number: int) -> None:
        if piece.member != self._member:
            self.finish()
            self._member, self._hasher, self._crc, self._size = piece.member, blake3(), 0, 0
            members = self._taken.members
            is_metadata = members.paths[piece.member] == METADATA
            self._text = [] if is_metadata and members.sizes[piece.member] <= MAX_JSON_BYTES else None
        if piece.offset != self._size:
            raise DamagedArchiveError(f"{self._taken.members.paths[piece.member]} came in the wrong order.")
        self._hasher.update(piece.data)
        self._crc = zlib.crc32(piece.data, self._crc)
        self._size += len(piece.data)
        if self._text is not None:
            self._text.append(piece.data)
        self._taken.chunks.setdefault(piece.member, []).append(number)

    def finish(self) -> None:
        if self._member >= 0:
            at = 32 * self._member
            self._taken.digests[at : at + 32] = self._hasher.digest()
            self._taken.crcs[self._member] = self._crc
            if self._text is not None:
                self._taken.metadata.look(METADATA, b"".join(self._text))
            self._member, self._text = -1, None


def _hashing(job: Job) -> Callable[[], list[Hashed]]:
    def run() -> list[Hashed]:
        return [Hashed(member, offset, data, blake3(data).digest(), zlib.crc32(data)) for member, offset, data in job()]

    return run


def _check_whole(taken: Absorbed) -> None:
    for number, path in enumerate(taken.members.paths):
        if taken.digest(number) == NO_DIGEST and not taken.members.is_directory(number):
            raise DamagedArchiveError(f"the content of {path} is missing.")


def _is_measured(path: str, data: bytes) -> bool:
    """Whether it is an array that two archives share by descent only: not one value throughout."""
    return path.startswith("data/") and path.endswith(".data") and bool(data.strip(data[:1]))


def data_digests(taken: Absorbed) -> Iterator[Digest]:
    """The addresses of an archive's arrays: `data/<uuid>/<type>.data`."""
    for number, path in enumerate(taken.members.paths):
        if path.startswith("data/") and path.endswith(".data"):
            yield taken.digest(number)
