"""Reading documents that are alike: the `state.json` of a map differ in a time and a place, and in little else.

A *shape* is the text of a JSON document with some plain values cut out:

    {"saveDate":"⌷","stage":{"x":⌷,"y":⌷,"z":⌷,"tilt":[1,0]},"probe":{…}}

It is parsed once, with marks in its gaps that must come out where the values belong. Whatever string or number then
stands in a gap, a parser finds it there and all else unchanged; so one regular expression reads every further text of
the shape, thousands at once. A text of no known shape is left to the parser. Nothing is approximated.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, zip_longest
from json.scanner import make_scanner
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sxeslake.archive.sxes_metadata import at

_T = TypeVar("_T")

_PLAIN: Final = r'[^"\\\x00-\x1f]*'
_STRING: Final = rf'{_PLAIN}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_PLAIN})*'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?"
_BETWEEN: Final = "\x1e"  # no JSON text has it: control characters are blanks or errors
_BLANKS: Final = " \t\n\r"
_SALT: Final = 10**14 + secrets.randbelow(10**14)  # nobody can have written it into a document

_AT_ONCE: Final = 128
_UNLIKE_BEFORE_LEARNING: Final = 16  # to compile a pattern takes as long as to parse so many documents
_TEMPLATES: Final = 16
_SHAPES: Final = 4096  # of a template; some hundred bytes each
_NUMBERS: Final = 65_536  # of a leaf
_PLACES_TRIED: Final = 8  # of a key that occurs more than once

_scan = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # its stub wants itself


def parsed(text: str) -> object:
    """The value of a JSON text as `json.loads` has it, in a third of the time; ValueError where it is none."""
    body = text.strip(_BLANKS)
    try:
        value, end = _scan(body, 0)
    except (StopIteration, RecursionError) as error:
        raise ValueError("no JSON") from error
    if end != len(body):
        raise ValueError("more than one value")
    return value


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that differs from document to document, `("stage", "x")`, and how it is read."""

    path: tuple[str, ...]
    read: Callable[[object], object]

    def mark(self, *, quoted: bool) -> str:
        """What stands in its gap when a shape is parsed."""
        mark = _SALT + hash(self.path) % _SALT
        return str(mark) if quoted else f"-{mark}e+99"

    def marked(self, *, quoted: bool) -> object:
        """What then comes out in the leaf's place."""
        mark = self.mark(quoted=quoted)
        return mark if quoted else float(mark)


class Shapes(Generic[_T]):
    """Documents of one kind. `read` makes of a document without its leaves what all of a shape share.

    A document is read as a tuple: its leaves, in the order in which they were declared, and what its shape shares.
    """

    def __init__(self, leaves: Sequence[Leaf], read: Callable[[dict[str, object]], _T]) -> None:
        self._leaves, self._read = leaves, read
        self._templates: list[_Template] = []
        self._unlike = 0

    def match(self, texts: Sequence[str]) -> list[tuple[Any, ...] | None]:
        """What texts of known shapes say; None for any other, which is to be parsed. Learns from those."""
        found: list[tuple[Any, ...] | None] = []
        for start in range(0, len(texts), _AT_ONCE):
            run = texts[start : start + _AT_ONCE]
            found += self._match_run(run) or map(self._match_one, run)
        return found

    def _match_run(self, texts: Sequence[str]) -> Sequence[tuple[Any, ...] | None]:
        """Texts that all fit one template; nothing where one does not."""
        if not self._templates or self._templates[0].fullmatch(texts[0]) is None:
            return ()
        joined = _BETWEEN.join(texts)
        if joined.count(_BETWEEN) != len(texts) - 1:
            return ()
        found = self._templates[0].findall(joined)
        return self._templates[0].readings(found, self.plain) if len(found) == len(texts) else ()

    def _match_one(self, text: str) -> tuple[Any, ...] | None:
        if _BETWEEN in text:  # a template would take it for the end of the text
            return None
        for place, template in enumerate(self._templates):
            found = template.fullmatch(text)
            if found is not None:
                if place:
                    self._templates.insert(0, self._templates.pop(place))
                (reading,) = template.readings([found.groups()], self.plain)
                return reading
        self._learn(text)
        return None

    def plain(self, value: dict[str, object]) -> tuple[Any, ...]:
        """What a parsed document says; it is taken apart."""
        leaves = [leaf.read(_taken(value, leaf.path)) for leaf in self._leaves]
        return (*leaves, self._read(value))

    def _learn(self, text: str) -> None:
        """Take notice of a text that is to be parsed: where there are many, the next ones may be like it."""
        self._unlike += 1
        if self._unlike < _UNLIKE_BEFORE_LEARNING:
            return
        self._unlike = 0
        gaps = [gap for place, leaf in enumerate(self._leaves) for gap in islice(_gaps(text, place, leaf), 1)]
        if gaps:
            self._templates.insert(0, _Template(text, sorted(gaps), len(self._leaves)))
            del self._templates[_TEMPLATES:]


def _taken(value: dict[str, object], path: tuple[str, ...]) -> object:
    """Take a leaf out of a document: `("stage", "x")` → 2.9855."""
    parent = at(value, *path[:-1])
    return parent.pop(path[-1], None) if isinstance(parent, dict) else None


class _Gap(NamedTuple):
    """Where in a text a leaf's value stands, a string's between its quotes; the leaf, and its place among all."""

    start: int
    end: int
    place: int
    leaf: Leaf
    quoted: bool


def _gaps(text: str, place: int, leaf: Leaf) -> Iterator[_Gap]:
    """The gaps for a leaf: places behind its key where another value would come out as the leaf."""
    key = re.escape(json.dumps(leaf.path[-1]))
    pattern = re.compile(rf'{key}[{_BLANKS}]*:[{_BLANKS}]*(?:"({_STRING})"|({_NUMBER}))')
    for found in islice(pattern.finditer(text), _PLACES_TRIED):
        quoted = found[1] is not None
        start, end = found.span(1 if quoted else 2)
        with suppress(ValueError):
            value = parsed(text[:start] + leaf.mark(quoted=quoted) + text[end:])
            if at(value, *leaf.path) == leaf.marked(quoted=quoted):
                yield _Gap(start, end, place, leaf, quoted)


class _Numbers(dict[str, object]):
    """A leaf's numbers as they are written → as they are read; the coordinates of a map come again and again."""

    def __init__(self, read: Callable[[object], object]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, written: str) -> object:
        if len(self) >= _NUMBERS:
            self.clear()
        value = self[written] = self._read(parsed(written))
        return value


class _Template:
    """Texts that agree but for their gaps and the longest stretch between these, which tells their shapes apart."""

    def __init__(self, text: str, gaps: Sequence[_Gap], leaves: int) -> None:
        starts, ends = [gap.start for gap in gaps], [gap.end for gap in gaps]
        self._segments = [text[end:start] for end, start in zip([0, *ends], [*starts, len(text)], strict=True)]
        self._stretch = max(range(len(self._segments)), key=lambda number: len(self._segments[number]))
        self._leaves = leaves
        self._marks = [gap.leaf.mark(quoted=gap.quoted) for gap in gaps]
        self._marked = [(gap.leaf.path, gap.leaf.marked(quoted=gap.quoted)) for gap in gaps]
        # The sign before a value ends the stretch, or it would swallow the first digits.
        self._ending = self._segments[self._stretch][-1:] if self._stretch < len(gaps) else ""
        literal = [re.escape(segment) for segment in self._segments]
        literal[self._stretch] = f"([^{_BETWEEN}]*){re.escape(self._ending)}"
        values = [f"({_STRING if gap.quoted else _NUMBER})" for gap in gaps]
        pattern = re.compile(rf"(?<![^{_BETWEEN}]){_alternating(literal, values)}(?:{_BETWEEN}|\Z)")
        self.fullmatch, self.findall = pattern.fullmatch, pattern.findall
        self._readers = [
            (gap.place, number + (number >= self._stretch), _reader(gap)) for number, gap in enumerate(gaps)
        ]
        self._shapes: dict[str, tuple[Any, ...] | None] = {}

    def readings(
        self, found: Sequence[Sequence[str]], read: Callable[[dict[str, object]], tuple[Any, ...]]
    ) -> Sequence[tuple[Any, ...] | None]:
        """What texts say whose groups these are; None for one whose stretch makes no shape."""
        groups = list(zip(*found, strict=True))
        shapes = [self._shape(stretch, read) for stretch in groups[self._stretch]]
        columns: list[Sequence[object]] = list(
            zip(*(shape or (None,) * (self._leaves + 1) for shape in shapes), strict=True)
        )
        for place, group, values_of in self._readers:
            columns[place] = values_of(groups[group])
        rows: list[tuple[Any, ...] | None] = list(zip(*columns, strict=True))
        if None in shapes:
            rows = [row if shape else None for row, shape in zip(rows, shapes, strict=True)]
        return rows

    def _shape(self, stretch: str, read: Callable[[dict[str, object]], tuple[Any, ...]]) -> tuple[Any, ...] | None:
        """The shape with that stretch, if what stands in the gaps comes out as the leaves."""
        if stretch in self._shapes:
            return self._shapes[stretch]
        segments = self._segments.copy()
        segments[self._stretch] = stretch + self._ending
        shape = None
        with suppress(ValueError):
            value = parsed(_alternating(segments, self._marks))
            if isinstance(value, dict) and all(at(value, *path) == mark for path, mark in self._marked):
                shape = read(value)
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        self._shapes[stretch] = shape
        return shape


def _reader(gap: _Gap) -> Callable[[Sequence[str]], Sequence[object]]:
    """What reads the texts in a gap."""
    read = gap.leaf.read
    if not gap.quoted:
        known = _Numbers(read)
        return lambda written: list(map(known.__getitem__, written))
    return lambda written: [read(parsed(f'"{each}"') if "\\" in each else each) for each in written]


def _alternating(outer: Sequence[str], inner: Sequence[str]) -> str:
    """`["a", "b", "c"]` and `["1", "2"]` → `a1b2c`."""
    return "".join(part for pair in zip_longest(outer, inner, fillvalue="") for part in pair)
