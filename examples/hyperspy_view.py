"""A map as a HyperSpy signal: its brightest channel, its mean spectrum, and a window to look at it.

python examples/hyperspy_view.py LAKE "map@2" --show

Needs the extra `hyperspy`. A lake to try it on: `sxeslake demo --keep FOLDER`, then LAKE is FOLDER/lake.
"""

from __future__ import annotations

import argparse

import sxeslake


def main() -> None:
    """Lazy signals read spectra when they are used, so that a large map opens at once."""
    parser = argparse.ArgumentParser(description="Open a map as a HyperSpy signal.")
    parser.add_argument("lake", help="folder, URL or name of a lake")
    parser.add_argument("sample", help="a version, such as map@2")
    parser.add_argument("--analysis", help="name or UUID; the first by default")
    parser.add_argument("--type", default="qlw", choices=["qlw", "spectrum"], help="which spectra (default: qlw)")
    parser.add_argument("--show", action="store_true", help="plot it; needs a display")
    parser.add_argument("-o", "--out", help="keep it for HyperSpy, such as map.hspy")
    args = parser.parse_args()

    with sxeslake.open(args.lake) as lake:
        signal = lake.hyperspy(args.sample, analysis=args.analysis or 1, data_type=args.type, lazy=True)
        print(signal)
        axis = signal.axes_manager.signal_axes[0]
        mean = signal.mean(axis=signal.axes_manager.navigation_axes)
        mean.compute(show_progressbar=False)
        print(f"brightest channel of the mean spectrum: {axis.axis[int(mean.data.argmax())]:.4g} {axis.units}")
        if args.show:
            import matplotlib.pyplot as plt  # noqa: PLC0415 - needs a display

            signal.compute(show_progressbar=False)
            signal.plot()
            plt.show()
        if args.out:
            signal.save(args.out)
            print(f"written: {args.out}")


if __name__ == "__main__":
    main()
