"""The positions of a large group in the order listed, told by its source as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, overload, runtime_checkable

_MANY: Final = 4096  # where more are asked for, the whole list is the cheaper read


@runtime_checkable
class ListsPositions(Protocol):
    """A source that knows how a large group lists its positions, without its `metadata.json`."""

    def count_positions(self) -> int | None:
        """How many are listed; None where only `metadata.json` tells."""

    def positions_at(self, numbers: Sequence[int]) -> list[str] | None:
        """The positions of some numbers, from 0 through all lists; None where it cannot tell one of them."""

    def lists_position(self, uuid: str) -> bool:
        """Whether a position is known to be listed; one without members need not be."""


class UnreadUuids(Sequence[str]):
    """What an analysis after the other lists; the whole list is read when somebody wants all of it."""

    def __init__(self, source: ListsPositions, count: int, read: Callable[[], tuple[str, ...]]) -> None:
        self._source, self._count, self._read = source, count, read
        self._asked = 0
        self._all: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return self._count if self._all is None else len(self._all)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[str, ...]: ...
    def __getitem__(self, key: int | slice) -> str | tuple[str, ...]:
        chosen = range(len(self))[key]
        numbers = chosen if isinstance(chosen, range) else range(chosen, chosen + 1)
        self._asked += len(numbers)
        found = self._source.positions_at(numbers) if self._all is None and self._asked <= _MANY else None
        if found is None:
            return self._whole()[key]
        return tuple(found) if isinstance(key, slice) else found[0]

    def __contains__(self, uuid: object) -> bool:
        if self._all is None and isinstance(uuid, str) and self._source.lists_position(uuid):
            return True
        return uuid in self._whole()

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __eq__(self, other: object) -> bool:
        return self._whole() == other

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def _whole(self) -> tuple[str, ...]:
        if self._all is None:
            self._all = self._read()
        return self._all
