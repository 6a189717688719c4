"""Spectrum images of Lispix, `NAME.rpl` and `NAME.raw`: a text of sizes and types, and values without header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..reading import beside, head_of, text_bytes
from ..records import AnalysisRecord, ArrayRecord, AxisRecord, ChannelRecord, Finding, MapRecord, Span, Warned
from ..texts import Warn, decode, number_of
from ..tree import Tree

_TEXT_BYTES = 64 * 1024
_LARGEST_SIDE = 2**24
_NEEDED = ("width", "height", "depth", "data-length", "data-type")
_KINDS = {"unsigned": "u", "signed": "i", "float": "f"}


class Ripple:
    """A spectrum image a pair of files, an analysis each."""

    name = "ripple"
    title = "Ripple spectrum images (.rpl and .raw)"
    verified = "On one published example of 16 × 16 spectra of 1,121 channels (bytes, by vector); else by description."

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Texts that name width, height, depth and type, with the values beside them."""
        for path, size in tree.sizes.items():
            if path.casefold().endswith(".rpl") and size <= _TEXT_BYTES:
                keys = parse_keys(decode(head_of(tree, path, _TEXT_BYTES)).text)
                if all(name in keys for name in _NEEDED):
                    files = (path, raw) if (raw := beside(tree, path, ".raw")) else (path,)
                    yield Finding(self.name, path, "Ripple spectrum image", 0.9, files)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """The spectrum image of a pair."""
        path, *raw = finding.files
        if not raw:
            warn(Warned(path, "there is no .raw next to it; it is kept as an original"))
            return
        try:
            keys = parse_keys(decode(text_bytes(tree, path)).text)
            name = PurePosixPath(path).stem
            shape, array = _array(tree, raw[0], keys)
        except (ValueError, OSError) as error:
            warn(Warned(raw[0], f"{error}; the file is kept as an original"))
            return
        channel = ChannelRecord("cube", array, {"quantity": "counts"}, raw_condition=keys)
        yield AnalysisRecord(name=name, maps=(MapRecord(name, "beam", shape, (channel,)),))


def parse_keys(text: str) -> dict[str, str]:
    """`key<tab>value` lines, comments after `;` left out."""
    words = (line.split(";")[0].split(None, 1) for line in text.splitlines())
    return {pair[0].casefold(): pair[1].strip() for pair in words if len(pair) == 2}


def _array(tree: Tree, path: str, keys: Mapping[str, str]) -> tuple[tuple[int, int], ArrayRecord]:
    """The cube by rows, columns and channels; ValueError where the file does not hold it."""
    sides = [number_of(keys[name]) for name in ("width", "height", "depth", "data-length")]
    if any(side is None or not side.is_integer() or not 0 < side <= _LARGEST_SIDE for side in sides):
        raise ValueError("its text gives no sizes")
    width, height, depth, length = (int(side or 0) for side in sides)
    kind = _KINDS.get(keys["data-type"].casefold(), "")
    if length not in ((4, 8) if kind == "f" else (1, 2, 4, 8)) or not kind:
        raise ValueError(f"values of {length} bytes, {keys['data-type'][:40]!r}, are not known")
    offset = int(number_of(keys.get("offset", "0")) or 0)
    total = width * height * depth * length
    if offset < 0 or offset + total > tree.sizes[path]:
        raise ValueError(f"{tree.sizes[path]:,} bytes do not hold {width} × {height} spectra of {depth} channels")
    by_image = keys.get("record-by", "vector").casefold() == "image"
    order = ">" if keys.get("byte-order", "").casefold() == "big-endian" else "<"
    stored = (depth, height, width) if by_image else (height, width, depth)
    span = Span(path, offset, total)
    dtype = f"{'<' if length > 1 else '|'}{kind}{length}"
    axis = _axis(keys)
    if by_image or order == ">":
        load = partial(_loaded, tree, span, f"{order}{kind}{length}", stored, by_image, dtype)
        return (height, width), ArrayRecord("cube", dtype, (height, width, depth), load=load, axis=axis)
    return (height, width), ArrayRecord("cube", dtype, stored, span=span, axis=axis)


def _loaded(tree: Tree, span: Span, stored_as: str, stored: tuple[int, ...], by_image: bool, dtype: str) -> np.ndarray:
    values = np.frombuffer(tree.read(span.path, span.offset, span.length), stored_as).reshape(stored)
    return np.ascontiguousarray(np.moveaxis(values, 0, -1) if by_image else values, dtype)


def _axis(keys: Mapping[str, str]) -> AxisRecord | None:
    """The energies of the channels, where the text gives their width."""
    step = number_of(keys.get("ev-per-chan", ""))
    return AxisRecord("energy", "eV", 0.0, step, source="ev-per-chan") if step and step > 0 else None
