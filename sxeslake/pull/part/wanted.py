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

_ALWAYS: Final = (layout.INFO, layout.STATE, layout.ARRAYS)
_NUMBERS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)


class Chosen(NamedTuple):
    """One position that a query chose."""

    sample: str
    version: int
    position_uuid: str


@dataclass(frozen=True, slots=True)
class PartSpec:
    """Which part of an archive; empty means everything.

    Attributes
    ----------
    positions : tuple of str
        UUIDs, numbers from 1 (among those that `analyses` leaves) or ranges, ``"3..9"``.
    analyses : tuple of str
        Names, globs or UUIDs.
    types : tuple of str
        Data types, ``"images"``, or names of other files in a position's folder.
    members : tuple of str
        Globs of member paths.

    Examples
    --------
    >>> part = sxeslake.PartSpec(positions=("3..9",), types=("qlw",))
    >>> lake.pull_part("map", part=part, dry_run=True).positions
    7
    """

    positions: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        positions: Sequence[str | int] | None = None,
        analyses: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        *,
        part: PartSpec | None = None,
    ) -> PartSpec:
        """Make one from words as people give them: numbers too, several with commas.

        Parameters
        ----------
        positions, analyses, types, members : sequence of str, optional
            As the attributes; None means everything.
        part : PartSpec, optional
            All of it; then there is nothing else.

        Returns
        -------
        PartSpec
            With each word once.

        Raises
        ------
        NotFoundError
            If a list is empty, which chooses nothing.
        UsageError
            If a word is blank, or `part` is given with others.

        Examples
        --------
        >>> sxeslake.PartSpec.of(positions=[1, "3..5,8"]).positions
        ('1', '3..5', '8')
        """
        if part is not None:
            if any(words is not None for words in (positions, analyses, types, members)):
                raise UsageError("a part is given, and words of another part.", hint="Put all of them into the part.")
            positions, analyses = part.positions or None, part.analyses or None
            types, members = part.types or None, part.members or None
        return cls(
            split_words(said("--position", positions)), said("--analysis", analyses),
            split_words(said("--types", types)), said("--member", members),
        )  # fmt: skip

    def __bool__(self) -> bool:
        return bool(self.positions or self.analyses or self.types or self.members)

    @property
    def of_a_group(self) -> bool:
        """Whether any of it means something in an sxes group only."""
        return bool(self.positions or self.analyses or self.types)

    def keeps(self, name: str) -> bool:
        """Whether a file of a position's folder is wanted, `qlw.data`. What a position is, always is.

        Parameters
        ----------
        name : str
            The file's name.

        Returns
        -------
        bool
            True where it is wanted.
        """
        if not self.types or name in _ALWAYS:
            return True
        stem = name.removesuffix(layout.TYPE_SUFFIX)
        return name in self.types or (stem != name and stem in self.types)

    @property
    def keeps_images(self) -> bool:
        """Whether the pictures of the analyses come along."""
        return not self.types or IMAGES in self.types

    def missing_types(self, names: Collection[str]) -> list[str]:
        """Types that were asked for and that no file of any chosen position is.

        Parameters
        ----------
        names : collection of str
            The files that there are.

        Returns
        -------
        list of str
            The types.
        """
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
