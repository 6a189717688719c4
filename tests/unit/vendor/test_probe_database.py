"""Databases of Probe for EPMA: titles of images and places of points, and databases that cannot be read."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping

import numpy as np
import pytest
from support.vendor_files import MemoryTree, seen_by, values_of
from support.vendor_jet import PAGE, Rows, database, definition

from sxeslake.vendor.classify import classify
from sxeslake.vendor.jet import INSTALL, read_tables
from sxeslake.vendor.readers.probe_database import ProbeDatabase

READER = ProbeDatabase()
IMAGE = {
    "ImageNumber": "i", "ImageTitle": "t", "ImageChannelName": "t", "ImageIx": "i", "ImageIy": "i",
    "ImageKilovolts": "f", "ImageBeamCurrent": "f", "ImageMag": "f",
}  # fmt: skip
IMAGES: Rows = [
    (2, "grain", "Fe Ka", 4, 3, 15.0, 20.0, 400.0),
    (1, "grain µ", "Si Ka", 4, 3, 15.0, 20.0, 400.0),
    (3, "", "BSE", 2, 2, 20.0, None, 400.0),
]
LINE = {"LineToRow": "i", "Number": "i", "StageX": "f", "StageY": "f", "StageZ": "f"}
LINES: Rows = [(1, 1, 10.5, -20.25, 11.0), (2, 2, 11.5, -21.25, 11.0)]
SAMPLE = {"SampleToRow": "i", "Names": "t"}
FILE = {"Title": "t", "User": "t", "Description": "t"}
COUNTS = np.arange(12).reshape(3, 4)


def bim(*images: np.ndarray) -> bytes:
    return b"".join(struct.pack("<2I", *image.shape[::-1]) + image.astype("<i4").tobytes() for image in images)


def tables(**changes: tuple[Mapping[str, str], Rows]) -> dict[str, tuple[Mapping[str, str], Rows]]:
    return {
        "File": (FILE, [("session", "A. User", "olivines")]),
        "Image": (IMAGE, IMAGES),
        "Sample": (SAMPLE, [(1, "grain 1"), (2, "grain 2")]),
        "Line": (LINE, LINES),
        **changes,
    }


def test_images_have_the_titles_of_their_rows_and_points_their_samples() -> None:
    tree = MemoryTree({"a.MDB": database(tables()), "a.BIM": bim(COUNTS, COUNTS + 1, COUNTS[:2, :2])})
    seen = seen_by(READER, tree)
    (analysis,) = seen.analyses
    first, second = analysis.maps
    assert (analysis.comment, analysis.operator) == ("session olivines", "A. User")
    assert [channel.name for channel in first.channels] == ["Si Ka grain µ", "Fe Ka grain"]
    assert np.array_equal(values_of(tree, first.channels[1].array), COUNTS + 1)
    assert first.channels[1].raw_condition["ImageNumber"] == "2"
    assert first.state["probe"] == {
        "acceleratingVoltage": "15",
        "current": {"average": "2e-08"},
        "magnification": "400",
    }
    assert (second.shape, second.channels[0].name) == ((2, 2), "BSE")
    assert "current" not in second.state["probe"]
    (document,) = analysis.documents
    assert document.data["points"][1] == {
        "number": 2,
        "row": 2,
        "sample": "grain 2",
        "stage": {"x": 11.5, "y": -21.25, "z": 11.0},
    }
    assert seen.warnings == []
    assert [finding.files for finding in classify(tree).findings] == [("a.MDB", "a.BIM")]


def test_images_that_are_not_those_of_the_rows_have_no_titles() -> None:
    data = database(tables(Image=(IMAGE, [(1, "a", "b", 9, 9, 15.0, 1.0, 1.0)])))
    one, two = (seen_by(READER, MemoryTree({"a.mdb": data, "a.bim": bim(*[COUNTS] * count)})) for count in (1, 2))
    assert "image 1 is 4 × 3, not as its row says" in one.said
    assert "the database has 1 images, this file 2" in two.said
    assert [channel.name for channel in two.analyses[0].maps[0].channels] == ["image 1", "image 2"]


def test_a_database_of_something_else_and_one_that_is_damaged_are_kept() -> None:
    other = database({"Standard": ({"Numbers": "i"}, [(1,), (2,)])})
    damaged = b"\0\1\0\0Standard Jet DB\0" + bytes(5000)
    seen = seen_by(READER, MemoryTree({"a.mdb": other, "b.mdb": damaged, "c.mdb": damaged[:30], "c.bim": bim(COUNTS)}))
    assert [analysis.name for analysis in seen.analyses] == ["c"]
    assert "a.mdb: it holds no images and no points" in seen.said
    assert "b.mdb: the database could not be read" in seen.said
    assert "mdb-export" in seen.said


def test_a_table_of_which_values_are_lost_is_left_out() -> None:
    rows = [(1, "grain 1"), (2, "a grain with a long name")]
    data = bytearray(database(tables(Sample=(SAMPLE, rows))))
    columns = definition(SAMPLE, 2)
    at = data.index(columns)
    damaged = columns.replace(
        struct.pack("<B3H6xB2H", 4, 0, 0, 0, 3, 0, 4), struct.pack("<B3H6xB2H", 4, 0, 0, 0, 3, 18, 4)
    )
    data[at : at + PAGE] = damaged
    seen = seen_by(READER, MemoryTree({"a.mdb": bytes(data)}))
    assert "table Sample could not be read whole" in seen.said
    assert seen.analyses[0].documents[0].data["points"][0]["sample"] == ""


def test_a_database_whose_pages_lead_in_a_circle_ends_in_time() -> None:
    circle = {"Image": (IMAGE, IMAGES)}
    data = bytearray(database(circle))
    data[4 * PAGE : 5 * PAGE] = definition(IMAGE, 3, next_page=4)
    with pytest.raises(ValueError, match=r"was not read in 3 s|could not be read"):
        read_tables(MemoryTree({"a.mdb": bytes(data)}), "a.mdb", ["Image"], seconds=3)


def test_without_the_package_the_line_that_installs_it_is_said_and_images_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "access_parser", None)
    tree = MemoryTree({"a.mdb": database(tables()), "a.bim": bim(COUNTS)})
    seen = seen_by(READER, tree)
    assert (seen.findings[0].files, seen.findings[0].notes) == (("a.mdb",), (f"to read it: {INSTALL}",))
    assert INSTALL in seen.said
    assert [finding.reader for finding in classify(tree).findings] == ["probe-for-epma", "probe-database"]
