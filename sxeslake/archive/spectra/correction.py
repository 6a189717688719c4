"""Whether spectra with and without a subtracted background stand side by side: by metadata, and by the data of some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.reading import Sources
from sxeslake.archive.sxes import arrays, layout
from sxeslake.errors import SxeslakeError

JUDGED: Final = 32
"""Positions whose `xes` is read to judge their `qlw`: 1.5 MB over a link. Of more positions, one an analysis."""


def mixed_correction(rows: Iterable[Measured], data_type: str, sources: Sources) -> str | None:
    """A warning where `qlw` with and without subtracted background stand side by side.

    No field of an archive tells it for certain. Where metadata do not differ, the data decide, for few positions.
    """
    if data_type != "qlw":
        return None
    known = list(rows)
    if len({row.is_background_subtracted for row in known}) > 1:
        return "some qlw spectra have their background subtracted and others do not; their counts cannot be compared"
    doubtful = [row for row in known if row.background_id is not None and row.background_corrected is None]
    sample = doubtful if len(doubtful) <= JUDGED else _one_each(doubtful)
    judged = [(row, is_corrected) for row, is_corrected in _judged(sample, sources) if is_corrected is not None]
    raw = [row for row, is_corrected in judged if not is_corrected]
    if not raw or len(raw) == len(judged):
        return None
    named = ", ".join(row.name for row in raw[:3]) + (", …" if len(raw) > 3 else "")
    return (
        f"the background is subtracted from some qlw spectra and not from others ({named}); "
        "their counts cannot be compared"
    )


def _one_each(rows: Iterable[Measured]) -> list[Measured]:
    """The first position of each analysis, as many as are judged."""
    first: dict[tuple[str, int | None, str | None], Measured] = {}
    for row in rows:
        first.setdefault((row.sample, row.version, row.analysis_uuid), row)
    return list(first.values())[:JUDGED]


def _judged(rows: Sequence[Measured], sources: Sources) -> Iterator[tuple[Measured, bool | None]]:
    """Each position, and whether its background is subtracted; None where its data do not tell."""
    if len(rows) < 2:
        return
    for _, group in groupby(rows, key=lambda row: (row.sample, row.version)):
        some = list(group)
        paths = {layout.type_path(row.position_uuid, kind): None for row in some for kind in ("qlw", "xes")}
        try:
            found = dict(sources(some[0]).read_many(list(paths)))
        except SxeslakeError:  # damage is reported where the spectra themselves are read
            continue
        for row in some:
            yield row, _is_corrected(row, *(found.get(layout.type_path(row.position_uuid, k)) for k in ("qlw", "xes")))


def _is_corrected(row: Measured, qlw: bytes | None, xes: bytes | None) -> bool | None:
    if qlw is None or xes is None or len(xes) != arrays.XES_BYTES or len(qlw) % 8:
        return None
    is_raw = arrays.is_uncorrected(arrays.qlw_array(qlw), arrays.signal(arrays.xes_array(xes)))
    is_known = (row.spectrometer, row.grating) == arrays.DERIVED_AXIS_SETTING
    return None if is_raw is None or (not is_raw and not is_known) else not is_raw
