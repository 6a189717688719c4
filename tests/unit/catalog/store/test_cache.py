"""The local folder of catalogue parts, where it cannot be written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from blake3 import blake3

from sxeslake.catalog.store import cache as cache_module
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import TablePart


def test_parts_of_all_threads_are_found_where_the_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that find at one time that the folder takes nothing use one temporary folder."""
    data = [f"part {number}".encode() for number in range(4)]
    parts = [TablePart("positions", blake3(each).hexdigest(), len(each), 1, home=1) for each in data]
    (tmp_path / "positions").write_bytes(b"a file where a folder should be")
    together = threading.Barrier(len(parts))
    write = cache_module._write_whole

    def failing_together(path: Path, content: bytes) -> None:
        try:
            write(path, content)
        except OSError:
            together.wait(10)
            raise

    monkeypatch.setattr(cache_module, "_write_whole", failing_together)
    cache = Cache(tmp_path)
    by_key = {part.key: content for part, content in zip(parts, data, strict=True)}
    cache.need(parts, by_key.__getitem__)
    assert [cache.read(part) for part in parts] == data
