"""Text from archives, paths and people, made safe for where it is shown: a terminal, or a spreadsheet's cell.

visible("a\\x1b]0;owned\\x07")   a\\x1b]0;owned\\x07, eight plain characters in place of two that a terminal obeys
inert("=HYPERLINK(…)")          '=HYPERLINK(…), which no spreadsheet computes
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HARMLESS: Final = frozenset({"Zs", "Co"})
"""Categories of what `str.isprintable` refuses and a terminal does not act on: wide and narrow blanks, private use."""


def visible(text: object, *, keep: str = "") -> str:
    """The text with every character that steers a terminal written as an escape, `\\x1b`, but those of `keep`.

    These are C0, DEL, C1, marks of direction and other invisible format characters, line and paragraph separators,
    lone surrogates (undecodable bytes of a path), and what Unicode has not assigned.
    """
    said = str(text)
    if said.isprintable():
        return said
    return "".join(sign if sign in keep or _is_harmless(sign) else _escaped(sign) for sign in said)


def visible_lines(text: object) -> str:
    """The same for text of several lines: line ends and tabs stay."""
    return visible(text, keep="\n\t")


def _is_harmless(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) in _HARMLESS


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
_SKIPPED: Final = "'\"\\x00-\\x20\\x7f-\\xa0\\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
FORMULA: Final = rf"^[{_SKIPPED}]*[{_SIGNS}]|^[\t\r\n]"
"""How a cell begins that a spreadsheet may take for a formula: blanks, quotes and what is dropped at import, then a
sign, also full-width or small; or what some take for the end of a cell. Python's `re` and Arrow's RE2 read it alike."""

_BEGINS: Final = re.compile(FORMULA)
_NUMBER: Final = re.compile(r"[-+]?(?:\d[\d.,]*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def inert(text: str) -> str:
    """A cell's text that no spreadsheet takes for a formula, by a `'` before it; a number with a sign stays."""
    return f"'{text}" if _BEGINS.search(text) and not _NUMBER.fullmatch(text) else text
