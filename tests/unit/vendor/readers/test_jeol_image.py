"""JEOL images: conditions beside pictures, pixel sizes against micron bars, and whatever odd files make of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.vendor_files import MemoryTree, keyed_lines, real_vendor_files, seen_by

from sxeslake.vendor.pictures import media_type, picture_size
from sxeslake.vendor.readers.jeol_image import JeolImage, pixel_size, registration_of
from sxeslake.vendor.texts import Fields, keyed

READER = JeolImage()
KEYS = {
    "SEM_DATA_VERSION": "1",
    "CM_ACCEL_VOLT": "15.00",
    "$SM_WD": "10.75",
    "CM_MAG": "1800",
    "$SM_SCAN_ROTATION": "0.00",
    "CM_SIGNAL": "COMPO",
    "CM_STAGE_POS": "1.5000 -59.5000 11.0000 0 0 0",
    "$SM_PROBE_CURRENT": "2.50e-008",
    "CM_FORMAT": "JEOL-SEM",
    "CM_COMMENT": "grain 5",
    "CM_DATE": "2020/09/05",
    "CM_TIME": "14:55:12",
    "CM_OPERATOR": "someone",
    "CM_INSTRUMENT": "8530F",
    "$SM_MICRON_BAR": "192",
    "$SM_MICRON_MARKER": "10um",
    "CM_FULL_SIZE": "1280 960",
}
MAGICS = (b"II*\0", b"MM\0*", b"BM", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
WORDS = st.text(st.characters(codec="cp1252", exclude_characters="\r\n"), max_size=12)


def picture(form: str, width: int = 1280, height: int = 1024, mode: str = "P") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, form)
    return buffer.getvalue()


def fields(**changes: str) -> Fields:
    return keyed(keyed_lines({**KEYS, **{key.replace("SM_", "$SM_", 1): value for key, value in changes.items()}}))


@pytest.mark.parametrize(
    ("form", "mode", "media"),
    [
        ("TIFF", "P", "image/tiff"),
        ("BMP", "P", "image/bmp"),
        ("JPEG", "L", "image/jpeg"),
        ("PNG", "L", "image/png"),
    ],
)
def test_a_picture_has_place_pixel_size_and_state_of_its_condition(form: str, mode: str, media: str) -> None:
    tree = MemoryTree({"day/4.pic": picture(form, mode=mode), "day/4.txt": keyed_lines(KEYS)})
    seen = seen_by(READER, tree)
    (analysis,) = seen.analyses
    (image,) = analysis.images
    assert (analysis.name, analysis.operator, analysis.instrument) == ("day", "someone", "8530F")
    assert (image.name, image.media_type, image.comment) == ("4", media, "grain 5")
    assert image.registration is not None
    assert image.registration["pixel"] == pytest.approx([10 / 192, 10 / 192])
    assert image.registration["infoBarRows"] == 64
    assert image.state == {
        "saveDate": "2020/09/05 14:55:12",
        "stage": {"x": 1.5, "y": -59.5, "z": 11.0},
        "probe": {"acceleratingVoltage": "15.00", "current": {"average": "2.50e-008"}, "magnification": "1800"},
    }
    assert image.raw_condition["SM_MICRON_MARKER"] == "10um"
    assert seen.warnings == []


def test_the_middle_of_the_raster_is_the_stage_and_stage_x_grows_to_the_left() -> None:
    found, odd = registration_of(fields(), (640, 512))
    assert found is not None
    assert odd == ""
    a, b, c, d, e, f = found["affine"]
    assert (a * 320 + b * 240 + c, d * 320 + e * 240 + f) == pytest.approx((1.5, -59.5))
    assert (a, e) == pytest.approx((-10 / 96 / 1000, 10 / 96 / 1000))
    assert found["infoBarRows"] == 32


def test_a_rotated_scan_has_a_pixel_size_and_no_place() -> None:
    found, _ = registration_of(fields(SM_SCAN_ROTATION="12.0"), (1280, 960))
    assert found is not None
    assert "affine" not in found
    assert found["infoBarRows"] == 0


@pytest.mark.parametrize(("marker", "um"), [("10um", 10.0), ("10µm", 10.0), ("500nm", 0.5), ("1mm", 1000.0)])
def test_without_magnification_the_micron_bar_gives_the_pixel_size(marker: str, um: float) -> None:
    size = pixel_size(fields(CM_MAG="---", SM_MICRON_MARKER=marker))
    assert size is not None
    assert size.um == pytest.approx(um / 192)
    assert size.source == "$$SM_MICRON_BAR"


def test_a_micron_bar_that_disagrees_with_the_magnification_is_taken_and_told() -> None:
    found, odd = registration_of(fields(SM_MICRON_BAR="96"), (1280, 960))
    assert found is not None
    assert found["pixel"][0] == pytest.approx(10 / 96)
    assert "CM_MAG gives 0.0520833 µm" in odd


@pytest.mark.parametrize(
    ("changes", "size", "words"),
    [
        ({"CM_MAG": "0", "SM_MICRON_BAR": "0"}, (1280, 960), "no magnification and no micron bar"),
        ({"CM_FULL_SIZE": "---"}, (1280, 960), "size of the picture or of its raster"),
        ({}, None, "size of the picture or of its raster"),
        ({}, (1280, 900), "not a copy of the raster"),
        ({}, (1280, 2000), "not a copy of the raster"),
    ],
)
def test_a_pixel_size_that_is_not_known_is_left_out_and_told(
    changes: Mapping[str, str], size: tuple[int, int] | None, words: str
) -> None:
    found, odd = registration_of(fields(**changes), size)
    assert found is None
    assert words in odd


def test_pictures_and_conditions_without_each_other_are_named() -> None:
    tree = MemoryTree(
        {"a.bmp": picture("BMP"), "b.txt": keyed_lines(KEYS), "C.BMP": picture("BMP"), "c.TXT": keyed_lines(KEYS)}
    )
    seen = seen_by(READER, tree)
    assert [finding.notes for finding in seen.findings] == [("1 picture without a condition",)]
    assert [image.name for image in seen.analyses[0].images] == ["C", "a"]
    assert seen.analyses[0].images[0].registration
    assert seen.analyses[0].images[1].registration is None
    assert {warned.path for warned in seen.warnings} == {"a.bmp", "b.txt"}


def test_pictures_alone_are_claimed_with_little_faith_and_other_texts_not_at_all() -> None:
    tree = MemoryTree(
        {"a.png": picture("PNG", 4, 4, "L"), "readme.txt": b"$CM_ is a prefix", "x.cnd": b"$CM_CURRENT 1e-7"}
    )
    (finding,) = READER.classify(tree)
    assert finding.files == ("a.png",)
    assert finding.confidence < 0.5


def test_a_japanese_comment_and_a_decimal_comma_are_read() -> None:
    text = keyed_lines({**KEYS, "CM_MAG": "1800,0", "CM_COMMENT": ""}) + "$CM_LABEL 試料\r\n".encode("cp932")
    (analysis,) = seen_by(READER, MemoryTree({"a.bmp": picture("BMP"), "a.txt": text})).analyses
    assert analysis.images[0].info["label"] == "試料"
    assert analysis.images[0].state["probe"]["magnification"] == "1800.0"
    assert analysis.images[0].registration


def test_sizes_come_from_headers_of_every_form() -> None:
    upside_down = bytearray(picture("BMP", 30, 20))
    struct.pack_into("<i", upside_down, 22, -20)
    plain = picture("JPEG", 30, 20, "L")
    comment = b"\xff\xfe" + struct.pack(">H", 60000) + b"c" * 59998
    with_comments = plain[:2] + comment * 3 + plain[2:]
    entries = [struct.pack(">HHIHH", tag, 3, 1, side, 0) for tag, side in ((256, 30), (257, 20))]
    big_endian = b"MM\0*" + struct.pack(">IH", 8, 2) + b"".join(entries) + bytes(4)
    for data in (bytes(upside_down), with_comments, big_endian):
        assert picture_size(MemoryTree({"a": data}), "a") == (30, 20)


def test_no_size_is_taken_from_a_header_that_ends_or_leads_away() -> None:
    for form, mode in (("TIFF", "P"), ("BMP", "P"), ("JPEG", "L"), ("PNG", "L")):
        whole = picture(form, 30, 20, mode)
        for length in range(0, min(len(whole), 200), 3):
            tree = MemoryTree({"a.x": whole[:length], "a.txt": keyed_lines(KEYS)})
            seen_by(READER, tree)
            assert picture_size(tree, "a.x") in (None, (30, 20))
    assert picture_size(MemoryTree({"a": b"II*\0" + struct.pack("<I", 2**32 - 1)}), "a") is None
    assert picture_size(MemoryTree({"a": b"\xff\xd8\xff\xff" + b"\xff" * 5000}), "a") is None


@given(
    st.binary(max_size=300),
    st.sampled_from([b"II*\0", b"MM\0*", b"BM", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]),
    st.binary(max_size=400),
)
def test_any_bytes_are_read_or_left(body: bytes, magic: bytes, text: bytes) -> None:
    sidecar = keyed_lines({"CM_FORMAT": "JEOL-SEM"}) + text
    seen = seen_by(READER, MemoryTree({"a.tif": magic + body, "a.txt": sidecar, "empty.txt": b"", "b.tif": body}))
    assert seen.findings


@given(
    st.dictionaries(
        st.sampled_from([*KEYS]), st.text(st.characters(codec="cp1252", exclude_characters="\r\n"), max_size=12)
    )
)
def test_any_values_are_taken_or_left(changes: Mapping[str, str]) -> None:
    seen_by(READER, MemoryTree({"a.bmp": picture("BMP", 64, 48), "a.txt": keyed_lines({**KEYS, **changes})}))


def test_real_conditions_agree_with_their_micron_bars() -> None:
    tree = real_vendor_files("ezrark+probelab-reimager", "test", "data")
    bars = 0
    for path in tree.sizes:
        keys = keyed(tree.read(path), path) if path.endswith(".txt") else Fields(path, "")
        if "CM_FORMAT" in keys:
            size = pixel_size(keys)
            assert size is not None
            assert size.source == "$CM_MAG"
            marker = {"10um": 10, "100um": 100}[keys.text("SM_MICRON_MARKER")]
            assert int(marker / size.um + 1e-9) == keys.whole_number("SM_MICRON_BAR"), path
            bars += 1
    assert bars >= 9


def test_real_pictures_have_place_and_pixel_size() -> None:
    tree = real_vendor_files("ezrark+probelab-reimager", "test", "data")
    seen = seen_by(READER, tree)
    images = {image.name: image for analysis in seen.analyses for image in analysis.images if image.raw_condition}
    assert len(images) == 5
    assert all(image.registration and "affine" in image.registration for image in images.values())
    bmp = images["Standard_BSE_1000x_800"].registration
    assert bmp is not None
    assert (bmp["pixel"][0], bmp["infoBarRows"]) == (pytest.approx(0.15), 40)
    assert images["4"].state["stage"] == {"x": 0.0, "y": -59.5, "z": 11.0}
    alone = {warned.path.rpartition("/")[2] for warned in seen.warnings if "no picture" in warned.text}
    assert alone == {"1.txt", "2.txt", "image001_5120_Micron_Mag_signal.txt", "Standard_BSE_100x_2048.txt"}


def test_media_types_are_told_by_content() -> None:
    assert media_type(b"BMWUE starts a text") is None
    assert media_type(b"") is None
