"""`sync` on the command line: what it says, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.small_lakes import group, zip_of

from sxeslake.cli.documents import SYNC
from sxeslake.cli.run import run
from sxeslake.lake import init


@pytest.fixture
def lake(tmp_path: Path) -> str:
    url = str(tmp_path / "lake")
    with init(url) as made:
        made.ingest(zip_of(tmp_path / "map.plzip", group(1, 2)))
    return url


def test_it_says_what_it_did(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert run(["sync", "map", str(folder), "--lake", lake]) == 0
    assert "map@1 → " in (out := capsys.readouterr().out)
    assert "5 added, 0 changed, 0 removed, 0 as is" in out
    (folder / "mine.txt").write_text("mine")
    assert run(["sync", "map", str(folder), "--lake", lake, "--dry-run", "--delete"]) == 0
    assert "would sync" in capsys.readouterr().out
    assert run(["sync", "map", str(folder), "--lake", lake]) == 0
    assert "1 entry not in the archive left alone (--delete)" in capsys.readouterr().out
    assert (folder / "mine.txt").exists()


def test_json(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert run(["sync", "map", str(folder), "--lake", lake, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert tuple(document)[: len(SYNC)] == SYNC
    assert (document["added"], document["members"], document["dry_run"]) == (5, 5, False)


@pytest.mark.parametrize(("words", "code"), [(["none", "x"], 3), (["map"], 2), (["map", "x", "--delete"], 4)])
def test_exit_codes(lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.txt").write_text("mine")
    assert run(["sync", *words, "--lake", lake]) == code
    assert (tmp_path / "x" / "thesis.txt").exists()


def test_an_unset_variable_is_not_the_current_folder(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(["sync", "map", "", "--lake", lake]) == 2
    assert "no folder was named" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
    assert run(["sync", "map", ".", "--lake", lake]) == 0
