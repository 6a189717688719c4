"""In which encoding a text is that does not say it: one answer for names and documents.

UTF-8 and UTF-16 prove themselves. Of the legacy encodings that instruments and old archivers used, the one wins whose
letters look like writing: kana and kanji for CP932, accented letters and units for CP1252 and CP437.
"""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final, NamedTuple

UTF8: Final = "utf-8"
CONFIDENT: Final = 0.6
_LOOKED_AT: Final = 64 * 1024  # bytes; a longer text says nothing new
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNITS: Final = frozenset("µμ°²³±·×ÅåΩ«»§€–—’‘“”„…®©½¼¾æøÆØßñç")
_WIDE: Final = ("HIRAGANA", "KATAKANA", "CJK UNIFIED", "IDEOGRAPHIC", "GREEK", "FULLWIDTH")


class Guess(NamedTuple):
    """An encoding, and how far it can be trusted: from 0 to 1."""

    encoding: str
    confidence: float

    @property
    def said(self) -> str:
        """`cp932 (97 % sure)`."""
        return f"{self.encoding} ({round(100 * self.confidence)} % sure)"


def detect(data: bytes, *, dos: bool = False) -> Guess:
    r"""The most likely encoding of a text; `dos`: names from an archiver of that time, of which CP437 is likelier.

    Such names are bytes of one or two each: a name that is \xff\xfe is no mark of UTF-16, which leaves nothing of it.
    """
    for mark, name in () if dos else _MARKS:
        if data.startswith(mark):
            return Guess(name, 1.0 if decodes(data, name) else 0.0)
    head = data[:_LOOKED_AT]
    if not dos and (wide := _wide(head)) is not None:
        return wide if decodes(data, wide.encoding) else Guess(wide.encoding, 0.0)
    if decodes(data, UTF8):
        return Guess(UTF8, 1.0)
    western = ("cp437", "cp1252") if dos else ("cp1252", "cp437")
    scores = [(max(0.0, _score(head, name)), name) for name in ("cp932", *western) if decodes(data, name)]
    best = max(scores, key=lambda each: each[0], default=(0.0, "cp437"))
    second = max((score for score, name in scores if name != best[1]), default=0.0)
    if not best[0]:
        return Guess("cp437", 0.1)
    return Guess(best[1], min(0.99, 0.5 + 0.5 * (best[0] - second)) * min(1.0, 0.5 + best[0]))


def decodes(data: bytes, encoding: str = UTF8) -> bool:
    """Whether bytes are a text in an encoding; False for one that Python does not know."""
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _wide(head: bytes) -> Guess | None:
    """UTF-16 without a mark: every other byte of ASCII text is a NUL."""
    if len(head) < 2 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > half // 2 and not others and decodes(head[: half * 2], name):
            return Guess(name, 0.5 + 0.49 * zeros / half)
    return None


def _score(head: bytes, encoding: str) -> float:
    """From −1 to 1: how much of what is not ASCII looks like writing."""
    text = head.decode(encoding, "replace")
    if encoding == "cp932":
        return _score_japanese(text)
    points, count = 0.0, 0
    for place, char in enumerate(text):
        if char.isascii():
            continue
        count += 1
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if char in _UNITS:
            points += 0.8
        elif unicodedata.category(char) == "Ll" and "LATIN" in unicodedata.name(char, ""):
            points += 1.0 if (before + after).isascii() else 0.5
        elif unicodedata.category(char) == "Lu" and "LATIN" in unicodedata.name(char, ""):
            points += 0.7 if not before.islower() and (before + after).isascii() else -0.2
        else:
            points -= 1.0
    return points / count if count else 0.0


def _score_japanese(text: str) -> float:
    points, count = 0.0, 0
    for place, char in enumerate(text):
        if char.isascii():
            continue
        count += 1
        name = unicodedata.name(char, "")
        if name.startswith("HALFWIDTH"):
            points += 0.2
        elif not name.startswith(_WIDE):
            points += 0.2 if unicodedata.category(char).startswith(("S", "P")) else -1.0
        else:
            trail = char.encode("cp932", "replace")[-1:]
            alone = (text[max(0, place - 1) : place] + text[place + 1 : place + 2]).isascii()
            points += -0.5 if alone and trail.isascii() and trail.isalpha() else 0.6 if alone else 1.0
    return points / count if count else 0.0
