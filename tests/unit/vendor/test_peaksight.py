"""Cameca PeakSight: scans, images and points of files made from the description of the layout; versions not known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vendor_peaksight as made
from support.vendor_files import MemoryTree, seen_by, values_of
from support.vendor_peaksight import IMAGE, QUANTI, WDS

from sxeslake.vendor.readers.peaksight import PeakSight

READER = PeakSight()
COUNTS = np.arange(50, dtype="<f4")
BYTES = np.arange(12, dtype="u1").reshape(3, 4)
VALUES = np.arange(6 * 17, dtype="<f4").reshape(6, 17) + 1


def wds(version: int = 5, dataset: int = 19, main: int = 13) -> bytes:
    signals = [made.signal(1, made.xray(spectrometer=number), made.scan(COUNTS * number)) for number in (1, 2, 2)]
    return made.file(WDS, [made.dataset(WDS, signals, version=dataset)] * 2, version, main)


def image() -> bytes:
    bse = made.signal(3, made.video(), made.picture([BYTES]), version=2)
    silicon = made.signal(1, made.xray(), made.picture([BYTES.astype("<f4"), BYTES.astype("<f4") + 1]))
    overview = made.dataset(IMAGE, [bse], kind=4)
    first = made.dataset(IMAGE, [bse, silicon], kind=3, shape=(4, 3), overview=overview)
    tiles = made.dataset(IMAGE, [made.signal(3, made.video(), made.picture([BYTES, BYTES + 1]))], tiles=(2, 1))
    line = made.dataset(IMAGE, [made.signal(1, made.xray(), made.picture([COUNTS.reshape(1, 50)], kind=1))], kind=1)
    return made.file(IMAGE, [first, tiles, line])


def quanti(version: int = 5, item: int = 11, mode: int = 0) -> bytes:
    signals = [made.signal(1, made.xray(number, spectrometer=number % 5), made.points(VALUES * number, version, item))
               for number in (11, 14)]  # fmt: skip
    times = [made.point_time((1000.0 * n, 2000.0, 30.0) if n else (0, 0, 0), version=6) for n in range(6)]
    footer = made.quanti_footer(times, mode, 6 if version == 5 else 4)
    return made.file(QUANTI, [made.dataset(QUANTI, signals, kind=7, shape=(3, 2), footer=footer)], version)


@pytest.mark.parametrize(("version", "dataset", "main"), [(3, 16, 11), (4, 17, 12), (5, 18, 13), (5, 19, 13)])
def test_scans_are_positions_with_an_array_a_spectrometer(version: int, dataset: int, main: int) -> None:
    tree = MemoryTree({"a.wdsDat": wds(version, dataset, main)})
    seen = seen_by(READER, tree)
    first, second = seen.positions
    assert [array.name for array in first.arrays] == ["wds-1", "wds-2", "wds-2-2"]
    assert np.array_equal(values_of(tree, second.arrays[1]), COUNTS * 2)
    axis = first.arrays[0].axis
    assert axis is not None
    assert (axis.quantity, axis.start, axis.step) == ("sin θ × 10⁵", 22000, 10)
    assert first.state == {
        "saveDate": "2020/09/05 14:55:12",
        "stage": {"x": 12.345, "y": -6.789, "z": 0.055},
        "probe": {"acceleratingVoltage": "15", "current": {"target": "2e-08"}},
    }
    channel = first.condition["wds"]["channels"][0]
    assert (channel["element"], channel["line"], channel["crystal"], channel["spectrometer"]) == ("Si", "Ka", "TAP", 1)
    assert channel["pha"]["mode"] == "Dif"
    assert (first.comment, seen.analyses[0].comment) == ("grain µ", "session")
    assert seen.warnings == []


def test_images_are_maps_with_a_channel_a_signal_and_a_map_a_tile() -> None:
    tree = MemoryTree({"a.impDat": image()})
    seen = seen_by(READER, tree)
    names = {found.name: found for found in seen.analyses[0].maps}
    assert list(names) == ["data set 1", "data set 2 tile 1", "data set 2 tile 2", "data set 3"]
    first = names["data set 1"]
    assert [channel.name for channel in first.channels] == ["BSE Z", "Si Ka", "Si Ka frame 1"]
    assert (first.kind, first.shape, names["data set 3"].kind, names["data set 3"].shape) == (
        "stage",
        (3, 4),
        "line",
        (1, 50),
    )
    assert np.array_equal(values_of(tree, first.channels[2].array), BYTES + 1)
    assert first.channels[1].info["step"] == [2.0, 2.0]
    assert np.array_equal(values_of(tree, names["data set 2 tile 2"].channels[0].array), BYTES + 1)
    assert seen.warnings == []


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("item", [10, 11])
@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, 7])
def test_points_have_the_place_and_the_time_of_each(version: int, item: int, mode: int) -> None:
    tree = MemoryTree({"a.qtiDat": quanti(version, item, mode)})
    seen = seen_by(READER, tree)
    assert len(seen.positions) == 6
    first, second = seen.positions[:2]
    assert (first.state["stage"], second.state["stage"]) == (
        {"x": 12.345, "y": -6.789, "z": 0.055}, {"x": 1.0, "y": 2.0, "z": 0.03}
    )  # fmt: skip
    assert second.arrays[0].extra["rows"] == ["Na Ka", "Si Ka"]
    assert np.array_equal(values_of(tree, second.arrays[0]), np.stack([VALUES[1] * 11, VALUES[1] * 14]))
    assert second.state["probe"]["current"] == {"target": "2e-08", "average": "1.98e-07"}
    (document,) = seen.analyses[0].documents
    assert document.schema == "sxeslake/quant/1"
    assert document.about == tuple(position.name for position in seen.positions)
    assert document.data["points"][1]["standards"] == ["Albite", "Albite"]
    assert seen.warnings == []


@pytest.mark.parametrize(
    ("data", "words", "positions"),
    [
        (wds(version=6), "version 6 of its layout is not known", 0),
        (wds(version=2), "version 2 of its layout is not known", 0),
        (made.file(8, []), "calibration; setups, calibrations and overlap tables are kept", 0),
        (made.file(WDS, [made.dataset(WDS, [], version=20)]), "version 20 of a data set is not known", 0),
        (made.file(WDS, [made.dataset(WDS, []), made.dataset(WDS, [], kind=9)]), "its first 1 data sets are read", 1),
        (
            made.file(WDS, [made.dataset(WDS, [], footer=b"\x02\0\0\0" + made.point_time(ticks=5))]),
            "no time where one",
            0,
        ),
        (made.file(WDS, [made.dataset(WDS, [], footer=b"\x09\0\0\0")]), "that ends in 9 is not known", 0),
        (made.file(WDS, [made.dataset(WDS, [made.signal(1, made.xray(), made.scan(COUNTS)[:-60])])]), "at byte", 0),
        (made.file(QUANTI, [made.dataset(QUANTI, [b""], shape=(2**31, 2**31), footer=b"")]), "points are too many", 0),
        (wds() + b"more", "4 bytes after its end are not known", 2),
        (wds()[:-1], "are expected where", 2),
        (wds()[:5], "bytes are expected", 0),
    ],
)
def test_what_is_not_known_is_named_and_what_was_whole_before_it_is_read(
    data: bytes, words: str, positions: int
) -> None:
    seen = seen_by(READER, MemoryTree({"a.wdsDat": data + bytes(8 - len(data) if len(data) < 8 else 0)}))
    assert words in seen.said
    assert "kept" in seen.said
    assert len(seen.positions) == positions


def test_points_of_mixed_layouts_are_left_out() -> None:
    body = bytearray(made.points(VALUES, 5))
    body[12 + 492] = 9
    seen = seen_by(READER, MemoryTree({"a.qtiDat": made.file(QUANTI, [made.dataset(
        QUANTI, [made.signal(1, made.xray(), bytes(body))], shape=(3, 2))])}))  # fmt: skip
    assert "of a layout that is not known; its values are left out" in seen.said
    assert np.isnan(values_of(MemoryTree({}), seen.positions[0].arrays[0])).all()


def test_a_value_that_is_no_number_is_not_given() -> None:
    body = bytearray(made.points(VALUES[:1], 5))
    body[12 + 8 : 12 + 12] = b"\x01\0\x80\x7f"  # a NaN that signals
    tree = MemoryTree(
        {"a.qtiDat": made.file(QUANTI, [made.dataset(QUANTI, [made.signal(1, made.xray(), bytes(body))])])}
    )
    seen = seen_by(READER, tree)
    assert np.isnan(values_of(tree, seen.positions[0].arrays[0])[0, 1])
    assert seen.analyses[0].documents[0].data["points"][0]["values"][0][1] is None


def test_more_frames_than_there_can_be_are_refused() -> None:
    frames = [np.zeros((1, 1), "u1")] * 20_000
    seen = seen_by(READER, MemoryTree({"a.impDat": made.file(IMAGE, [made.dataset(
        IMAGE, [made.signal(3, made.video(), made.picture(frames))])])}))  # fmt: skip
    assert "are not pictures of 1 × 1" in seen.said


@given(st.sampled_from([wds(), image(), quanti()]), st.integers(0, 6000), st.binary(max_size=8))
def test_any_bytes_are_read_or_named(whole: bytes, cut: int, data: bytes) -> None:
    at = cut % len(whole)
    files = {
        "a.x": whole[:at] + data,
        "b.x": whole[:at] + data + whole[at + len(data) :],
        "c.x": whole[:at],
        "d.x": data,
    }
    seen_by(READER, MemoryTree(files))
