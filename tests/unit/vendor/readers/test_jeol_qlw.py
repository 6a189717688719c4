"""The reader of JEOL's `_QLW` directories, on directories made here by its own rules."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_qlw import COLUMNS, ROWS, acquisition, xes

from sxeslake.vendor.readers.jeol_qlw import JeolQlw
from sxeslake.vendor.records import AnalysisRecord, PositionRecord, Warned
from sxeslake.vendor.tree import FolderTree


def read(root: Path) -> tuple[list[tuple[AnalysisRecord, list[PositionRecord]]], list[Warned]]:
    tree, warned = FolderTree(root), list[Warned]()
    reader = JeolQlw()
    found = [
        (analysis, list(analysis.positions()))
        for finding in reader.classify(tree)
        for analysis in reader.read(tree, finding, warned.append)
    ]
    for _, positions in found:
        for position in positions:
            for array in (*position.arrays, *([position.background] if position.background else [])):
                assert array.span is not None
                assert array.span.offset + array.span.length <= tree.sizes[array.span.path]
    return found, warned


def test_a_whole_acquisition(tmp_path: Path) -> None:
    folder = acquisition(tmp_path)
    [(analysis, positions)], warned = read(tmp_path)
    assert (analysis.name, analysis.project, analysis.instrument) == ("steel_0001_QLW", "steel", "JXA")
    assert [position.comment for position in positions] == ["試料 1", "試料 2"]
    assert {each.text for each in warned} == {"its text is read as cp932"}
    first = positions[0]
    assert first.state["stage"] == {"x": 2.5, "y": -1, "z": 10.764, "tilt": [1, 0]}
    assert first.state["probe"]["current"] == {"average": "1.009e-007"}
    assert (first.state["dwellTime"], first.state["probe"]["diameter"]) == ("300000", "1")
    assert first.state["probe"]["magnification"] == "20000"
    assert first.state["ccd"] == {"temperature": {"pre": "-70"}}
    assert first.condition["calibrationCoefficients"] == ["-9.5", "7.8"]
    assert list(first.condition["ccd"])[:5] == ["name", "model", "spectrometer", "grating", "mode"]
    assert first.condition["ccd"]["bins"] == {"x": 17, "y": 2048}
    assert first.raw_condition["MAP.cnd:XM_CP_PROJECT_NAME"] == "steel"
    tree = FolderTree(folder)
    arrays = {array.name: array for array in first.arrays}
    spectrum = arrays["qlw"]
    assert spectrum.span is not None
    assert spectrum.axis is not None
    assert (spectrum.shape, spectrum.axis.start, spectrum.axis.step) == ((4095,), 10.5, 0.5)
    data = tree.read("Pos_0001/data001.qlw", spectrum.span.offset, spectrum.span.length)
    assert data == struct.pack("<4095d", *range(1, 4096))
    image, dark = arrays["xes"], first.background
    assert image.span is not None
    assert dark is not None
    assert dark.span is not None
    stored = tree.read("Pos_0001/1.xes")
    assert stored[image.span.offset :][: image.span.length] == bytes(range(1, 1 + 4 * ROWS * COLUMNS))
    assert stored[dark.span.offset :][: dark.span.length] == stored[-2 - dark.span.length : -2]


def test_a_position_alone_and_images_alone(tmp_path: Path) -> None:
    folder = acquisition(tmp_path, 1)
    [(analysis, [position])], _ = read(folder / "Pos_0001")
    assert (analysis.name, position.condition) == ("Pos_0001", {})
    for name in ("data001.qlw", "data001.cnd"):
        (folder / "Pos_0001" / name).unlink()
    [(_, [position])], warned = read(folder)
    assert [array.name for array in position.arrays] == ["xes"]
    assert "no data001.cnd" in warned[0].text


def test_without_a_dark_frame(tmp_path: Path) -> None:
    folder = acquisition(tmp_path, 1)
    (folder / "Pos_0001" / "1.xes").write_bytes(xes()[: 892 + 4 * ROWS * COLUMNS])
    [(_, [position])], warned = read(folder)
    assert position.background is None
    assert len(position.arrays) == 2
    assert any("no whole dark frame" in each.text for each in warned)


def test_raw_data_of_a_map_are_named(tmp_path: Path) -> None:
    folder = acquisition(tmp_path)
    (folder / "MapRawData.mrd").write_bytes(b"raw")
    [finding] = JeolQlw().classify(FolderTree(folder))
    assert "MapRawData.mrd" in finding.files
    assert any("cannot be read" in note for note in finding.notes)


@pytest.mark.parametrize(("rows", "columns"), [(2**32 - 1, 2**32 - 1), (0, 5), (17, 2049)])
def test_absurd_sizes_cost_nothing_and_hide_nothing_else(tmp_path: Path, rows: int, columns: int) -> None:
    folder = acquisition(tmp_path)
    (folder / "Pos_0001" / "1.xes").write_bytes(xes(rows, columns))
    tracemalloc.start()
    try:
        [(_, positions)], warned = read(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(position.arrays) for position in positions] == [1, 2]
    assert peak < 4 << 20
    assert not rows or any(each.path == "Pos_0001/1.xes" for each in warned)


@given(
    st.sampled_from(["1.xes", "data001.qlw", "data001.cnd"]),
    st.integers(0, 2000),
    st.binary(max_size=40),
    st.booleans(),
)
def test_odd_bytes_spoil_no_other_position(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, data: bytes, cut: bool
) -> None:
    folder = acquisition(tmp_path_factory.mktemp("odd"))
    path = folder / "Pos_0001" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + data + (b"" if cut else whole[place + len(data) :]))
    [(_, positions)], _ = read(folder)
    assert [array.name for array in positions[-1].arrays] == ["xes", "qlw"]
    assert positions[-1].background is not None
