"""Reading documents that are alike: the `state.json` of a map differ in a time and a place, and in little else.

msgspec takes a document apart into its values as they are written. Those that differ, the leaves, are decoded one by
one; what the others say together is read once, and looked up by how it is written.

Where many documents come at once, one of them is made a template: its text with a hole in place of each leaf. A text
that is that of the template but for strings and numbers in the holes is valid as the template was, and says the same
but for its leaves; a regular expression finds them in a tenth of the time.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from sxeslake.model import MIB

_T = TypeVar("_T")
_Parts = dict[str, msgspec.Raw]

_SHARED: Final = 4096  # each some hundred bytes
_NULL: Final = msgspec.Raw(b"null")
_REFUSED: Final = (msgspec.DecodeError, RecursionError)
_WORTH: Final = 64  # fewest documents for a template: making one costs as much as reading these without it
_TRIED: Final = 4  # documents of a block of which templates are made
_TEMPLATES: Final = 8
_TAIL_CHARS: Final = 4 * MIB  # of tails that are remembered, each with what was read of it
_NEW_TAILS: Final = 256  # of a block that are learned: where each document has its own, that would take twice the time

_parts = msgspec.json.Decoder(_Parts).decode
_value = msgspec.json.Decoder().decode
_scan = json.JSONDecoder().raw_decode
_blank = re.compile(r"[ \t\n\r]*").match

_SCALAR: Final = (
    r'("[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,2})?|null|true|false)'
)
"""A string without escapes, or a number that any reader takes for the same finite one."""
_is_scalar = re.compile(_SCALAR).fullmatch


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that differs from document to document, `("saveDate",)` or `("stage", "x")`, and how it is read.

    With `read=None` the value is left out of the result.
    """

    path: tuple[str] | tuple[str, str]
    read: Callable[[object], object] | None


class _Hole(NamedTuple):
    """A leaf of a template: its number among the leaves, and where its value begins and ends."""

    leaf: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Template(Generic[_T]):
    """A text with holes for leaves, as a pattern with a group for each, and one for what follows the last of them."""

    pattern: re.Pattern[str]
    leaves: Sequence[int]
    """Which leaf each hole is of."""
    tails: dict[str, _T] = field(default_factory=dict)
    """What a document shares with others, by its end: with which it was read, and was valid."""


class Shapes(Generic[_T]):
    """Documents of one kind. `read` makes of a document without its leaves what many documents share.

    A document is read as a tuple: its leaves, in the order in which they were declared, and what it shares.
    """

    def __init__(self, leaves: Sequence[Leaf], read: Callable[[dict[str, object]], _T]) -> None:
        self._leaves, self._read = leaves, read
        self._branches = list(dict.fromkeys(leaf.path[0] for leaf in leaves if len(leaf.path) == 2))
        self._shared: dict[tuple[object, ...], _T] = {}
        self._templates: deque[_Template[_T]] = deque(maxlen=_TEMPLATES)
        self._room = _TAIL_CHARS

    def match_all(self, texts: Sequence[str]) -> list[tuple[Any, ...] | None]:
        """What each text says, as `match`; quicker where many are alike."""
        found: list[tuple[Any, ...] | None] = [None] * len(texts)
        left = list(range(len(texts)))
        for template in self._templates:
            left = self._fill(template, texts, left, found)
        for place in left[:: len(left) // _TRIED + 1]:
            if len(left) < _WORTH:
                break
            if found[place] is None and (learned := self._learned(texts[place])) is not None:
                self._templates.appendleft(learned)
                left = self._fill(learned, texts, left, found)
        for place in left:
            found[place] = self.match(texts[place])
        return found

    def match(self, text: str) -> tuple[Any, ...] | None:
        """What a text says; None for one that msgspec does not take, such as NaN or 1e400: a parser may."""
        try:
            top = _parts(text)
            below = {name: _parts(top.pop(name)) for name in self._branches if name in top}
            raw = [_taken(top, below, leaf.path) for leaf in self._leaves]
            leaves = [leaf.read(_value(each)) for leaf, each in zip(self._leaves, raw, strict=True) if leaf.read]
            written = (
                *((name, bytes(raw)) for name, raw in top.items()),
                *((branch, name, bytes(raw)) for branch, parts in below.items() for name, raw in parts.items()),
                *below,
            )
            shared = self._shared.get(written)
            if shared is None:
                if len(self._shared) >= _SHARED:
                    self._shared.clear()
                shared = self._shared[written] = self._read(
                    _values(top) | {branch: _values(parts) for branch, parts in below.items()}
                )
        except _REFUSED:
            return None
        return (*leaves, shared)

    def plain(self, value: dict[str, object]) -> tuple[Any, ...]:
        """What a parsed document says; it is taken apart."""
        leaves = []
        for leaf in self._leaves:
            parent = value if len(leaf.path) == 1 else value.get(leaf.path[0])
            taken = parent.pop(leaf.path[-1], None) if isinstance(parent, dict) else None
            if leaf.read:
                leaves.append(leaf.read(taken))
        return (*leaves, self._read(value))

    def _fill(
        self, template: _Template[_T], texts: Sequence[str], left: list[int], found: list[tuple[Any, ...] | None]
    ) -> list[int]:
        """Read those of the texts that are left which fit a template; the others."""
        fitting = template.pattern.fullmatch
        matches = [(place, match.groups()) for place in left if (match := fitting(texts[place]))]
        if not matches:
            return left
        tails = template.tails
        *columns, ends = zip(*(groups for _, groups in matches), strict=True)
        values = [leaf.read and [leaf.read(None)] * len(matches) for leaf in self._leaves]
        for number, tokens in zip(template.leaves, columns, strict=True):
            read = self._leaves[number].read
            if read is not None:
                known = {token: read(_value(token)) for token in set(tokens)}
                values[number] = [known[token] for token in tokens]
        new = {end: place for (place, _), end in zip(matches, ends, strict=True) if end not in tails}
        for end, place in islice(new.items(), _NEW_TAILS):
            self._learn_tail(template, texts[place], end)
        rows = zip(*filter(None, values), map(tails.get, ends), strict=True)
        for (place, _), row in zip(matches, rows, strict=True):
            if row[-1] is not None:
                found[place] = row
        return [place for place in left if found[place] is None]

    def _learn_tail(self, template: _Template[_T], text: str, tail: str) -> None:
        """Learn what a text shares that fits a template and ends as none did before, if it has no other leaves."""
        reading = self.match(text)
        holes = None if reading is None else self._holes(text)
        if reading is not None and holes is not None and [hole.leaf for hole in holes] == template.leaves:
            self._room -= len(tail)
            if self._room < 0:
                for each in self._templates:
                    each.tails.clear()
                self._room = _TAIL_CHARS
            template.tails[tail] = reading[-1]

    def _learned(self, text: str) -> _Template[_T] | None:
        """A template of a text; None where its leaves cannot be told from the rest by their place."""
        holes = self._holes(text) if self.match(text) is not None else None
        if not holes:
            return None
        starts, ends = [hole.start for hole in holes], [0, *(hole.end for hole in holes)]
        between = [re.escape(text[end:start]) for end, start in zip(ends, starts, strict=False)]
        return _Template(re.compile(f"{_SCALAR.join([*between, ''])}(.*)", re.DOTALL), [hole.leaf for hole in holes])

    def _holes(self, text: str) -> list[_Hole] | None:
        """Where the leaves of a valid document stand, in its order.

        None where a name stands twice beside a leaf, for the last counts, or where a leaf is no scalar.
        """
        try:
            top = _places(text, 0)
            below = {name: _places(text, top[name][0]) for name in self._branches if name in top}
        except (ValueError, RecursionError):
            return None
        holes = []
        for number, leaf in enumerate(self._leaves):
            parts = top if len(leaf.path) == 1 else below.get(leaf.path[0], {})
            if leaf.path[-1] in parts:
                holes.append(_Hole(number, *parts[leaf.path[-1]]))
        return (
            sorted(holes, key=lambda hole: hole.start) if all(_is_scalar(text, *hole[1:]) for hole in holes) else None
        )


def _places(text: str, start: int) -> dict[str, tuple[int, int]]:
    """Where each value of an object begins and ends; ValueError where a name stands twice."""
    found: dict[str, tuple[int, int]] = {}
    at = _after_blank(text, _after_blank(text, start) + 1)
    while text[at] == '"':
        name, at = _scan(text, at)
        at = _after_blank(text, _after_blank(text, at) + 1)
        _, end = _scan(text, at)
        if name in found:
            raise ValueError(name)
        found[name] = at, end
        at = _after_blank(text, end)
        if text[at] == ",":
            at = _after_blank(text, at + 1)
    return found


def _after_blank(text: str, at: int) -> int:
    match = _blank(text, at)
    return match.end() if match else at


def _taken(top: _Parts, below: dict[str, _Parts], path: tuple[str, ...]) -> msgspec.Raw:
    """Take a leaf out of a document: `("stage", "x")` → `2.9855`."""
    parts = top if len(path) == 1 else below.get(path[0], {})
    return parts.pop(path[-1], _NULL)


def _values(parts: _Parts) -> dict[str, object]:
    return {name: _value(raw) for name, raw in parts.items()}
