"""A synthetic facility as catalogue parts: thousands of archives, millions of positions, made column by column.

It bypasses ingest: what is measured with it is the catalogue. Run as a script it makes one and says how large it is:

    python tests/support/catalog_facility.py FOLDER --archives 4000 --positions 2500
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sxeslake.catalog.build.parts import PART_ROWS, write_part
from sxeslake.catalog.build.rows import Same, table_of
from sxeslake.catalog.model import PLACES_PER_ENTRY, CatalogHead
from sxeslake.catalog.schema import tables
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import Snapshot, TablePart

GRATINGS = np.array(["JS300N", "JS50XL", "JS200N", "JS2000"])
VOLTAGES_KV = np.array([2.0, 5.0, 10.0, 15.0, 20.0])
CURRENTS_NA = np.array([5.0, 20.0, 50.0, 100.0, 200.0])
INSTRUMENTS = np.array(["JXA-8530F", "JXA-iHP200F"])
_START = np.datetime64("2014-01-01T08:00:00", "us")
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Facility:
    """What is in it, archive by archive: one map and one analysis of a few points each."""

    archives: int
    positions: int
    points: int
    grating: npt.NDArray[np.str_]
    instrument: npt.NDArray[np.str_]
    voltage_kv: Floats
    current_na: Floats
    start: npt.NDArray[np.datetime64]
    analysis_uuids: pa.Array


def facility(archives: int, positions: int, seed: int = 1) -> Facility:
    """Conditions of each archive, drawn from what a laboratory uses."""
    rng = np.random.default_rng(seed)
    return Facility(
        archives,
        positions,
        min(12, positions // 2),
        rng.choice(GRATINGS, archives),
        rng.choice(INSTRUMENTS, archives),
        rng.choice(VOLTAGES_KV, archives),
        rng.choice(CURRENTS_NA, archives) * rng.normal(1, 0.01, archives),
        _START + np.arange(archives) * np.timedelta64(20, "h"),
        uuids(rng, 2 * archives),
    )


def uuids(rng: np.random.Generator, count: int) -> pa.Array:
    """Random UUIDs as text, a hundred thousand in some milliseconds."""
    digits = _HEX[rng.integers(0, 16, (count, 32), np.uint8)]
    text = np.full((count, 36), ord("-"), np.uint8)
    kept = [i for i in range(36) if i not in (8, 13, 18, 23)]
    text[:, kept] = digits
    return _strings(text)


def hashes(rng: np.random.Generator, count: int) -> pa.Array:
    """Random digests as hexadecimal text."""
    return _strings(_HEX[rng.integers(0, 16, (count, 64), np.uint8)])


def _strings(text: npt.NDArray[np.uint8]) -> pa.Array:
    count, width = text.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def _owner(archive: npt.NDArray[np.int64]) -> dict[str, Any]:
    names = pa.array([f"sample-{number:05d}" for number in range(int(archive.max()) + 1)])
    return {
        "archive_id": pa.array((archive + 1) * PLACES_PER_ENTRY),
        "sample": names.take(pa.array(archive)),
        "version": Same(1),
    }


def _conditions(lab: Facility, archive: npt.NDArray[np.int64]) -> dict[str, Any]:
    return {
        "grating": pa.array(lab.grating[archive]),
        "instrument": pa.array(lab.instrument[archive]),
        "spectrometer": Same("XES300N"),
        "ccd_name": Same("C11789-01"),
        "accumulation": Same(10),
    }


def position_table(lab: Facility, first: int, last: int, seed: int) -> pa.Table:
    """Positions of archives `first` to `last`."""
    rng = np.random.default_rng(seed)
    archive = np.repeat(np.arange(first, last), lab.positions)
    count = len(archive)
    number = np.tile(np.arange(lab.positions), last - first)
    in_map = number < lab.positions - lab.points
    side = int(np.ceil(np.sqrt(lab.positions)))
    current = (lab.current_na[archive] * (1 + 0.002 * np.sin(number / 300))).round(2)
    scattered = rng.uniform(-30, 30, (2, count)).round(3)
    columns = {
        **_owner(archive),
        **_conditions(lab, archive),
        "position_uuid": uuids(rng, count),
        "analysis_uuid": lab.analysis_uuids.take(pa.array(2 * archive + ~in_map)),
        "position_number": pa.array(np.where(in_map, number, number - (lab.positions - lab.points)) + 1),
        "comment": pa.array([f"map 5kV : Pos. : {n + 1}" for n in range(lab.positions)]).take(pa.array(number)),
        "comment_source": Same("position"),
        "project": Same("Nitrogen in steel"),
        "acquired_local": pa.array(lab.start[archive] + number * np.timedelta64(12_000, "ms")),
        "accelerating_voltage_kv": pa.array(lab.voltage_kv[archive]),
        "probe_current_na": pa.array(current),
        "probe_current_source": Same("average"),
        "probe_current_target_na": pa.array(lab.current_na[archive].round(1)),
        "probe_current_pre_na": pa.array(current),
        "probe_current_post_na": pa.array((current * 1.0001).round(2)),
        "probe_current_average_na": pa.array(current),
        "magnification": Same(20000.0),
        "stage_x_mm": pa.array(np.where(in_map, number % side * 0.01, scattered[0]) + 10.0),
        "stage_y_mm": pa.array(np.where(in_map, number // side * 0.01, scattered[1]) - 5.0),
        "stage_z_mm": Same(10.9),
        "beam_x": Same(320.0),
        "beam_y": Same(240.0),
        "ccd_temperature_c": Same(-70.0),
        "condition_id": Same("88" * 32),
        "raw_condition_id": Same("db" * 32),
        "background_id": Same("ef" * 32),
        "types": pa.array([["qlw", "sum", "xes"]] * count),
        "bytes_raw": Same(174_140),
        "content_id": hashes(rng, count),
    }
    return table_of(tables.POSITIONS, count, columns)


def analysis_table(lab: Facility) -> pa.Table:
    """Two analyses an archive: a map, and points."""
    archive = np.repeat(np.arange(lab.archives), 2)
    count = len(archive)
    is_map = np.arange(count) % 2 == 0
    side = int(np.ceil(np.sqrt(lab.positions)))
    positions = np.where(is_map, lab.positions - lab.points, lab.points)
    current = lab.current_na[archive]
    start = lab.start[archive] + ~is_map * np.timedelta64(9, "h")
    columns = {
        **_owner(archive),
        **{k: v for k, v in _conditions(lab, archive).items() if k != "accumulation"},
        "accumulation": Same(10),
        "accumulation_min": Same(10),
        "accumulation_max": Same(10),
        "accumulation_missing": Same(0),
        "analysis_uuid": lab.analysis_uuids,
        "analysis_number": pa.array(np.where(is_map, 1, 2)),
        "analysis_name": pa.array(np.where(is_map, "map", "points")),
        "project": Same("Nitrogen in steel"),
        "acquired_local": pa.array(start),
        "last_saved_local": pa.array(start + positions * np.timedelta64(12_000, "ms")),
        "kind": pa.array(np.where(is_map, "map", "points")),
        "kind_inferred": Same(True),
        "positions": pa.array(positions),
        "positions_unreadable": Same(0),
        "images": Same(0),
        "accelerating_voltage_kv": pa.array(lab.voltage_kv[archive]),
        "accelerating_voltage_min_kv": pa.array(lab.voltage_kv[archive]),
        "accelerating_voltage_max_kv": pa.array(lab.voltage_kv[archive]),
        "accelerating_voltage_missing": Same(0),
        "probe_current_na": pa.array(current.round(2)),
        "probe_current_min_na": pa.array((current * 0.998).round(2)),
        "probe_current_max_na": pa.array((current * 1.002).round(2)),
        "probe_current_missing": Same(0),
        "probe_current_target_na": pa.array(current.round(1)),
        "probe_current_target_min_na": pa.array(current.round(1)),
        "probe_current_target_max_na": pa.array(current.round(1)),
        "probe_current_target_missing": Same(0),
        "gratings": pa.array([[grating] for grating in lab.grating[archive]]),
        "spectrometers": pa.array([["XES300N"]] * count),
        "operators": pa.array([["grace"], ["ada"]] * lab.archives),
        "grating_missing": Same(0),
        "spectrometer_missing": Same(0),
        "types": pa.array([["qlw", "sum", "xes"]] * count),
        "types_common": pa.array([["qlw", "sum", "xes"]] * count),
        "lattice_nx": pa.array(np.where(is_map, side, 0), mask=~is_map),
        "lattice_ny": pa.array(np.where(is_map, side, 0), mask=~is_map),
    }
    return table_of(tables.ANALYSES, count, columns)


def archive_table(lab: Facility) -> pa.Table:
    """One row an archive."""
    archive = np.arange(lab.archives)
    columns = {
        **_owner(archive),
        "kind": Same("sxes"),
        "name": pa.array([f"sample-{number:05d}.plzip" for number in archive]),
        "log_number": pa.array(archive + 1),
        "analyses": Same(2),
        "positions": Same(lab.positions),
        "members": Same(5 * lab.positions),
        "ingested_at": pa.array(lab.start).cast(pa.timestamp("us", tz="UTC")),
        "content_id": hashes(np.random.default_rng(2), lab.archives),
    }
    return table_of(tables.ARCHIVES, lab.archives, columns)


def write_facility(cache: Cache, archives: int, positions: int) -> Snapshot:
    """Write all parts; the snapshot is saved as the cache's own."""
    lab = facility(archives, positions)
    parts: list[TablePart] = []
    for spec, table in ((tables.ARCHIVES, archive_table(lab)), (tables.ANALYSES, analysis_table(lab))):
        parts += [write_part(cache, spec, table.slice(at, PART_ROWS)) for at in range(0, table.num_rows, PART_ROWS)]
    parts += [
        write_part(cache, tables.POSITIONS, position_table(lab, first, last, first)) for first, last in _runs(lab)
    ]
    snapshot = Snapshot(CatalogHead(archives, "0" * 64), tuple(parts))
    cache.save(snapshot, force=True)
    return snapshot


def _runs(lab: Facility) -> Iterator[tuple[int, int]]:
    step = max(1, PART_ROWS // lab.positions)
    for first in range(0, lab.archives, step):
        yield first, min(lab.archives, first + step)


def main() -> None:
    """Make one and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archives", type=int, default=4000)
    parser.add_argument("--positions", type=int, default=2500)
    words = parser.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    snapshot = write_facility(Cache(words.folder), words.archives, words.positions)
    for name in ("archives", "analyses", "positions"):
        found = snapshot.of([name])
        print(name, len(found), "parts", sum(p.rows for p in found), "rows", sum(p.bytes for p in found), "bytes")
    print(f"{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
