"""Texts of vendor files: encodings, keys, sections, numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.vendor.records import Warned
from sxeslake.vendor.texts import Fields, decode, ini, is_absent, keyed, looks_like_text, number_of


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"plain", "plain", "ascii"),
        ("Größe".encode(), "Größe", "utf-8"),
        (b"\xef\xbb\xbf$A 1", "$A 1", "utf-8-sig"),
        ("日本".encode("utf-16"), "日本", "utf-16"),
        (b"10 \xb5m and \xb5A", "10 µm and µA", "cp1252"),
        ("試料 1".encode("cp932"), "試料 1", "cp932"),
        ("Größe é".encode("cp1252"), "Größe é", "cp1252"),
    ],
)
def test_encoding_is_chosen_and_told(data: bytes, text: str, encoding: str) -> None:
    assert decode(data) == (text, encoding, True)


def test_bytes_without_a_meaning_are_told() -> None:
    decoded = decode(b"\x81\xff")
    assert (decoded.encoding, decoded.whole) == ("cp1252", False)
    assert decode(b"\xff\xfea").whole is False


@given(st.binary(max_size=300))
def test_any_bytes_are_fields(data: bytes) -> None:
    decode(data)
    fields = keyed(data, "a.cnd")
    assert all(key[0] != "$" and value == value.strip() for key, value in fields.items())
    for section in ini(data).values():
        assert all(key == key.strip() for key in section)
    warned: list[Warned] = []
    for key in fields:
        fields.number(key, warned.append)
        fields.numbers(key, warned.append)
        fields.indexed(key)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_none(text: str) -> None:
    value = number_of(text)
    assert value is None or abs(value) < 1e30


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e29, max_value=1e29))
def test_numbers_come_back(value: float) -> None:
    assert number_of(f"{value!r}") == value
    assert number_of(f"{value:.6f}".replace(".", ",")) == float(f"{value:.6f}") or abs(value) > 1e20


@given(st.sampled_from(["utf-8", "utf-8-sig", "cp932"]), st.text("試料測定のあアｱ銅", min_size=4))
def test_japanese_comments_come_back_whole(encoding: str, comment: str) -> None:
    assert keyed(f"$XM_CP_COMMENT {comment}\r\n$B 1\r\n".encode(encoding))["XM_CP_COMMENT"] == comment


def test_keyed_lines() -> None:
    fields = keyed(
        b"$SEM_DATA_VERSION 1\r\n$$SM_WD  11.2 \r\n$EMPTY\r\n$EMPTY_TOO \r\nno key\r\n$\r\n"
        b"$XM_AP_ACM_STAGE_POS%0_0 1.5 2,5 3\n$XM_AP_ACM_STAGE_POS%0_1 4 5 6\n$TWICE 1\n$TWICE 2\n\x1a",
        "data001.cnd",
    )
    assert fields["SEM_DATA_VERSION"] == "1"
    assert fields["SM_WD"] == "11.2"
    assert fields["EMPTY"] == fields["EMPTY_TOO"] == ""
    assert fields["TWICE"] == "2"
    assert fields.numbers("XM_AP_ACM_STAGE_POS%0_0") == (1.5, 2.5, 3.0)
    assert fields.indexed("XM_AP_ACM_STAGE_POS") == {(0, 0): "1.5 2,5 3", (0, 1): "4 5 6"}
    assert fields.path == "data001.cnd"
    assert "no" not in fields


def test_ini_sections() -> None:
    found = ini(b"lost=1\r\n[a]\r\nx = 1 \r\ny=a=b\r\n;c=1\r\nwords\r\n[ b ]\r\nx=2\r\n[a]\r\nz=3\r\n[empty]\r\n")
    assert {name: dict(section) for name, section in found.items()} == {
        "": {"lost": "1"},
        "a": {"x": "1", "y": "a=b", "z": "3"},
        "b": {"x": "2"},
        "empty": {},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.988e-07", 1.988e-07),
        ("2.50e-008", 2.5e-8),
        (" 0,5 ", 0.5),
        ("-,5", -0.5),
        ("5.", 5.0),
        ("", None),
        ("---", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("3.4e38", None),
        ("1,234.5", None),
        ("1,2,3", None),
        ("٣", None),
        ("1" * 65, None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number_of(text) == value


def test_fields_warn_of_what_is_no_number_and_only_of_that() -> None:
    warned: list[Warned] = []
    fields = Fields(
        "a.cnd",
        "ascii",
        {"ok": "5", "unit": "100 msec", "none": "---", "odd": "NaN", "two": "1 2", "part": "1.5", "b": ""},
    )
    assert fields.number("ok", warned.append) == 5.0
    assert fields.number("unit", warned.append) == 100.0
    assert fields.number("none", warned.append) is None
    assert fields.number("b", warned.append) is None
    assert fields.number("missing", warned.append) is None
    assert not warned
    assert fields.number("odd", warned.append) is None
    assert fields.number("two", warned.append) is None
    assert fields.whole_number("part", warned.append) is None
    assert [each.path for each in warned] == ["a.cnd"] * 3
    assert "odd is 'NaN'" in warned[0].text


def test_absent() -> None:
    assert all(is_absent(text) for text in (None, "", " ", "---", "-", " -- "))
    assert not is_absent("0")
    assert not is_absent("-1")


def test_looks_like_text() -> None:
    assert looks_like_text(b"$A 1\r\n")
    assert looks_like_text("試料".encode("cp932"))
    assert not looks_like_text(b"")
    assert not looks_like_text(b"\x01\0\0\0")
