"""Other fsspec protocols: read everywhere, written only where create-only is real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from sxeslake.errors import (
    AccessDeniedError,
    DamagedLakeError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    UnreachableError,
    UsageError,
)
from sxeslake.storage import open_store
from sxeslake.storage.generic import GenericStore


@pytest.fixture
def writable() -> GenericStore:
    fs = fsspec.filesystem("memory")
    fs.rm("/generic", recursive=True) if fs.exists("/generic") else None
    return GenericStore(fs, "gs://generic", "/generic", writable=True)


def test_round_trip(writable: GenericStore) -> None:
    writable.create("packs/a", [b"01234", b"56789"])
    with pytest.raises(ObjectExistsError, match="gs://generic/packs/a"):
        writable.create("packs/a", b"")
    writable.replace("cache", b"c")
    assert writable.get("packs/a") == b"0123456789"
    assert writable.get_ranges([("packs/a", 5, 7), ("cache", 0, 1), ("packs/a", 0, 0)]) == [b"56", b"c", b""]
    assert writable.get_tail("packs/a", 3) == (b"789", 10)
    assert writable.size("packs/a") == 10
    assert writable.size("packs/b") is None
    assert sorted((info.key, info.size) for info in writable.list("")) == [("cache", 1), ("packs/a", 10)]
    assert [info.key for info in writable.list("packs/")] == ["packs/a"]
    assert all(info.modified > 1e9 for info in writable.list(""))
    assert list(writable.list("none/")) == []
    writable.delete(["packs/a", "packs/never"])
    assert [info.key for info in writable.list("")] == ["cache"]
    with pytest.raises(ObjectNotFoundError):
        writable.get("packs/a")
    with pytest.raises(DamagedLakeError, match="truncated"):
        writable.get_range("cache", 0, 5)
    writable.close()


def test_a_protocol_without_create_only_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "1").write_bytes(b"entry")
    store = GenericStore(fsspec.filesystem("file"), "sftp://host/lake", str(tmp_path), writable=False)
    assert store.get("log/1") == b"entry"
    assert [info.key for info in store.list("log/")] == ["log/1"]
    writes: list[Callable[[], None]] = [
        lambda: store.create("x", b""),
        lambda: store.replace("log/1", b""),
        lambda: store.delete(["log/1"]),
    ]
    for write in writes:
        with pytest.raises(AccessDeniedError, match="read-only"):
            write()
    assert store.get("log/1") == b"entry"
    store.close()


def test_a_missing_package_is_named() -> None:
    with pytest.raises(StorageError, match="package for gs"):
        open_store("gs://bucket/lake")


def test_an_unknown_protocol_is_a_slip() -> None:
    with pytest.raises(UsageError, match="unknown kind"):
        open_store("s4://bucket/lake")


def test_a_file_server_that_is_not_there() -> None:
    with pytest.raises((UnreachableError, StorageError)) as caught:
        open_store("ftp://me:SECRETWORD@127.0.0.1:1/lake")
    assert "SECRETWORD" not in f"{caught.value}{caught.value!r}"
