"""A cache that cannot be used: every command works without it, says so once, and keeps its own exit code."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import counts, group, zip_of

import sxeslake
from sxeslake.cli.run import run
from sxeslake.vault.log import state

COMMANDS = [
    ["ls"], ["show", "g"], ["members", "g"], ["query", "--sql", "SELECT count(*) FROM positions"], ["find", "first"],
    ["ingest", "new.zip"], ["audit", "g.plzip"], ["pull", "g", "-o", "again.plzip"], ["sync", "g", "folder"],
    ["verify", "--data"], ["repair"], ["gc"], ["checkpoint"], ["catalog", "rebuild"], ["stats"], ["log"],
    ["copy", "lake", "other"], ["annotate", "g", "role=standard"], ["tag", "g@1", "paper"],
]  # fmt: skip


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with archives and a lake that has one of them."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    zip_of(tmp_path / "g.plzip", group(5, 3, "first"))
    zip_of(tmp_path / "new.zip", {"new.bin": counts(99)})
    with sxeslake.init(str(tmp_path / "lake")) as lake, sxeslake.init(str(tmp_path / "other")):
        lake.ingest(tmp_path / "g.plzip")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_commands_do_without_a_cache(
    work: Path, command: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "file").write_text("in the way")
    monkeypatch.setenv("SXESLAKE_CACHE", str(work / "file" / "cache"))
    assert run(["-q", *command]) == 0
    said = capfd.readouterr().err
    lakes = 2 if command[0] == "copy" else 1
    assert said.count("the cache cannot be used") == lakes, said
    assert "Unexpected" not in said


def test_doctor_says_what_is_wrong_with_the_cache(
    work: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "file").write_text("in the way")
    monkeypatch.setenv("SXESLAKE_CACHE", str(work / "file" / "cache"))
    assert run(["-q", "doctor"]) == 6
    assert "it cannot be used: [Errno 20]" in capfd.readouterr().out


def test_a_cache_that_goes_away_under_an_open_lake(work: Path) -> None:
    with sxeslake.open(str(work / "lake")) as lake:
        shutil.rmtree(work / "cache")
        (work / "cache").write_text("in the way")
        assert [row.sample for row in lake.ls()] == ["g"]
        assert lake.ingest(work / "new.zip").archives[0].status == "added"
        assert len(lake.positions()) == 3
        assert lake.verify(data=True).ok
        assert lake.gc().bytes_freed == 0
        assert {row.sample for row in lake.ls()} == {"g", "new"}


def test_two_versions_with_different_layouts_work_side_by_side(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sxeslake.open(str(work / "lake")) as ours:
        with monkeypatch.context() as newer:
            newer.setattr(state, "_LAYOUT", 99)
            newer.setattr(state, "_TABLES", f"{state._TABLES};\nCREATE TABLE later (name TEXT PRIMARY KEY)")
            with sxeslake.open(str(work / "lake")) as theirs:
                assert [row.sample for row in theirs.ls()] == ["g"]
                assert [row.sample for row in ours.ls()] == ["g"]
                theirs.ingest(work / "new.zip")
                theirs.gc()
        assert [row.sample for row in ours.ls()] == ["g"]
        ours.refresh()
        assert {row.sample for row in ours.ls()} == {"g", "new"}
        assert not vault_of(ours).state.was_damaged
    with sxeslake.open(str(work / "lake")) as again:
        assert len(again.ls()) == 2
        assert not vault_of(again).notes


def test_caches_are_their_owners_alone(work: Path) -> None:
    for command in COMMANDS:
        assert run(["-q", *command]) == 0
    found = [work / "cache", *(work / "cache").rglob("*")]
    assert len(found) > 20
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found} == {0}


def test_a_cache_that_an_older_version_left_open_is_closed(work: Path) -> None:
    folders = list((work / "cache").glob("lakes/*"))
    for folder in folders:
        folder.chmod(0o755)
    assert run(["-q", "ls"]) == 0
    assert run(["-q", "ls", "--lake", str(work / "other")]) == 0
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@pytest.mark.parametrize("kind", ["folders for files", "files for folders", "links to nowhere"])
def test_something_else_stands_where_the_cache_should_be(
    work: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["-q", "query", "--sql", "SELECT count(*) FROM positions"]) == 0
    for lake in (work / "cache" / "lakes").iterdir():
        for path in sorted(lake.rglob("*"), reverse=True):
            if kind == "files for folders" and path.is_dir():
                shutil.rmtree(path)
                path.write_text("in the way")
            elif kind != "files for folders" and path.is_file():
                path.unlink()
                if kind == "folders for files":
                    path.mkdir()
                else:
                    path.symlink_to("/nowhere/at/all")
    for command in COMMANDS:
        assert run(["-q", *command]) == 0, command
    assert "Unexpected" not in capfd.readouterr().err
