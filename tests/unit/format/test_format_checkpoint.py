"""Checkpoints' bytes: what is written comes back, and what cannot be so is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import checkpoint
from sxeslake.format.checkpoint import Index, LogSegment, Stored
from sxeslake.format.lakefile import sealed

ENTRIES = [Stored(b'{"one":1}', None), Stored(b'{"two":2}', b"its body"), Stored(b"{}", None)]


def segment_of(entries: list[Stored], first: int = 1, home: int = 3) -> tuple[LogSegment, bytes]:
    data, raw = checkpoint.dump_segment(entries)
    return LogSegment(first, first + len(entries) - 1, home, raw, len(data), blake3(data).hexdigest()), data


def index() -> Index:
    one, _ = segment_of(ENTRIES)
    return Index(5, "e" * 64, "{}", (one, replace(one, first=4, last=5, home=5)))


def changed(**changes: Any) -> bytes:
    values = json.loads(index().dump())
    values.pop("blake3")
    return sealed(json.dumps({**values, **changes}).encode())


def test_an_index_comes_back() -> None:
    assert checkpoint.load_index(index().dump(), where="here") == index()


def test_a_segment_comes_back() -> None:
    segment, data = segment_of(ENTRIES)
    assert list(checkpoint.load_segment(data, segment)) == ENTRIES
    assert segment.key == f"checkpoints/{3:020d}/log-{segment.blake3}.zst"


def test_the_bytes_of_another_segment_are_damage() -> None:
    segment, _ = segment_of(ENTRIES)
    _, other = segment_of([Stored(b'{"ene":1}', None), *ENTRIES[1:]])
    with pytest.raises(DamagedLakeError, match="does not agree with its hash"):
        list(checkpoint.load_segment(other, replace(segment, bytes=len(other))))


@pytest.mark.parametrize(
    "hostile",
    [
        b"", b"{}", b"[]", sealed(b"{}"), sealed(b'{"a":' + b"[" * 5000), changed(format=2), changed(number=6),
        changed(entry_hash="x"), changed(segments=None), changed(segments=[{}]), changed(segments=[]),
        changed(segments=[{"first": 1, "last": 5, "home": -1, "raw_bytes": 1, "bytes": 1, "blake3": "a" * 64}]),
        changed(segments=[{"first": 2, "last": 1, "home": 1, "raw_bytes": 1, "bytes": 1, "blake3": "a" * 64}]),
        changed(segments=[{"first": 1, "last": 5, "home": 1, "raw_bytes": 1, "bytes": 1, "blake3": "../../lake"}]),
        index().dump().replace(b'"number":5', b'"number":6'),
    ],
)  # fmt: skip
def test_a_hostile_index_is_damage(hostile: bytes) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        checkpoint.load_index(hostile, where="here")


def hostile_segment(raw: bytes, claimed: int | None = None) -> tuple[bytes, LogSegment]:
    data = zstandard.compress(raw)
    return data, LogSegment(1, 1, 1, len(raw) if claimed is None else claimed, len(data), blake3(data).hexdigest())


@pytest.mark.parametrize(
    ("data", "segment"),
    [
        hostile_segment(b"\0" * 7), hostile_segment(b"\xff" * 20), hostile_segment(b"\0" * 8, 9),
        hostile_segment(b"\0" * 8, 2**40), (b"no zstd", replace(segment_of(ENTRIES)[0], bytes=7)),
    ],
)  # fmt: skip
def test_a_hostile_segment_is_damage(data: bytes, segment: LogSegment) -> None:
    with pytest.raises(DamagedLakeError):
        list(checkpoint.load_segment(data, segment))


def test_which_segments_stay() -> None:
    one, _ = segment_of(ENTRIES)
    big, small = replace(one, first=1, last=900), replace(one, first=901, last=910)
    full = replace(one, first=1, last=10_000)
    assert checkpoint.kept([big, small], 912) == [big, small]
    assert checkpoint.kept([big, small], 920) == [big]
    assert checkpoint.kept([big, small], 2000) == []
    assert checkpoint.kept([full], 10**6) == [full]
    assert checkpoint.kept([], 5) == []
