"""The bridge to RosettaSciIO: what it is asked for, what it is told of, and what happens without it."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import rsciio.bruker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vendor_bruker import spx
from support.vendor_emsa import emsa_file
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of

from sxeslake.vendor.classify import classify
from sxeslake.vendor.readers.rosettasciio import INSTALL, RosettaSciIO

READER = RosettaSciIO()
AXES = {"energy": {"name": "Energy", "offset": -0.25, "scale": 0.0025, "units": "keV", "navigate": False}}


def axis(name: str, units: str = "µm", scale: float = 0.5, *, navigate: bool) -> dict[str, Any]:
    return {"name": name, "offset": 0.0, "scale": scale, "units": units, "navigate": navigate}


def answer(monkeypatch: pytest.MonkeyPatch, *signals: dict[str, Any]) -> None:
    """Let the package give these signals for any file."""
    monkeypatch.setattr(rsciio.bruker, "file_reader", lambda path, lazy: list(signals))


def test_a_spectrum_has_axis_state_and_what_the_file_says() -> None:
    tree = MemoryTree({"day/a.spx": spx()})
    seen = seen_by(READER, tree)
    (position,) = seen.positions
    (array,) = position.arrays
    assert (position.name, array.name) == ("a", "eds")
    assert values_of(tree, array).tolist() == [0, 3, 12, 250, 17]
    assert array.axis is not None
    assert (array.axis.quantity, array.axis.unit, array.axis.start, array.axis.step) == ("energy", "keV", -0.25, 0.0025)
    assert position.state == {"saveDate": "2018/03/02 13:53:04", "probe": {"acceleratingVoltage": "15"}}
    assert position.raw_condition["Detector.Type"] == "XFlash 5010"
    assert seen.warnings == []


def test_only_files_whose_suffix_and_content_agree_and_no_reader_here_takes_are_its() -> None:
    tree = MemoryTree(
        {
            "a.spx": spx(), "b.spx": b"<?xml version='1.0'?><other/>", "c.txt": spx(), "d.msa": emsa_file(),
            "e.map": bytes(100), "f.dm3": b"\0\0\0\x03" + bytes(50), "g.bcf": b"AAMVHFSS", "h.bcf": b"AAMV",
            "i.emd": b"\x89HDF\r\n\x1a\n" + bytes(20), "j.h5": b"\x89HDF\r\n\x1a\n" + bytes(20),
            "k.spc": b"\xe1\x7a\x14\x3f" + bytes(50), "l.pts": b"\x30\x01\0\0PTTDFILE", "m.sur": b"DIGITAL SURF",
        }
    )  # fmt: skip
    found = {finding.path: finding.what for finding in classify(tree).findings if finding.reader == READER.name}
    assert list(found) == ["a.spx", "f.dm3", "g.bcf", "i.emd", "k.spc", "l.pts", "m.sur"]


def test_a_project_has_the_files_below_its_folder() -> None:
    project = bytes(34) + b"Analysis Station" + bytes(50)
    image = b"\x34\0\0\0JED-2200:LibJxImageForm" + bytes(50)
    tree = MemoryTree({"p/x.ASW": project, "p/Sample/0/a.img": image, "p/Sample/0/notes.txt": b"a", "q/b.img": image})
    findings = {finding.path: finding.files for finding in classify(tree).findings}
    assert findings == {"p/x.ASW": ("p/x.ASW", "p/Sample/0/a.img"), "q/b.img": ("q/b.img",)}
    seen = seen_by(READER, tree)
    assert seen.analyses == []
    assert {warned.path for warned in seen.warnings} == {"p/x.ASW", "p/Sample/0/a.img", "q/b.img"}


def test_without_the_package_the_format_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rsciio"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "rsciio", None)
    seen = seen_by(READER, MemoryTree({"a.spx": spx()}))
    assert (seen.findings[0].what, seen.findings[0].notes) == ("Bruker spectrum", (f"to read it: {INSTALL}",))
    assert seen.analyses == []
    assert INSTALL in seen.said


def test_images_and_cubes_are_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.arange(6, dtype=">u2").reshape(2, 3)
    places = [axis("y", navigate=False), axis("x", scale=0.25, navigate=False)]
    values = np.arange(24, dtype="f4").reshape(2, 3, 4)
    cube: Any = dask.array.zeros((2, 3, 4), dtype="f4") + values
    stage = {"x": 1.5, "y": np.float64(2.5), "z": np.nan}
    metadata = {"General": {"title": "Fe K"}, "Acquisition_instrument": {"SEM": {"beam_energy": 15, "Stage": stage}}}
    over = [axis("y", navigate=True), axis("x", navigate=True), AXES["energy"]]
    answer(
        monkeypatch,
        {"data": image, "axes": places, "metadata": metadata, "original_metadata": {"a": {"b": [1], "c": "µ"}}},
        {"data": image, "axes": places, "metadata": metadata},
        {"data": cube, "axes": over, "metadata": {}},
        {
            "data": cube[0],
            "axes": [axis("x", navigate=True), AXES["energy"]],
            "metadata": {"General": {"title": "line"}},
        },
    )
    tree = MemoryTree({"a.spx": spx()})
    images, square, line = seen_by(READER, tree).analyses[0].maps
    assert [channel.name for channel in images.channels] == ["Fe K", "Fe K (2)"]
    assert images.channels[0].info == {"quantity": "signal", "element": "Fe", "line": "K"}
    assert images.channels[0].raw_condition == {"a.c": "µ"}
    assert np.array_equal(values_of(tree, images.channels[0].array), image)
    assert images.frame is not None
    assert images.frame["step"] == [[0.00025, 0.0, 0.0], [0.0, 0.0005, 0.0]]
    assert images.state == {"stage": {"x": 1.5, "y": 2.5}, "probe": {"acceleratingVoltage": "15"}}
    assert (square.kind, square.shape, square.channels[0].array.shape) == ("beam", (2, 3), (2, 3, 4))
    assert np.array_equal(values_of(tree, square.channels[0].array), values)
    assert (line.kind, line.shape, line.channels[0].array.shape) == ("line", (1, 3), (1, 3, 4))


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ({"data": dask.array.zeros((2**20, 2**20)), "axes": [axis("y", navigate=True)] * 2}, "more than 1,073,741,824"),
        ({"data": np.zeros(3, "c16"), "axes": [AXES["energy"]]}, "values of complex128"),
        ({"data": np.zeros(3, object), "axes": [AXES["energy"]]}, "values of object"),
        ({"data": np.zeros((0, 3)), "axes": [AXES["energy"]] * 2}, "holds 0 values"),
        ({"data": np.zeros((2, 3)), "axes": [AXES["energy"]]}, "axes that are not clear"),
        ({"data": np.zeros((2, 3, 4)), "axes": [AXES["energy"]] * 3}, "2 × 3 × 4 is neither spectrum"),
    ],
)
def test_arrays_that_are_too_large_or_of_another_kind_are_named(
    monkeypatch: pytest.MonkeyPatch, signal: dict[str, Any], words: str
) -> None:
    answer(monkeypatch, signal)
    seen = seen_by(READER, MemoryTree({"a.spx": spx()}))
    assert words in seen.said
    assert seen.positions == []


def test_what_the_package_says_is_told_by_file_and_printed_nowhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def read(path: str, lazy: bool) -> list[dict[str, Any]]:
        assert Path(path).read_bytes() == spx()
        warnings.warn("an odd header", stacklevel=1)
        for _ in range(3):
            logging.getLogger("rsciio.bruker").warning("no beam energy")
        raise KeyError(f"{path} has no spectrum")

    monkeypatch.setattr(rsciio.bruker, "file_reader", read)
    seen = seen_by(READER, MemoryTree({"day/a.spx": spx()}))
    texts = [warned.text for warned in seen.warnings]
    assert sum("no beam energy" in text for text in texts) == 1
    assert any("an odd header" in text for text in texts)
    assert any("has no spectrum" in text and "kept as an original" in text and "/tmp" not in text for text in texts)
    assert capfd.readouterr() == ("", "")


def test_what_the_package_says_is_equal_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither files that it leaves open nor our temporary folder are told of, which are others each time."""

    def reads(path: str, lazy: bool) -> list[dict[str, Any]]:
        warnings.warn(f"unclosed file {path}", ResourceWarning, stacklevel=1)
        warnings.warn(f"no calibration in {path}", UserWarning, stacklevel=1)
        logging.getLogger("rsciio").warning("no stage in %s", path)
        raise ValueError(f"no spectrum in {path}")

    monkeypatch.setattr(rsciio.bruker, "file_reader", reads)
    said = [seen_by(READER, MemoryTree({"day/a.spx": spx()})).warnings for _ in range(2)]
    assert said[0] == said[1]
    assert sorted(warned.text for warned in said[0]) == [
        "RosettaSciIO: no calibration in /day/a.spx",
        "RosettaSciIO: no spectrum in /day/a.spx; the file is kept as an original",
        "RosettaSciIO: no stage in /day/a.spx",
    ]


def test_names_and_documents_that_lead_elsewhere_are_not_followed() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + spx().replace(b"<?xml", b"<?ignored", 1)
    seen = seen_by(READER, MemoryTree({"../a.spx": spx(), "b.spx": b'<?xml version="1.0"?>' + bomb}))
    assert seen.analyses == []
    assert "its name leads out of its folder" in seen.said
    assert "declares a document type" in seen.said


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(st.integers(0, 1800), st.binary(max_size=20))
def test_any_bytes_are_read_or_named(cut: int, data: bytes) -> None:
    whole = spx()
    seen_by(
        READER,
        MemoryTree(
            {
                "a.spx": whole[:cut] + data,
                "b.spx": whole[:cut] + data + whole[cut + len(data) :],
                "c.spc": b"\xe1\x7a\x14\x3f" + data * 20,
                "d.eds": b"\x02\0\0\0\x02\0\0\0\0\0" + data * 20,
                "e.img": b"\x34\0\0\0JED-2200:" + data * 20,
                "f.bcf": b"AAMVHFSS" + data * 20,
            }
        ),
    )


def test_real_files_are_read() -> None:
    tree = real_vendor_files("hyperspy+rosettasciio", "rsciio", "tests", "data")
    seen = seen_by(READER, tree)
    by_name = {analysis.name: analysis for analysis in seen.analyses}
    channel = by_name["View000_0000001"].maps[0].channels[0]
    assert (channel.name, channel.array.shape, channel.info["element"]) == ("C K", (512, 512), "C")
    spectra = {position.name: position for position in seen.positions}
    assert values_of(tree, spectra["bruker_nano"].arrays[0]).shape == (4096,)
    assert spectra["met03"].arrays[0].shape == (2048,)
    assert spectra["met03"].state["probe"] == {"acceleratingVoltage": "200"}
