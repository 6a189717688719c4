"""Files of Cameca PeakSight, made from a description of their layout: no real file was at hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

WDS, IMAGE, QUANTI = 6, 7, 9
FILETIME = 132_437_913_120_000_000
"""2020-09-05 14:55:12."""


def text(words: str) -> bytes:
    data = words.encode("cp1252")
    return struct.pack("<I", len(data)) + data


def ending(words: str = "Si Ka") -> bytes:
    return struct.pack("<I", 1) + text(words) + bytes(40)


def point_time(place: tuple[float, float, float] = (0.0, 0.0, 0.0), version: int = 5, ticks: int = FILETIME) -> bytes:
    return struct.pack("<IQ3f", version, ticks, *place) + bytes(8 + 4 + 8 + 56 + (24 if version == 6 else 0))


def xray(number: int = 14, line: int = 2, spectrometer: int = 1, crystal: bytes = b"\0PAT") -> bytes:
    head = struct.pack("<4I4s2f4x2f", number, line, 1, spectrometer, crystal, 25.745, 0.00218, 15.0, 20.0)
    return head + struct.pack("<7I", 27737, 1300, 900, 3, 560, 0, 1)


def video() -> bytes:
    return struct.pack("<2I24x2f28x", 1, 2, 15.0, 20.0)


def signal(source: int, channel: bytes, body: bytes, version: int = 3) -> bytes:
    more = bytes(12) + struct.pack("<I", 2) + bytes(24) if version >= 3 else b""
    return struct.pack("<2I", version, source) + channel + bytes(4) + more + body


def scan(values: np.ndarray) -> bytes:
    data = values.astype("<f4").tobytes()
    head = struct.pack("<3I2f2I", 4, 22000, len(values), 10.0, 0.5, 0, len(data))
    drawn = bytes(4) + text("Sp1 TAP") + bytes(4 + 4 + 16 + 12 + 8 + 4) + text("lut") + bytes(52)
    return head + data + drawn + struct.pack("<I", 1) + bytes(20) + bytes(4) + ending()


def picture(frames: Sequence[np.ndarray], kind: int = 3, version: int = 6) -> bytes:
    height, width = frames[0].shape
    data = b"".join(frame.tobytes() for frame in frames)
    pixel = {"u1": 0, "f4": 7, "u4": 8}[frames[0].dtype.str[1:]]
    head = struct.pack("<2I2i4f2IiIf", version, kind, 1000, -2000, 0, 0, 2.0, 2.0, width, height, 50, pixel, 30.0)
    is_line = kind in (1, 2)
    head += (b"" if is_line else struct.pack("<I", len(frames))) + bytes(4)
    head += struct.pack("<I", len(data) + (0 if is_line else 12)) + (b"" if is_line else bytes(12))
    ticks = struct.pack("<I", 1) + bytes(8) + bytes(4) + bytes(8) + ending()
    drawn = bytes(56) + text("grey") + text("BSE Z") + bytes(8 + 20 + 8) + ticks + bytes(12)
    return head + data + drawn + (bytes(12) if version >= 6 else b"")


def points(values: np.ndarray, file_version: int, version: int = 11) -> bytes:
    """Values of some points in seventeen columns."""
    blocks = b""
    for row in values:
        block = struct.pack("<I17f", version, *row) + bytes(12) + struct.pack("<5I", 100, 10, 12, 0, 1)
        blocks += block + bytes(3 * 124 + 4) + struct.pack("<f", 5.0) + (bytes(8) if version >= 11 else b"")
    standard = bytes(4) + text("Albite") + struct.pack("<I", 1) + bytes(8) + bytes(16) + text("Si_15kV.calDat")
    embedded = struct.pack("<I", 2) + struct.pack("<2I", 1, 0) + struct.pack("<2I3fI", 1, 1, 1.0, 1.0, 0.1, 7)
    tail = standard + bytes(8 + 12 + 24 + 36) + embedded + (bytes(8) if file_version > 3 else b"")
    return struct.pack("<3I", 3, 0, len(blocks)) + blocks + tail


def dataset(
    file_kind: int,
    signals: Sequence[bytes],
    *,
    kind: int = 0,
    shape: tuple[int, int] = (1, 1),
    version: int = 19,
    tiles: tuple[int, int] = (1, 1),
    footer: bytes | None = None,
    overview: bytes = b"",
) -> bytes:
    head = struct.pack("<2I2i4f2I", version, kind, 12345, -6789, 0, 0, 2.0, 2.0, *shape) + bytes(24)
    head += struct.pack("<49i", *[55] * 49) + bytes(20) + struct.pack("<2I", *tiles) + bytes(12) + text("setup.qtiSet")
    end = text("grain µ") + bytes(32) + ending()
    around = bytes(4) + struct.pack("<I", 1) + bytes(8)
    end += struct.pack("<I", 1) + around + overview + bytes(4) if overview else bytes(4)
    end += bytes(4 + 96 + (20 if version >= 17 else 0) + (4 if version >= 18 else 0) + (12 if version >= 19 else 0))
    if footer is None:
        footer = {
            WDS: struct.pack("<I", 2) + point_time() + bytes(52),
            IMAGE: struct.pack("<I", 5)
            + point_time()
            + bytes(76)
            + struct.pack("<I", 1)
            + text("phase")
            + bytes(292)
            + text("")
            + bytes(4)
            + struct.pack("<2I", 1, 2)
            + bytes(2),
            QUANTI: quanti_footer([point_time((100.0 + n, 200.0, 3.0)) for n in range(shape[0] * shape[1])]),
        }[file_kind]
    return head + struct.pack("<I", len(signals)) + b"".join(signals) + end + footer


def quanti_footer(times: Sequence[bytes], mode: int = 0, kind: int = 6) -> bytes:
    info = {
        0: b"",
        1: bytes(8) + struct.pack("<I", 1) + bytes(8),
        2: bytes(4),
        3: bytes(8) + struct.pack("<I", 0) + bytes(4),
        4: bytes(4) + struct.pack("<I", 1) + bytes(8),
        7: bytes(8) + struct.pack("<I", 1) + bytes(12) + struct.pack("<I", 1) + bytes(8),
    }[mode]
    options = struct.pack("<2I", 1, mode) + info + bytes(12 + 4) + text("olivine")
    macs = bytes(4) + text("MAC30") + struct.pack("<I", 1) + bytes(8) if kind == 6 else b""
    return (
        struct.pack("<I", kind)
        + bytes(4)
        + struct.pack("<I", len(times))
        + b"".join(times)
        + options
        + bytes(12)
        + macs
    )


def file(kind: int, datasets: Sequence[bytes], version: int = 5, main: int = 13) -> bytes:
    head = bytes([kind]) + b"fxs" + struct.pack("<I", version) + text("session") + bytes(24)
    change = struct.pack("<QI", FILETIME, 9) + b"save\x03all\x03"
    head += bytes(4) + struct.pack("<I", 1) + change + bytes((version >= 4) * 8 + (version >= 5) * 8)
    body = struct.pack("<I", main) + bytes(20) + struct.pack("<I", len(datasets)) + b"".join(datasets)
    return head + body + bytes(12) + text("a.qtiSet") + bytes(216 + (main >= 12) * 4 + (main >= 13) * 8)
