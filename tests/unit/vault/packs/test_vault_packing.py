"""Packs are filled, sealed and uploaded; what they say they hold, they hold."""

from __future__ import annotations

import pytest
from blake3 import blake3
from support.faults import FaultyStore
from support.small_lakes import own_store

from sxeslake.errors import UnreachableError
from sxeslake.format import frame, keys, pack
from sxeslake.model import Digest
from sxeslake.storage import Store
from sxeslake.vault.blobs.reader import decode_frame
from sxeslake.vault.packs.packing import Packer


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


def framed(*blobs: bytes) -> tuple[bytes, list[Digest], list[int]]:
    sizes = [len(blob) for blob in blobs]
    return frame.seal("raw", sizes, b"".join(blobs)), [blake3(blob).digest() for blob in blobs], sizes


def packs_of(store: Store) -> list[str]:
    return [info.key for info in store.list("packs/")]


def test_frames_are_where_the_hints_say(store: Store) -> None:
    packer = Packer(store)
    blobs = [b"a" * 10, b"b" * 20, b"c" * 30]
    hints = [packer.place("array", *framed(blob)) for blob in blobs]
    (written,) = packer.finish()
    packer.close()
    for blob, hint in zip(blobs, hints, strict=True):
        start = hint.frame_offset
        body = store.get_range(keys.pack_key(hint.pack), start, start + hint.frame_length)
        assert decode_frame(body, where="test") == blob
    assert (written.record.blobs, written.record.raw_bytes, written.record.kind) == (3, 60, "array")
    assert written.record.bytes == store.size(keys.pack_key(written.record.id))
    data = store.get(keys.pack_key(written.record.id))
    assert pack.footer_start(data, len(data), where="test") == len(data) - written.record.footer_bytes
    assert written.footer.digests.tobytes() == b"".join(blake3(blob).digest() for blob in blobs)


def test_kinds_go_to_packs_of_their_own(store: Store) -> None:
    packer = Packer(store)
    for number in range(4):
        packer.place("json" if number % 2 else "array", *framed(bytes([number])))
    assert sorted((item.record.kind, item.record.blobs) for item in packer.finish()) == [("array", 2), ("json", 2)]
    packer.close()


def test_a_full_pack_is_sealed(store: Store) -> None:
    packer = Packer(store, target_bytes=1000)
    for number in range(30):
        packer.place("array", *framed(bytes([number]) * 200))
    written = packer.finish()
    packer.close()
    assert sum(item.record.blobs for item in written) == 30
    assert len(packs_of(store)) == len(written) == 8  # four frames of 233 bytes each
    assert all(item.record.bytes - item.record.footer_bytes <= 1000 for item in written)


def test_a_frame_larger_than_a_pack_has_one_of_its_own(store: Store) -> None:
    packer = Packer(store, target_bytes=100)
    packer.place("array", *framed(b"x" * 5000))
    packer.place("array", *framed(b"y" * 5000))
    assert [item.record.blobs for item in packer.finish()] == [1, 1]
    packer.close()


def test_a_pack_holds_no_more_blobs_than_the_format_allows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_BLOBS", 5)
    packer = Packer(store)
    for _ in range(4):
        packer.place("json", *framed(b"a", b"b"))
    assert [item.record.blobs for item in packer.finish()] == [4, 4]
    packer.close()


def test_nothing_placed_is_nothing_written(store: Store) -> None:
    packer = Packer(store)
    assert packer.finish() == []
    packer.close()
    assert packs_of(store) == []


def test_a_failed_upload_is_not_silent(store: Store) -> None:
    faulty = FaultyStore(store)
    faulty.plan("error", "create", "packs/")
    packer = Packer(faulty)
    packer.place("array", *framed(b"a"))
    with pytest.raises(UnreachableError):
        packer.finish()
    packer.close()
    assert packs_of(store) == []
