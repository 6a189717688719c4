"""Ripple spectrum images: sizes and types of the text, values by vector and by image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree, real_vendor_files, seen_by, values_of

from sxeslake.vendor.readers.ripple import Ripple

READER = Ripple()
KEYS = {
    "key": "value",
    "width": "4",
    "height": "3",
    "depth": "5",
    "offset": "0",
    "data-Length": "2",
    "data-type": "unsigned",
    "byte-order": "little-endian",
    "record-by": "vector",
    "ev-per-chan": "10.0",
}


def cube() -> np.ndarray:
    values: np.ndarray = np.arange(60).reshape(3, 4, 5)
    return values


def text(changes: Mapping[str, str] | None = None) -> bytes:
    keys = {**KEYS, **(changes or {})}
    return "\r\n".join(f"{key:11}\t {value}" for key, value in keys.items()).encode("utf-8", "replace")


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({}, cube().astype("<u2").tobytes()),
        ({"byte-order": "big-endian"}, cube().astype(">u2").tobytes()),
        ({"record-by": "image"}, np.moveaxis(cube(), -1, 0).astype("<u2").tobytes()),
        ({"data-Length": "1", "byte-order": "dont-care", "offset": "3"}, b"abc" + cube().astype("u1").tobytes()),
        ({"data-Length": "4", "data-type": "float"}, cube().astype("<f4").tobytes()),
        ({"data-Length": "4", "data-type": "signed"}, cube().astype("<i4").tobytes() + b"rest"),
    ],
)
def test_a_cube_is_given_by_rows_columns_and_channels(changes: Mapping[str, str], data: bytes) -> None:
    tree = MemoryTree({"m.rpl": text(changes), "m.raw": data})
    seen = seen_by(READER, tree)
    (found,) = seen.analyses[0].maps
    (channel,) = found.channels
    assert (found.shape, channel.array.shape) == ((3, 4), (3, 4, 5))
    assert np.array_equal(values_of(tree, channel.array), cube())
    assert channel.array.axis is not None
    assert channel.array.axis.step == 10.0
    assert seen.warnings == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"depth": "6"}, "do not hold 4 × 3 spectra of 6 channels"),
        ({"depth": "4000000000"}, "gives no sizes"),
        ({"width": "---"}, "gives no sizes"),
        ({"data-type": "complex"}, "are not known"),
        ({"data-Length": "3"}, "are not known"),
        ({"offset": "-1"}, "do not hold"),
    ],
)
def test_a_cube_that_is_not_that_of_its_text_is_named(changes: Mapping[str, str], words: str) -> None:
    seen = seen_by(READER, MemoryTree({"m.rpl": text(changes), "m.raw": cube().astype("<u2").tobytes()}))
    assert seen.analyses == []
    assert words in seen.said


def test_a_text_without_values_is_named() -> None:
    assert "no .raw next to it" in seen_by(READER, MemoryTree({"m.rpl": text()})).said


@given(st.dictionaries(st.sampled_from([*KEYS]), st.text(max_size=10)), st.binary(max_size=200))
def test_any_text_is_read_or_named(changes: Mapping[str, str], data: bytes) -> None:
    seen_by(READER, MemoryTree({"m.rpl": text(changes), "m.raw": data, "n.rpl": data, "n.raw": data}))


def test_the_published_cube_is_read() -> None:
    tree = real_vendor_files("pyhmsa+pyhmsa", "pyhmsa", "testdata", "importer", "raw")
    seen = seen_by(READER, tree)
    assert seen.analyses[0].maps[0].channels[0].array.shape == (16, 16, 1121)
    assert seen.warnings == []
