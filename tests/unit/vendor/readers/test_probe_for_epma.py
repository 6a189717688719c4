"""Maps of Probe for EPMA: grids, Probe Images, image files."""

from __future__ import annotations

import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of

from sxeslake.vendor.readers.probe_for_epma import ProbeForEpma

READER = ProbeForEpma()
ACQ = b'[stage]\r\nX_Polarity="-1"\r\nStage_Units=mm\r\n'


def counts() -> np.ndarray:
    values: np.ndarray = np.arange(12.0).reshape(3, 4)
    return values


def grid(values: np.ndarray, high: float | None = None) -> bytes:
    """A Surfer 7 grid."""
    rows, columns = values.shape
    top = float(values.max()) if high is None else high
    head = struct.pack("<2i8d", rows, columns, 50.1, 50.3, 0.01, 0.02, float(values.min()), top, 0.0, 1.7e38)
    data = values.astype("<f8").tobytes()
    return (
        b"DSRB"
        + struct.pack("<2i", 4, 2)
        + b"GRID"
        + struct.pack("<i", 72)
        + head
        + b"DATA"
        + struct.pack("<i", len(data))
        + data
    )


def probe(values: np.ndarray, width: int | None = None) -> bytes:
    """A Probe Image."""
    rows = [f"Row{n}={base64.b64encode(row.astype('<f4').tobytes()).decode()}" for n, row in enumerate(values)]
    size = [f"Width={width or values.shape[1]}", f"Height={values.shape[0]}", "Min=0", f"Max={values.max()}"]
    column = ["[ColumnConditions]", "HighVoltage=15", "BeamCurrent=2e-8", "PixelTime=30", "Magnification=400"]
    time = ["[Measured/Time]", "Start=2020-09-05T14:55:12"]
    lines = ["[ProbeImage]", "Version=1", "ScanType=Stage", *column, *time, "[RawData]", *size, *rows]
    return "\r\n".join(lines).encode()


def bim(*images: np.ndarray) -> bytes:
    """Images one after another."""
    return b"".join(struct.pack("<2I", *image.shape[::-1]) + image.astype("<i4").tobytes() for image in images)


def test_a_grid_has_its_place_in_the_unit_of_its_calibration() -> None:
    tree = MemoryTree({"m.grd": grid(counts()), "m.acq": ACQ})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert np.array_equal(values_of(tree, found.channels[0].array), counts())
    assert "quantity" not in found.channels[0].info  # a grid may be of counts, percent or heights
    assert found.frame == {
        "quantity": "stage",
        "unit": "mm",
        "origin": [50.1, 50.3],
        "step": [[0.01, 0.0], [0.0, 0.02]],
    }
    assert seen.warnings == []


@pytest.mark.parametrize("high", [float("nan"), float("inf")])
def test_an_end_of_a_grid_that_is_no_number_is_left_out(high: float) -> None:
    seen = seen_by(READER, MemoryTree({"m.grd": grid(counts(), high=high), "m.acq": ACQ}))
    assert "max" not in seen.analyses[0].maps[0].channels[0].info["check"]
    assert seen.warnings == []


def test_a_grid_without_calibration_has_no_place() -> None:
    seen = seen_by(READER, MemoryTree({"m.GRD": grid(counts(), high=99.0)}))
    assert seen.analyses[0].maps[0].frame is None
    assert "gives the unit of its axes" in seen.said
    assert "the max of the counts is 11, the condition says 99" in seen.said


def test_a_probe_image_has_state_and_floats() -> None:
    tree = MemoryTree({"m.PrbImg": probe(counts())})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert np.array_equal(values_of(tree, found.channels[0].array), counts())
    assert found.kind == "stage"
    assert found.state == {
        "saveDate": "2020/09/05 14:55:12",
        "probe": {"acceleratingVoltage": "15", "current": {"average": "2e-8"}, "magnification": "400"},
        "dwellTime": "30",
    }
    assert seen.warnings == []


def test_images_of_one_file_are_channels() -> None:
    tree = MemoryTree({"m.bim": bim(counts(), counts() - 5, counts()[:2]) + b"end"})
    seen = seen_by(READER, tree)
    channels = seen.analyses[0].maps[0].channels
    assert [channel.name for channel in channels] == ["image 1", "image 2"]
    assert np.array_equal(values_of(tree, channels[1].array), counts() - 5)
    assert "of another size, 4 × 2" in seen.said


@pytest.mark.parametrize(
    "files",
    [
        {"m.grd": grid(counts())[:-1]},
        {"m.grd": grid(counts())[:60]},
        {"m.PrbImg": probe(counts(), width=65536)},
        {"m.PrbImg": probe(counts(), width=3)},
        {"m.PrbImg": probe(counts()).replace(b"Row2=", b"Row2=?")},
    ],
)
def test_files_that_do_not_hold_their_map_are_named(files: dict[str, bytes]) -> None:
    seen = seen_by(READER, MemoryTree(files))
    assert seen.analyses == []
    assert "kept as an original" in seen.said


@given(st.integers(0, 300), st.binary(max_size=40))
def test_any_bytes_are_read_or_named(cut: int, data: bytes) -> None:
    whole = {"a.grd": grid(counts()), "b.PrbImg": probe(counts()), "c.bim": bim(counts(), counts()), "a.acq": ACQ}
    changed = {}
    for name, body in whole.items():
        changed[name] = body[:cut] + data
        changed[f"x{name}"] = body[:cut] + data + body[cut + len(data) :]
    seen_by(READER, MemoryTree(changed))


def test_the_real_grid_is_read() -> None:
    tree = real_vendor_files("openmicroanalysis+calczaf")
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    assert found.shape == (384, 512)
    assert found.frame is not None
    assert found.frame["unit"] == "mm"
    assert seen.warnings == []
