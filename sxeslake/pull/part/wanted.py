"""What somebody wants of an archive, as plain values: positions, analyses, data types, members."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sxeslake.archive.sxes import layout
from sxeslake.errors import NotFoundError, UsageError

IMAGES: Final = "images"
"""The word of `--types` that keeps the pictures of an analysis."""

_ALWAYS: Final = (layout.INFO, layout.STATE)
_NUMBERS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)


class Chosen(NamedTuple):
    """One position that a query chose."""

    sample: str
    version: int
    position_uuid: str


@dataclass(frozen=True, slots=True)
class PartSpec:
    """Which part: nothing said is everything.

    `positions` are UUIDs, numbers from 1 (the place among those that `analyses` leaves) or ranges `3..9`; `analyses`
    names, globs or UUIDs; `types` data types, `images`, or names of other files in a position's folder; `members`
    globs of member paths.
    """

    positions: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.positions or self.analyses or self.types or self.members)

    @property
    def of_a_group(self) -> bool:
        """Whether any of it means something in an sxes group only."""
        return bool(self.positions or self.analyses or self.types)

    def keeps(self, name: str) -> bool:
        """Whether a file of a position's folder is wanted, `qlw.data`. What a position is, always is."""
        if not self.types or name in _ALWAYS:
            return True
        stem = name.removesuffix(layout.TYPE_SUFFIX)
        return name in self.types or (stem != name and stem in self.types)

    @property
    def keeps_images(self) -> bool:
        """Whether the pictures of the analyses come along."""
        return not self.types or IMAGES in self.types

    def missing_types(self, names: Collection[str]) -> list[str]:
        """Types that were asked for and that no file of any chosen position is."""
        there = {*names, *(name.removesuffix(layout.TYPE_SUFFIX) for name in names)}
        documents = {IMAGES, *_ALWAYS, *(name.removesuffix(".json") for name in _ALWAYS)}
        return [word for word in self.types if word not in there and word not in documents]


def split_words(values: Sequence[str]) -> tuple[str, ...]:
    """`("qlw,state", "sum")` → `("qlw", "state", "sum")`, each once."""
    return tuple(dict.fromkeys(word.strip() for value in values for word in value.split(",") if word.strip()))


def said(option: str, values: Sequence[object] | None) -> tuple[str, ...]:
    """The words of an option; None is nothing said. A blank one, an unset variable, must not mean everything."""
    words = tuple(str(value) for value in values or ())
    if values is not None and not values:
        raise NotFoundError(
            f"{option} is an empty list, which chooses nothing.", hint="Without it everything is taken."
        )
    if not all(map(str.strip, words)):
        raise UsageError(f"{option} is empty.", hint="Say what it means, or leave it out.")
    return words


def numbers_of(word: str) -> tuple[int, int] | None:
    """`7` → (7, 7), `3..9` → (3, 9); None where the word is no number. Numbers count from 1."""
    match = _NUMBERS.fullmatch(word)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    if first < 1 or last < first:
        raise UsageError(f"{word!r} is not a range of positions.", hint="They count from 1: 7, or 3..9.")
    return first, last
