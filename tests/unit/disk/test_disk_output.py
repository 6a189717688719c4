"""Outputs: whole or not there, devices and links respected, errors with the user's own path."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sxeslake.disk import output, rename
from sxeslake.disk.output import find_place, named, plain_name, written_file, written_folder
from sxeslake.disk.trouble import scratch_told
from sxeslake.errors import AccessDeniedError, AlreadyExistsError, InputError, StorageError, SxeslakeError, UsageError
from sxeslake.format.lakefile import LakeParameters

unix = pytest.mark.skipif(sys.platform == "win32", reason="devices and links of Unix")


def write(out: Path, text: str = "new", *, force: bool = False) -> None:
    with written_file(out, force=force) as file:
        file.write(text.encode())


def write_folder(out: Path, text: str = "new", *, force: bool = False) -> None:
    with written_folder(out, force=force) as made:
        (made / "x").write_text(text)


@contextmanager
def left_as_it_was(folder: Path) -> Iterator[None]:
    before = {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
    yield
    assert {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")} == before


def test_a_file_is_written_over_by_force_alone(tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    write(out, "old")
    with left_as_it_was(tmp_path), pytest.raises(AlreadyExistsError, match="force=True"):
        write(out)
    write(out, force=True)
    assert out.read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(errno.ENOSPC, "full")])
@pytest.mark.parametrize("is_there", [False, True])
def test_what_ends_it_leaves_what_was_there(
    tmp_path: Path, error: BaseException | type[BaseException], is_there: bool
) -> None:
    if is_there:
        write(tmp_path / "x.csv", "old")
        write_folder(tmp_path / "x", "old")
    ends = (KeyboardInterrupt, MemoryError, StorageError)
    with left_as_it_was(tmp_path), pytest.raises(ends):
        end_a_file(tmp_path / "x.csv", error)
    with left_as_it_was(tmp_path), pytest.raises(ends):
        end_a_folder(tmp_path / "x", error)


def end_a_file(out: Path, error: BaseException | type[BaseException]) -> None:
    with written_file(out, force=True) as file:
        file.write(b"half")
        raise error


def end_a_folder(out: Path, error: BaseException | type[BaseException]) -> None:
    with written_folder(out, force=True) as made:
        (made / "x").write_text("half")
        raise error


@unix
def test_the_mode_of_a_file_that_is_replaced_stays(tmp_path: Path) -> None:
    write(tmp_path / "x")
    write_folder(tmp_path / "d")
    (tmp_path / "x").chmod(0o600)
    (tmp_path / "d").chmod(0o2770)
    write(tmp_path / "x", force=True)
    write_folder(tmp_path / "d", force=True)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o2770


@unix
class TestWhatIsNoFile:
    """R2: a device, pipe or descriptor is opened and written; a link stays, its target is replaced."""

    def test_a_device(self, tmp_path: Path) -> None:
        node = tmp_path / "null"
        node.symlink_to("/dev/null")
        for _ in range(2):
            write(node)
        assert node.is_symlink()
        assert Path("/dev/null").is_char_device()

    def test_a_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "p"
        os.mkfifo(pipe)
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
        reader.start()
        write(pipe)
        reader.join(10)
        assert read == ["new"]
        assert pipe.is_fifo()

    @pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}"])
    def test_an_open_descriptor_goes_on_where_it_stands(self, tmp_path: Path, form: str) -> None:
        with (tmp_path / "x").open("w") as file:
            file.write("before ")
            file.flush()
            place = Path(form.format(file.fileno()))
            if not place.exists():
                pytest.skip(f"no {place}")
            write(place)
            file.write(" after")
        assert (tmp_path / "x").read_text() == "before new after"

    @pytest.mark.parametrize("force", [False, True])
    def test_a_link_to_a_file(self, tmp_path: Path, force: bool) -> None:
        (tmp_path / "there").mkdir()
        target, link, chain = tmp_path / "there" / "t.csv", tmp_path / "l.csv", tmp_path / "chain.csv"
        link.symlink_to(Path("there") / "t.csv")
        chain.symlink_to(link)
        if force:
            target.write_text("old")
            with pytest.raises(AlreadyExistsError):
                write(chain)
        write(chain, force=force)
        assert target.read_text() == "new"
        assert link.is_symlink()
        assert chain.is_symlink()
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["chain.csv", "l.csv", "t.csv", "there"]

    def test_a_link_to_a_folder(self, tmp_path: Path) -> None:
        write_folder(tmp_path / "real", "old")
        (tmp_path / "link").symlink_to("real")
        write_folder(tmp_path / "link", force=True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "x").read_text() == "new"

    def test_links_in_a_circle(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(UsageError, match="circle"):
            write(tmp_path / "a", force=True)
        assert (tmp_path / "a").is_symlink()

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes devices")
    def test_a_device_of_its_own(self, tmp_path: Path) -> None:
        node = tmp_path / "n"
        try:
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            node.open("wb").close()
        except OSError:
            pytest.skip("no devices here")
        write(node, force=True)
        assert node.is_char_device()

    def test_a_folder_replaces_none_of_them(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "p")
        (tmp_path / "f").write_text("mine")
        for name in ("p", "f"):
            with pytest.raises(InputError, match="a folder cannot replace it"):
                write_folder(tmp_path / name, force=True)


@pytest.mark.parametrize("word", ["", "a\0b"])
def test_a_word_that_names_nothing(word: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        named(word)


@pytest.mark.parametrize("name", [".", "./", "..", "/", "sub", "sub/", "x" * 300, "日" * 90, f"{'x' * 300}/y", "f/y"])
@pytest.mark.parametrize("force", [False, True])
def test_a_name_that_cannot_be_is_said_with_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, force: bool
) -> None:
    (tmp_path / "f").write_text("mine")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    with left_as_it_was(tmp_path):
        with pytest.raises((UsageError, InputError)) as caught:
            write(Path(name), force=force)
        assert ".partial" not in str(caught.value)
        assert caught.value.where in (str(Path(name)), str(Path(name).parent))
        if not name.startswith("sub"):
            with pytest.raises((UsageError, InputError, AlreadyExistsError)) as caught:
                write_folder(Path(name), force=force)
            assert ".partial" not in str(caught.value)


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    for name in ("日" * 80, "x" * 250):
        write(tmp_path / name)
        write_folder(tmp_path / f"{name}d")
        assert (tmp_path / name).read_text() == (tmp_path / f"{name}d" / "x").read_text() == "new"


@unix
@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, StorageError, "full"),
        (errno.EDQUOT, StorageError, "full"),
        (errno.EROFS, AccessDeniedError, "read-only"),
        (errno.EACCES, AccessDeniedError, "no permission"),
        (errno.EIO, StorageError, "cannot be written"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "link", "rename"])
def test_each_failing_call_is_an_error_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[SxeslakeError], words: str, call: str
) -> None:
    def fail(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    out = tmp_path / "x"
    if call == "rename":
        write(out, "old")
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, call, fail)
        monkeypatch.setattr(output, "rename_noreplace", fail)
        if call == "link":  # whose failure alone is none: there are other ways
            monkeypatch.setattr(Path, "replace", fail)
    with left_as_it_was(tmp_path), pytest.raises(kind, match=words) as caught:
        write(out, force=call == "rename")
    assert caught.value.where == str(out)


def test_a_temporary_folder_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    with pytest.raises(StorageError, match=r"the temporary folder is full.*TMPDIR") as caught, scratch_told():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.where == str(tmp_path / "scratch")


def test_nothing_is_written_into_a_lake(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (lake / "packs").mkdir(parents=True)
    (lake / "lake.json").write_bytes(LakeParameters("ab" * 16, "2026-11-26T00:00:00Z").dump())
    (tmp_path / "way").symlink_to(lake)
    for out in (lake / "lake.json", lake / "x.csv", lake / "packs" / "x", tmp_path / "way" / "lake.json", lake):
        with left_as_it_was(lake), pytest.raises(UsageError, match="folder of a lake"):
            write(out, force=True)
        with left_as_it_was(lake), pytest.raises(UsageError, match="folder of a lake"):
            write_folder(out, force=True)
    (lake / "lake.json").write_text("damaged")
    with pytest.raises(UsageError, match="folder of a lake"):
        write(lake / "lake.json", force=True)
    (tmp_path / "member").mkdir()
    (tmp_path / "member" / "lake.json").write_text("{}")
    write(tmp_path / "member" / "x")


@pytest.mark.parametrize(("name", "plain"), [(".ssh", "_ssh"), ("..", "_"), ("...x", "_x"), ("a.b", "a.b"), ("", "")])
def test_a_plain_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


# --- folders change in one step ----------------------------------------------------------------------------------


def no_exchange(one: Path, other: Path) -> None:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two renames":
        monkeypatch.setattr(rename, "exchange", no_exchange)
    elif sys.platform != "linux":
        pytest.skip("only Linux exchanges names")
    return str(request.param)


def test_a_folder_gives_way(tmp_path: Path, way: str) -> None:
    write_folder(tmp_path / "d", "old")
    write_folder(tmp_path / "d", force=True)
    assert (tmp_path / "d" / "x").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_end_at_each_rename_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, error: BaseException, when: str
) -> None:
    """Whichever rename it is, and whether it has happened or not."""
    real, exchanged = Path.rename, rename.exchange
    for number in range(6):
        out = tmp_path / f"d{number}"
        write_folder(out, "old")
        calls = iter(range(100))

        def ending(self: Path, target: Path, number: int = number, calls: Iterator[int] = calls) -> Path:
            mine = next(calls) == number
            if mine and when == "before":
                raise error
            made = real(self, target)
            if mine:
                raise error
            return made

        def exchange(one: Path, other: Path, number: int = number, calls: Iterator[int] = calls) -> None:
            mine = next(calls) == number
            if mine and when == "before":
                raise error
            exchanged(one, other)
            if mine:
                raise error

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", ending)
            patch.setattr(rename, "exchange", exchange)
            with suppress(KeyboardInterrupt, SxeslakeError):
                write_folder(out, force=True)
        assert (out / "x").read_text() in ("old", "new")
        write_folder(out, force=True)
        assert (out / "x").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"d{number}" for number in range(6)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_the_folder_that_steps_aside_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    for name in ("made", "target"):
        write_folder(tmp_path / name, name)
    real = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if (self.name, target.exists()) == ("made", False):
            raise error
        return real(self, target)

    monkeypatch.setattr(rename, "exchange", no_exchange)
    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(type(error)):
        rename.put_folder(tmp_path / "made", tmp_path / "target", aside=tmp_path / "aside")
    assert (tmp_path / "target" / "x").read_text() == "target"
    assert not (tmp_path / "aside").exists()


def test_a_deep_tree_gives_way(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    for text in ("old", "new"):
        write_deep(tmp_path / "d", text)
    assert (tmp_path / "d" / "x").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "kept"]
    rename.remove_tree(tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def write_deep(out: Path, text: str) -> None:
    with written_folder(out, force=True) as made:
        (made / "x").write_text(text)
        place = made
        for _ in range(100 if sys.platform == "win32" else 1500):
            place = place / "d"
            place.mkdir()
        if sys.platform != "win32":
            (made / "link").symlink_to(out.parent)


def killed(tmp_path: Path, *inside: str) -> Path:
    """What a killed run left, of folders named so."""
    partial = tmp_path / ".d.0123abcd.partial"
    for name in inside:
        (partial / name).mkdir(parents=True)
        (partial / name / "x").write_text(name)
    then = time.time() - 60
    os.utime(partial, (then, then))
    return partial


@unix
class TestWhatAKillLeaves:
    """Between the two renames, before them and after them: the next run to the same place finds it."""

    def test_between(self, tmp_path: Path) -> None:
        killed(tmp_path, "whole", "old")
        with pytest.raises(AlreadyExistsError):
            write_folder(tmp_path / "d")
        assert (tmp_path / "d" / "x").read_text() == "old"
        assert [path.name for path in tmp_path.iterdir()] == ["d"]
        write_folder(tmp_path / "d", force=True)
        assert (tmp_path / "d" / "x").read_text() == "new"

    @pytest.mark.parametrize("left", ["whole", "old"])
    def test_before_and_after(self, tmp_path: Path, left: str) -> None:
        write_folder(tmp_path / "d", "there")
        killed(tmp_path, left)
        write_folder(tmp_path / "d", force=True)
        assert [path.name for path in tmp_path.iterdir()] == ["d"]

    def test_what_may_be_the_last_copy_stays(self, tmp_path: Path) -> None:
        partial = killed(tmp_path, "old")
        write_folder(tmp_path / "d")
        assert (partial / "old" / "x").read_text() == "old"
        shutil.rmtree(partial)
        killed(tmp_path, "old", "whole")
        write_folder(tmp_path / "d", force=True)
        assert (partial / "old" / "x").read_text() == "old"


def test_the_content_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def record(where: Any, call: str, word: str) -> None:
        real = getattr(where, call)

        def recorded(*given: Any, **words: Any) -> Any:
            done.append(word)
            return real(*given, **words)

        monkeypatch.setattr(where, call, recorded)

    record(os, "fsync", "fsync")
    record(Path, "replace", "name")
    record(output, "sync_tree", "tree")
    record(output, "put_folder", "name")
    write(tmp_path / "x", force=True)
    folder_syncs = 0 if sys.platform == "win32" else 1
    assert done == ["fsync", "name", *["fsync"] * folder_syncs]
    done.clear()
    write_folder(tmp_path / "d")
    assert done == ["tree", "name", *["fsync"] * folder_syncs]


def test_where_it_goes_is_found_without_touching_it(tmp_path: Path) -> None:
    place = find_place(tmp_path / "new" / "x.csv")
    assert (place.path, place.is_stream, place.is_taken) == (tmp_path.resolve() / "new" / "x.csv", False, False)
    assert list(tmp_path.iterdir()) == []
