"""`--password-file`: what a file of passwords may be, and that none of them is ever said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import py7zr
import pytest
from support.small_lakes import counts, zip_of

from sxeslake.archive.container import open_container
from sxeslake.cli.run import run

SECRET = "Gips & Spülung"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with an archive of two files, one more archive that is encrypted, and its password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    passwords_in(tmp_path / "words", f"first\n\n{SECRET}\r\n")
    zip_of(tmp_path / "a.zip", {"a.bin": counts(1), "b.txt": b"brucite"})
    with py7zr.SevenZipFile(tmp_path / "locked.7z", "w", password=SECRET, header_encryption=True) as archive:
        archive.writestr(b"talc", "c.txt")
    assert run(["init"]) == 0
    assert run(["ingest", "a.zip"]) == 0
    return tmp_path


def passwords_in(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    path.chmod(0o600)
    return path


def test_each_password_is_tried_and_none_is_said(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["ingest", "locked.7z", "--password-file", "words", "-v", "--json"],
        ["audit", "locked.7z", "--password-file", "words", "-v", "--accept", "same-content"],
        ["report", "locked.7z", "--password-file", "words", "-v"],
        ["log", "--json"],
        ["show", "locked", "--json"],
    ):
        assert run(command) == 0
    said = capfd.readouterr()
    assert "stored unencrypted" in said.out
    assert "Gips" not in said.out + said.err
    files = [path for path in (*(folder / "lake").rglob("*"), *(folder / "cache").rglob("*")) if path.is_file()]
    assert not [path for path in files if b"Gips" in path.read_bytes()]


def test_the_error_of_a_wrong_password_says_no_password(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passwords_in(folder / "wrong", "Dolomit\n")
    assert run(["ingest", "locked.7z", "--password-file", "wrong", "--opaque", "never", "-v"]) == 4
    said = capsys.readouterr()
    assert "wrong password, or damaged" in said.err
    assert "Dolomit" not in said.out + said.err


@pytest.mark.parametrize("words", [["-o", "out.7z"], ["-o", "out.7z", "--member", "*"], ["--container", "7z"]])
def test_a_pull_is_encrypted_with_the_first_line(folder: Path, words: list[str]) -> None:
    assert run(["pull", "a", "--password-file", "words", *words]) == 0
    (made,) = [path for path in folder.glob("*.7z") if path.name != "locked.7z"]
    assert b"b\0.\0t\0x\0t" not in made.read_bytes()
    with open_container(made, password="first") as archive:
        assert sorted(member.path for member in archive.members) == ["a.bin", "b.txt"]
        assert b"brucite" in [archive.read(0), archive.read(1)]


def test_a_pull_to_stdout_is_encrypted_too(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["pull", "a", "--password-file", "words", "--container", "7z", "-o", "-"]) == 0
    (folder / "out").write_bytes(capfdbinary.readouterr().out)
    with open_container(folder / "out", password="first") as archive:
        assert len(archive.members) == 2


@pytest.mark.parametrize(
    "words",
    [["-o", "x/"], ["--member", "*", "-o", "x/"], ["--dry-run", "-o", "x/"], ["--container", "folder", "-o", "x"],
     ["--all", "--as-source", "-o", "x/"]],
)  # fmt: skip
def test_what_cannot_be_encrypted_is_refused_before_anything_is_written(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    names = [] if "--all" in words else ["a"]
    assert run(["pull", *names, "--password-file", "words", *words]) == 2
    assert "encrypted" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_a_zip_is_encrypted_and_taken_in_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pull", "a", "--password-file", "words", "-o", "x.zip"]) == 0
    assert run(["ingest", "x.zip", "--sample", "again", "--password-file", "words", "-v"]) == 0
    said = capsys.readouterr()
    assert "stored unencrypted" in said.out
    assert "first" not in said.out + said.err
    assert run(["ingest", "x.zip", "--sample", "locked", "--opaque", "never"]) == 4
    assert "x.zip: a.bin: is encrypted. Name a file that holds its password" in capsys.readouterr().err
    with open_container(folder / "x.zip", password="first") as archive:
        assert [archive.read(index) for index in range(2)] == [counts(1), b"brucite"]


def test_an_encrypted_pull_is_not_the_very_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pull", "a", "--password-file", "words", "--exact", "-o", "x.7z"]) == 3
    assert "a password was given" in capsys.readouterr().err
    assert run(["pull", "a", "--password-file", "words", "-o", "x.7z", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exact_reason"] == "a password was given, which makes another file"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(None, "No such file"), (b"", "is empty"), (b"\n\r\n", "is empty"), (b"\xff\xfe\x00", "not UTF-8 text"),
     (b"Gips\n" * 300_000, "is too long")],
)  # fmt: skip
def test_a_file_that_holds_no_passwords(
    folder: Path, data: bytes | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (folder / "odd").write_bytes(data)
    assert run(["ingest", "locked.7z", "--password-file", "odd"]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert "Gips" not in said


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_of(
    folder: Path, mode: int, warns: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "words").chmod(mode)
    assert run(["audit", "a.zip", "--password-file", "words", "--accept", "same-content"]) == 0
    assert ("can be read by others" in capsys.readouterr().err) == warns
