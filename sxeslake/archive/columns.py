"""The members of an archive as columns: paths in one text, numbers in arrays; 600,000 members take some 60 MB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
import numpy.typing as npt

from sxeslake.model import Member, MemberKind

BATCH: Final = 4096
ABSENT: Final = -(2**63)  # a time, attributes, a checksum that the container does not know

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class ColumnBatch(NamedTuple):
    """Some members, one behind the other, as columns."""

    paths: list[str]
    directory: Flags
    sizes: Numbers
    modified_ns: Numbers
    attributes: Numbers
    dos_time: Numbers
    crc32: Numbers
    raw_names: dict[int, bytes]  # by place in the batch


@runtime_checkable
class Columnar(Protocol):
    """Members that give themselves as columns, without an object a member."""

    def batches(self) -> Iterator[ColumnBatch]:
        """All members, in order."""


def batches_of(members: Iterable[Member]) -> Iterator[ColumnBatch]:
    """Members as columns, by whatever way they have."""
    if isinstance(members, Columnar):
        yield from members.batches()
        return
    left = iter(members)
    while some := list(islice(left, BATCH)):
        yield ColumnBatch(
            [member.path for member in some],
            np.array([member.kind == "directory" for member in some], np.bool_),
            np.array([member.size for member in some], np.int64),
            known_or_absent([member.modified_ns for member in some]),
            known_or_absent([member.attributes for member in some]),
            known_or_absent([member.dos_time for member in some]),
            known_or_absent([member.crc32 for member in some]),
            {place: member.raw_name for place, member in enumerate(some) if member.raw_name is not None},
        )


def members_of(batch: ColumnBatch) -> Iterator[Member]:
    """Members as objects."""
    numbers = (batch.sizes, batch.modified_ns, batch.attributes, batch.crc32, batch.dos_time)
    sizes, *others = (column.tolist() for column in numbers)
    rows = zip(batch.paths, batch.directory.tolist(), sizes, *(map(_shown, column) for column in others), strict=True)
    for place, (path, is_directory, size, modified_ns, attributes, crc32, dos_time) in enumerate(rows):
        kind: MemberKind = "directory" if is_directory else "file"
        yield Member(path, kind, size, modified_ns, attributes, crc32, dos_time, batch.raw_names.get(place))


def known_or_absent(values: Iterable[int | None]) -> Numbers:
    """Numbers, `ABSENT` for those that are not known."""
    return np.array([ABSENT if value is None else value for value in values], np.int64)


class MemberColumns(Sequence[Member]):
    """All members of an archive: read once, asked for again and again."""

    def __init__(self, members: Sequence[Member]) -> None:
        count = len(members)
        self.directory: Flags = np.zeros(count, np.bool_)
        self.sizes, self.modified_ns, self.attributes, self.dos_time, self.crc32 = (
            np.full(count, ABSENT, np.int64) for _ in range(5)
        )
        self.raw_names: dict[int, bytes] = {}
        text, starts, at = bytearray(), [np.zeros(1, np.int64)], 0
        for batch in batches_of(members):
            end = at + len(batch.paths)
            for name in ("directory", "sizes", "modified_ns", "attributes", "dos_time", "crc32"):
                getattr(self, name)[at:end] = getattr(batch, name)
            self.raw_names |= {at + place: raw for place, raw in batch.raw_names.items()}
            part = ("\0".join(batch.paths) + "\0").encode()  # no path holds a NUL: readers refuse it
            starts.append(np.flatnonzero(np.frombuffer(part, np.uint8) == 0) + (len(text) + 1))
            text += part
            at = end
        self._text = bytes(text)
        self._starts = np.concatenate(starts)  # of each path in the text, and of one behind the last

    def __len__(self) -> int:
        return len(self.sizes)

    def path(self, number: int) -> str:
        """The path of one member."""
        return self._text[int(self._starts[number]) : int(self._starts[number + 1]) - 1].decode()

    def paths(self, start: int, stop: int) -> list[str]:
        """The paths of members `start` to `stop`."""
        if start >= stop:
            return []
        return self._text[int(self._starts[start]) : int(self._starts[stop]) - 1].decode().split("\0")

    def all_paths(self) -> Iterator[str]:
        """Every path, in archive order."""
        for start in range(0, len(self), BATCH):
            yield from self.paths(start, min(start + BATCH, len(self)))

    def paths_at(self, numbers: Iterable[int]) -> list[str]:
        """The paths of some members, in the order asked for."""
        text, starts = self._text, self._starts
        asked = np.fromiter(numbers, np.int64)
        if len(asked) and bool((np.diff(asked) == 1).all()):
            return self.paths(int(asked[0]), int(asked[-1]) + 1)
        ends = (starts[asked + 1] - 1).tolist()
        return [text[start:end].decode() for start, end in zip(starts[asked].tolist(), ends, strict=True)]

    def fields(self) -> Iterator[tuple[str, bool, int, int, int, int, bytes | None]]:
        """Of each member path, whether it is a folder, size, time, attributes, DOS time, raw name, with `ABSENT`."""
        for start in range(0, len(self), BATCH):
            part = slice(start, min(start + BATCH, len(self)))
            numbers = (self.directory, self.sizes, self.modified_ns, self.attributes, self.dos_time)
            raw_names = map(self.raw_names.get, range(part.start, part.stop))
            columns = (column[part].tolist() for column in numbers)
            yield from zip(self.paths(part.start, part.stop), *columns, raw_names, strict=True)

    def order(self) -> Numbers:
        """Members by the UTF-8 bytes of their paths."""
        if self._is_sorted():
            return np.arange(len(self), dtype=np.int64)
        paths = list(self.all_paths())  # code points order as their UTF-8 does
        return np.array(sorted(range(len(paths)), key=paths.__getitem__), np.int64)

    def _is_sorted(self) -> bool:
        last = ""
        for start in range(0, len(self), BATCH):
            paths = self.paths(start, min(start + BATCH, len(self)))
            if paths[0] < last or paths != sorted(paths):
                return False
            last = paths[-1]
        return True

    @overload
    def __getitem__(self, number: int) -> Member: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Member]: ...

    def __getitem__(self, number: int | slice) -> Member | Sequence[Member]:
        places = range(len(self))[number]
        if not isinstance(places, int):
            return [self[place] for place in places]
        return Member(
            self.path(places),
            "directory" if self.directory[places] else "file",
            int(self.sizes[places]),
            _shown(int(self.modified_ns[places])),
            _shown(int(self.attributes[places])),
            _shown(int(self.crc32[places])),
            _shown(int(self.dos_time[places])),
            self.raw_names.get(places),
        )


def _shown(value: int) -> int | None:
    return None if value == ABSENT else value
