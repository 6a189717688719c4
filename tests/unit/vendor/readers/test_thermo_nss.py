"""Thermo NSS folders: true counts and private fields of TIFF under any suffix, spots, and lists that name others."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_emsa import emsa_file
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of

from sxeslake.vendor.readers.thermo_nss import STRUCTURE_BYTES, ThermoNss
from sxeslake.vendor.thermo import parse_phases, parse_spots

READER = ThermoNss()
SPOTS = "..2\nm.psref\n1\n#1 SPOT 1\nm_pt1.psmsa\n385.0,263.0,770.0,526.0\n"
SAID = {3248: 22.5, 3304: -1.14, 3312: -51.542, 3320: 11.185, 3352: 7.0, 3360: 40.0, 3368: 29.71, 3408: 10.81}


def counts(height: int = 6, width: int = 8) -> np.ndarray:
    """Of 16 bits, more than a picture of 8 bits can show."""
    values: np.ndarray = np.arange(height * width).reshape(height, width) * 300 + 5
    return values.astype("<u2")


def tiff(values: np.ndarray, said: Mapping[int, float] | None = None, *, true_counts: bool = True) -> bytes:
    """A picture of 8 bits with the private fields."""
    height, width = values.shape
    structure = bytearray(STRUCTURE_BYTES)
    for at, value in {**SAID, 3272: float(values.min()), 3280: float(values.max()), **(said or {})}.items():
        struct.pack_into("<d", structure, at, value)
    shown = (values // 256).astype("u1").tobytes()
    at = 8 + len(shown)
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (273, 4, 1, 8), (279, 4, 1, len(shown))]
    fields = [(34471, bytes(structure)), (34472, values.tobytes())][: 2 if true_counts else 1]
    data_at = at + 2 + 12 * (len(entries) + len(fields)) + 4
    body = b""
    for number, data in fields:
        entries.append((number, 3, len(data) // 2, data_at + len(body)))
        body += data
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", at) + shown + directory + body


def test_counts_are_the_true_ones_and_the_state_is_that_of_the_private_fields() -> None:
    tree = MemoryTree({"m.MAP.EDS/m Spec1 Al.simcs": tiff(counts()), "m.MAP.EDS/m Grey.sitif": tiff(counts())})
    seen = seen_by(READER, tree)
    (analysis,) = seen.analyses
    (found,) = analysis.maps
    grey, aluminium = found.channels
    assert (found.kind, found.order, found.shape) == ("beam", "row", (6, 8))
    assert (grey.info, aluminium.info["element"]) == ({"quantity": "signal"}, "Al")
    assert np.array_equal(values_of(tree, aluminium.array), counts())
    assert aluminium.array.span is not None
    assert found.state == {
        "stage": {"x": -1.14, "y": -51.542, "z": 11.185},
        "probe": {"acceleratingVoltage": "7", "current": {"average": "2.971e-08"}, "magnification": "40"},
    }
    assert [image.media_type for image in analysis.images] == ["image/tiff", "image/tiff"]
    assert analysis.images[0].registration is not None
    assert analysis.images[0].registration["pixel"] == [22.5, 22.5]
    assert seen.findings[0].notes == ()
    assert seen.warnings == []


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("m Grey.sitif", "signal"), ("m.siref", "signal"), ("m Spec1 Al.simcs", "counts"), ("m_Fe_K_map.em", "counts"),
        ("m CP1.pcma", "component"), ("m.pcm", "component"), ("m Apatite.fzma", "phase"), ("m Apatite.FZME", "phase"),
    ],
)  # fmt: skip
def test_pictures_that_the_program_computed_are_no_counts(name: str, quantity: str) -> None:
    (analysis,) = seen_by(READER, MemoryTree({f"m.MAP.EDS/{name}": tiff(counts())})).analyses
    assert analysis.maps[0].channels[0].info["quantity"] == quantity


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("psmsa", "eds"), ("emsa", "eds"), ("pcsa", "eds-component"), ("pcse", "eds-component"),
        ("fzsa", "eds-phase"), ("FZSE", "eds-phase"),
    ],
)  # fmt: skip
def test_spectra_that_the_program_computed_are_data_of_another_type(suffix: str, kind: str) -> None:
    (position,) = seen_by(READER, MemoryTree({f"m.MAP.EDS/m.{suffix}": emsa_file()})).positions
    assert [array.name for array in position.arrays] == [kind]


@pytest.mark.parametrize("name", ["new\nline", "tab\t", " ", "視野", "a.b.c"])
def test_a_folder_may_have_any_name(name: str) -> None:
    files = {f"{name}.PS.EDS/m.p_s": SPOTS.encode(), f"{name}.PS.EDS/m_pt1.psmsa": emsa_file()}
    (finding,) = READER.classify(MemoryTree(files))
    assert set(finding.files) == set(files)


def test_spectra_are_positions_at_their_spots() -> None:
    files = {"m.p_s": SPOTS.encode(), "m.psref": tiff(counts()), "m_pt1.psmsa": emsa_file()}
    seen = seen_by(READER, MemoryTree({f"m.PS.EDS/{name}": data for name, data in files.items()}))
    (position,) = seen.positions
    assert (position.name, position.arrays[0].name) == ("m_pt1.psmsa", "eds")
    assert position.state["spot"] == {"label": "#1", "kind": "SPOT", "reference": "m.psref", "place": [0.5, 0.5]}
    assert position.state["probe"]["current"] == {"average": "2.971e-08"}
    assert seen.warnings == []


def test_a_picture_with_private_fields_is_known_in_any_folder() -> None:
    (finding,) = READER.classify(MemoryTree({"day/a.bin": tiff(counts()), "day/b.tif": b"II*\0", "c.txt": emsa_file()}))
    assert (finding.path, finding.files) == ("day", ("day/a.bin",))


@pytest.mark.parametrize(
    "said", [{3352: 0.0}, {3352: 61.0}, {3272: 4.0}, {3280: 1e5}, {3304: float("nan")}, {3312: 1e300}]
)
def test_a_structure_of_another_release_is_left_out_and_the_counts_come_in(said: Mapping[int, float]) -> None:
    tree = MemoryTree({"m.MAP.EDS/a.em": tiff(counts(), said)})
    seen = seen_by(READER, tree)
    assert seen.analyses[0].images[0].state == {}
    assert np.array_equal(values_of(tree, seen.analyses[0].maps[0].channels[0].array), counts())
    assert "of another release" in seen.said


def test_a_picture_without_true_counts_is_an_image_alone() -> None:
    seen = seen_by(READER, MemoryTree({"m.MAP.EDS/m Grey.sitif": tiff(counts(), true_counts=False)}))
    assert seen.analyses[0].maps == ()
    assert seen.analyses[0].images[0].state["probe"]["acceleratingVoltage"] == "7"


def test_counts_of_another_size_are_left_out() -> None:
    data = bytearray(tiff(counts()))
    struct.pack_into("<H", data, data.index(struct.pack("<HHII", 256, 3, 1, 8)) + 8, 9)
    seen = seen_by(READER, MemoryTree({"m.MAP.EDS/a.em": bytes(data)}))
    assert seen.analyses[0].maps == ()
    assert "true counts are not those of its size" in seen.said


def test_names_that_lead_out_of_the_folder_are_not_followed_and_missing_files_are_named() -> None:
    text = "5\nm.si\n../../secret.siref\nC:\\m Grey.sitif\n1\nm Spec1 Al.simcs\n0,5,Apatite,14.9,Custom,1,C 2\n"
    seen = seen_by(READER, MemoryTree({"m.MAP.EDS/m.csi": text.encode(), "m.MAP.EDS/a.em": tiff(counts())}))
    assert "'../../secret.siref', which leads out" in seen.said
    assert "not there: m.si, m Spec1 Al.simcs" in seen.said
    assert len(seen.warnings) == 3


@pytest.mark.parametrize("place", ["", "1,2", "1,2,0,0", "a,b,c,d", "---"])
def test_a_spot_without_a_place_is_a_spot(place: str) -> None:
    spots = parse_spots(f"..2\nm.psref\n1\n#1 RECT 1\nm_pt1.psmsa\n{place}\n")
    assert "place" not in spots["m_pt1.psmsa"]
    assert spots["m_pt1.psmsa"]["kind"] == "RECT"


LIST = """5
m.si
m.siref
m Grey.sitif
0


2
m CP1.pcsa
m CP1.pcma
2,C 1 Segment 1,23,513,8.595785,255,C 1 Segment 2,513,921,30,5,65280
m CP2.pcse
m CP2.pcm
1,C 2 Segment 1,35,---,19.19,99999999
2
m Apatite.fzsa
m Apatite.fzma
0,5,Apatite,14.914958,Custom,2,C 2,C 3
m Phase7.fzse
m Phase7.fzme
1,0,Phase7"""


def test_components_and_phases_have_names_shares_and_colours() -> None:
    seen = seen_by(READER, MemoryTree({"m.MAP.EDS/m.csi": LIST.encode(), "m.MAP.EDS/m Apatite.fzma": tiff(counts())}))
    (document,) = seen.analyses[0].documents
    assert document.schema == "sxeslake/phases/1"
    assert document.about == (seen.analyses[0].maps[0].name,)
    assert document.data["source"] == "m.MAP.EDS/m.csi"
    first, second = document.data["components"]
    assert (first["spectrum"], first["map"]) == ("m CP1.pcsa", "m CP1.pcma")
    assert first["segments"][0] == {
        "name": "C 1 Segment 1",
        "scores": [23, 513],
        "areaPercent": 8.595785,
        "colour": "#ff0000",
    }
    assert second["segments"] == [{"name": "C 2 Segment 1", "areaPercent": 19.19}]
    assert document.data["phases"] == [
        {
            "spectrum": "m Apatite.fzsa",
            "map": "m Apatite.fzma",
            "name": "Apatite",
            "areaPercent": 14.914958,
            "of": ["C 2", "C 3"],
        },
        {"spectrum": "m Phase7.fzse", "map": "m Phase7.fzme", "name": "Phase7"},
    ]


@given(st.text(max_size=60), st.integers(0, 300))
def test_any_list_gives_components_and_phases_or_none(text: str, cut: int) -> None:
    assert parse_phases(LIST[:cut] + text + LIST[cut:]).keys() <= {"components", "phases"}


@given(st.integers(0, 9000), st.binary(max_size=80), st.text(max_size=60))
def test_any_bytes_are_read_or_named(cut: int, data: bytes, text: str) -> None:
    picture = tiff(counts())
    files = {
        "a.em": picture[:cut] + data,
        "b.em": picture[:8] + data,
        "c.em": data,
        "d.csi": text.encode(),
        "e.p_s": data,
    }
    changed = bytearray(picture)
    changed[cut % len(picture) : cut % len(picture) + len(data)] = data
    files |= {"f.em": bytes(changed), "g.p_s": (SPOTS[: cut % 60] + text).encode(), "h.psmsa": emsa_file()[:cut] + data}
    seen_by(READER, MemoryTree({f"m.MAP.EDS/{name}": body for name, body in files.items()}))


def test_real_folders_agree_with_their_spectra() -> None:
    tree = real_vendor_files("ezrark+probelab-reimager", "test", "data")
    seen = seen_by(READER, tree)
    by_name = {analysis.name: analysis for analysis in seen.analyses}
    assert len(by_name) == 5
    for name in ("128.PS.EDS", "64.PS.EDS", "MonzogabbroExample.MAP.EDS", "SampleName.MAP.EDS"):
        analysis = by_name[name]
        spectrum = next(iter(analysis.positions())).state
        picture = next(image.state for image in analysis.images if image.state)
        assert [round(picture["stage"][axis], 3) for axis in "xyz"] == pytest.approx(
            [spectrum["stage"][axis] for axis in "xyz"], abs=0.0011
        )
        for key in ("acceleratingVoltage", "magnification"):
            assert float(picture["probe"][key]) == float(spectrum["probe"][key])
        for key, value in spectrum["probe"].get("current", {}).items():
            assert float(picture["probe"]["current"][key]) == pytest.approx(float(value), rel=1e-6)
    listed = [document.data for document in by_name["MonzogabbroExample.MAP.EDS"].documents]
    assert [(len(data.get("components", ())), len(data["phases"])) for data in listed] == [(10, 15), (0, 15)]
    assert sum(phase["areaPercent"] for phase in listed[0]["phases"][:8]) == pytest.approx(100, abs=0.01)
    (aluminium, iron) = by_name["SampleName.MAP.EDS"].maps[0].channels
    assert (aluminium.info["element"], iron.info["element"]) == ("Al", "Fe")
    assert values_of(tree, aluminium.array).max() == 3
    reference = by_name["128.PS.EDS"].maps[0].channels[0]
    assert (values_of(tree, reference.array).min(), values_of(tree, reference.array).max()) == (2135, 18107)
    pixels = [by_name[name].images[0].registration for name in ("128.PS.EDS", "64.PS.EDS")]
    assert all(pixels)
    assert pixels[1]["pixel"][0] == pytest.approx(2 * pixels[0]["pixel"][0]) if pixels[0] and pixels[1] else False
    assert not any("release" in warned.text for warned in seen.warnings)
