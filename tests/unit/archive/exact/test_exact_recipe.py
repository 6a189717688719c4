"""The recipe's bytes: what is written is read; what is damaged or hostile is refused."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.archive.exact.recipe import MAGIC, Recipe, Skeleton, read_recipe, write_recipe
from sxeslake.archive.exact.spec import STORE, Spec
from sxeslake.errors import DamagedArchiveError, InputError, UnsupportedMethodError

UNITS = st.lists(
    st.tuples(
        st.integers(0, 2**33),  # packed bytes: more than 32 bits hold
        st.integers(0, 1),  # encoder
        st.lists(st.integers(0, 5000), max_size=4),  # members
        st.binary(max_size=40),  # skeleton before it
    ),
    max_size=30,
)


def _recipe(units: list[tuple[int, int, list[int], bytes]], tail: bytes) -> tuple[Recipe, bytes]:
    gaps = [len(before) for *_, before in units] + [len(tail)]
    packed = np.array([size for size, *_ in units], np.int64)
    counts = [len(members) for _, _, members, _ in units]
    recipe = Recipe(
        sum(gaps) + int(packed.sum()), "ab" * 32, (STORE, Spec("zlib", (6, 8, 0))), ("zlib 1.3",),
        np.array(gaps, np.int64), packed, np.array([encoder for _, encoder, *_ in units], np.int64),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.array([member for _, _, members, _ in units for member in members], np.int64),
    )  # fmt: skip
    return recipe, b"".join(before for *_, before in units) + tail


def _written(recipe: Recipe, skeleton: bytes) -> bytes:
    out = io.BytesIO()
    write_recipe(recipe, [skeleton[:7], skeleton[7:]], out)
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(UNITS, st.binary(max_size=100))
def test_what_is_written_is_read(units: list[tuple[int, int, list[int], bytes]], tail: bytes) -> None:
    recipe, skeleton = _recipe(units, tail)
    source = io.BytesIO(_written(recipe, skeleton))
    found = read_recipe(source, where="here")
    assert (found.size, found.sha256, found.encoders, found.tools) == (
        recipe.size, recipe.sha256, recipe.encoders, recipe.tools,
    )  # fmt: skip
    for name in ("gaps", "packed", "encoder", "first", "members"):
        assert getattr(found, name).tolist() == getattr(recipe, name).tolist()
    assert b"".join(Skeleton(source).take(len(skeleton))) == skeleton


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_recipe_is_refused_or_harmless(place: int, change: int) -> None:
    recipe, skeleton = _recipe([(10, 0, [0, 1], b"PK"), (20, 1, [5], b"header")], b"end")
    data = bytearray(_written(recipe, skeleton))
    data[place % len(data)] ^= change
    source = io.BytesIO(bytes(data))
    try:
        found = read_recipe(source, where="here")
        length = sum(map(len, Skeleton(source).take(int(found.gaps.sum()))))
    except InputError:
        return
    assert length == found.size - int(found.packed.sum())


@pytest.mark.parametrize("keep", [0, 5, 10, 60, -1])
def test_a_truncated_recipe_is_refused(keep: int) -> None:
    recipe, skeleton = _recipe([(10, 0, [0], b"some header" * 50)], b"end" * 90)
    source = io.BytesIO(_written(recipe, skeleton)[:keep])
    with pytest.raises(DamagedArchiveError):
        list(Skeleton(source).take(int(read_recipe(source, where="here").gaps.sum())))


def _with_head(**changes: object) -> io.BytesIO:
    recipe, skeleton = _recipe([(10, 0, [0], b"PK")], b"end")
    data = _written(recipe, skeleton)
    (length,) = struct.unpack_from("<I", data, len(MAGIC))
    head = json.loads(data[12 : 12 + length]) | changes
    text = json.dumps(head).encode()
    return io.BytesIO(MAGIC + struct.pack("<I", len(text)) + text + data[12 + length :])


@pytest.mark.parametrize(
    "changes",
    [
        {"units": 10**12}, {"units": -1}, {"members": 10**9}, {"bytes": 16}, {"skeleton_bytes": 4},
        {"columns_bytes": 10**12}, {"units": True}, {"encoders": ["store"], "units": 2},
    ],
)  # fmt: skip
def test_a_head_that_lies_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DamagedArchiveError):
        read_recipe(_with_head(**changes), where="here")


@pytest.mark.parametrize("changes", [{"format": 2}, {"encoders": ["brotli:11"]}, {"encoders": ["zlib:99:8:0"]}])
def test_what_a_newer_version_wrote_is_named(changes: dict[str, object]) -> None:
    with pytest.raises(UnsupportedMethodError, match=r"format 2|unknown|out of range"):
        read_recipe(_with_head(**changes), where="here")


@pytest.mark.parametrize(
    "text", ["zlib:6:8:0", "store", "isal:1", "7zip-lzma:2:5:3145728:3:0:2:0", "infozip:9", "blocks:1:1048576:0"]
)
def test_a_spec_is_its_text(text: str) -> None:
    assert str(Spec.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "zlib", "zlib:6:8", "zlib:-6:8:0", "zlib:6:8:0:1", "store:1", "7zip-deflate:x", "zlib:٦:8:0"]
)
def test_a_text_that_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedMethodError):
        Spec.parse(text)
