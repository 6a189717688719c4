"""The blob index: every blob that was added is found, however the segments are merged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from entries import named

from sxeslake.format import pack
from sxeslake.format.pack import Footer
from sxeslake.vault.index import BlobIndex
from sxeslake.vault.state import State


def footer(number: int, digests: list[bytes], per_frame: int = 4) -> Footer:
    """A pack with these blobs, `per_frame` in a frame of 100 bytes each, 10 bytes a blob."""
    counts = [len(digests[start : start + per_frame]) for start in range(0, len(digests), per_frame)]
    data = pack.footer(named(number), digests, [100] * len(counts), counts, [10] * len(digests))
    return pack.load_footer(named(number), data, where="test")


def digests(*names: object) -> list[bytes]:
    return [blake3(str(name).encode()).digest() for name in names]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def index(tmp_path: Path, state: State) -> BlobIndex:
    return BlobIndex(tmp_path / "index", state)


def test_an_empty_index_finds_nothing(index: BlobIndex) -> None:
    assert index.find(digests(1)) == {}
    assert index.find([]) == {}
    assert index.missing([named(1)]) == [named(1)]


def test_blobs_are_found_where_they_stand(index: BlobIndex) -> None:
    wanted = digests(*range(10))
    index.add([footer(1, wanted)])
    found = index.find([*wanted, *digests("other")])
    assert found.keys() == set(wanted)
    assert found[wanted[0]] == (wanted[0], 10, (named(1), 24, 100, 0))
    assert found[wanted[6]] == (wanted[6], 10, (named(1), 124, 100, 20))


def test_a_pack_is_indexed_once(index: BlobIndex, state: State) -> None:
    index.add([footer(1, digests("a")), footer(2, digests("b"))])
    index.add([footer(1, digests("a")), footer(3, digests("c"))])
    assert index.missing([named(1), named(2), named(3), named(4)]) == [named(4)]
    assert state.select("SELECT count(*) FROM segments") == [(2,)]


def test_keys_that_begin_alike_are_told_apart(index: BlobIndex) -> None:
    alike = [b"\x01" * 8 + bytes([number]) * 24 for number in range(20)]
    index.add([footer(1, alike[:15])])
    assert index.find(alike).keys() == set(alike[:15])


def test_merging_keeps_every_blob(index: BlobIndex, state: State, tmp_path: Path) -> None:
    packs = {number: digests(*(f"{number}-{blob}" for blob in range(1 + number * 7 % 23))) for number in range(1, 61)}
    for number, blobs in packs.items():
        index.add([footer(number, blobs)])
    files = {file for (file,) in state.select("SELECT file FROM segments")}
    assert len(files) < 12
    assert {path.name for path in (tmp_path / "index").iterdir()} == files, "merged segments are removed"
    for number, blobs in packs.items():
        found = index.find(blobs)
        assert found.keys() == set(blobs)
        assert {blob.hint.pack for blob in found.values() if blob.hint} == {named(number)}
    assert index.missing([named(number) for number in packs]) == []


def test_only_living_packs_are_offered_where_asked(index: BlobIndex) -> None:
    both = digests("a")
    index.add([footer(1, both)])
    index.add([footer(2, both)])
    for living in (1, 2):
        found = index.find(both, live={named(living)})[both[0]]
        assert found.hint is not None
        assert found.hint.pack == named(living)
    assert index.find(both, live=set()) == {}


def test_another_process_sees_what_was_added(index: BlobIndex, state: State, tmp_path: Path) -> None:
    other = BlobIndex(tmp_path / "index", state)
    assert other.find(digests("a")) == {}
    index.add([footer(1, digests("a"))])
    assert len(other.find(digests("a"))) == 1
    for number in range(2, 40):
        index.add([footer(number, digests(number))])
    assert len(other.find(digests("a", *range(2, 40)))) == 39


@pytest.mark.parametrize("damage", ["gone", "cut", "magic", "empty"])
def test_a_damaged_segment_is_indexed_anew(index: BlobIndex, state: State, tmp_path: Path, damage: str) -> None:
    index.add([footer(1, digests("a", "b"))])
    index.add([footer(2, digests("c"))])
    path = tmp_path / "index" / state.select("SELECT file FROM segments WHERE rows = 2")[0][0]
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": data[:-1], "magic": b"x" + data[1:], "empty": b""}[damage])
    fresh = BlobIndex(tmp_path / "index", state)
    assert fresh.missing([named(1), named(2)]) == [named(1)]
    assert fresh.find(digests("a", "c")).keys() == set(digests("c"))
    fresh.add([footer(1, digests("a", "b"))])
    assert len(fresh.find(digests("a", "b", "c"))) == 3


def test_many_blobs_are_looked_up_at_once(index: BlobIndex) -> None:
    random = np.random.default_rng(1)
    keys = [random.bytes(32) for _ in range(20_000)]
    for number in range(4):
        index.add([footer(number + 1, keys[number * 4000 : (number + 1) * 4000], 100)])
    found = index.find(keys)
    assert found.keys() == set(keys[:16_000])


def test_an_empty_pack_is_indexed(index: BlobIndex) -> None:
    index.add([footer(1, [])])
    assert index.missing([named(1)]) == []
