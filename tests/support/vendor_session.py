"""A session of an instrument: a folder with one of everything, as people copy it from the instrument's computer."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from support.vendor_emsa import emsa_file
from support.vendor_files import keyed_lines
from support.vendor_jeol import condition, counts, map_file
from support.vendor_qlw import acquisition

SIDECAR = {
    "CM_FORMAT": "JEOL-SEM", "CM_MAG": "1000", "CM_FULL_SIZE": "4 2", "CM_STAGE_POS": "1.5 2.5 11 0 0 0",
    "CM_DATE": "2020/09/05", "CM_TIME": "14:55:12", "CM_SIGNAL": "COMPO",
}  # fmt: skip


def session(root: Path, positions: int = 2) -> Path:
    """Two positions, a map of two elements, a spectrum, a picture, a table, and files of nobody."""
    folder = root / "session 12"
    acquisition(folder, positions)
    spot = folder / "Ti_0002_MAP" / "Pos_0001"
    spot.mkdir(parents=True)
    for number, element in enumerate(("Ti", "Fe"), 1):
        values = counts() + number
        (spot / f"data{number:03d}.cnd").write_bytes(condition(element, values))
        (spot / f"data{number:03d}.map").write_bytes(map_file(values))
    for name, data in {
        "spots/a.psmsa": emsa_file(),
        "pictures/grain.jpg": bitmap(4, 2),
        "pictures/grain.txt": keyed_lines(SIDECAR),
        "results/summary.csv": b"Point,Comment,X,Y,Z,SiO2(Mass%),Total(Mass%)\n1,rim,1,2,3,50.5,50.5\n",
        "notes.txt": "試料は薄い".encode("cp932"),
        "empty.dat": b"",
        "unknown.bin": bytes(range(256)) * 3,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "later" / "today").mkdir(parents=True)
    return folder


def bitmap(width: int, height: int) -> bytes:
    """A grey BMP; pictures of instruments are often named otherwise."""
    pixels = bytes(range(width * height)) * 3
    size = 54 + len(pixels)
    return (
        struct.pack("<2sIHHI", b"BM", size, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
        + pixels
    )


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
