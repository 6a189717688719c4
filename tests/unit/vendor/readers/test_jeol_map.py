"""JEOL maps of instruments with a PC: rasters and places of conditions, counts against what conditions say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of
from support.vendor_jeol import BEAM_SCAN, STAGE_SCAN, condition, condition_keys, counts, map_file

from sxeslake.vendor.readers.jeol_map import JeolMap

READER = JeolMap()
FOLDER = "day/day_0002_MAP/Pos_0001"
ABSURD = ("0 0", "65536 65536", "4000000000 4000000000", "-4 30", "40.5 30", "40", "---", "")


def folder(files: Mapping[str, bytes]) -> MemoryTree:
    return MemoryTree({f"{FOLDER}/{name}": data for name, data in files.items()})


def test_a_stage_scan_is_given_as_it_stands_with_place_and_conditions() -> None:
    ti, fe = counts(), counts() + 20
    tree = folder(
        {
            "data001.cnd": condition("Ti", ti),
            "data001.map": map_file(ti),
            "data002.cnd": condition("Fe", fe, channel="0"),
            "data002.map": map_file(fe),
        }
    )
    seen = seen_by(READER, tree)
    (finding,), (analysis,) = seen.findings, seen.analyses
    assert (finding.path, len(finding.files)) == ("day/day_0002_MAP", 4)
    assert (analysis.name, analysis.project, analysis.comment) == ("day_0002_MAP", "2015-03-31", "inclusion")
    assert (analysis.operator, analysis.instrument) == ("User", "JXA8530")
    (found,) = analysis.maps
    assert (found.name, found.kind, found.order, found.shape) == ("Pos_0001", "stage", "column", (30, 40))
    assert found.comment == "rim"
    assert found.frame is not None
    assert found.frame["origin"] == pytest.approx([16.50025, 19.90025, 11.03])
    assert np.allclose(found.frame["step"], [[0.0005, 0, 0.0005], [0, 0.0005, 0]])
    assert found.state == {
        "saveDate": "2015/03/31 22:46:53",
        "stage": {"x": 16.51, "y": 19.9075, "z": 11.04},
        "probe": {
            "acceleratingVoltage": "15.0",
            "current": {"target": "1.20e-008", "pre": "1.203e-008", "average": "1.201e-008", "post": "1.200e-008"},
            "diameter": "1",
        },
        "dwellTime": "5.0",
    }
    titanium, iron = found.channels
    assert titanium.array.span is not None
    assert (titanium.array.span.offset, titanium.array.shape) == (32, (40, 30))
    assert np.array_equal(values_of(tree, titanium.array), ti.T)
    assert np.array_equal(values_of(tree, iron.array), fe.T)
    assert (iron.name, iron.info["spectrometer"], iron.info["dwellTime"]) == ("Fe Ka", 1, 5.0)
    assert titanium.info["check"]["max"] == ti.max()
    assert titanium.condition["wds"]["channels"] == [
        {
            "element": "Ti",
            "line": "Ka",
            "order": 1,
            "spectrometer": 3,
            "crystal": "PETH",
            "peak": {"value": 87.784, "unit": "mm"},
            "pha": {"hv": "1618", "mode": "Int"},
        }
    ]
    assert titanium.raw_condition["XM_ELEM_NAME%0"] == "Ti"
    assert seen.warnings == []


def test_a_beam_scan_is_read_row_by_row_about_its_stage_position() -> None:
    values = counts()
    tree = folder({"data001.cnd": condition("Ti", values, BEAM_SCAN), "data001.map": map_file(values, by_rows=True)})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert (found.kind, found.order, found.shape) == ("beam", "row", (30, 40))
    assert np.array_equal(values_of(tree, found.channels[0].array), values)
    assert found.frame is not None
    x, y, _ = found.frame["origin"]
    (across, _, _), (_, down, _) = found.frame["step"]
    assert (across, down) == pytest.approx((-0.003, 0.003))
    assert (x + 19.5 * across, y + 14.5 * down) == pytest.approx((16.51, 19.9075))
    assert found.state["probe"]["magnification"] == "1000"
    assert seen.warnings == []


def test_an_image_signal_has_no_element() -> None:
    values = counts()
    changes = {"XM_ELEM_COND_TYPE%0": "2", "XM_ELEM_IMS_SIGNAL_TYPE%0": "COMPO", "XM_ELEM_WDS_XRAY%0": ""}
    keys = {**changes, "XM_ELEM_WDS_CHANNEL_NO%0": "", "XM_ELEM_WDS_CRYSTAL_NAME%0": ""}
    tree = folder({"data001.cnd": condition("", values, STAGE_SCAN, **keys), "data001.map": map_file(values)})
    (channel,) = seen_by(READER, tree).analyses[0].maps[0].channels
    assert (channel.name, channel.info["quantity"], channel.info["signal"]) == ("COMPO", "signal", "COMPO")
    assert channel.condition == {}


def test_channels_of_one_element_are_told_apart_and_rasters_of_other_places_are_other_maps() -> None:
    values = counts()
    elsewhere = {**STAGE_SCAN, "XM_AP_SA_STAGE_POS%0_0": "1.0 2.0 3.0"}
    files = {
        "data001.cnd": condition("Ti", values),
        "data002.cnd": condition("Ti", values, channel="4"),
        "data003.cnd": condition("Ti", values, elsewhere),
    }
    tree = folder({**files, **{name.replace(".cnd", ".map"): map_file(values) for name in files}})
    maps = seen_by(READER, tree).analyses[0].maps
    assert [[channel.name for channel in found.channels] for found in maps] == [["Ti Ka CH3", "Ti Ka CH5"], ["Ti Ka"]]
    assert len({found.name for found in maps}) == 2


def test_a_condition_without_counts_is_named_and_an_export_serves_for_them() -> None:
    values = counts()
    text = "\r\n".join(",".join(f"{value:.0f}" for value in row) for row in values).encode()
    tree = folder(
        {
            "data001.cnd": condition("Ti", values),
            "data002.CND": condition("Fe", values),
            "data002.csv": text,
        }
    )
    seen = seen_by(READER, tree)
    (channel,) = seen.analyses[0].maps[0].channels
    assert channel.name == "Fe Ka"
    assert np.array_equal(values_of(tree, channel.array), values.T)
    assert seen.said == f"{FOLDER}/data001.cnd: there is no data001.map next to this condition; its channel is left out"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes are not 40 × 30 doubles"),
        (map_file(counts())[:-33], "are not 40 × 30 doubles"),
        (map_file(counts()) + bytes(5000), "are not 40 × 30 doubles"),
        (b"\x01" + bytes(11) + b"\x04" + map_file(counts())[13:], "its header says 4 bytes a value"),
        (map_file(counts() + 1), "the max of the counts is"),
        (map_file(counts() * np.nan), "some of the counts are not numbers"),
        (map_file(counts(), by_rows=True), "smoother with their axes exchanged"),
    ],
)
def test_counts_that_are_not_those_of_the_condition_are_named(data: bytes, words: str) -> None:
    values = counts()
    files = {"data001.cnd": condition("Ti", values), "data001.map": data}
    seen = seen_by(READER, folder({**files, "data002.cnd": condition("Fe", values), "data002.map": map_file(values)}))
    assert words in seen.said
    assert all("data001" in warned.path for warned in seen.warnings)
    assert seen.analyses[0].maps[0].channels[-1].name == "Fe Ka"


@pytest.mark.parametrize("size", ABSURD)
def test_an_absurd_size_is_refused_before_anything_is_read(size: str) -> None:
    text = condition("Ti", counts(), {**STAGE_SCAN, "XM_AP_SA_PIXELS%0": size})
    tree = folder({"data001.cnd": text, "data001.map": b"12", "data001.csv": b"1,2"})
    seen = seen_by(READER, tree)
    assert not any(analysis.maps for analysis in seen.analyses)
    assert len(seen.warnings) == 2 * len(seen.findings)


@given(
    st.dictionaries(st.sampled_from([*condition_keys("Ti", counts(), STAGE_SCAN)]), st.text(max_size=12)),
    st.binary(max_size=100),
    st.integers(0, 1500),
)
def test_any_condition_and_any_counts_are_read_or_named(changes: Mapping[str, str], data: bytes, cut: int) -> None:
    keys = condition_keys("Ti", counts(), STAGE_SCAN) | dict(changes)
    text = "".join(f"${key} {value}\r\n" for key, value in keys.items()).encode("utf-8", "replace")
    files = {"data001.cnd": text, "data002.cnd": text[:cut] + data, "../data003.cnd": text, "empty.cnd": b""}
    maps = {"data001.map": map_file(counts()), "data002.map": data, "data002.csv": data, "../data003.map": data}
    seen_by(READER, folder({**files, **maps}))


@given(st.binary(min_size=8, max_size=64))
def test_any_doubles_are_held_against_the_condition(data: bytes) -> None:
    doubles = (data * (9600 // len(data) + 1))[:9600]
    files = {"data001.cnd": condition("Ti", counts()), "data001.map": map_file(counts())[:32] + doubles}
    assert seen_by(READER, folder(files)).warnings


def test_real_conditions_are_read_and_their_missing_maps_named() -> None:
    tree = real_vendor_files("misasa+jxmap", "test", "files")
    seen = seen_by(READER, tree)
    assert [warned.path for warned in seen.warnings] == ["OK10VM-a.cnd", "data003.cnd"]
    (analysis,) = seen.analyses
    assert (analysis.instrument, analysis.operator) == ("JXA8530", "User")


def test_maps_that_would_fit_real_conditions_are_read() -> None:
    real = real_vendor_files("misasa+jxmap", "test", "files")
    files = {name: real.read(name) for name in ("data003.cnd", "OK10VM-a.cnd")}
    tree = MemoryTree({**files, "data003.map": map_file(np.zeros((1600, 1800)))})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert (found.shape, found.channels[0].name, found.channels[0].info["spectrometer"]) == ((1600, 1800), "Ti Ka", 3)
    assert found.channels[0].info["check"] == {"min": 0.0, "max": 67.0, "mean": 0.423}
    assert found.frame is not None
    origin, step = np.array(found.frame["origin"]), np.array(found.frame["step"])
    middle = origin + 899.5 * step[0] + 799.5 * step[1]
    assert middle == pytest.approx([16.5407, 19.9220, 11.0355])
    assert "the max of the counts is 0, the condition says 67" in seen.said
