"""Other fsspec protocols: read everywhere, written only where create-only is real."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from sxeslake.errors import (
    AccessDeniedError,
    DamagedLakeError,
    MissingExtraError,
    ObjectNotFoundError,
    StorageError,
    UnreachableError,
    UsageError,
)
from sxeslake.storage import open_store
from sxeslake.storage.generic import GenericStore


def test_a_lake_is_read(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "a").write_bytes(b"0123456789")
    (tmp_path / "cache").write_bytes(b"c")
    store = GenericStore(fsspec.filesystem("file"), "smb://host/lake", str(tmp_path))
    assert store.get("packs/a") == b"0123456789"
    assert store.get_ranges([("packs/a", 5, 7), ("cache", 0, 1), ("packs/a", 0, 0)]) == [b"56", b"c", b""]
    assert store.get_tail("packs/a", 3) == (b"789", 10)
    assert store.size("packs/a") == 10
    assert store.size("packs/b") is None
    assert sorted((info.key, info.size) for info in store.list("")) == [("cache", 1), ("packs/a", 10)]
    assert [info.key for info in store.list("packs/")] == ["packs/a"]
    assert all(info.modified > 1e9 for info in store.list(""))
    assert list(store.list("none/")) == []
    with pytest.raises(ObjectNotFoundError):
        store.get("packs/c")
    with pytest.raises(DamagedLakeError, match="truncated"):
        store.get_range("cache", 0, 5)
    store.close()


def test_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "1").write_bytes(b"entry")
    store = GenericStore(fsspec.filesystem("file"), "smb://host/lake", str(tmp_path))
    writes: list[Callable[[], None]] = [
        lambda: store.create("x", b""),
        lambda: store.replace("log/1", b""),
        lambda: store.delete(["log/1"]),
    ]
    for write in writes:
        with pytest.raises(AccessDeniedError, match="read-only"):
            write()
    store.delete([])
    assert store.get("log/1") == b"entry"
    store.close()


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("gs://bucket/lake", "google.auth", "gcs"),
        ("abfs://container/lake", "azure.storage.blob.aio", "azure"),
        ("sftp://host/lake", "asyncssh", "sftp"),
    ],
)
def test_a_missing_package_is_named(url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"sxeslake\[{extra}\]"):
        open_store(url)


def test_an_unknown_protocol_is_a_slip() -> None:
    with pytest.raises(UsageError, match="unknown kind"):
        open_store("s4://bucket/lake")


def test_a_file_server_that_is_not_there() -> None:
    with pytest.raises((UnreachableError, StorageError)) as caught:
        open_store("ftp://me:SECRETWORD@127.0.0.1:1/lake")
    assert "SECRETWORD" not in f"{caught.value}{caught.value!r}"
