"""HMSA pairs: analyses, lists and rasters, the conditions that they include, and texts that ask for too much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of
from support.vendor_hmsa import CONDITIONS, UID, described, pair, text_of

from sxeslake.vendor.readers.hmsa import Hmsa

READER = Hmsa()
SPECTRUM = np.arange(4, dtype="<i8")
BY_REFERENCE = "<Probe>Probe0</Probe><Detector>{}</Detector><Acquisition>{}</Acquisition>"


def test_a_spectrum_has_state_axis_and_condition_of_what_it_includes() -> None:
    tree = MemoryTree(pair("Analysis", SPECTRUM, BY_REFERENCE.format("EDS", "Point0")))
    seen = seen_by(READER, tree)
    (analysis,), (position,) = seen.analyses, seen.positions
    (array,) = position.arrays
    assert (analysis.instrument, analysis.operator, analysis.comment) == (
        "JEOL Ltd. JXA 8500F-CL",
        "CSIRO",
        "Breccia µ",
    )
    assert analysis.acquisition_date == "2013/07/29 14:42:10"
    assert position.state == {
        "saveDate": "2013/07/29 14:42:10",
        "stage": {"x": 1.5, "y": 2.5},
        "probe": {"acceleratingVoltage": "15", "current": {"average": "4.759e-08"}, "magnification": "2500"},
        "dwellTime": "500",
    }
    assert (array.name, array.shape, array.extra) == ("eds", (4,), {"realTime": 0.5})
    assert array.axis is not None
    assert (array.axis.quantity, array.axis.unit, array.axis.start, array.axis.step) == ("energy", "eV", -237.0, 2.5)
    assert position.condition["eds"] == {"elevation": 40.0}
    assert position.raw_condition["Probe.Probe0.BeamVoltage"] == "15000 V"
    assert np.array_equal(values_of(tree, array), SPECTRUM)
    assert seen.warnings == []


def test_an_explicit_calibration_is_the_axis_of_its_values() -> None:
    seen = seen_by(READER, MemoryTree(pair("Analysis", SPECTRUM, BY_REFERENCE.format("WDS", "Point0"))))
    (array,) = seen.positions[0].arrays
    assert (array.name, array.axis and array.axis.values) == ("wds", (1.0, 2.0, 4.0, 8.0))
    assert seen.positions[0].condition["wds"] == {"channels": [{"crystal": "TAP", "twoD": 25.757}]}


def test_data_that_include_nothing_have_the_conditions_that_are_not_doubtful() -> None:
    (position,) = seen_by(READER, MemoryTree(pair("Analysis", SPECTRUM))).positions
    assert (position.arrays[0].name, position.arrays[0].axis, position.condition) == ("spectrum", None, {})
    assert position.state["probe"]["acceleratingVoltage"] == "15"
    assert "stage" not in position.state


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 4)])
def test_a_list_is_a_position_an_item_at_its_place(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype="<u2").reshape(shape)
    tree = MemoryTree(pair("AnalysisList", values, BY_REFERENCE.format("EDS", "Points0")))
    seen = seen_by(READER, tree)
    assert [position.name for position in seen.positions] == ["Test 1", "Test 2", "Test 3"]
    assert [position.state["stage"]["x"] for position in seen.positions] == [1.0, 3.0, 5.0]
    found = [values_of(tree, position.arrays[0]) for position in seen.positions]
    assert np.array_equal(np.reshape(found, shape), values)
    (points,) = seen.analyses[0].maps
    assert (points.kind, points.positions) == ("free", ("Test 1", "Test 2", "Test 3"))
    assert points.xy is not None
    assert points.xy.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("shape", [(5,), (6, 5), (6, 5, 4), (6, 5, 3, 4)])
def test_a_raster_is_a_map_by_rows_and_columns(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype="<f4").reshape(shape)
    tree = MemoryTree(pair("ImageRaster", values, BY_REFERENCE.format("EDS", "Raster0")))
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert (found.shape, found.kind) == ((1, 5), "line") if len(shape) == 1 else ((6, 5), "stage")
    assert np.array_equal(values_of(tree, found.channels[0].array).reshape(shape), values)
    assert found.frame is not None
    assert (found.frame["origin"], found.frame["step"]) == ([1.0, 2.0, 3.0], [[0.002, 0.0, 0.0], [0.0, 0.003, 0.0]])
    assert seen.warnings == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (described("Analysis", SPECTRUM, length=31), "need 32 bytes, DataLength says 31"),
        (described("Analysis", SPECTRUM, offset=9), "not all in a file of 40"),
        (described("Analysis", SPECTRUM, offset=0), "not all in a file of 40"),
        (described("Analysis", SPECTRUM, length=-1), "no whole number"),
        (described("Analysis", SPECTRUM).replace(">4<", ">4000000000<"), "need 32,000,000,000 bytes"),
        (described("Analysis", SPECTRUM).replace(">4<", ">0<"), "is 0"),
        (described("Analysis", SPECTRUM).replace(">4<", ">1e400<"), "no whole number"),
        (described("Analysis", SPECTRUM).replace("int64<", "complex<"), "are not known"),
        (described("Analysis", SPECTRUM).replace("Analysis", "Serial"), "are not known"),
        (described("AnalysisList", SPECTRUM).replace('"Analysis"', '"Z"'), "over Z is not read"),
    ],
)
def test_data_that_the_file_does_not_hold_are_named_and_the_rest_comes_in(data: str, words: str) -> None:
    good = described("Analysis", SPECTRUM, name="good")
    seen = seen_by(READER, MemoryTree({"m.xml": text_of(data + good), "m.hmsa": UID + SPECTRUM.tobytes()}))
    assert words in seen.said
    assert [position.name for position in seen.positions] == ["good"]


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE MSAHyperDimensionalDataFile [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (98 + n, *[97 + n] * 4) for n in range(20))
    + b"]><MSAHyperDimensionalDataFile>&u;</MSAHyperDimensionalDataFile>"
)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"m.xml": text_of("")}, "is missing; it is kept"),
        ({"m.xml": text_of("", uid="00" * 8), "m.hmsa": UID}, "its UID is 0000000000000000, that of its .hmsa"),
        ({"m.xml": text_of("", uid=""), "m.hmsa": UID}, "its UID is absent"),
        ({"m.xml": text_of(""), "m.hmsa": UID[:4]}, "its UID is"),
        ({"m.xml": text_of("")[:-9], "m.hmsa": UID}, "is not XML"),
        ({"m.xml": BOMB, "m.hmsa": UID}, "declares a document type"),
        ({"m.xml": BOMB.decode().encode("utf-16"), "m.hmsa": UID}, ""),
        ({"m.xml": text_of("<a/>" * 1_000_100), "m.hmsa": UID}, "elements are not read"),
    ],
)
def test_texts_that_are_no_description_are_named(files: Mapping[str, bytes], words: str) -> None:
    seen = seen_by(READER, MemoryTree(files))
    assert seen.analyses == []
    assert words in seen.said


def test_a_checksum_of_other_values_is_named() -> None:
    files = pair("Analysis", SPECTRUM)
    seen = seen_by(READER, MemoryTree({**files, "m.hmsa": UID + SPECTRUM[::-1].tobytes()}))
    assert "SHA-1" in seen.said
    assert len(seen.positions) == 1


@given(st.integers(0, 3000), st.binary(max_size=30), st.text(max_size=30))
def test_any_bytes_are_read_or_named(cut: int, data: bytes, text: str) -> None:
    whole = pair("AnalysisList", np.arange(12, dtype="<u2").reshape(3, 4), BY_REFERENCE.format("EDS", "Points0"))
    xml, binary = whole["m.xml"], whole["m.hmsa"]
    seen_by(
        READER,
        MemoryTree(
            {
                "a.xml": xml[:cut] + data, "a.hmsa": binary,
                "b.xml": xml[:cut] + data + xml[cut + len(data) :], "b.hmsa": binary,
                "c.xml": xml, "c.hmsa": binary[: cut % 40] + data,
                "d.xml": text_of(text, conditions=CONDITIONS), "d.hmsa": binary,
            }
        ),
    )  # fmt: skip


def test_the_published_examples_are_read() -> None:
    tree = real_vendor_files("pyhmsa+pyhmsa", "pyhmsa", "testdata")
    seen = seen_by(READER, tree)
    by_name = {analysis.name: analysis for analysis in seen.analyses}
    (position,) = by_name["breccia_eds"].positions()
    assert values_of(tree, position.arrays[0]).sum() == 32_174_147
    assert position.state["probe"] == {
        "acceleratingVoltage": "15",
        "current": {"average": "4.759e-08"},
        "magnification": "2500",
    }
    assert by_name["breccia_eds"].instrument == "JEOL Ltd. JXA 8500F-CL"
    (found,) = by_name["imageraster2dspectral"].maps
    assert values_of(tree, found.channels[0].array)[0, :2].tolist() == [[0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7]]
    assert seen.warnings == []
