"""Members and recipe → the original file, proved by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from sxeslake.archive.exact import encoders, programs
from sxeslake.archive.exact.packing import Packing
from sxeslake.archive.exact.recipe import Column, ContentReader, Recipe, Skeleton, read_recipe
from sxeslake.archive.exact.spec import Spec
from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError

Contents = Callable[[Column], Iterator[Iterable[bytes]]]
"""Asked for members by their places in the archive, gives the content of each, in that order, in parts."""


class OtherBytesError(UnsupportedMethodError):
    """The encoders of a recipe gave other bytes here than at ingest."""

    encoders: tuple[Spec, ...] = ()


def missing(recipe: Recipe) -> str | None:
    """What this machine lacks to follow a recipe: `7-Zip is not installed here`; None where it can."""
    reasons = (encoders.missing(spec) or programs.missing(spec) for spec in recipe.encoders)
    return next(filter(None, reasons), None)


def rebuild(
    source: ContentReader, contents: Contents, out: BinaryIO, *, where: str, threads: int | None = None
) -> Recipe:
    """Make the file that a recipe tells of.

    Raises UnsupportedMethodError where an encoder is missing here, OtherBytesError where one gives other bytes than it
    gave at ingest; nothing that was written to `out` before may be used then.
    """
    recipe = read_recipe(source, where=where)
    if (reason := missing(recipe)) is not None:
        raise UnsupportedMethodError(reason, where=where)
    file = _RebuiltFile(recipe, Skeleton(source), out)
    coming = contents(recipe.members)
    with Packing(file, threads=threads) as packing:
        first = recipe.first.tolist()
        for unit in range(len(recipe)):
            packing.begin(unit, recipe.spec(unit), int(recipe.packed[unit]))
            for _ in range(first[unit], first[unit + 1]):
                for part in next(coming):
                    packing.write(part)
            packing.end()
    file.finish(where)
    return recipe


class _RebuiltFile:
    """The file as it grows: skeleton and packed units in turn, hashed on the way."""

    def __init__(self, recipe: Recipe, skeleton: Skeleton, out: BinaryIO) -> None:
        self._recipe, self._skeleton, self._out = recipe, skeleton, out
        self._gaps, self._packed = recipe.gaps.tolist(), recipe.packed.tolist()
        self._hasher = hashlib.sha256()
        self._left = 0

    def begin(self, unit: int) -> None:
        self._copy(self._gaps[unit])
        self._left = self._packed[unit]

    def part(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise _other_bytes(self._recipe)
        self._write(data)

    def end(self) -> None:
        if self._left:
            raise _other_bytes(self._recipe)

    def finish(self, where: str) -> None:
        """The rest of the skeleton; then the file is right, or it is nothing."""
        self._copy(self._gaps[-1])
        if self._hasher.hexdigest() != self._recipe.sha256:
            raise _other_bytes(self._recipe, where)

    def _copy(self, size: int) -> None:
        for part in self._skeleton.take(size):
            self._write(part)

    def _write(self, data: bytes) -> None:
        self._hasher.update(data)
        self._out.write(data)


def _other_bytes(recipe: Recipe, where: str | None = None) -> OtherBytesError:
    tools = ", ".join(recipe.tools) or "other software"
    error = OtherBytesError(
        "the encoders of this machine do not give the source's bytes", where=where,
        hint=f"The recipe was proved with {tools}.",
    )  # fmt: skip
    error.encoders = recipe.encoders
    return error


def check_members(recipe: Recipe, count: int, *, where: str) -> None:
    """A recipe must ask for members that there are."""
    if len(recipe.members) and int(recipe.members.max()) >= count:
        raise DamagedArchiveError("the recipe needs members that the archive does not have", where=where)
