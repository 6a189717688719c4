"""First steps: store some archives, look at them, read one spectrum, take one archive out again.

Run it anywhere: `python examples/first_steps.py`. It makes its own small archives and a lake in a temporary folder;
with a lake in a bucket, only the URL is another: `sxeslake.init("s3://bucket/prefix")`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility


def store(lake: sxeslake.Lake, folder: Path) -> None:
    """Archives that overlap, as they pile up in a facility; equal content is stored once."""
    synthetic_facility(folder, seed=7, nx=3, ny=3)
    report = lake.ingest(folder, message="first steps")
    for archive in report.archives:
        print(f"{archive.status:9} {archive.sample}@{archive.version}: {archive.blobs_new} of {archive.blobs} are new")
    stats = lake.stats()
    print(f"{stats.bytes_source:,} bytes of archives are {stats.bytes_stored:,} in the lake")
    assert stats.bytes_stored < stats.bytes_source / 2


def look(lake: sxeslake.Lake) -> None:
    """Names, versions, and one spectrum straight from the lake, without unpacking the archive."""
    for row in lake.ls("2019/*"):
        print(f"{row.sample}@{row.version}: {row.kind}, {row.members} files")
    with lake["2019/chalcopyrite map"] as group:
        position = group.positions[0]
        print(position.comment, position.state.accelerating_voltage_kv, "kV")
        print("brightest column:", int(np.argmax(position.qlw)), "of", position.qlw.size)


def take_out(lake: sxeslake.Lake, folder: Path) -> None:
    """Stored from a zip, taken out as 7z: other container, same members."""
    source = folder / "2020" / "steel carbide.plzip"
    pulled = lake.pull("2020/steel carbide", folder / "again.pl7z")
    print(f"pulled {pulled.members} members into {Path(pulled.path).name}, {pulled.bytes_written:,} bytes")
    with sxeslake.open_group(source) as before, sxeslake.open_group(pulled.path) as after:
        for old, new in zip(before.positions, after.positions, strict=True):
            assert np.array_equal(old.xes, new.xes)


def main() -> None:
    """All of it, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sxeslake.init(str(folder / "lake")) as lake:
            store(lake, folder / "archives")
            look(lake)
            take_out(lake, folder / "archives")
            assert lake.verify(data=True).ok


if __name__ == "__main__":
    main()
