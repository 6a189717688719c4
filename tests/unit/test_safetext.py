"""Text that is shown steers no terminal and starts no formula, whatever it holds."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.text.safe import FORMULA, inert, visible, visible_lines

CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", [*CONTROLS, 0xD800, 0xDC8E, 0xDFFF, 0xFEFF, 0xE0001], ids=hex)
def test_what_steers_a_terminal_is_an_escape(code: int) -> None:
    said = visible(f"a{chr(code)}b")
    assert said == f"a{chr(code).encode('unicode_escape').decode()}b"
    assert said.isprintable()


def test_letters_blanks_and_what_is_an_escape_already_stay() -> None:
    for text in ("試料 é", "a\u3000b\xa0c", "\\x1b", "", "👩"):
        assert visible(text) == text
    assert visible_lines("a\n\tb\r\x1b") == "a\n\tb\\r\\x1b"


@given(st.text())
def test_to_make_it_visible_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_no_text_begins_as_a_formula(text: str) -> None:
    safe = inert(text)
    assert safe in (text, f"'{text}")
    begins = safe.lstrip()[:1]
    assert begins not in tuple("=@")
    assert safe[:1] not in tuple("\t\r\n")
    assert begins not in tuple("+-") or re.fullmatch(r"[-+][\d.,eE+-]+", safe.strip())


@given(st.text(st.sampled_from("=+-@ \t\n\r'\"\xa0\u3000\ufeff\uff1d1.eE\0xyz")))
def test_arrow_finds_all_that_needs_a_guard(text: str) -> None:
    found = pc.match_substring_regex(pa.array([text]), FORMULA).to_pylist()
    assert inert(text) == text or found == [True]


@pytest.mark.parametrize("number", ["-5", "+5", "-5.0", "-.5", "+1e-9", "-1,234.5", "-1E+05"])
def test_a_number_stays_a_number(number: str) -> None:
    assert inert(number) == number
