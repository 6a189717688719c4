"""What a repair may draw on: archives and folders that were once ingested, and other lakes."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, Protocol, cast

from blake3 import blake3

from sxeslake.archive.base import Container
from sxeslake.archive.container import open_container
from sxeslake.archive.exact.proving import Terms, prove
from sxeslake.disk.trouble import scratch_told
from sxeslake.errors import DamagedLakeError, InputError, NotFoundError
from sxeslake.format import identity
from sxeslake.format.logentry import ArchiveAdded
from sxeslake.format.manifest import NO_DIGEST, Blob, ManifestRow
from sxeslake.format.rows import by_path
from sxeslake.machine.concurrency import in_order
from sxeslake.model import Digest, Job, Member, Piece
from sxeslake.vault.recipes import RECIPE_PATH
from sxeslake.vault.vault import Vault
from sxeslake.vendor.writing.container import PlannedContainer
from sxeslake.vendor.writing.convert import planned

_AT_ONCE = 256  # blobs asked of another lake at once


class BlobSpool:
    """Blobs that were found, in a temporary file: as many as there are, in little memory."""

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="sxeslake-")  # noqa: SIM115 — closed by `close`
        self._places: dict[Digest, tuple[int, int, str]] = {}
        self._end = 0

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._places

    def __len__(self) -> int:
        return len(self._places)

    def put(self, digest: Digest, path: str, data: bytes) -> None:
        """Keep a blob, and a path that it had in some archive."""
        if digest not in self._places:
            with scratch_told(whatever=True):
                self._file.seek(self._end)
                self._file.write(data)
            self._places[digest] = (self._end, len(data), path)
            self._end += len(data)

    def items(self) -> Iterator[tuple[Digest, str, bytes]]:
        """Every blob, as it came."""
        for digest, (start, size, path) in self._places.items():
            with scratch_told(whatever=True):
                self._file.seek(start)
                data = self._file.read(size)
            yield digest, path, data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(slots=True)
class Search:
    """What is looked for, and what has been found of it: blobs go to the spool, rows (by path) into `tables`."""

    spool: BlobSpool
    blobs: set[Digest]
    tables: dict[tuple[str, str], list[ManifestRow] | None]  # by content id and layout id
    recipes: set[str]  # SHA-256 of files whose recipe is lost

    @property
    def done(self) -> bool:
        """Whether nothing is left to look for."""
        return all(digest in self.spool for digest in self.blobs) and None not in self.tables.values()


class Offer(Protocol):
    """A place where lost things may be found."""

    name: str

    def search(self, search: Search) -> None:
        """Add what is found here."""


class LakeOffer:
    """Another lake: a copy of this one, or one that holds some of the same archives."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.name = vault.store.url

    def search(self, search: Search) -> None:
        """Blobs by its index, member tables by its log."""
        spool, tables = search.spool, search.tables
        self.vault.sync_index()
        left = sorted(digest for digest in search.blobs if digest not in spool)
        for start in range(0, len(left), _AT_ONCE):
            found = self.vault.find(left[start : start + _AT_ONCE])
            for digest, data in zip(found, self.vault.blobs.fetch_some(list(found.values())), strict=True):
                if data is not None:
                    spool.put(digest, "", data)
        for version in self.vault.state.versions() if tables else ():
            key = version.archive.content_id, version.archive.layout_id
            if key in tables and tables[key] is None:
                try:
                    tables[key] = list(self.vault.rows(version, by_path=True))
                except (DamagedLakeError, NotFoundError):
                    continue


class _HashedMember(NamedTuple):
    piece: Piece
    digest: Digest
    crc32: int


class ArchiveOffer:
    """An archive file, or a folder that is one or was converted to one; a locked 7z is tried with the passwords."""

    def __init__(self, path: Path, chunk_bytes: int, threads: int, passwords: Sequence[str] = ()) -> None:
        self.name, self._passwords = str(path), passwords
        self._path, self._chunk_bytes, self._threads = path, chunk_bytes, threads

    def search(self, search: Search) -> None:
        """Reads it whole, once; again, where its recipe is wanted, and of a folder what it would be converted to."""
        with open_container(self._path, password=self._passwords) as container:
            self._search(container, search)
            if search.recipes and not search.done and self._path.is_file():
                self._find_recipe(container, search)
        if not search.done and self._path.is_dir():
            with suppress(NotFoundError), PlannedContainer(planned([self._path])) as converted:
                self._search(converted, search)

    def _search(self, container: Container, search: Search) -> None:
        wanted, spool, tables = search.blobs, search.spool, search.tables
        members = container.members
        layout = identity.layout_id(members)
        asked = any(layout == key[1] and rows is None for key, rows in tables.items())
        reader = _RowAssembler(members) if asked else None
        for pieces in in_order((_hashing(job) for job in container.jobs(self._chunk_bytes)), threads=self._threads):
            for piece, digest, crc32 in pieces:
                if digest in wanted and digest not in spool:
                    spool.put(digest, members[piece.member].path, piece.data)
                if reader is not None:
                    reader.add(piece, digest, crc32)
        if reader is not None:
            rows = by_path(list(reader.rows()))
            key = identity.content_id((row.member, row.digest) for row in rows), layout
            if key in tables:
                tables[key] = rows

    def _find_recipe(self, container: Container, search: Search) -> None:
        """How the original file is rebuilt, if that comes out as it did."""
        with self._path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 not in search.recipes:
            return
        for terms in (Terms(threads=self._threads), Terms(threads=self._threads, any_cost=True)):
            with TemporaryFile(prefix="sxeslake-") as made, suppress(InputError):
                prove(container, self._path, sha256, cast("BinaryIO", made), terms)
                made.seek(0)
                while data := made.read(self._chunk_bytes):
                    digest = blake3(data).digest()
                    if digest in search.blobs:
                        search.spool.put(digest, RECIPE_PATH, data)


def _hashing(job: Job) -> Callable[[], list[_HashedMember]]:
    def run() -> list[_HashedMember]:
        return [_HashedMember(piece, blake3(piece.data).digest(), zlib.crc32(piece.data)) for piece in job()]

    return run


class _RowAssembler:
    """Puts the pieces of an archive together into rows; a member's pieces come one after the other."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._blobs: dict[int, list[Blob]] = {}
        self._digests: dict[int, Digest] = {}
        self._crcs: dict[int, int] = {}
        self._hashers: dict[int, blake3] = {}

    def add(self, piece: Piece, digest: Digest, crc32: int) -> None:
        """Take the next piece of some member."""
        number, size = piece.member, self._members[piece.member].size
        self._blobs.setdefault(number, []).append(Blob(digest, len(piece.data), None))
        if len(piece.data) == size:
            self._digests[number], self._crcs[number] = digest, crc32
            return
        hasher = self._hashers.setdefault(number, blake3())
        hasher.update(piece.data)
        self._crcs[number] = zlib.crc32(piece.data, self._crcs.get(number, 0))
        if piece.offset + len(piece.data) == size:
            self._digests[number] = self._hashers.pop(number).digest()

    def rows(self) -> Iterator[ManifestRow]:
        """All members, in archive order."""
        empty = blake3(b"").digest()
        for number, member in enumerate(self._members):
            if member.kind == "directory":
                yield ManifestRow(_with_crc(member, None), number, NO_DIGEST, ())
            else:
                digest = self._digests.get(number, empty)
                yield ManifestRow(
                    _with_crc(member, self._crcs.get(number, 0)), number, digest, tuple(self._blobs.get(number, ()))
                )


def _with_crc(member: Member, crc32: int | None) -> Member:
    return replace(member, crc32=crc32)


def ids_of(archive: ArchiveAdded) -> tuple[str, str]:
    """What tells that two archives are the same in every respect."""
    return archive.content_id, archive.layout_id
