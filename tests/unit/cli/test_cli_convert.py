"""`convert` and `originals` on the command line, and folders of instruments through `ingest`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.vendor_session import hashes, session

from sxeslake.cli.documents import CONVERT, ORIGINALS, RECOGNISED
from sxeslake.cli.run import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    return session(tmp_path)


def test_a_dry_run_is_a_table(raw: Path, capsys: Capture) -> None:
    assert run(["convert", str(raw), "--dry-run"]) == 0
    said = capsys.readouterr()
    rows = {line.split("  ")[0]: line for line in said.out.splitlines()}
    assert "jeol-qlw" in rows["steel_0001_QLW"]
    assert "BMP named .jpg" in said.out
    assert "none" in rows["unknown.bin"]
    assert "cp932" in said.err  # a text in an encoding of its own is a warning
    assert said.out.splitlines()[-1].startswith("would hold 5 analyses, 4 positions, 1 map, 1 picture, 1 document")


def test_the_document_has_its_keys(raw: Path, capsys: Capture) -> None:
    assert run(["convert", str(raw), "-o", "made.plzip", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert tuple(found) == CONVERT
    assert all(tuple(row) == RECOGNISED for row in found["recognised"])
    assert found["files_proved"] == found["vendor_files"] == len(hashes(raw))


def test_there_and_back(raw: Path, capsys: Capture, tmp_path: Path) -> None:
    assert run(["convert", str(raw), "-o", "made.pl7z"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("converted  made.pl7z  5 analyses")
    assert "19 of 19 files can be given back" in said
    assert run(["convert", str(raw), "-o", "made.pl7z"]) == 7  # it is there
    assert run(["convert", str(raw), "-o", "made.pl7z", "-f"]) == 0
    capsys.readouterr()
    assert run(["originals", "made.pl7z", "-o", "back", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert tuple(found) == ORIGINALS
    assert (found["vendor_files"], found["sample"]) == (19, None)
    assert hashes(tmp_path / "back") == hashes(raw)
    assert run(["originals", "made.pl7z", "-o", "back"]) == 7


def test_through_a_lake(raw: Path, capsys: Capture, tmp_path: Path) -> None:
    assert run(["init"]) == 0
    assert run(["ingest", str(raw), "--dry-run"]) == 0
    assert "would store session 12@1" in (said := capsys.readouterr().out)
    assert "converted: 5 analyses, 4 positions" in said
    assert run(["ingest", str(raw)]) == 0
    assert run(["ingest", str(raw), "--as", "tree", "--sample", "as it is"]) == 0
    assert run(["originals", "session 12", "-o", "back"]) == 0
    assert hashes(tmp_path / "back") == hashes(raw)
    assert run(["originals", "as it is", "-o", "none"]) == 3
    assert "there are no originals in it" in capsys.readouterr().err


def test_an_archive_needs_a_name(raw: Path, capsys: Capture) -> None:
    assert run(["convert", str(raw)]) == 2
    assert "-o FILE.plzip" in capsys.readouterr().err
    assert run(["convert", str(raw / "later"), "-o", "made.plzip"]) == 3
    assert "sxeslake identify" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators only")
def test_what_is_left_out_is_an_exit_code(raw: Path, capsys: Capture) -> None:
    (raw / "link").symlink_to(raw / "notes.txt")
    assert run(["convert", str(raw), "-o", "made.plzip"]) == 4
    assert "left out   link: a link; links are not followed" in capsys.readouterr().err
