"""Maps of UNIX-time microprobes: conditions by description, counts big-endian and column by column."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of

from sxeslake.vendor.compress import decompressed
from sxeslake.vendor.readers.jeol_unix import JeolUnix, parse_condition

READER = JeolUnix()
ROWS, COLUMNS = 30, 40
SHORT = {"1.map": b"12", "2.map.Z": b"\x1f\x9d\x90", "3_map.txt": b"1 2"}
CHANGED = ("X-axis Step Number [1~1024]", "Y-axis Step Number [1~1024]", "Dwell Time [msec]", "EOS Mag. ")


def counts(rows: int = ROWS, columns: int = COLUMNS, dtype: str = "u2") -> np.ndarray:
    """Of a smooth sample, by rows and columns of its picture."""
    y, x = np.mgrid[:rows, :columns]
    values: np.ndarray = 100 + 90 * np.sin(x / 9) * np.cos(y / 7)
    return values.astype(dtype)


def condition(
    elements: Sequence[tuple[str, np.ndarray]],
    *,
    scan: str = "S",
    width: int = 2,
    tab: str = "\t\t\t",
    changes: Mapping[str, str] | None = None,
) -> bytes:
    """The condition of so many elements, as an instrument writes it."""
    said = {
        "Number of measured elements [1~20]": str(len(elements)),
        "Dummy Data  No.5": "1",
        "EOS Acc. Voltage [kV]": "15.0",
        "EOS Probe Diameter [um] ": "4",
        "EOS Mag. ": "40",
        "Probe Current Avg, Before After [A]": "1.988e-07  1.989e-07  1.987e-07",
        "Stage[S] or Beam[B] Scan": scan,
        "Measurement Center Position X [mm]": "20.078",
        "Measurement Center Position Y [mm]": "15.058",
        "Measurement Center Position Z [mm]": "10.7432",
        "Measurement Start Position X [mm]": "20.0000",
        "Measurement Start Position Y [mm]": "15.0000",
        "Measurement Start Position Z [mm]": "10.7460",
        "X-axis Step Number [1~1024]": str(COLUMNS),
        "Y-axis Step Number [1~1024]": str(ROWS),
        "X Step Size [um], or Beam Dots Width": "4.00",
        "Y Step Size [um], or Beam Dots Width": "4.00",
        "Scan Direction U:Single/B:Double ": "U",
        "Data Byte Length [2:16bit / 4:32bit] ": str(width),
        "Dwell Time [msec]": "8",
        "Scan Mag. [Onle Beam Scan Mode]": "400",
    } | dict(changes or {})
    lines = [f"{value}{tab}{words}" for words, value in said.items()]
    lines += ["Section 4, core          ", "Apr 4 06:52 2013         "]
    for number, (element, values) in enumerate(elements, 1):
        of_one = {
            f"Element Name No.{number}-Seq.1 **********": f"{element}       ",
            "X-ray Name": "Ka      ",
            "X-ray Order": "1",
            "Signal Name [W:WDS E:EDS I:IMS]": "W",
            "Channel Number[1-5:WDS 8-15:EDS 6,7:IMS]": str(number),
            "Crystal Name ": "TAP             ",
            "Peak Position [mm] --- WDS ---": "77.374",
            "PHA Detector HV ": "1700",
            "Max Value": str(int(values.max())),
            "Min Value": str(int(values.min())),
            "Ave Value": str(int(values.mean())),
        }
        lines += [f"{value}{tab}{words}" for words, value in of_one.items()]
    return "\n".join(lines).encode()


def stored(values: np.ndarray, *, by_rows: bool = False) -> bytes:
    """As a stage scan stands in its file: big-endian, column by column."""
    return (values if by_rows else values.T).astype(values.dtype.newbyteorder(">")).tobytes()


def compressed(data: bytes, most_bits: int = 16) -> bytes:
    """A file of compress(1)."""
    table = {bytes([value]): value for value in range(256)}
    following, bits, at, written, in_group, word = 257, 9, 0, 0, 0, b""

    def emit(code: int) -> None:
        nonlocal at, written, in_group
        written |= code << at
        at, in_group = at + bits, in_group + 1

    for value in data:
        longer = word + bytes([value])
        if longer in table:
            word = longer
            continue
        emit(table[word])
        if following < 1 << most_bits:
            table[longer] = following
            following += 1
        if following - 1 >= 1 << bits and bits < most_bits:
            at += -in_group % 8 * bits
            bits, in_group = bits + 1, 0
        word = bytes([value])
    if word:
        emit(table[word])
    return b"\x1f\x9d" + bytes([most_bits | 0x80]) + written.to_bytes((at + 7) // 8, "little")


def test_a_stage_scan_is_read_column_by_column_with_place_and_condition() -> None:
    si, mg = counts(), counts() // 2
    files = {"0.cnd": condition([("Si", si), ("Mg", mg)]), "1.map": stored(si), "2.map": stored(mg)}
    tree = MemoryTree({f"s/.map/3/{name}": data for name, data in files.items()})
    seen = seen_by(READER, tree)
    (analysis,) = seen.analyses
    assert (analysis.name, analysis.comment) == ("3", "Section 4, core")
    assert analysis.acquisition_date == "2013/04/04 06:52:00"
    (found,) = analysis.maps
    assert (found.kind, found.order, found.shape) == ("stage", "column", (ROWS, COLUMNS))
    assert [channel.name for channel in found.channels] == ["Si Ka", "Mg Ka"]
    assert np.array_equal(values_of(tree, found.channels[0].array), si.T)
    assert found.frame == {
        "quantity": "stage",
        "unit": "mm",
        "origin": [20.0, 15.0, 10.746],
        "step": [[0.004, 0.0, 0.0], [0.0, 0.004, 0.0]],
    }
    assert found.state["stage"] == {"x": 20.078, "y": 15.058, "z": 10.7432}
    assert found.state["probe"] == {
        "acceleratingVoltage": "15.0",
        "current": {"average": "1.988e-07", "pre": "1.989e-07", "post": "1.987e-07"},
        "magnification": "40",
        "diameter": "4",
    }
    info = found.channels[1].info
    assert (info["element"], info["spectrometer"], info["crystal"], info["dwellTime"]) == ("Mg", 2, "TAP", 8.0)
    assert info["peak"] == {"value": 77.374, "unit": "mm"}
    assert found.channels[1].condition["wds"]["channels"][0]["pha"] == {"hv": "1700"}
    assert found.channels[1].raw_condition["PHA Detector HV"] == "1700"
    assert seen.warnings == []


def test_a_beam_scan_of_32_bits_is_read_row_by_row() -> None:
    values = counts(dtype="u4") * 70_000
    tree = MemoryTree({"0.cnd": condition([("Si", values)], scan="B", width=4), "1.map": stored(values, by_rows=True)})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert (found.kind, found.order, found.frame) == ("beam", "row", None)
    assert found.state["probe"]["magnification"] == "400"
    assert np.array_equal(values_of(tree, found.channels[0].array), values)
    assert seen.warnings == []


def test_compressed_counts_and_exports_serve_where_counts_are_missing() -> None:
    values = counts()
    text = "\n".join(" ".join(map(str, row)) for row in values.tolist()).encode() + b"\n"
    files = {"0.cnd": condition([("Si", values)] * 3), "1.map.Z": compressed(stored(values)), "2_map.txt": text}
    tree = MemoryTree({**files, "3_map.txt": text, "3.map": stored(values)})
    seen = seen_by(READER, tree)
    channels = seen.analyses[0].maps[0].channels
    assert [channel.name for channel in channels] == ["Si Ka CH1", "Si Ka CH2", "Si Ka CH3"]
    assert [channel.array.dtype for channel in channels] == ["<u2", "<f8", "<u2"]
    assert all(np.array_equal(values_of(tree, channel.array), values.T) for channel in channels)
    assert seen.warnings == []


def test_conditions_with_blanks_for_tabs_and_elements_in_files_of_their_own_are_read() -> None:
    values = counts()
    text = condition([], tab=" ")
    own = b"$CM_INSTRUMENT      JXA-8105\n$XM_ELEMENT         Si\n"
    tree = MemoryTree({"0.cnd": text, "1.cnd": own, "1.map": stored(values)})
    (analysis,) = seen_by(READER, tree).analyses
    assert analysis.instrument == "JXA-8105"
    assert [channel.name for channel in analysis.maps[0].channels] == ["Si"]


def test_an_element_without_its_counts_is_named_and_the_others_come_in() -> None:
    values = counts()
    tree = MemoryTree({"0.cnd": condition([("Si", values), ("Mg", values)]), "2.map": stored(values)})
    seen = seen_by(READER, tree)
    assert [channel.name for channel in seen.analyses[0].maps[0].channels] == ["Mg Ka"]
    assert seen.said == "0.cnd: there is no 1.map, of Si Ka"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes are not 40 × 30 counts"),
        (stored(counts())[:-1], "2,399 bytes are not 40 × 30 counts"),
        (stored(counts(dtype="u4")), "says 2 bytes a count, its size 4"),
        (stored(counts() + 7), "the condition says"),
        (stored(counts().reshape(COLUMNS, ROWS)), "smoother with their axes exchanged"),
    ],
)
def test_counts_that_are_not_those_of_the_condition_are_named(data: bytes, words: str) -> None:
    values = counts()
    tree = MemoryTree({"0.cnd": condition([("Si", values), ("Mg", values)]), "1.map": data, "2.map": stored(values)})
    seen = seen_by(READER, tree)
    assert words in seen.said
    assert all(warned.path == "1.map" for warned in seen.warnings)
    assert seen.analyses[0].maps[0].channels[-1].name == "Mg Ka"


@pytest.mark.parametrize("size", ["0", "-4", "65537", "4000000000", "---", "4.5", ""])
def test_an_absurd_size_is_refused_before_anything_is_read(size: str) -> None:
    text = condition([("Si", counts())], changes={"X-axis Step Number [1~1024]": size})
    seen = seen_by(READER, MemoryTree({"0.cnd": text, **SHORT}))
    assert "no size of the map" in seen.said
    assert seen.analyses == []


def test_files_too_short_for_their_map_are_refused_before_anything_is_made() -> None:
    size = {"X-axis Step Number [1~1024]": "65536", "Y-axis Step Number [1~1024]": "65536"}
    seen = seen_by(READER, MemoryTree({"0.cnd": condition([("Si", counts())], changes=size), **SHORT}))
    assert [warned.path for warned in seen.warnings] == list(SHORT)
    assert seen.analyses[0].maps == ()


@pytest.mark.parametrize("most_bits", [10, 12, 16])
def test_compressed_files_are_those_of_gzip(most_bits: int) -> None:
    gzip = shutil.which("gzip")
    random = np.random.default_rng(1)
    for size in (0, 1, 300, 5000, 60_000):
        data = random.integers(0, 255 if size % 200 else 4, size).astype("u1").tobytes()
        packed = compressed(data, most_bits)
        assert decompressed(packed, size) == data
        assert decompressed(packed, size // 2) == data[: size // 2]
        if gzip:
            assert subprocess.run([gzip, "-dc"], input=packed, capture_output=True, check=True).stdout == data


@given(st.binary(max_size=400))
def test_damaged_compressed_files_are_refused(data: bytes) -> None:
    for magic in (b"", b"\x1f\x9d\x90", b"\x1f\x9d\x89", b"\x1f\x9d\x10"):
        with suppress(ValueError):
            assert len(decompressed(magic + data, 1000)) <= 1000


@given(
    st.dictionaries(st.sampled_from(CHANGED), st.text(max_size=10)),
    st.binary(max_size=64),
    st.integers(0, 2000),
)
def test_any_condition_and_any_counts_are_read_or_named(changes: Mapping[str, str], data: bytes, cut: int) -> None:
    text = condition([("Si", counts())], changes=changes)
    names = ("1.map", "2.map.Z", "3_map.txt", "4.cnd", "0.map", "../5.map")
    seen_by(READER, MemoryTree({"0.cnd": text[:cut] + data, **dict.fromkeys(names, data)}))
    seen_by(READER, MemoryTree({"0.cnd": text, **dict.fromkeys(names, data)}))


def test_a_japanese_comment_is_read() -> None:
    found = parse_condition("15.0\t\tEOS Acc. Voltage [kV]\n試料 4\n2013/04/04 06:52\n")
    assert (found.comment, found.date) == ("試料 4", "2013/04/04 06:52:00")


def test_the_real_map_is_that_of_its_condition() -> None:
    tree = real_vendor_files("misasa+jxmap", "test", "files")
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    (silicon,) = found.channels
    assert (silicon.name, found.shape, found.order) == ("Si Ka", (1000, 920), "column")
    values = values_of(tree, silicon.array)
    assert (int(values.max()), int(values.min()), int(values.mean())) == (1005, 0, 182)
    assert silicon.info["check"] == {"min": 0.0, "max": 1005.0, "mean": 182.0}
    assert len(seen.warnings) == 14
    assert all("there is no" in warned.text for warned in seen.warnings)
    assert found.frame is not None
    middle = [found.frame["origin"][axis] + 0.002 * (side - 1) for axis, side in ((0, 920), (1, 1000))]
    assert middle == pytest.approx([20.838, 16.898])


def test_the_synthetic_exports_are_read() -> None:
    tree = real_vendor_files("atusy+qntmap", "inst", "extdata", "minimal")
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert [channel.name for channel in found.channels] == ["Si", "Mg"]
    first = [int(word) for word in tree.read(".map/1/1_map.txt").split()[:3]]
    assert values_of(tree, found.channels[0].array)[:3, 0].tolist() == first
