"""Reading ahead: contents in order, windows bounded, whatever the reader does with them."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import cast

import pytest
from blake3 import blake3

from sxeslake.format.manifest import Blob, ManifestRow
from sxeslake.model import MIB, Member
from sxeslake.storage.inflight import pause
from sxeslake.vault.blobs import contents as floor
from sxeslake.vault.blobs.contents import contents, read_ahead, windows
from sxeslake.vault.blobs.reader import BlobReader


class Reading:
    """A reader that gives each blob's first digest byte, `size` times, and notes what was asked at once."""

    threads = 1

    def __init__(self) -> None:
        self.asked: list[int] = []

    def fetch(self, blobs: Sequence[Blob], *, one_thread: bool) -> list[bytes]:
        self.asked.append(len(blobs))
        return [blob.digest[:1] * blob.size for blob in blobs]


def blob(number: int, size: int = 3) -> Blob:
    return Blob(bytes([number]) + blake3(b"").digest()[1:], size, None)


def row(number: int, *sizes: int) -> ManifestRow:
    member = Member(f"m{number}", "file" if sizes else "directory", sum(sizes))
    return ManifestRow(member, number, bytes(32), tuple(blob(number, size) for size in sizes))


def reader(reading: Reading) -> BlobReader:
    return cast("BlobReader", reading)


def test_windows_hold_16_mib_or_one_blob() -> None:
    sizes = [10 * MIB, 5 * MIB, 2 * MIB, 40 * MIB, 1, 1]
    assert [[one.size for one in window] for window in windows(blob(0, size) for size in sizes)] == [
        [10 * MIB, 5 * MIB],
        [2 * MIB],
        [40 * MIB],
        [1, 1],
    ]
    assert [len(window) for window in windows(blob(0, 1) for _ in range(10_000))] == [4096, 4096, 1808]
    assert list(windows([])) == []


def test_contents_come_in_order() -> None:
    rows = [row(1, 2, 3), row(2), row(3, 0), row(4, 1)]
    found = [(member.path, b"".join(parts)) for member, parts in contents(reader(Reading()), rows)]
    assert found == [("m1", b"\x01" * 5), ("m2", b""), ("m3", b""), ("m4", b"\x04")]


def test_what_is_not_taken_is_passed_over() -> None:
    rows = [row(1, 2, 3, 4), row(2, 1), row(3, 1)]
    found = []
    for member, parts in contents(reader(Reading()), rows):
        found.append((member.path, next(parts)))
    assert found == [("m1", b"\x01\x01"), ("m2", b"\x02"), ("m3", b"\x03")]


def test_two_windows_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "WINDOW_BLOBS", 2)
    reading = Reading()
    stream = cast("Generator[bytes]", read_ahead(reader(reading), [blob(number) for number in range(9)]))
    assert next(stream) == b"\x00\x00\x00"
    stream.close()
    assert sum(reading.asked) <= 6, "no more than the window in use and the next two"


def test_a_failure_comes_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "WINDOW_BLOBS", 1)

    class Failing(Reading):
        def fetch(self, blobs: Sequence[Blob], *, one_thread: bool) -> list[bytes]:
            if blobs[0].digest[0] == 2:
                raise OSError("gone")
            return super().fetch(blobs, one_thread=one_thread)

    stream = read_ahead(reader(Failing()), [blob(number) for number in range(4)])
    assert [next(stream), next(stream)] == [b"\x00" * 3, b"\x01" * 3]
    with pytest.raises(OSError, match="gone"):
        next(stream)


def test_who_stops_reading_does_not_wait_for_what_was_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "WINDOW_BLOBS", 1)

    class Slow(Reading):
        def fetch(self, blobs: Sequence[Blob], *, one_thread: bool) -> list[bytes]:
            if blobs[0].digest[0]:
                pause(60)
            return super().fetch(blobs, one_thread=one_thread)

    stream = cast("Generator[bytes]", read_ahead(reader(Slow()), [blob(number) for number in range(9)]))
    assert next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 5
