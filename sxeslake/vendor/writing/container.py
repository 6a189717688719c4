"""A planned archive as a container: whoever copies or ingests archives reads it like any other, and nothing is stored.

Contents come from the vendor's files as they are asked for, and are held against the hashes of the plan: a file that
changes meanwhile is an error, never a mixture of two states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from types import TracebackType
from typing import NamedTuple, Self, overload

from sxeslake.errors import InputError
from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import ContainerKind, Job, Member, Piece

from .members import DecodedArray, FileRange, PackedBytes, PlannedMember, range_of
from .plan import ConversionPlan

_JOB_MEMBERS = 1024
_NAMED = 20  # notes stand in the log of a lake: the rest is counted


class _Listing(Sequence[Member]):
    """The members of a plan, made as they are asked for: without times, so that equal content is an equal archive."""

    def __init__(self, planned: Sequence[PlannedMember]) -> None:
        self._planned = planned

    def path_of(self, index: int) -> str:
        """The path of one member."""
        return self._planned[index].path

    def __len__(self) -> int:
        return len(self._planned)

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | Sequence[Member]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        planned = self._planned[index]
        return Member(planned.path, "file", planned.size)


class _Wanted(NamedTuple):
    """A member of a job, by its place."""

    place: int
    planned: PlannedMember


class PlannedContainer:
    """The members of a plan. Also a context manager."""

    kind: ContainerKind = "folder"
    comment = b""

    def __init__(self, plan: ConversionPlan) -> None:
        self.plan = plan
        self.members: Sequence[Member] = _Listing(plan.members)
        self.left_out = tuple(f"{warned.path}: {warned.text}" for warned in plan.left_out)
        self.notes = tuple(f"{warned.path}: {warned.text}" for warned in plan.warnings[:_NAMED])
        if (more := len(plan.warnings) - _NAMED) > 0:
            self.notes += (f"and {more:,} more odd things; `sxeslake convert --dry-run` names them",)

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:
        """All contents in archive order; a job opens each of its vendor files once."""
        run: list[_Wanted] = []
        weight = 0
        for index, planned in enumerate(self.plan.members):
            if not planned.size:
                continue
            if run and (weight + planned.size > chunk_bytes or len(run) == _JOB_MEMBERS):
                yield partial(self._read_run, run)
                run, weight = [], 0
            if planned.size <= chunk_bytes:
                run.append(_Wanted(index, planned))
                weight += planned.size
            elif isinstance(planned.content, FileRange):
                for at in range(0, planned.size, chunk_bytes):
                    length = min(chunk_bytes, planned.size - at)
                    yield partial(self._read_slice, index, planned.content, at, length)
            else:
                yield partial(self._cut, _Wanted(index, planned), chunk_bytes)
        if run:
            yield partial(self._read_run, run)

    def read(self, index: int) -> bytes:
        """The whole content of one member."""
        planned = self.plan.members[index]
        if not planned.size:
            return b""
        return b"".join(piece.data for piece in self._read_run([_Wanted(index, planned)]))

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_run(self, run: Sequence[_Wanted]) -> list[Piece]:
        pieces = []
        for _, group in groupby(run, key=_file_of):
            for wanted, content in self._contents(list(group)):
                if hashlib.sha256(content).hexdigest() != wanted.planned.sha256:
                    raise _changed(wanted.planned)
                pieces.append(Piece(wanted.place, 0, content))
        return pieces

    def _contents(self, run: Sequence[_Wanted]) -> Iterator[tuple[_Wanted, bytes]]:
        """The contents of members of one file, by one read where they lie near one another; or of what is made."""
        ranges = [each.planned.content for each in run if isinstance(each.planned.content, FileRange)]
        if len(ranges) < len(run):
            yield from ((each, self._made(each.planned)) for each in run)
            return
        first = min(each.offset for each in ranges)
        whole = ranges[0]._replace(offset=first, length=max(each.offset + each.length for each in ranges) - first)
        together = self._bytes(whole, 0, whole.length) if whole.length <= CHUNK_BYTES else None
        for wanted, content in zip(run, ranges, strict=True):
            if together is None:
                yield wanted, self._bytes(content, 0, content.length)
            else:
                yield wanted, together[content.offset - first : content.offset - first + content.length]

    def _read_slice(self, index: int, content: FileRange, at: int, length: int) -> list[Piece]:
        """Some bytes of a large range: held against the time of its file, for the hash is that of the whole."""
        data = self._bytes(content, at, length)
        if self.plan.trees[content.root].modified(content.path) != self.plan.modified.get((content.root, content.path)):
            raise _changed(self.plan.members[index])
        return [Piece(index, at, data)]

    def _cut(self, wanted: _Wanted, chunk_bytes: int) -> list[Piece]:
        """A large member that is made as a whole, in pieces."""
        (piece,) = self._read_run([wanted])
        return [
            Piece(wanted.place, at, piece.data[at : at + chunk_bytes]) for at in range(0, len(piece.data), chunk_bytes)
        ]

    def _made(self, planned: PlannedMember) -> bytes:
        if isinstance(planned.content, bytes):
            return planned.content
        if isinstance(planned.content, PackedBytes):
            return planned.content.unpacked()
        assert isinstance(planned.content, DecodedArray)
        try:
            return planned.content.stored()[2]
        except (OSError, ValueError) as error:
            raise _changed(planned) from error

    def _bytes(self, content: FileRange, at: int, length: int) -> bytes:
        tree = self.plan.trees[content.root]
        try:
            data = range_of(self.plan.trees, content, at, length)
        except OSError as error:
            raise InputError(f"{content.path}: cannot be read: {error.strerror or error}", where=tree.name) from error
        return data


def _file_of(wanted: _Wanted) -> tuple[int, str] | None:
    """The vendor file that a member comes from; None of what is made."""
    content = wanted.planned.content
    return (content.root, content.path) if isinstance(content, FileRange) else None


def _changed(planned: PlannedMember) -> InputError:
    path = planned.content.path if isinstance(planned.content, FileRange) else planned.path
    return InputError(
        f"{path} changed while it was read; nothing was stored.",
        hint="Convert the folder again when no program writes to it.",
    )
