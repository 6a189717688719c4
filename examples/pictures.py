"""Draw the pictures of the README from synthetic archives: `python examples/pictures.py docs/pictures`.

Needs the extra `plot`. The same pictures come out each time, for the archives are made from a seed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility

MAP = "2019/chalcopyrite map@1"


def main() -> None:
    """A lake of synthetic archives in a folder that is gone afterwards, and its pictures."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the README from synthetic archives.")
    parser.add_argument("out", nargs="?", default="docs/pictures", help="their folder (default: docs/pictures)")
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory() as name:
        synthetic_facility(Path(name) / "archives", nx=16, ny=12)
        with sxeslake.init(str(Path(name) / "lake")) as lake:
            lake.ingest(Path(name) / "archives", exact="never")
            figures = {
                "spectrum": lake.plot.spectrum(MAP, "5,60", lines="N,O,Fe", dpi=110),
                "map": lake.plot.map(MAP, 195, 210, dpi=110),
                "stage": lake.plot.stage("2020/steel carbide@1", dpi=110, size_cm=(15, 9)),
                "camera": lake.plot.ccd(MAP, 5, dpi=110),
            }
    for name, figure in figures.items():
        path = out / f"{name}.png"
        figure.savefig(path, metadata={"Software": None})
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
