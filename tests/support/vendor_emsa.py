"""Spectra of EMSA/MAS, as Thermo's programs write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

KEYS = {
    "#FORMAT      ": "EMSA/MAS Spectral Data File",
    "#VERSION     ": "1.0",
    "#TITLE       ": "sample(1)_pt1",
    "#DATE        ": "29-MAY-2019",
    "#TIME        ": "11:49: 3",
    "#OWNER       ": "",
    "#NPOINTS     ": "8",
    "#NCOLUMNS    ": "1",
    "#XUNITS      ": "keV",
    "#YUNITS      ": "Intensity",
    "#DATATYPE    ": "XY",
    "#XPERCHAN    ": "0.010000000",
    "#OFFSET      ": "-0.02",
    "#SIGNALTYPE  ": "EDS",
    "#XLABEL      ": "X-Ray Energy",
    "#BEAMKV   -kV": "7.0",
    "#PROBECUR -nA": "29.7100",
    "#MAGCAM      ": "40.0",
    "#XPOSITION   ": "-1.140",
    "#YPOSITION   ": "-51.542",
    "#ZPOSITION   ": "11.185",
    "#ELEVANGLE-dg": "39.92",
    "#LIVETIME  -s": "10.775",
    "#REALTIME  -s": "14.499",
    "##INSTRUMENT ": "NSS",
    "##DETNAME    ": "UltraDry",
    "##WORKDIST   ": "10.81",
}
COUNTS = (0, 3, 12, 250, 17, 4, 1, 0)


def emsa_file(
    changes: Mapping[str, str] | None = None,
    *,
    lines: Sequence[str] | None = None,
    end: str = "\r\n",
    last: str = "#ENDOFDATA   : ",
) -> bytes:
    """A file of these keys; without lines, eight energies and counts."""
    keys = {**KEYS, **(changes or {})}
    pairs = [f"{-0.02 + 0.01 * channel:.4f},{count:8.1f}," for channel, count in enumerate(COUNTS)]
    head = [f"{key}: {value}" for key, value in keys.items()] + ["#SPECTRUM    : Spectral Data Starts Here"]
    return end.join([*head, *(pairs if lines is None else lines), last]).encode("cp1252", "replace")
