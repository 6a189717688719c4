"""Spectra of many positions, in batches: fetched together, decoded once, checked by size.

A position that cannot be read is left out and named, and the others are read: never a silent zero.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.sxes import arrays, layout
from sxeslake.archive.sxes.axes import SPECTRUM
from sxeslake.archive.sxes.documents.fields import ConditionFields, read_condition
from sxeslake.archive.sxes.documents.text import parse
from sxeslake.archive.sxes.source import MemberSource
from sxeslake.errors import DamagedArchiveError, DamagedLakeError, MemberNotFoundError, SxeslakeError
from sxeslake.machine.concurrency import in_order

BATCH_POSITIONS: Final = 512
"""Positions that are read together: 16 MB of qlw, 70 MB of xes, before they are summed."""
_BACKGROUNDS: Final = 32  # dark frames of 140 kB at hand
_NAMED: Final = 3

Sources = Callable[[Measured], MemberSource]
"""Where the members of a position's archive are read from."""


@dataclass(frozen=True, slots=True)
class SpectraBatch:
    """Some positions and their spectra: `values` has one row a position."""

    rows: list[Measured]
    values: NDArray[Any]


@dataclass(slots=True)
class LeftOut:
    """Positions that could not be read, each with the reason."""

    reasons: list[tuple[Measured, str]] = field(default_factory=list)

    def note(self, row: Measured, reason: str) -> None:
        """Leave one out."""
        self.reasons.append((row, reason))

    def __bool__(self) -> bool:
        return bool(self.reasons)

    def summary(self) -> str:
        """`2 positions are left out: map@1:5 (no xes data), map@1:9 (no xes data)`."""
        count = len(self.reasons)
        named = ", ".join(f"{row.name} ({reason})" for row, reason in self.reasons[:_NAMED])
        more = ", …" if count > _NAMED else ""
        return f"{count:,} position{' is' if count == 1 else 's are'} left out: {named}{more}"


def read_batches(
    rows: Iterable[Measured], sources: Sources, data_type: str, left_out: LeftOut, *, background: bool = False,
    ahead: int = 0, arranged: bool = False,
) -> Iterator[SpectraBatch]:  # fmt: skip
    """The spectra of positions in their order; a batch has positions of one archive with one number of channels.

    With `arranged`, the positions of an archive come in the order in which it stores them, which takes far fewer
    requests; `Order` brings them back into the order of `rows`.

    `data_type` is `qlw` (float64), `spectrum` (the column sum of `xes`, int64), or another type of float64. With
    `background`, `accumulation` × dark frame is subtracted from a `spectrum` first. So many batches are read `ahead` in
    threads, which the sources must allow: over a link, one waits for its reply while another moves bytes.
    """
    for _, group in groupby(rows, key=lambda row: (row.sample, row.version)):
        jobs = _jobs(group, sources, data_type, background=background, arranged=arranged)
        done = in_order(jobs, threads=ahead, in_flight=ahead) if ahead else (job() for job in jobs)
        for found, missing in done:
            left_out.reasons.extend(missing.reasons)
            yield from _same_length(found)


def _identity(row: Measured) -> tuple[object, ...]:
    """What tells positions apart: also where they were asked for twice, as other objects."""
    return row.sample, row.version, row.analysis_uuid, row.position_uuid


class Order:
    """Brings what was read `arranged` back into the order of the positions that were asked for."""

    def __init__(self, rows: Iterable[Measured]) -> None:
        self.rows = list(rows)
        self._places = {_identity(row): place for place, row in enumerate(self.rows)}

    def of(self, found: Sequence[Measured], left_out: LeftOut) -> NDArray[np.intp]:
        """The indices by which to take what was found; `left_out` is sorted itself."""
        left_out.reasons.sort(key=lambda reason: self._places[_identity(reason[0])])
        return np.argsort([self._places[_identity(row)] for row in found], kind="stable")


_Read = tuple[list[tuple[Measured, NDArray[Any]]], LeftOut]


def _jobs(
    rows: Iterator[Measured], sources: Sources, data_type: str, *, background: bool, arranged: bool
) -> Iterator[Callable[[], _Read]]:
    """What reads each batch of one archive; any thread may do it."""
    decoder: _Decoder | None = None

    def read(decoder: _Decoder, some: list[Measured]) -> _Read:
        left_out = LeftOut()
        return list(decoder.read(some, left_out)), left_out

    while some := list(islice(rows, None if arranged else BATCH_POSITIONS)):
        if decoder is None:
            decoder = _Decoder(sources(some[0]), data_type, background=background)
        if arranged:
            some = decoder.arranged(some)
        for start in range(0, len(some), BATCH_POSITIONS):
            yield partial(read, decoder, some[start : start + BATCH_POSITIONS])


def _same_length(found: Iterable[tuple[Measured, NDArray[Any]]]) -> Iterator[SpectraBatch]:
    for _, run in groupby(found, key=lambda pair: pair[1].shape):
        rows, values = zip(*run, strict=True)
        yield SpectraBatch(list(rows), np.stack(values))


class _Decoder:
    """Reads the spectra of one archive."""

    def __init__(self, source: MemberSource, data_type: str, *, background: bool) -> None:
        self._source = source
        self._type = "xes" if data_type == SPECTRUM else data_type
        self._is_sum = data_type == SPECTRUM
        self._background = background and self._is_sum
        self._lock = threading.Lock()  # of what batches share
        self._frames: OrderedDict[str, NDArray[np.uint32]] = OrderedDict()
        self._conditions: dict[str, ConditionFields | None] = {}

    def arranged(self, rows: Sequence[Measured]) -> list[Measured]:
        """Positions as the archive stores their data."""
        by_path: dict[str, list[Measured]] = {}  # a position that several analyses list is measured once
        for row in rows:
            by_path.setdefault(layout.type_path(row.position_uuid, self._type), []).append(row)
        return [row for path in self._source.arranged(list(by_path)) for row in by_path[path]]

    def read(self, rows: Sequence[Measured], left_out: LeftOut) -> Iterator[tuple[Measured, NDArray[Any]]]:
        """Each position's spectrum, in order; those that cannot be read go to `left_out`."""
        paths = [layout.type_path(row.position_uuid, self._type) for row in rows]
        found: dict[str, NDArray[Any] | str] = {}
        by_path = dict(zip(paths, rows, strict=True))
        for path, raw in self._fetch(paths, found):
            try:
                found[path] = self._decode(raw, by_path[path])
            except SxeslakeError as error:
                found[path] = error.what
        for path, row in zip(paths, rows, strict=True):
            spectrum = found.get(path, f"no {self._type} data")
            if isinstance(spectrum, str):
                left_out.note(row, spectrum)
            else:
                yield row, spectrum

    def _fetch(self, paths: Sequence[str], failed: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Members, fetched together; where one of them is damaged, each by itself."""
        done: set[str] = set()
        try:
            for path, raw in self._source.read_many(paths):
                done.add(path)
                yield path, raw
        except (DamagedArchiveError, DamagedLakeError):
            for path in paths:
                if path in done:
                    continue
                try:
                    yield path, self._source.read(path)
                except MemberNotFoundError:
                    continue
                except (DamagedArchiveError, DamagedLakeError) as error:
                    failed[path] = error.what

    def _decode(self, raw: bytes, row: Measured) -> NDArray[Any]:
        if not self._is_sum:
            if not raw:
                raise DamagedArchiveError(f"{self._type} is empty")
            return arrays.qlw_array(raw)
        with self._lock:
            condition = None if len(raw) == arrays.XES_BYTES else self._condition(row.condition_id)
        xes = arrays.xes_array(raw, condition)
        if not self._background:
            return arrays.column_sum(arrays.signal(xes))
        if not row.background_id:
            raise DamagedArchiveError("no background is stored")
        if not row.accumulation:
            raise DamagedArchiveError("its condition does not say how many frames were summed")
        with self._lock:
            frame = self._frame(row.background_id)
        return arrays.column_sum(arrays.background_corrected(xes, frame, row.accumulation))

    def _frame(self, digest: str) -> NDArray[np.uint32]:
        if digest not in self._frames:
            raw = self._shared(layout.BACKGROUNDS, digest)
            if raw is None:
                raise DamagedArchiveError("its background is not in the archive")
            self._frames[digest] = arrays.background_array(raw)
            if len(self._frames) > _BACKGROUNDS:
                self._frames.popitem(last=False)
        self._frames.move_to_end(digest)
        return self._frames[digest]

    def _condition(self, digest: str | None) -> ConditionFields | None:
        if digest is None:
            return None
        if digest not in self._conditions:
            raw = self._shared(layout.CONDITIONS, digest)
            self._conditions[digest] = None if raw is None else read_condition(parse(digest, raw, None).value)
        return self._conditions[digest]

    def _shared(self, kind: layout.SharedKind, digest: str) -> bytes | None:
        for path in layout.shared_candidates(kind, digest):
            try:
                return self._source.read(path)
            except MemberNotFoundError:
                continue
        return None
