"""One archive, taken in: its members read, hashed and looked up; new blobs handed on to be framed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake.archive.attributes import MAX_TARGET_BYTES, notes_on
from sxeslake.archive.base import Container
from sxeslake.archive.columns import ABSENT, BATCH, MemberColumns, Numbers
from sxeslake.archive.encodings import UTF8, detect
from sxeslake.archive.sxes.documents.listing import LEAST_POSITIONS
from sxeslake.errors import DamagedArchiveError
from sxeslake.format import identity
from sxeslake.format.manifest import Blob
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.metadata import METADATA, MetadataReader
from sxeslake.machine.concurrency import in_order
from sxeslake.model import DOCUMENT_BYTES, MIB, Digest, Job, Piece
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.holding import NewBlob

EMPTY = blake3(b"").digest()
HELD_BYTES = 8 * MIB  # contents of a small archive: its recipe is sought in them
_LOOK_UP = 4096  # digests asked of the index at once


def _is_utf8(raw: bytes) -> bool:
    return detect(raw).encoding == UTF8


def _silent(_: int) -> None:
    """Nobody watches."""


class HashedPieces(NamedTuple):
    """Pieces of members, with the address of each."""

    pieces: list[Piece]
    digests: list[Digest]
    crcs: list[int]  # empty where the container tells and checks them

    def part(self, start: int, stop: int) -> HashedPieces:
        """Some of the pieces."""
        return HashedPieces(self.pieces[start:stop], self.digests[start:stop], self.crcs[start:stop])


@dataclass(slots=True)
class Absorbed:
    """An archive as numbers: for each member its digest, CRC-32 and the blobs that it is made of."""

    members: MemberColumns
    digests: npt.NDArray[np.uint8]  # 32 bytes a member
    crcs: npt.NDArray[np.uint32]
    first_blob: Numbers  # the number of the only blob; -1: none, see `chunks`
    chunks: dict[int, list[int]] = field(default_factory=dict)
    new_numbers: range = range(0)  # of the run's blob table: what was first met in this archive
    arrays_met: set[Digest] = field(default_factory=set)  # arrays of this archive that were met before
    metadata: MetadataReader = field(default_factory=MetadataReader)
    comment: bytes = b""
    notes: tuple[str, ...] = ()
    layout_id: str = ""
    raw_bytes: int = 0
    pieces: list[Piece] | None = field(default_factory=list)  # all contents; None: there is too much of them to hold

    @property
    def is_legacy(self) -> bool:
        """Whether the encoding that the user states matters: a name or a JSON file is not UTF-8."""
        return self.metadata.is_legacy or not all(map(_is_utf8, self.members.raw_names.values()))

    def digest(self, member: int) -> Digest:
        """The BLAKE3 of a member."""
        return bytes(self.digests[member])

    def content_id(self, order: Numbers) -> str:
        """See `format.identity`; `order` is by path."""
        return identity.content_id_of(self.contents(order))

    def contents(self, order: Numbers) -> Iterator[tuple[str, bool, int, Digest]]:
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            digests = self.digests[part].tobytes()
            yield from zip(
                self.members.paths_at(part),
                self.members.directory[part].tolist(),
                self.members.sizes[part].tolist(),
                [digests[at : at + 32] for at in range(0, len(digests), 32)],
                strict=True,
            )

    def blob_numbers(self) -> Numbers:
        """The numbers of the blobs that it is made of, each once."""
        chunks = np.fromiter((number for numbers in self.chunks.values() for number in numbers), np.int64)
        met = np.zeros(max(int(self.first_blob.max(initial=-1)), int(chunks.max(initial=-1))) + 1, np.bool_)
        met[self.first_blob[self.first_blob >= 0]] = True
        met[chunks] = True
        return np.flatnonzero(met)


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
        document_bytes: int = DOCUMENT_BYTES,
    ) -> None:
        self._document_bytes = document_bytes
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
        taken = Absorbed(
            members, np.zeros((count, 32), np.uint8), np.zeros(count, np.uint32), np.full(count, -1, np.int64)
        )
        taken.comment = container.comment
        taken.metadata = MetadataReader(self._encoding, self._document_bytes)
        taken.layout_id, taken.raw_bytes = identity.layout_id_of(members.fields()), int(members.sizes.sum())
        if taken.raw_bytes > HELD_BYTES:
            taken.pieces = None
        start(taken.raw_bytes)
        empty = np.flatnonzero((members.sizes == 0) & ~members.directory)
        taken.digests[empty] = np.frombuffer(EMPTY, np.uint8)
        for path in members.paths_at(empty):
            taken.metadata.look(path, b"")
        known = members.crc32 != ABSENT
        taken.crcs[known] = members.crc32[known]
        summing = bool((~known & ~members.directory & (members.sizes > 0)).any())
        large, first_number = _ChunkedMembers(taken, summing=summing), len(self._table)
        jobs = container.jobs(self._chunk_bytes)
        results = in_order((_hashing(job, summing=summing) for job in jobs), threads=self._threads)
        frames = self._frames if count >= LEAST_POSITIONS else None
        if frames is not None:
            frames.hold()
        try:
            for hashed in results:
                for at in range(0, len(hashed.pieces), _LOOK_UP):
                    self._take(taken, large, hashed.part(at, at + _LOOK_UP))
                if taken.pieces is not None:
                    taken.pieces += hashed.pieces
                advance(sum(len(piece.data) for piece in hashed.pieces))
            large.finish()
        finally:
            results.close()
            if frames is not None:  # also of an archive that fails: others of this run can have the same blobs
                frames.release(() if taken.metadata.listing is None else taken.metadata.listing.places)
        _check_whole(taken)
        taken.notes = (*container.notes, *_notes_on(members))  # some are known only now
        taken.new_numbers = range(first_number, len(self._table))
        return taken

    def _take(self, taken: Absorbed, large: _ChunkedMembers, hashed: HashedPieces) -> None:
        pieces, digests, _ = hashed
        met = self._table.numbers(digests)
        unknown = dict.fromkeys(digest for digest, number in zip(digests, met, strict=True) if number is None)
        known = self._find(list(unknown)) if unknown else {}
        members = np.fromiter((piece.member for piece in pieces), np.int64, len(pieces))
        sizes = taken.members.sizes[members].tolist()
        places, numbers = list[int](), list[int]()  # of pieces that are whole members
        rows = zip(pieces, digests, met, taken.members.paths_at(members), sizes, strict=True)
        for place, (piece, digest, number, path, size) in enumerate(rows):
            found = self._number(taken, piece, digest, path, known) if number is None else number
            if number is not None and _is_measured(path, piece.data):
                taken.arrays_met.add(digest)
            if piece.offset == 0 and len(piece.data) == size:
                places.append(place)
                numbers.append(found)
                if path.endswith(".json"):
                    taken.metadata.look(path, piece.data)
            else:
                large.add(piece, path, found)
        whole = members[places]
        taken.first_blob[whole] = numbers
        taken.digests[whole] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)[places]
        if hashed.crcs:
            taken.crcs[whole] = np.array(hashed.crcs, np.uint32)[places]

    def _number(self, taken: Absorbed, piece: Piece, digest: Digest, path: str, known: Mapping[Digest, Blob]) -> int:
        """The number of a blob that was not met before this batch."""
        number = self._table.recent(digest)
        if (number is not None or digest in known) and _is_measured(path, piece.data):
            taken.arrays_met.add(digest)
        if number is not None:
            return number
        if digest in known:
            return self._table.add_known(known[digest])
        number = self._table.add_new(digest, len(piece.data))
        if self._frames is not None:
            self._frames.add(path, NewBlob(number, digest, piece.data))
        return number


class _ChunkedMembers:
    """Members of several chunks: hash and CRC run on from piece to piece."""

    def __init__(self, taken: Absorbed, *, summing: bool) -> None:
        self._taken, self._summing = taken, summing
        self._member = -1
        self._path = ""
        self._hasher, self._crc, self._size = blake3(), 0, 0
        self._text: list[bytes] | None = None  # of a metadata.json, which a group of 100,000 positions has in chunks

    def add(self, piece: Piece, path: str, number: int) -> None:
        if piece.member != self._member:
            self.finish()
            self._member, self._hasher, self._crc, self._size = piece.member, blake3(), 0, 0
            size = self._taken.members.sizes[piece.member]
            is_large = size > self._taken.metadata.limit
            if is_large and path.endswith(".json"):
                self._taken.metadata.pass_over(path, int(size))
            self._path = path
            self._text = [] if path.rpartition("/")[2] == METADATA and not is_large else None
        if piece.offset != self._size:
            raise DamagedArchiveError(f"{path} came in the wrong order.")
        self._hasher.update(piece.data)
        if self._summing:
            self._crc = zlib.crc32(piece.data, self._crc)
        self._size += len(piece.data)
        if self._text is not None:
            self._text.append(piece.data)
        self._taken.chunks.setdefault(piece.member, []).append(number)

    def finish(self) -> None:
        if self._member >= 0:
            self._taken.digests[self._member] = np.frombuffer(self._hasher.digest(), np.uint8)
            if self._summing:
                self._taken.crcs[self._member] = self._crc
            if self._text is not None:
                self._taken.metadata.look(self._path, b"".join(self._text))
            self._member, self._text = -1, None


def _hashing(job: Job, *, summing: bool) -> Callable[[], HashedPieces]:
    def run() -> HashedPieces:
        pieces = job()
        crcs = [zlib.crc32(piece.data) for piece in pieces] if summing else []
        return HashedPieces(pieces, [blake3(piece.data).digest() for piece in pieces], crcs)

    return run


def _check_whole(taken: Absorbed) -> None:
    for number in np.flatnonzero(~taken.digests.any(axis=1) & ~taken.members.directory).tolist():
        raise DamagedArchiveError(f"the content of {taken.members.path(number)} is missing.")


def _is_measured(path: str, data: bytes) -> bool:
    """Whether it is an array that two archives share by descent only: not one value throughout."""
    return path.startswith("data/") and path.endswith(".data") and bool(data.strip(data[:1]))


def _notes_on(members: MemberColumns) -> tuple[str, ...]:
    """What a person should know of attributes: links, pipes, what no archive can express."""
    known = np.flatnonzero(members.attributes != ABSENT)
    short = np.minimum(members.sizes[known], MAX_TARGET_BYTES + 1)
    rows = np.stack([members.attributes[known], members.directory[known], short > 0, short > MAX_TARGET_BYTES])
    kinds, counts = np.unique(rows, axis=1, return_counts=True)
    return notes_on(
        (attributes, bool(is_directory), int(some) + int(many) * MAX_TARGET_BYTES, count)
        for (attributes, is_directory, some, many), count in zip(kinds.T.tolist(), counts.tolist(), strict=True)
    )


def data_digests(taken: Absorbed) -> Iterator[Digest]:
    """The addresses of an archive's arrays: `data/<uuid>/<type>.data`."""
    for number, path in enumerate(taken.members.all_paths()):
        if path.startswith("data/") and path.endswith(".data"):
            yield taken.digest(number)
