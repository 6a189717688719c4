"""Files as runs of members: nothing is left out, nothing stands twice, whatever the members are."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree

from sxeslake.vendor.writing.tiling import Placed, digests_of, tiles

PLACED = st.lists(st.builds(Placed, st.integers(0, 60), st.integers(0, 60), st.sampled_from("abc")), max_size=6)


@given(data=st.binary(max_size=60), placed=PLACED)
def test_a_file_is_its_parts(data: bytes, placed: list[Placed]) -> None:
    parts = tiles(len(data), placed)
    assert b"".join(data[part.offset : part.offset + part.length] for part in parts) == data
    assert all(part.length for part in parts)
    assert {part for part in parts if part.member} <= set(placed)
    found = digests_of(MemoryTree({"file": data}), "file", parts)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.parts == tuple(
        hashlib.sha256(data[part.offset : part.offset + part.length]).hexdigest() for part in parts
    )


def test_a_picture_takes_the_array_that_lies_in_it() -> None:
    assert tiles(10, [Placed(4, 2, "counts"), Placed(0, 10, "picture")]) == (Placed(0, 10, "picture"),)
