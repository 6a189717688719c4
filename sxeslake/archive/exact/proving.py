"""File → recipe: the encoders are found on samples, then every unit is made again and compared with the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

import numpy as np

from sxeslake.archive.base import Container
from sxeslake.archive.exact import encoders, programs, trial
from sxeslake.archive.exact.packing import Packing
from sxeslake.archive.exact.recipe import Column, Recipe, Skeleton, read_recipe, write_recipe
from sxeslake.archive.exact.skeleton import FileLayout, layout_of
from sxeslake.archive.exact.spec import PROGRAMS, STORE, Spec
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsupportedMethodError
from sxeslake.machine.concurrency import in_order, usable_cpus
from sxeslake.model import KIB, MIB

SAMPLES: Final = 5  # of each method
COPY_BYTES: Final = MIB
MAX_COST: Final = 0.05  # of the source: dearer recipes are kept only when asked for
FREE_BYTES: Final = 4 * KIB  # but one so short is always kept: small archives come back exactly, too
_RETRIED_UNITS: Final = 4096  # that the chosen encoder did not make: tried one by one with the others
_HELD_BYTES: Final = 64 * MIB  # of one content
_SHORT_BYTES: Final = 128 * KIB
_RESIDUE: Final = -1


@dataclass(frozen=True, slots=True)
class Terms:
    """How far to go: until when, and whether units that resist may be kept as they are, at any cost."""

    seconds: float = float("inf")
    any_cost: bool = False
    threads: int | None = None
    likely: tuple[Spec, ...] = ()  # encoders of archives before this one: tried first


@dataclass(frozen=True, slots=True)
class Proved:
    """A recipe that was written."""

    recipe: Recipe
    size: int
    residue_bytes: int  # packed bytes that no encoder gave, and so are kept as they are

    @property
    def encoders(self) -> tuple[str, ...]:
        """`7zip-deflate:5`, and what else was needed."""
        return tuple(map(str, self.recipe.encoders))


def prove(container: Container, path: Path, sha256: str, out: BinaryIO, terms: Terms) -> Proved:
    """Find the recipe of the file that is open as `container`, write it to `out`.

    Raises UnsupportedMethodError where no encoder is found, LimitExceededError where it costs more than `terms` allow.
    """
    return _Proof(container, path, terms).run(sha256, out)


class TooLongError(LimitExceededError):
    """There is no time left for it."""


class _Proof:
    def __init__(self, container: Container, path: Path, terms: Terms) -> None:
        self._container, self._path, self._terms = container, path, terms
        self._deadline = monotonic() + terms.seconds
        self._layout = layout_of(container, path)
        if all(method.name == "store" for method in self._layout.methods):
            self._deadline = float("inf")  # nothing is encoded: that is always quick
        self._specs: list[Spec] = []
        self._encoder: Column = np.full(len(self._layout), _RESIDUE, np.int64)  # place in _specs
        self._made: list[tuple[Column, tuple[Spec, ...]]] = []  # units of a class, and what made samples of it

    def run(self, sha256: str, out: BinaryIO) -> Proved:
        file = RangedFile(self._path)
        try:
            self._choose(file)
            self._compare(file)
            self._retry(file)
            return self._write(file, sha256, out)
        finally:
            file.close()

    # which encoders

    def _choose(self, file: RangedFile) -> None:
        layout = self._layout
        self._check_time(0)
        self._encoder[self._of_method("store")] = self._place(STORE)  # the file's own bytes are the content
        seconds = 0.0
        likely: trial.EncoderChoice | None = None
        method = -1
        for units in self._classes():
            choice = self._choice(file, units)
            if not choice.specs and likely is not None and layout.method[units[0]] == method:
                choice = likely  # the comparison tells whether large contents were packed like the small ones
            likely, method = choice, int(layout.method[units[0]])
            if choice.specs:
                self._encoder[units] = self._place(choice.specs[0])
                self._made.append((units, choice.specs))
                threads = 1 if choice.specs[0].program else self._terms.threads or usable_cpus()
                seconds += float(layout.raw[units].sum()) / choice.bytes_per_second / threads
        self._check_cost()
        self._check_time(seconds)

    def _choice(self, file: RangedFile, units: Column) -> trial.EncoderChoice:
        """What made a class of units: the likely encoder where one sample speaks for it, for all will be compared."""
        if self._terms.likely:
            choice = trial.of_these(self._terms.likely, self._samples(file, units, 1))
            if choice is not None:
                return choice
        return trial.choose(self._samples(file, units, SAMPLES), self._deadline)

    def _of_method(self, name: str) -> Column:
        places = [place for place, method in enumerate(self._layout.methods) if method.name == name]
        return np.flatnonzero(np.isin(self._layout.method, places))

    def _classes(self) -> Iterator[Column]:
        """Units that are tried together: of one method, and of one class of size."""
        is_large = self._layout.raw > trial.LARGE_BYTES
        for place, method in enumerate(self._layout.methods):
            if method.name not in {"store", "other"}:
                for large in (False, True):
                    units = np.flatnonzero((self._layout.method == place) & (is_large == large))
                    if len(units):
                        yield units

    def _place(self, spec: Spec) -> int:
        if spec not in self._specs:
            self._specs.append(spec)
        return self._specs.index(spec)

    def _samples(self, file: RangedFile, units: Column, count: int) -> list[trial.Sample]:
        sizes = zip(units.tolist(), self._layout.raw[units].tolist(), strict=True)
        return [self._sample(file, unit) for unit in trial.pick(sizes, count)]

    def _sample(self, file: RangedFile, unit: int) -> trial.Sample:
        layout = self._layout
        size, packed = int(layout.raw[unit]), int(layout.packed[unit])
        method = layout.methods[int(layout.method[unit])]
        # of what shrinks so well, a prefix gives too few bytes to compare
        is_short = packed <= _SHORT_BYTES and size <= encoders.WHOLE_BYTES
        most = size if is_short else min(size, trial.prefix_bytes(method))
        content = b"".join(self._content(unit, most))
        shown = packed if len(content) == size else min(packed, 2 * len(content))
        return trial.Sample(method, content, file.read(int(layout.offset[unit]), shown), size)

    def _content(self, unit: int, most: int) -> Iterator[bytes]:
        """The first bytes of a unit's content."""
        first, end = self._layout.first[unit : unit + 2].tolist()
        members = self._layout.members[first:end].tolist()
        is_small = int(self._layout.raw[unit]) <= _HELD_BYTES
        parts = map(self._container.read, members) if is_small else self._streamed(set(members))
        for part in parts:
            data = part[:most]
            most -= len(data)
            yield data
            if not most:
                return

    def _streamed(self, members: set[int]) -> Iterator[bytes]:
        """Contents too large to be held: by way of the archive's own order."""
        for job in self._container.jobs():
            for piece in job():
                if piece.member in members:
                    yield piece.data

    # whether they serve

    def _compare(self, file: RangedFile) -> None:
        """Make every unit again, in archive order, and compare it with the file; what differs becomes residue."""
        tried = [place for place, spec in enumerate(self._specs) if spec != STORE]
        if not tried or not np.isin(self._encoder, tried).any():
            return
        judge = _UnitChecker(file, self._layout)
        try:
            with Packing(judge, threads=self._terms.threads) as packing:
                self._feed(packing)
        except UnsupportedMethodError as error:
            raise UnsupportedMethodError(f"the encoder failed: {error.what}") from error
        self._encoder[judge.different] = _RESIDUE
        self._check_cost(after_retry=len(judge.different) <= _RETRIED_UNITS)

    def _feed(self, packing: Packing) -> None:
        layout = self._layout
        unit_of = np.full(len(self._container.members), _RESIDUE, np.int64)
        unit_of[layout.members] = np.repeat(np.arange(len(layout)), np.diff(layout.first))
        known: list[Spec | None] = [None if spec == STORE else spec for spec in self._specs]
        specs = [known[code] if code >= 0 else None for code in self._encoder.tolist()]
        units, raw = unit_of.tolist(), layout.raw.tolist()
        current, left = _RESIDUE, 0
        results = in_order(self._container.jobs(), threads=self._terms.threads)
        try:
            for pieces in results:
                self._check_time(0)
                for piece in pieces:
                    unit = units[piece.member]
                    spec = specs[unit] if unit >= 0 else None
                    if spec is None:
                        continue
                    if unit != current:
                        current, left = unit, raw[unit]
                        packing.begin(unit, spec, left)
                    packing.write(piece.data)
                    left -= len(piece.data)
                    if not left:
                        packing.end()
        finally:
            results.close()

    def _retry(self, file: RangedFile) -> None:
        """Units that resist, of an archive that several tools wrote to: the other encoders, one after the other."""
        layout = self._layout
        for units, (first, *others) in self._made:
            left = units[self._encoder[units] == _RESIDUE]
            if not 0 < len(left) <= _RETRIED_UNITS:
                continue
            method = layout.methods[int(layout.method[left[0]])]
            again = [first] if encoders.is_fickle(first) else []
            for spec in chain(again, trial.candidates(method, int(layout.raw[left].max()), others)):
                if (spec != first or again) and (len(left) > 1 or trial.screen(spec, self._sample(file, int(left[0])))):
                    self._try(file, spec, left)
                    left = left[self._encoder[left] == _RESIDUE]
                if not len(left):
                    break

    def _try(self, file: RangedFile, spec: Spec, units: Column) -> None:
        judge = _UnitChecker(file, self._layout)
        try:
            with Packing(judge, threads=self._terms.threads) as packing:
                for unit in units.tolist():
                    self._check_time(0)
                    size = int(self._layout.raw[unit])
                    packing.begin(unit, spec, size)
                    for data in self._content(unit, size):
                        packing.write(data)
                    packing.end()
        except UnsupportedMethodError:
            return
        made = np.setdiff1d(units, judge.different)
        if len(made):
            self._encoder[made] = self._place(spec)

    # at what price

    def _residue(self) -> int:
        return int(self._layout.packed[self._encoder == _RESIDUE].sum())

    def _check_cost(self, *, after_retry: bool = False) -> None:
        residue, size = self._residue(), self._layout.size
        if self._terms.any_cost or after_retry or residue <= _most(size):
            return
        raise UnsupportedMethodError(self._resisting(residue))

    def _resisting(self, residue: int) -> str:
        share = f"{100 * residue / max(1, self._layout.size):.0f} %"
        if not any(spec != STORE for spec in self._specs):
            lacking = [name for name in sorted(set(PROGRAMS.values())) if programs.find_program(name) is None]
            hint = f" ({' and '.join(lacking)} not installed here)" if lacking else ""
            return f"no known encoder makes its packed data{hint}"
        return f"no known encoder makes {share} of it"

    def _check_time(self, needed: float) -> None:
        if monotonic() + needed > self._deadline:
            raise TooLongError(f"takes too long for an ingest{_about(needed)}")

    # the recipe

    def _write(self, file: RangedFile, sha256: str, out: BinaryIO) -> Proved:
        layout = self._layout
        kept = np.flatnonzero(self._encoder != _RESIDUE)
        ends = layout.offset[kept] + layout.packed[kept]
        gaps = np.append(layout.offset[kept], layout.size) - np.concatenate(([0], ends))
        used = np.unique(self._encoder[kept])
        specs = tuple(self._specs[place] for place in used.tolist())
        counts = np.diff(layout.first)
        chosen = np.repeat(np.isin(np.arange(len(layout)), kept), counts)
        recipe = Recipe(
            layout.size, sha256, specs, _tools(specs), gaps, layout.packed[kept],
            np.searchsorted(used, self._encoder[kept]), np.concatenate(([0], np.cumsum(counts[kept]))),
            layout.members[chosen],
        )  # fmt: skip
        begin = out.tell()
        write_recipe(recipe, _skeleton(file, recipe), out)
        size = out.tell() - begin
        if not self._terms.any_cost and size > _most(layout.size):
            raise LimitExceededError(f"its recipe would take {100 * size / layout.size:.0f} % of it")
        out.seek(begin)
        _check_written(file, out, sha256, str(self._path))
        return Proved(recipe, size, self._residue())


def _most(size: int) -> float:
    """What the recipe of a file may take, unless it is wanted at any cost."""
    return max(FREE_BYTES, MAX_COST * size)


class _Window:
    """A file that is read from front to back in small steps: few calls, a MiB in memory."""

    def __init__(self, file: RangedFile) -> None:
        self._file = file
        self._start, self._held = 0, b""

    def read(self, at: int, count: int) -> bytes:
        """`count` bytes from `at`."""
        inner = at - self._start
        if inner >= 0 and inner + count <= len(self._held):
            return self._held[inner : inner + count]
        if count >= COPY_BYTES:
            return self._file.read(at, count)
        self._start, self._held = at, self._file.read(at, COPY_BYTES)
        return self._held[:count]


class _UnitChecker:
    """Compares packed units with the file."""

    def __init__(self, file: RangedFile, layout: FileLayout) -> None:
        self._file = _Window(file)
        self._offset, self._packed = layout.offset.tolist(), layout.packed.tolist()
        self._unit, self._at, self._end, self._same = 0, 0, 0, True
        self.different: list[int] = []

    def begin(self, unit: int) -> None:
        self._unit, self._same = unit, True
        self._at = self._offset[unit]
        self._end = self._at + self._packed[unit]

    def part(self, data: bytes) -> None:
        if self._same:
            self._same = self._at + len(data) <= self._end and self._file.read(self._at, len(data)) == data
            self._at += len(data)

    def end(self) -> None:
        if not self._same or self._at != self._end:
            self.different.append(self._unit)


def _skeleton(file: RangedFile, recipe: Recipe) -> Iterator[bytes]:
    """The stretches between units, a MiB at most at a time."""
    held, size, window = list[bytes](), 0, _Window(file)
    for at, length in _stretches(recipe):
        for start in range(at, at + length, COPY_BYTES):
            part = window.read(start, min(COPY_BYTES, at + length - start))
            held.append(part)
            size += len(part)
        if size >= COPY_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _stretches(recipe: Recipe) -> Iterator[tuple[int, int]]:
    at = 0
    for gap, packed in zip(recipe.gaps.tolist(), [*recipe.packed.tolist(), 0], strict=True):
        yield at, gap
        at += gap + packed


def _check_written(file: RangedFile, source: BinaryIO, sha256: str, where: str) -> None:
    """Read the recipe back, join its skeleton with the file's units: the last proof, and that the file held still."""
    recipe = read_recipe(source, where=where)
    skeleton = Skeleton(source)
    hasher, window = hashlib.sha256(), _Window(file)
    at = 0
    for gap, packed in zip(recipe.gaps.tolist(), [*recipe.packed.tolist(), 0], strict=True):
        for part in skeleton.take(gap):
            hasher.update(part)
        at += gap
        for start in range(at, at + packed, COPY_BYTES):
            hasher.update(window.read(start, min(COPY_BYTES, at + packed - start)))
        at += packed
    if hasher.hexdigest() != sha256 or recipe.sha256 != sha256:
        raise DamagedArchiveError("the file changed while its recipe was sought")


def _tools(specs: tuple[Spec, ...]) -> tuple[str, ...]:
    """`7-Zip 26.02`, `zlib 1.3.1`: what a puller should have when the bytes do not come out right."""
    names = {programs.version_of(spec.program) or spec.program for spec in specs if spec.program is not None}
    libraries = {library for spec in specs if (library := encoders.library_of(spec)) is not None}
    return tuple(sorted(names | libraries))


def _about(seconds: float) -> str:
    return f" (about {seconds:.0f} s)" if seconds >= 1 else ""
