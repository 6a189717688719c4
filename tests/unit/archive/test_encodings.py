"""Encodings are told by what the text looks like; bytes that prove one are believed."""

from __future__ import annotations

import pytest

from sxeslake.archive.encodings import CONFIDENT, detect


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("試料.txt", "cp932"),
        ("表面.txt", "cp932"),
        ("データ/測定1", "cp932"),
        ('{"name":"試料"}', "cp932"),
        ("Lösung.txt", "cp1252"),
        ("20 °C", "cp1252"),
        ("Größe, naïve café", "utf-8"),
        ('{"a":1,"name":"x"}', "utf-16-le"),
        ('{"a":"試料"}', "utf-16-be"),
        ('{"a":"試料"}', "utf-16"),
        ("plain", "utf-8"),
    ],
)
def test_common_texts_are_told(text: str, encoding: str) -> None:
    guess = detect(text.encode(encoding))
    assert (guess.encoding, guess.confidence >= CONFIDENT) == (encoding, True)
    assert text.encode(encoding).decode(guess.encoding) == text


@pytest.mark.parametrize("text", ["été.csv", "über Öl", "Lösung.txt"])
def test_names_of_dos_are_code_page_437(text: str) -> None:
    assert detect(text.encode("cp437"), dos=True).encoding == "cp437"


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x81", bytes(range(256)), b"\0" * 9, b"\xfe\xff"])
def test_any_bytes_have_an_answer(data: bytes) -> None:
    guess = detect(data)
    assert 0 <= guess.confidence <= 1
    assert data.decode(guess.encoding, "replace") is not None


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\xff\xfea\0b\0"])
def test_a_name_is_never_utf_16(mark: bytes) -> None:
    """It would be empty, or another name: an archive that came in could not be read again."""
    guess = detect(mark, dos=True)
    assert not guess.encoding.startswith(("utf-16", "utf-32"))
    assert mark.decode(guess.encoding)
