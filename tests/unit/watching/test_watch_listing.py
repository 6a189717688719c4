"""One look at a folder: what is taken as one, what is away, and that nothing is opened for it."""

from __future__ import annotations

import builtins
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.small_lakes import counts, group, zip_of
from support.vendor_session import session

from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.watching import plan
from sxeslake.watching.listing import LOOSE, MEASUREMENT, OTHER, FolderLook, look
from sxeslake.watching.plan import Kind, WatchedItem
from sxeslake.watching.rounds import watched_folders


def kinds(found: FolderLook) -> dict[str, Kind]:
    return {path: kind for path, (kind, _) in found.found.items()}


def known(found: FolderLook) -> dict[str, WatchedItem]:
    return plan.observe({}, found.found, lambda path: False, 0.0, 10.0)


def test_archives_groups_and_folders_of_instruments(tmp_path: Path) -> None:
    zip_of(tmp_path / "2018/a.zip", {"a": b"1"})
    (tmp_path / "2018/notes.txt").write_text("no archive")
    for path, data in group(1).items():
        (tmp_path / "unpacked" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / path).write_bytes(data)
    session(tmp_path).rename(tmp_path / "raw")
    assert kinds(look(tmp_path, {})) == {"2018/a.zip": "file", "raw": "folder", "unpacked": "folder"}


def test_a_look_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_of(tmp_path / "a.zip", {"a": b"1"})
    session(tmp_path).rename(tmp_path / "raw")
    opened: list[object] = []

    def refuse(path: object, *words: object, **more: object) -> None:
        opened.append(path)
        raise PermissionError(path)

    with monkeypatch.context() as patch:
        for module in (builtins, io, os):
            patch.setattr(module, "open", refuse)
        found = look(tmp_path, {})
    assert (kinds(found), opened) == ({"a.zip": "file", "raw": "folder"}, [])


def test_what_changes_below_a_folder_changes_its_signature(tmp_path: Path) -> None:
    session(tmp_path).rename(tmp_path / "raw")
    zip_of(tmp_path / "a.zip", {"a": b"1"})
    before = look(tmp_path, {}).found["raw"]
    assert look(tmp_path, {}).found["raw"] == before
    deep = next(path for path in sorted((tmp_path / "raw").rglob("*")) if path.is_file())
    facts = deep.stat()
    with deep.open("ab") as file:
        file.write(b"more")
    os.utime(deep, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert look(tmp_path, {}).found["raw"] != before


def test_a_folder_without_archives_is_a_place_for_measurements(tmp_path: Path) -> None:
    session(tmp_path).rename(tmp_path / "one")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "one").rename(tmp_path / "deeper/one")
    assert kinds(look(tmp_path, {})) == {"deeper": "folder"}


def test_loose_files_decide_whether_a_watched_folder_is_a_measurement(tmp_path: Path) -> None:
    raw = session(tmp_path)
    (raw / "loose.txt").write_text("?")
    first = look(raw, {})
    assert kinds(first) == {LOOSE: "loose"}
    items = known(first)
    judged = {LOOSE: replace(items[LOOSE], state="ignored", reason=MEASUREMENT)}
    assert kinds(look(raw, judged)) == {LOOSE: "loose", ".": "folder"}
    other = {LOOSE: replace(items[LOOSE], state="ignored", reason=OTHER)}
    below = kinds(look(raw, other))
    assert below.pop(LOOSE) == "loose"
    assert set(below.values()) == {"folder"}
    assert "spots" in below
    assert all("/" not in folder for folder in below)


def test_folders_that_are_away(tmp_path: Path) -> None:
    root = tmp_path / "share"
    assert look(root, {}).away == "it is not there"
    root.mkdir()
    assert look(root, {}).away is None
    zip_of(root / "a.zip", {"a": b"1"})
    items = known(look(root, {}))
    (root / "a.zip").rename(tmp_path / "a.zip")
    assert "not mounted" in (look(root, items).away or "")
    (root / "other.txt").write_text("mounted")
    gone = plan.observe(items, look(root, items).found, lambda path: False, 1.0, 10.0)
    assert gone["a.zip"].state == "gone"


def test_a_folder_inside_that_cannot_be_listed_hides_what_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_of(tmp_path / "a.zip", {"a": b"1"})
    zip_of(tmp_path / "sub/b.zip", {"a": counts(1)})
    plain = os.scandir

    def stale(path: str | Path = ".") -> object:
        if Path(path).name == "sub":
            raise OSError(116, "Stale file handle", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", stale)
    found = look(tmp_path, {})
    assert kinds(found) == {"a.zip": "file"}
    assert found.unlisted == {"sub": "cannot be read: Stale file handle"}
    assert (found.is_unlisted("sub/b.zip"), found.is_unlisted("a.zip")) == (True, False)
    monkeypatch.setattr(os, "scandir", lambda path: stale(tmp_path / "sub"))
    assert look(tmp_path, {}).away == "cannot be read: Stale file handle"


def test_folders_that_cannot_be_watched(tmp_path: Path) -> None:
    lake, file = tmp_path / "lake", tmp_path / "a.zip"
    for folder in (lake, tmp_path / "in/side"):
        folder.mkdir(parents=True)
    (lake / "lake.json").write_text("{}")
    file.write_bytes(b"")
    never = lambda folders: False  # noqa: E731
    with pytest.raises(InputError, match="this is a file"):
        watched_folders([file], never)
    with pytest.raises(InputError, match="is a lake"):
        watched_folders([lake], never)
    with pytest.raises(UsageError, match="lies in"):
        watched_folders([tmp_path / "in", tmp_path / "in/side"], never)
    with pytest.raises(NotFoundError, match="no such folder"):
        watched_folders([tmp_path / "nowhere"], never)
    assert watched_folders([tmp_path / "nowhere"], lambda folders: True) == [tmp_path / "nowhere"]
    assert watched_folders([tmp_path / "in", f"{tmp_path}/in/"], never) == [tmp_path / "in"]
