"""Map the ratio of two lines: the counts of one region of interest, divided by those of another.

python examples/ratio_map.py LAKE "map@2" 390..400 520..530 -o ratio.png

Needs the extra `plot`. A lake to try it on: `sxeslake demo --keep FOLDER`, then LAKE is FOLDER/lake.
"""

from __future__ import annotations

import argparse

import matplotlib.figure
import numpy as np

import sxeslake


def region(text: str) -> tuple[float, float]:
    """`390..400` as two numbers."""
    low, _, high = text.partition("..")
    return float(low), float(high)


def main() -> None:
    """Two regions become two images on the same lattice; their ratio is drawn in µm."""
    parser = argparse.ArgumentParser(description="Map the ratio of the counts of two regions, in eV.")
    parser.add_argument("lake", help="folder, URL or name of a lake")
    parser.add_argument("sample", help="a map, such as map@2")
    parser.add_argument("above", type=region, help="region of the numerator in eV, such as 390..400")
    parser.add_argument("below", type=region, help="region of the denominator in eV, such as 520..530")
    parser.add_argument("--analysis", help="name or UUID, where the archive has several analyses")
    parser.add_argument("-o", "--out", default="ratio.png", help="the picture: .png, .svg or .pdf (default: ratio.png)")
    args = parser.parse_args()

    with sxeslake.open(args.lake) as lake:
        above = lake.roi(args.above[0], args.above[1], args.sample, analysis=args.analysis)
        below = lake.roi(args.below[0], args.below[1], args.sample, analysis=args.analysis)
    for warning in dict.fromkeys(above.warnings + below.warnings):
        print("warning:", warning)

    top, bottom = above.map(), below.map()
    # Where there are no counts to divide by, there is no ratio.
    ratio = np.divide(top.values, bottom.values, out=np.full_like(top.values, np.nan), where=bottom.values > 0)
    print(f"{ratio.shape[1]} × {ratio.shape[0]} positions, ratio {np.nanmin(ratio):.3f} to {np.nanmax(ratio):.3f}")

    rows, columns = ratio.shape
    figure = matplotlib.figure.Figure((5, 4), dpi=200, layout="compressed")
    axes = figure.add_subplot()
    extent = (0, columns * top.step_x_um, 0, rows * top.step_y_um)
    image = axes.imshow(ratio, origin="lower", extent=extent, cmap="viridis")
    axes.set(title=args.sample, xlabel="x (µm)", ylabel="y (µm)")
    figure.colorbar(image, ax=axes, label=f"counts {above.window} / counts {below.window}")
    figure.savefig(args.out)
    print(f"drawn: {args.out}")


if __name__ == "__main__":
    main()
