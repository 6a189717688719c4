"""Texts of vendor files: encodings, `$KEY value` lines, INI sections, and numbers as instruments write them.

Nothing here fails for odd input: bytes always give a text, a text always gives fields, and a field that is no number
is absent. What was odd is told to `warn`.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .records import Warned

MOST_TEXT_BYTES: Final = 16 << 20
"""A text file above this size is no condition or sidecar; readers do not load it."""

_MICRO: Final = 0xB5
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KEYED_LINE: Final = re.compile(r"\${1,2}([^\s$]\S*)(?:[ \t]+(.*))?")
_INDEXED: Final = re.compile(r"(.+)%(\d{1,9}(?:_\d{1,9})*)", re.ASCII)
_SECTION: Final = re.compile(r"\[([^\]]*)\]\s*")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER: Final = 64
_MOST: Final = 1e30  # beyond any quantity of an instrument, below the fillers 1e37 and 3.4e38

Warn = Callable[[Warned], None]


class Decoded(NamedTuple):
    """A text, the encoding it was read in, and whether every byte had a meaning there."""

    text: str
    encoding: str
    whole: bool = True


def decode(data: bytes) -> Decoded:
    r"""The text of a vendor file's bytes, and the encoding that was chosen.

    UTF-8 with or without a mark (UTF-16 with one); CP1252 where the only byte beyond ASCII is `\xb5`, the µ of
    western instruments; else CP932 (Japanese); else CP1252, in which bytes without a meaning become U+FFFD.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(data.decode(encoding, "replace"), encoding, _decodes(data, encoding))
    if _decodes(data, "utf-8"):
        return Decoded(data.decode(), "ascii" if data.isascii() else "utf-8")
    if {byte for byte in data if byte >= 0x80} != {_MICRO} and _decodes(data, "cp932"):
        return Decoded(data.decode("cp932"), "cp932")
    return Decoded(data.decode("cp1252", "replace"), "cp1252", _decodes(data, "cp1252"))


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes of a file can be text: no control characters but those of lines and tabs."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return bool(head) and not any(byte < 0x20 and byte not in b"\t\n\r\f\x1a" for byte in head)


def number_of(text: str) -> float | None:
    """The number that a text is: `2.50e-008`, `0,5`; None for `---`, empty, NaN, and what no instrument measures.

    Examples
    --------
    >>> number_of("1.009e-007"), number_of(" 0,5 "), number_of("---"), number_of("1,234.5")
    (1.009e-07, 0.5, None, None)
    """
    text = text.strip()
    if len(text) > _LONGEST_NUMBER:
        return None
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) and abs(value) < _MOST else None


def is_absent(text: str | None) -> bool:
    """Whether a value says nothing: none, blank, or dashes."""
    return text is None or not text.strip().strip("-")


@dataclass(frozen=True, slots=True)
class Fields(Mapping[str, str]):
    """Keys and their texts, as one file or one section of it states them, in its order.

    `path` and `encoding` are the file's. A key that stands twice has its last value, as the instruments' own programs
    read it.
    """

    path: str
    encoding: str
    values_by_key: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> str:
        return self.values_by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)

    def text(self, key: str) -> str:
        """The value, stripped; empty where it is absent or says nothing (`---`)."""
        value = self.values_by_key.get(key)
        return "" if value is None or is_absent(value) else value.strip()

    def number(self, key: str, warn: Warn | None = None) -> float | None:
        """The number, alone or before a unit (`100 msec`); None where it is absent.

        A value that is there and is no number (NaN, `1e99`, words) is absent too, and `warn` hears of it.
        """
        numbers = self.numbers(key, warn)
        if len(numbers) > 1:
            self._odd(key, warn)
        return numbers[0] if len(numbers) == 1 else None

    def whole_number(self, key: str, warn: Warn | None = None) -> int | None:
        """The number where it is whole and not negative: a count, an index."""
        value = self.number(key, warn)
        if value is None or (value.is_integer() and value >= 0):
            return None if value is None else int(value)
        self._odd(key, warn)
        return None

    def numbers(self, key: str, warn: Warn | None = None) -> tuple[float, ...]:
        """The numbers of a list (`1000 1000 um`): all words but a unit at the end must be some, else none is taken."""
        words = self.text(key).split()
        if not words:
            return ()
        numbers = [number_of(word) for word in words]
        if len(words) > 1 and numbers[-1] is None and not any(letter.isdigit() for letter in words[-1]):
            numbers.pop()
        found = tuple(value for value in numbers if value is not None)
        if len(found) == len(numbers):
            return found
        self._odd(key, warn)
        return ()

    def indexed(self, stem: str) -> dict[tuple[int, ...], str]:
        """The values of `stem%i` or `stem%i_j`, by their indices.

        Examples
        --------
        >>> Fields("data001.cnd", "ascii", {"POS%0_0": "1 2 3", "POS%0_1": "4 5 6", "NAME%0": "Ti"}).indexed("POS")
        {(0, 0): '1 2 3', (0, 1): '4 5 6'}
        """
        found: dict[tuple[int, ...], str] = {}
        for key, value in self.values_by_key.items():
            match = _INDEXED.fullmatch(key)
            if match and match[1] == stem:
                found[tuple(int(part) for part in match[2].split("_"))] = value
        return found

    def _odd(self, key: str, warn: Warn | None) -> None:
        if warn is not None:
            value = self.values_by_key[key].strip()
            shown = value if len(value) <= 40 else value[:39] + "…"
            warn(Warned(self.path, f"{key} is {shown!r}, which is not a usable number; it is left out"))


def keyed(data: bytes, path: str = "") -> Fields:
    """The fields of lines `$KEY value`, `$$KEY value`, `$KEY%i_j value`; keys without their `$`, other lines left out.

    Examples
    --------
    >>> dict(keyed(b"$CM_MAG 100\\r\\n$$SM_WD 11.2\\r\\n$CM_COMMENT\\r\\n"))
    {'CM_MAG': '100', 'SM_WD': '11.2', 'CM_COMMENT': ''}
    """
    decoded = decode(data)
    matches = (_KEYED_LINE.fullmatch(line) for line in _lines(decoded.text))
    values = {match[1]: (match[2] or "").strip() for match in matches if match}
    return Fields(path, decoded.encoding, values)


def ini(data: bytes, path: str = "") -> dict[str, Fields]:
    """The fields of an INI text by section; `key=value` before the first section stands under the empty name.

    Sections that stand twice are joined. Lines that are neither, and comments (`;`, `#`), are left out.
    """
    decoded = decode(data)
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in _lines(decoded.text):
        stripped = line.strip()
        if match := _SECTION.fullmatch(stripped):
            section = match[1].strip()
            found.setdefault(section, {})
        elif "=" in stripped and not stripped.startswith((";", "#")):
            key, _, value = stripped.partition("=")
            found.setdefault(section, {})[key.strip()] = value.strip()
    return {name: Fields(path, decoded.encoding, values) for name, values in found.items()}


def _lines(text: str) -> Iterator[str]:
    """Lines by CR and LF alone: `splitlines` would also cut at characters of Japanese comments."""
    return iter(re.split(r"\r\n|\r|\n", text.replace("\0", "").removesuffix("\x1a")))


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
