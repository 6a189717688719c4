"""The members of one archive as columns: containers decode names on demand, ingest asks for them again and again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from sxeslake.model import Member

_ABSENT = -(2**63)


class MemberColumns(Sequence[Member]):
    """All members, 600,000 of them in about 100 MB; `paths` and `sizes` for those who hurry."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.paths: list[str] = []
        self.sizes = array("Q")
        self._directory = bytearray()
        self._modified, self._attributes, self._dos = array("q"), array("q"), array("q")
        self._raw_names: dict[int, bytes] = {}
        for number, member in enumerate(members):
            self.paths.append(member.path)
            self.sizes.append(member.size)
            self._directory.append(member.kind == "directory")
            self._modified.append(_stored(member.modified_ns))
            self._attributes.append(_stored(member.attributes))
            self._dos.append(_stored(member.dos_time))
            if member.raw_name is not None:
                self._raw_names[number] = member.raw_name

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, number: int) -> Member: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Member]: ...

    def __getitem__(self, number: int | slice) -> Member | Sequence[Member]:
        if isinstance(number, slice):
            return [self[at] for at in range(*number.indices(len(self)))]
        return Member(
            self.paths[number],
            "directory" if self._directory[number] else "file",
            self.sizes[number],
            _shown(self._modified[number]),
            _shown(self._attributes[number]),
            None,
            _shown(self._dos[number]),
            self._raw_names.get(number),
        )

    def __iter__(self) -> Iterator[Member]:
        return (self[number] for number in range(len(self)))

    def is_directory(self, number: int) -> bool:
        """Whether a member is a folder."""
        return bool(self._directory[number])


def _stored(value: int | None) -> int:
    return _ABSENT if value is None else value


def _shown(value: int) -> int | None:
    return None if value == _ABSENT else value
