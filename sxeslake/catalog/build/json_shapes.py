"""Reading documents that are alike: the `state.json` of a map differ in a time and a place, and in little else.

msgspec takes a document apart into its values as they are written. Those that differ are decoded one by one; what the
others say together is read once, and looked up by how it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

_T = TypeVar("_T")
_Parts = dict[str, msgspec.Raw]

_SHARED: Final = 4096  # each some hundred bytes
_NULL: Final = msgspec.Raw(b"null")
_REFUSED: Final = (msgspec.DecodeError, RecursionError)

_parts = msgspec.json.Decoder(_Parts).decode
_value = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that differs from document to document, `("saveDate",)` or `("stage", "x")`, and how it is read."""

    path: tuple[str] | tuple[str, str]
    read: Callable[[object], object]


class Shapes(Generic[_T]):
    """Documents of one kind. `read` makes of a document without its leaves what many documents share.

    A document is read as a tuple: its leaves, in the order in which they were declared, and what it shares.
    """

    def __init__(self, leaves: Sequence[Leaf], read: Callable[[dict[str, object]], _T]) -> None:
        self._leaves, self._read = leaves, read
        self._branches = list(dict.fromkeys(leaf.path[0] for leaf in leaves if len(leaf.path) == 2))
        self._shared: dict[tuple[object, ...], _T] = {}

    def match(self, text: str) -> tuple[Any, ...] | None:
        """What a text says; None for one that msgspec does not take, such as NaN or 1e400: a parser may."""
        try:
            top = _parts(text)
            below = {name: _parts(top.pop(name)) for name in self._branches if name in top}
            leaves = [leaf.read(_value(_taken(top, below, leaf.path))) for leaf in self._leaves]
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
            leaves.append(leaf.read(parent.pop(leaf.path[-1], None) if isinstance(parent, dict) else None))
        return (*leaves, self._read(value))


def _taken(top: _Parts, below: dict[str, _Parts], path: tuple[str, ...]) -> msgspec.Raw:
    """Take a leaf out of a document: `("stage", "x")` → `2.9855`."""
    parts = top if len(path) == 1 else below.get(path[0], {})
    return parts.pop(path[-1], _NULL)


def _values(parts: _Parts) -> dict[str, object]:
    return {name: _value(raw) for name, raw in parts.items()}
