"""Find positions by their beam condition, and draw their spectra into one picture.

python examples/find_and_plot.py LAKE --kv 5 --current-na 90..110 --grating JS300N -o found.png

Needs the extra `plot`. A lake to try it on: `sxeslake demo --keep FOLDER`, then LAKE is FOLDER/lake.
"""

from __future__ import annotations

import argparse

import sxeslake


def main() -> None:
    """Ask the catalogue, then draw what it found; no archive is unpacked."""
    parser = argparse.ArgumentParser(description="Find positions by their beam condition, and draw their spectra.")
    parser.add_argument("lake", help="folder, URL or name of a lake")
    parser.add_argument("--kv", default="5", help="accelerating voltage in kV, such as 5 or 4.9..5.1")
    parser.add_argument("--current-na", help="probe current in nA, such as 100 or 90..110")
    parser.add_argument("--grating", help="such as JS300N")
    parser.add_argument("--lines", default="", help="elements whose X-ray lines are marked, such as N,O")
    parser.add_argument("--most", type=int, default=4, help="how many spectra are drawn (default: 4)")
    parser.add_argument("-o", "--out", default="found.png", help="the picture: .png, .svg or .pdf (default: found.png)")
    args = parser.parse_args()

    filters = {"kv": args.kv, "current_na": args.current_na, "grating": args.grating}
    wanted = {name: value for name, value in filters.items() if value is not None}
    with sxeslake.open(args.lake) as lake:
        try:
            found = list(lake.measured(**wanted))
        except sxeslake.NotFoundError as error:  # it says which condition leaves nothing
            raise SystemExit(f"nothing fits: {error}") from None
        print(f"{len(found)} positions fit")
        for row in found[: args.most]:
            print(f"  {row.name}: {row.accelerating_voltage_kv} kV, {row.probe_current_na:.4g} nA, {row.comment}")
        first, *others = found[: args.most]
        figure = lake.plot.spectrum(
            first.archive,
            first.position_uuid,
            others=[(row.archive, row.position_uuid) for row in others],
            normalise="current",  # counts / nA, so that sessions can be compared
            lines=args.lines,
        )
        figure.savefig(args.out)
        print(f"drawn: {args.out}")


if __name__ == "__main__":
    main()
