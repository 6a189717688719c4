"""The members of a 7z archive, a sequence over the header's columns: objects are made a batch at a time, never kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

from sxeslake.archive.attributes import special_reason
from sxeslake.archive.columns import ABSENT, BATCH, ColumnBatch
from sxeslake.archive.names import MAX_PATH_BYTES, NameBatch, all_plain, normal_path
from sxeslake.archive.sevenzip.format import FileColumns, Flags, Streams
from sxeslake.archive.times import FILETIME_OF_1970, FILETIMES, ns_of_filetime
from sxeslake.model import Member


class SevenZipMembers(Sequence[Member]):
    """The members of an archive, made when asked for.

    `stream_of` gives the stream that holds a member's content, -1 where it has none; `member_of` is the inverse.
    """

    def __init__(self, streams: Streams, files: FileColumns, nameless: str) -> None:
        self._files = files
        self._nameless = nameless  # 7-Zip's name for a member that has none: the archive's without its suffix
        self.member_of = np.flatnonzero(~files.empty)
        self.stream_of = np.full(files.count, -1, np.int64)
        self.stream_of[self.member_of] = np.arange(len(self.member_of))
        self._sizes = _spread(streams.sizes, self.member_of, files.count)
        self._crcs = _spread(streams.crcs, self.member_of, files.count)
        self._has_crc = ~files.directory  # an empty file's CRC is known: 0
        self._has_crc[self.member_of] = streams.has_crc

    def __len__(self) -> int:
        return self._files.count

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> list[Member]: ...
    def __getitem__(self, index: int | slice) -> Member | list[Member]:
        places = range(len(self))[index]
        if isinstance(places, int):
            return self._batch(places, places + 1)[0]
        if places.step == 1:
            return self._batch(places.start, places.stop) if places else []
        return [self[place] for place in places]

    def __iter__(self) -> Iterator[Member]:
        for start in range(0, len(self), BATCH):
            yield from self._batch(start, min(start + BATCH, len(self)))

    def name(self, index: int) -> str:
        """The path of member `index`."""
        return self._names(index, index + 1)[0]

    def name_batches(self) -> Iterator[NameBatch]:
        """Every path, and whether it is a directory."""
        for start in range(0, len(self), BATCH):
            stop = min(start + BATCH, len(self))
            paths = self._names(start, stop)
            is_plain = all_plain("\0".join(paths)) and max(map(len, paths)) <= MAX_PATH_BYTES
            yield NameBatch(paths, self._files.directory[start:stop].tolist(), plain=is_plain)

    def batches(self) -> Iterator[ColumnBatch]:
        """All members as columns."""
        files = self._files
        for start in range(0, len(self), BATCH):
            run = slice(start, min(start + BATCH, len(self)))
            count = run.stop - start
            yield ColumnBatch(
                self._names(start, run.stop), files.directory[run], self._sizes[run], self._modified(run),
                np.where(files.has_attributes[run], files.attributes[run].astype(np.int64), ABSENT)
                if files.attributes is not None and files.has_attributes is not None else np.full(count, ABSENT),
                np.full(count, ABSENT), np.where(self._has_crc[run], self._crcs[run].astype(np.int64), ABSENT), {},
            )  # fmt: skip

    def _modified(self, run: slice) -> npt.NDArray[np.int64]:
        times, known = self._files.modified, self._files.has_modified
        if times is None or known is None:
            return np.full(run.stop - run.start, ABSENT)
        known = known[run] & (times[run] >= FILETIMES.start) & (times[run] < FILETIMES.stop)
        return np.where(known, (np.where(known, times[run], 0).astype(np.int64) - FILETIME_OF_1970) * 100, ABSENT)

    def special(self) -> tuple[int, str] | None:
        """The first member found that is a link or a device, and what it is."""
        attributes = self._files.attributes
        if attributes is None:
            return None
        for value in np.unique(attributes).tolist():
            if reason := special_reason(value):
                return int(np.flatnonzero(attributes == value)[0]), reason
        return None

    def _names(self, start: int, stop: int) -> list[str]:
        ends = self._files.name_ends
        if ends is None:
            return [self._nameless] * (stop - start)
        begin = int(ends[start - 1]) + 2 if start else 0
        # lone surrogates stay in, for the name check to refuse
        text = str(self._files.names[begin : int(ends[stop - 1])], "utf-16-le", "surrogatepass")
        names = text.split("\0")
        if "" in names:
            names = [name or self._nameless for name in names]
        return [normal_path(name) for name in names] if _may_be_irregular(text) else names

    def _batch(self, start: int, stop: int) -> list[Member]:
        files, run = self._files, slice(start, stop)
        return [
            Member(name, "directory" if directory else "file", size, modified, attributes, crc)
            for name, directory, size, modified, attributes, crc in zip(
                self._names(start, stop),
                files.directory[run].tolist(),
                self._sizes[run].tolist(),
                [_nanoseconds(time) for time in _optional(files.modified, files.has_modified, run)],
                _optional(files.attributes, files.has_attributes, run),
                _optional(self._crcs, self._has_crc, run),
                strict=True,
            )
        ]


def _may_be_irregular(text: str) -> bool:
    """Whether any of a batch of names could need `normal_path`: substring searches cost less than a call a name."""
    edges = text.startswith(("/", ".")) or text.endswith("/")
    return edges or any(mark in text for mark in ("//", "/.", "/\0", "\0/", "\0."))


Number = TypeVar("Number", np.int64, np.uint32)


def _spread(column: npt.NDArray[Number], places: npt.NDArray[np.intp], count: int) -> npt.NDArray[Number]:
    """A column of streams as a column of members, 0 where a member has no stream."""
    spread = np.zeros(count, column.dtype)
    spread[places] = column
    return spread


def _optional(
    values: npt.NDArray[np.uint32] | npt.NDArray[np.uint64] | None, defined: Flags | None, run: slice
) -> list[int | None]:
    if values is None or defined is None:
        return [None] * (run.stop - run.start)
    return [value if known else None for value, known in zip(values[run].tolist(), defined[run].tolist(), strict=True)]


def _nanoseconds(filetime: int | None) -> int | None:
    return None if filetime is None else ns_of_filetime(filetime)
