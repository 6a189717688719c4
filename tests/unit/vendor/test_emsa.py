"""EMSA/MAS spectra: axes, conditions and states, and files that say one thing and hold another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_emsa import COUNTS, KEYS, emsa_file
from support.vendor_files import MemoryTree, Seen, real_vendor_files, seen_by, values_of

from sxeslake.vendor.readers.emsa import Emsa

READER = Emsa()
Y = {"#DATATYPE    ": "Y"}


def seen_of(data: bytes) -> Seen:
    return seen_by(READER, MemoryTree({"day/a.txt": data}))


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_spectrum_has_axis_state_and_condition(end: str) -> None:
    tree = MemoryTree({"day/a.txt": emsa_file(end=end)})
    seen = seen_by(READER, tree)
    (position,) = seen.positions
    (array,) = position.arrays
    assert (seen.analyses[0].name, position.name, position.comment) == ("day", "a", "sample(1)_pt1")
    assert (array.name, values_of(tree, array).tolist()) == ("eds", list(COUNTS))
    assert array.axis is not None
    assert (array.axis.quantity, array.axis.unit, array.axis.start, array.axis.step) == ("energy", "keV", -0.02, 0.01)
    assert array.extra == {"liveTime": 10.775, "realTime": 14.499}
    assert position.state == {
        "saveDate": "2019/05/29 11:49:03",
        "stage": {"x": -1.14, "y": -51.542, "z": 11.185},
        "probe": {"acceleratingVoltage": "7.0", "current": {"average": "2.971e-08"}, "magnification": "40.0"},
    }
    assert position.condition["eds"] == {"detector": "UltraDry", "elevationAngle": 39.92}
    assert position.raw_condition["#WORKDIST"] == "10.81"
    assert seen.warnings == []


def test_the_suffix_says_nothing_and_odd_ones_are_told() -> None:
    tree = MemoryTree({"a.psmsa": emsa_file(), "b.tif": emsa_file(), "c.msa": b"no #FORMAT      : EMSA/MAS first"})
    (finding,) = READER.classify(tree)
    assert finding.files == ("a.psmsa", "b.tif")
    assert finding.notes == ("named .psmsa, .tif",)


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        ([f"{count}" for count in COUNTS], "1"),
        (["0, 3, 12, 250, ", "17, 4, 1, 0, "], "4"),
        (["0 3 12 250 17", "4 1 0 0 0"], "5"),
        (["0,00", "3,0", "12,0", "250,0", "17,0", "4,0", "1,0", "0,0"], "1"),
    ],
)
def test_values_in_columns_and_with_decimal_commas_are_read(lines: list[str], columns: str) -> None:
    tree = MemoryTree({"a": emsa_file({**Y, "#NCOLUMNS    ": columns}, lines=lines)})
    seen = seen_by(READER, tree)
    assert values_of(tree, seen.positions[0].arrays[0]).tolist() == list(COUNTS)
    assert seen.warnings == []


@pytest.mark.parametrize("line", ["{0};{1}", "{0}\t{1}", "{0} {1}"])
def test_pairs_with_decimal_commas_are_read(line: str) -> None:
    pairs = [line.format(f"{n / 100:.2f}", f"{count}.5").replace(".", ",") for n, count in enumerate(COUNTS)]
    tree = MemoryTree({"a": emsa_file({"#OFFSET      ": "0,00", "#XPERCHAN    ": "0,01"}, lines=pairs)})
    seen = seen_by(READER, tree)
    array = seen.positions[0].arrays[0]
    assert values_of(tree, array).tolist() == [count + 0.5 for count in COUNTS]
    assert array.axis is not None
    assert array.axis.step == 0.01
    assert seen.warnings == []


def test_energies_that_are_not_linear_are_the_axis() -> None:
    energies = (520.13, 523.22, 526.32, 529.42, 532.51, 565.79, 568.89, 571.99)
    lines = [f"{energy}, {count}" for energy, count in zip(energies, COUNTS, strict=True)]
    tree = MemoryTree({"a": emsa_file({"#OFFSET      ": "520.13", "#XPERCHAN    ": "3.1"}, lines=lines)})
    axis = seen_by(READER, tree).positions[0].arrays[0].axis
    assert axis is not None
    assert axis.values == energies
    tree = MemoryTree({"a": emsa_file({"#XPERCHAN    ": "---"}, lines=lines)})
    axis = seen_by(READER, tree).positions[0].arrays[0].axis
    assert axis is not None
    assert axis.values == energies


@pytest.mark.parametrize(
    ("changes", "lines", "words"),
    [
        (Y, None, "says Y, its lines hold an energy and a value"),
        ({}, [str(count) for count in COUNTS], "says XY, its lines hold values only"),
        ({"#NPOINTS     ": "9"}, None, "says 9 points, there are 8"),
        (Y, [*map(str, COUNTS[:-1]), "?"], "1 of its values are not numbers"),
    ],
)
def test_files_that_say_one_thing_and_hold_another_are_read_by_what_they_hold(
    changes: Mapping[str, str], lines: list[str] | None, words: str
) -> None:
    seen = seen_of(emsa_file(changes, lines=lines))
    assert words in seen.said
    assert seen.positions[0].arrays[0].shape == (8,)


@pytest.mark.parametrize("data", [b"", b"\0" * 400, b"#ENDOFDATA   :", b"abc, def"])
def test_a_file_without_numbers_is_named_and_the_others_come_in(data: bytes) -> None:
    head = emsa_file().partition(b"-0.0200")[0]
    seen = seen_by(READER, MemoryTree({"a.msa": head + data, "b.msa": emsa_file()}))
    assert [position.name for position in seen.positions] == ["b"]
    assert seen.said == "a.msa: it holds no numbers; the file is kept as an original"


def test_a_file_that_was_cut_off_gives_what_is_left() -> None:
    seen = seen_of(emsa_file()[:-40])
    assert "cut off" in seen.said
    assert seen.positions[0].arrays[0].shape[0] in (6, 7)


def test_quantities_are_converted_by_their_units_and_zeros_are_not_given() -> None:
    changes = {"#BEAMKV   -kV": "0.0", "#BEAMKV   -eV": "15000", "#PROBECUR -nA": "0.0000", "#MAGCAM      ": "0"}
    (position,) = seen_of(emsa_file(changes)).positions
    assert position.state["probe"] == {"acceleratingVoltage": "15"}


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"##INSTRUMENT ": "another"}, None),
        ({"##INSTRUMENT ": "Pathfinder"}, {"x": -1.14, "y": -51.542, "z": 11.185}),
        ({"#XPOSITION   ": "0", "#YPOSITION   ": "0.0", "#ZPOSITION   ": "0"}, None),
    ],
)
def test_a_place_is_taken_where_its_unit_is_known(
    changes: Mapping[str, str], stage: Mapping[str, float] | None
) -> None:
    assert seen_of(emsa_file(changes)).positions[0].state.get("stage") == stage


def test_a_place_with_a_unit_is_taken_from_any_writer() -> None:
    text = emsa_file().decode().splitlines()
    kept = [line for line in text if "POSITION" not in line and "INSTR" not in line]
    kept[1:1] = ["#XPOSITION mm: 1.5", "#YPOSITION-um: 2500"]
    seen = seen_of("\n".join(kept).encode())
    assert seen.positions[0].state["stage"] == {"x": 1.5, "y": 2.5}


@given(st.dictionaries(st.sampled_from([*KEYS][1:]), st.text(max_size=12)), st.integers(0, 900), st.binary(max_size=60))
def test_any_file_is_read_or_named(changes: Mapping[str, str], cut: int, data: bytes) -> None:
    whole = emsa_file(changes)
    seen_by(READER, MemoryTree({"../a.msa": whole, "b": whole[:cut] + data, "c.msa": whole[:40] + data, "d": b""}))


@given(st.lists(st.text("0123456789.,;- eE\t", max_size=12), max_size=12), st.sampled_from(["Y", "XY", ""]))
def test_any_lines_of_numbers_are_read_or_named(lines: list[str], kind: str) -> None:
    seen_of(emsa_file({"#DATATYPE    ": kind}, lines=lines))


def test_real_spectra_are_read() -> None:
    seen = seen_by(READER, real_vendor_files("ezrark+probelab-reimager", "test", "data"))
    by_name = {position.name: position for position in seen.positions}
    assert len(by_name) == 4
    assert by_name["128_pt1"].state["stage"] == {"x": -1.14, "y": -51.542, "z": 11.185}
    assert by_name["128_pt1"].arrays[0].shape == (1024,)
    assert by_name["MonzogabbroExample CP2"].arrays[0].shape == (1500,)
    assert "current" not in by_name["MonzogabbroExample CP2"].state["probe"]
    assert seen.warnings == []


@pytest.mark.parametrize(
    ("parts", "shapes", "total"),
    [
        (("hyperspy+rosettasciio", "rsciio", "tests", "data", "msa"), [(21,), (80,), (1,)], None),
        (("pyhmsa+pyhmsa", "pyhmsa", "testdata", "importer", "emsa"), [(1024,)], 0),
        (("usnistgov+EPQ", "src"), [(2048,), (2048,), (2048,)], 0),
    ],
)
def test_published_spectra_of_other_programs_are_read(
    parts: tuple[str, ...], shapes: list[tuple[int]], total: int | None
) -> None:
    tree = real_vendor_files(*parts)
    seen = seen_by(READER, tree)
    assert [position.arrays[0].shape for position in seen.positions] == shapes
    assert all(np.isfinite(values_of(tree, position.arrays[0])).all() for position in seen.positions)
    if total is not None:
        assert len(seen.warnings) == total
