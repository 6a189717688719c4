"""A region of interest of a whole map: few requests over S3, memory that does not grow with the map."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import seaweed
from support.internals import vault_of
from support.part_lakes import dump

from sxeslake.archive import create_writer
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.lake import init, open_lake
from sxeslake.model import MIB, Member

CHANNELS = 4095
_CHILD = """
import re, sys
import sxeslake
with sxeslake.open(sys.argv[1]) as lake:
    found = lake.roi(100, 200, unit="channel")
    # not ru_maxrss, which begins with that of the process that started this one
    peak_kib = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    print(len(found), found.values.sum(), int(peak_kib) * 1024)
"""


@pytest.mark.s3
def test_a_map_over_s3_takes_a_request_for_many_spectra(
    s3_server: seaweed.Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(1, 24, 24)))
    address, options = "s3://lake/whole-map", s3_server.options()
    with init(address, storage_options=options) as lake:
        lake.ingest(source, exact="never")
        stored = lake.stats().bytes_stored
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cold"))
    with open_lake(address, storage_options=options) as lake:
        rows = list(lake.measured("map"))  # the catalogue is synced
        counters = vault_of(lake).store.counters
        requests, received = counters.total, counters.bytes_in
        found = lake.roi(390, 400, "map")
        assert len(found) == len(rows) == 576
        assert counters.total - requests <= 576 / 20
        assert counters.bytes_in - received <= stored / 2  # the camera images are passed over
        assert found.rows == rows  # in the order listed, in whichever it was read
        ten = lake.spectra("qlw", "map", positions="1..10")
        assert np.array_equal(lake.roi(0, CHANNELS, "map", unit="channel").values[:10], ten.values.sum(axis=1))


def _spectra_alone(path: Path, count: int) -> Path:
    """A map whose positions have a `qlw` each, no two of them equal, and no camera image."""
    rng = np.random.default_rng(3)
    base = rng.poisson(900, CHANNELS).astype("<f8")
    uuids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)]

    def members() -> Iterator[tuple[str, bytes]]:
        yield "conditions/c1.json", dump({"ccd": {"grating": "JS300N"}})
        numbers = {each: number for number, each in enumerate(uuids)}
        for each in sorted(uuids):
            number = numbers[each]
            yield f"data/{each}/info.json", dump({"uuid": each, "conditionUuid": "c1"})
            yield f"data/{each}/qlw.data", np.roll(base + number, number).tobytes()
            yield f"data/{each}/state.json", dump({"stage": {"x": number % 100 / 1000, "y": number // 100 / 1000}})
        analyses = [{"uuid": "a", "name": "map", "positionUuids": uuids}]
        yield "metadata.json", json.dumps({"projects": [], "analyses": analyses}).encode()

    with path.open("wb") as file:
        writer = create_writer(file, "zip", level=0)
        for name, data in members():
            writer.add(Member(name, "file", len(data), modified_ns=1_600_000_000_000_000_000), [data])
        writer.close()
    return path


def test_the_memory_of_a_region_does_not_grow_with_the_map(tmp_path: Path) -> None:
    peaks = {}
    for count in (4_000, 10_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        source = _spectra_alone(folder / "map.zip", count)
        with init(str(folder / "lake")) as lake:
            lake.ingest(source, exact="never")
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder / "lake")], capture_output=True, text=True, check=True
        )
        read, _, peak = done.stdout.split()
        assert int(read) == count
        peaks[count] = int(peak)
    assert peaks[10_000] <= 500 * MIB
    assert peaks[10_000] - peaks[4_000] <= 94 * MIB, peaks  # half of 6,000 spectra, which are 187 MiB
