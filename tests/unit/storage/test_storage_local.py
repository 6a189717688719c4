"""The local store where it differs: crashes, full disks, missing rights, file systems without links."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sxeslake.errors import AccessDeniedError, ObjectExistsError, ObjectNotFoundError, StorageError, SxeslakeError
from sxeslake.storage import exclusive
from sxeslake.storage.local import LocalStore, explain


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def test_reading_never_makes_the_folder(store: LocalStore, tmp_path: Path) -> None:
    assert list(store.list("")) == []
    assert store.size("lake.json") is None
    store.delete(["lake.json"])
    assert store.sweep(0) == 0
    with pytest.raises(ObjectNotFoundError):
        store.get("lake.json")
    assert list(tmp_path.iterdir()) == []


def test_unfinished_files_are_hidden_until_swept(store: LocalStore, tmp_path: Path) -> None:
    store.create("log/1", b"1")
    leftover = tmp_path / "lake" / "log" / ".tmp-123-abc"
    leftover.write_bytes(b"unfinished")
    assert [info.key for info in store.list("")] == ["log/1"]
    assert store.sweep(3600) == 0
    assert leftover.exists()
    assert store.sweep(0) == 10
    assert not leftover.exists()
    assert store.get("log/1") == b"1"


@pytest.mark.parametrize("when", ["write", "fsync", "publish"])
def test_a_failed_write_leaves_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data: list[bytes] = [b"1"]
    if when == "write":
        data.append("not bytes")  # type: ignore[arg-type]
    elif when == "fsync":
        store.create("log/0", b"0")
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(os, "link", fail)
    with pytest.raises((StorageError, TypeError)) as caught:
        store.create("log/1", data)
    assert when == "write" or "full" in str(caught.value)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "lake").rglob("*") if path.is_file() and path.name != "0"] == []
    assert store.size("log/1") is None


def test_a_killed_writer_leaves_no_object(store: LocalStore, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from sxeslake.storage.local import LocalStore\n"
        "os.link = lambda *a: os._exit(9)\n"
        "LocalStore(Path(sys.argv[1])).create('log/1', b'half')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "lake")], check=False, cwd=Path(__file__).parents[3]
    )
    assert run.returncode == 9
    assert list(store.list("")) == []
    store.create("log/1", b"whole")
    assert store.get("log/1") == b"whole"
    assert store.sweep(0) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_without_links_the_rename_keeps_the_promise(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    store.create("log/1", b"first")
    with pytest.raises(ObjectExistsError):
        store.create("log/1", b"second")
    assert store.get("log/1") == b"first"
    assert store.sweep(0) == 0


def test_without_links_and_renames_it_refuses(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*arguments: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "link", unable)
    monkeypatch.setattr(exclusive, "rename_noreplace", unable)
    with pytest.raises(StorageError, match="hard links"):
        store.create("log/1", b"first")
    assert list(store.list("")) == []


def test_a_lost_reply_of_a_network_file_system_is_ours(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def lose_the_reply(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(os, "link", lose_the_reply)
    store.create("log/1", b"mine")
    assert store.get("log/1") == b"mine"


def test_every_folder_and_file_is_synced_before_create_returns(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to tell which file a handle is")
    monkeypatch.setattr(os, "fsync", record)
    store.create("packs/ab/x", b"1")
    root = tmp_path / "lake"
    assert {str(tmp_path), str(root), str(root / "packs"), str(root / "packs" / "ab")} <= set(synced)
    assert synced[-1] == str(root / "packs" / "ab"), "the name is synced last"
    assert ".tmp-" in synced[-2], "the content is synced before the name"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of Unix")
@pytest.mark.parametrize("root_mode", [0o2775, 0o770, 0o755, 0o700, 0o2777])
@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_objects_are_as_open_as_the_root(tmp_path: Path, root_mode: int, umask: int) -> None:
    """One member's umask locks nobody out of a shared lake, and opens a private one to nobody."""
    root = tmp_path / "lake"
    root.mkdir()
    root.chmod(root_mode)
    store = LocalStore(root)
    before = os.umask(umask)
    try:
        store.create("packs/ab/x.pack", b"1")
        store.replace("lake.json", b"{}")
        store.replace("lake.json", b"{ }")
        store.create("log/000/1.json", [b"1", b"2"])
    finally:
        os.umask(before)
    for path in root.rglob("*"):
        wanted = root_mode if path.is_dir() else root_mode & 0o666
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@pytest.mark.skipif(sys.platform == "win32", reason="modes of Unix")
def test_the_mode_is_set_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another member never sees an object that only its writer may read."""
    (tmp_path / "lake").mkdir(mode=0o755)
    (tmp_path / "lake").chmod(0o775)
    seen: list[int] = []
    publish = exclusive.publish

    def record(made: Path, target: Path) -> None:
        seen.append(stat.S_IMODE(made.stat().st_mode))
        publish(made, target)

    monkeypatch.setattr("sxeslake.storage.local.publish", record)
    before = os.umask(0o077)
    try:
        LocalStore(tmp_path / "lake").create("log/1", b"1")
    finally:
        os.umask(before)
    assert seen == [0o664]


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="only root gives folders away")
def test_objects_belong_to_the_roots_group(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    root.mkdir()
    os.chown(root, -1, 12345)
    LocalStore(root).create("log/1", b"1")
    assert {path.stat().st_gid for path in root.rglob("*")} == {12345}


@pytest.mark.parametrize(
    ("code", "doing", "kind", "words"),
    [
        (errno.EACCES, "read", AccessDeniedError, "no permission to read"),
        (errno.EACCES, "write", AccessDeniedError, "no permission to write"),
        (errno.EPERM, "delete", AccessDeniedError, "no permission to delete"),
        (errno.EPERM, "write", StorageError, "hard links"),
        (errno.EROFS, "write", AccessDeniedError, "read-only"),
        (errno.ENOSPC, "write", StorageError, "Free some space"),
        (errno.EIO, "read", StorageError, "cannot read"),
        (errno.ENOENT, "read", ObjectNotFoundError, "no such object"),
        (errno.ENOTDIR, "read", ObjectNotFoundError, "no such object"),
        (errno.ENOTDIR, "write", StorageError, "cannot write"),
    ],
)
def test_what_the_system_says_in_words(code: int, doing: str, kind: type[SxeslakeError], words: str) -> None:
    error = explain(OSError(code, os.strerror(code)), Path("/lake/log/1"), doing)
    assert type(error) is kind
    assert words in str(error)
    assert str(Path("/lake/log/1")) in str(error)


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="needs rights that can be missing")
@pytest.mark.parametrize("call", [lambda store: store.get("log/1"), lambda store: list(store.list(""))])
def test_a_closed_folder_is_not_an_empty_one(
    store: LocalStore, tmp_path: Path, call: Callable[[LocalStore], object]
) -> None:
    store.create("log/1", b"1")
    folder = tmp_path / "lake" / "log"
    folder.chmod(0)
    try:
        with pytest.raises(AccessDeniedError):
            call(store)
    finally:
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which file a handle is")
def test_what_another_writer_left_is_seen_through_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It died between the link and the sync of the folder: file, folder, and the folders above it are synced."""
    LocalStore(tmp_path).create("packs/ab/left.pack", b"left")
    synced: list[str] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    LocalStore(tmp_path).settle(["packs/ab/left.pack"])
    folder = tmp_path.resolve()
    assert {str(folder / "packs/ab/left.pack"), str(folder / "packs/ab"), str(folder / "packs")} <= set(synced)
    with pytest.raises(ObjectNotFoundError):
        LocalStore(tmp_path).settle(["packs/ab/gone.pack"])
