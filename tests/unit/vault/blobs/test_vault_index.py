"""The blob index: every blob that was added is found, however the segments are merged."""

from __future__ import annotations

import errno
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from support.entries import named

from sxeslake.format import pack
from sxeslake.format.pack import Footer
from sxeslake.vault.blobs import index as index_module
from sxeslake.vault.blobs.index import BlobIndex


def footer(number: int, digests: list[bytes], per_frame: int = 4) -> Footer:
    """A pack with these blobs, `per_frame` in a frame of 100 bytes each, 10 bytes a blob."""
    counts = [len(digests[start : start + per_frame]) for start in range(0, len(digests), per_frame)]
    data = pack.footer(named(number), digests, [100] * len(counts), counts, [10] * len(digests))
    return pack.load_footer(named(number), data, where="test")


def digests(*names: object) -> list[bytes]:
    return [blake3(str(name).encode()).digest() for name in names]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[BlobIndex]:
    opened = BlobIndex(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def other(index: BlobIndex, tmp_path: Path) -> Iterator[BlobIndex]:
    """The same index, as another process has it."""
    opened = BlobIndex(tmp_path / "index")
    yield opened
    opened.close()


def segment_files(folder: Path) -> list[Path]:
    return sorted((folder / "index").glob("*.seg"))


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


def test_a_pack_is_indexed_once(index: BlobIndex, tmp_path: Path) -> None:
    index.add([footer(1, digests("a")), footer(2, digests("b"))])
    index.add([footer(1, digests("a")), footer(3, digests("c"))])
    assert index.missing([named(1), named(2), named(3), named(4)]) == [named(4)]
    assert len(segment_files(tmp_path)) == 2


def test_keys_that_begin_alike_are_told_apart(index: BlobIndex) -> None:
    alike = [b"\x01" * 8 + bytes([number]) * 24 for number in range(20)]
    index.add([footer(1, alike[:15])])
    assert index.find(alike).keys() == set(alike[:15])


def test_merging_keeps_every_blob(index: BlobIndex, tmp_path: Path) -> None:
    packs = {number: digests(*(f"{number}-{blob}" for blob in range(1 + number * 7 % 23))) for number in range(1, 61)}
    for number, blobs in packs.items():
        index.add([footer(number, blobs)])
    assert len(segment_files(tmp_path)) < 12, "merged segments are removed"
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


def test_another_process_sees_what_was_added(index: BlobIndex, other: BlobIndex) -> None:
    assert other.find(digests("a")) == {}
    index.add([footer(1, digests("a"))])
    assert len(other.find(digests("a"))) == 1
    for number in range(2, 40):
        index.add([footer(number, digests(number))])
    assert len(other.find(digests("a", *range(2, 40)))) == 39


@pytest.mark.parametrize("damage", ["gone", "cut", "magic", "empty", "swapped", "flip"])
def test_a_damaged_segment_is_indexed_again(tmp_path: Path, damage: str) -> None:
    first = BlobIndex(tmp_path / "index")
    first.add([footer(1, digests("a", "b"))])
    (path,) = segment_files(tmp_path)
    first.add([footer(2, digests("c"))])
    first.close()
    (good,) = set(segment_files(tmp_path)) - {path}
    data = bytearray(path.read_bytes())
    path.unlink()
    data[-20] ^= damage == "flip"  # the ordinal of the last blob's pack
    if damage != "gone":
        damaged = {"cut": data[:-1], "magic": b"x" + data[1:], "empty": b"", "swapped": good.read_bytes()}
        path.write_bytes(bytes(damaged.get(damage, data)))
    fresh = BlobIndex(tmp_path / "index")
    assert fresh.missing([named(1), named(2)]) == [named(1)]
    assert fresh.find(digests("a", "c")).keys() == set(digests("c"))
    fresh.add([footer(1, digests("a", "b"))])
    assert {blob.hint.pack for blob in fresh.find(digests("a", "b")).values() if blob.hint} == {named(1)}
    assert len(fresh.find(digests("a", "b", "c"))) == 3
    fresh.close()


def test_what_another_process_has_in_memory_stays_right(index: BlobIndex, other: BlobIndex, tmp_path: Path) -> None:
    index.add([footer(1, digests("a"))])
    (kept,) = segment_files(tmp_path)
    index.add([footer(2, digests("b"))])
    assert len(other.find(digests("a", "b"))) == 2
    (gone,) = set(segment_files(tmp_path)) - {kept}
    gone.unlink()
    third = BlobIndex(tmp_path / "index")
    assert third.missing([named(1), named(2)]) == [named(2)]
    third.add([footer(3, digests("c"))])
    third.close()
    found = other.find(digests("c"))[digests("c")[0]]
    assert found.hint is not None
    assert found.hint.pack == named(3), "an ordinal is never used for another pack"


def test_an_index_goes_on_where_the_disk_is_full(
    index: BlobIndex, other: BlobIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    index.add([footer(1, digests("a"))])
    real = index_module.write_segment

    def full(path: Path, parts: object) -> tuple[int, str]:
        if path.parent == tmp_path / "index":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(index_module, "write_segment", full)
    for number in range(2, 30):
        index.add([footer(number, digests(number))])
    assert len(index.find(digests("a", *range(2, 30)))) == 29
    assert "No space" in str(index.trouble)
    assert other.missing([named(1), named(2)]) == [named(2)], "what others cannot read is not told to them"


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


def test_a_segment_is_the_same_however_few_rows_are_moved_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footers = [footer(number, digests(*range(40 * number, 40 * number + 50))) for number in range(3)]
    rows = [index_module.rows_of(item, number) for number, item in enumerate(footers)]
    whole = index_module.write_segment(tmp_path / "whole.seg", rows)
    monkeypatch.setattr(index_module, "_SLICE", 7)
    assert index_module.write_segment(tmp_path / "sliced.seg", rows) == whole
    more = index_module.rows_of(footer(3, digests("a")), 3)
    two: list[index_module.IndexRows | index_module.IndexRun] = [index_module.IndexRun(tmp_path / "whole.seg"), more]
    assert index_module.write_segment(tmp_path / "merged.seg", two)[0] == 151
    merged = index_module.IndexRun(tmp_path / "merged.seg")
    assert (merged.keys[1:] >= merged.keys[:-1]).all()
    assert len(merged.find(footers[1].digests)[0]) == 50 + 10 + 10, "also what stands in two packs"


def test_merging_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, rng = 200_000, np.random.default_rng(1)
    for name in "ab":
        places = np.zeros((count, 5), np.uint32)
        index_module.write_segment(
            tmp_path / name, [index_module.IndexRows(rng.integers(0, 256, (count, 32), np.uint8), places)]
        )
    monkeypatch.setattr(index_module, "_SLICE", 10_000)
    runs = [index_module.IndexRun(tmp_path / name) for name in "ab"]
    tracemalloc.start()
    try:
        assert index_module.write_segment(tmp_path / "c", runs)[0] == 2 * count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000 * 150, "a slice of 10,000 rows of 52 bytes, and what it is copied into; in all there are 20 MB"
