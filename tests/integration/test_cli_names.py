"""Samples whose names look like something else: patterns, versions, options, bytes that are no text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.answers import Answer
from support.small_lakes import zip_of

from sxeslake.cli.run import run

NAMES = ["Si [001]", "a*b", "what?", "[x]", "-dash", "ü [1]", "two  spaces"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake in which each odd name has a neighbour that it would fit as a pattern."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    assert run(["-q", "init"]) == 0
    for number, name in enumerate([*NAMES, "Si 0", "axb", "whats", "x"]):
        path = zip_of(tmp_path / f"{number}.zip", {"a.txt": b"%d" % number})
        assert run(["-q", "ingest", f"--sample={name}", "--", str(path)]) == 0
    return tmp_path / "lake"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_there_is_no_pattern(lake: Path, capfdbinary: pytest.CaptureFixture[bytes], name: str) -> None:
    content = b"%d" % NAMES.index(name)

    def call(*words: str) -> Answer:
        code = run(list(words))
        return Answer(code, *capfdbinary.readouterr())

    for ref in (name, f"{name}@1"):
        assert call("-q", "pull", "-o", "one.zip", "--force", "--", ref).code == 0
        assert call("-q", "pull", "-o", "folder/", "--force", "--", ref).code == 0
        assert Path("folder/a.txt").read_bytes() == content
        assert call("cat", "--", ref, "a.txt").bytes == content
        assert call("show", "--json", "--", ref).document["sample"] == name
        assert [row["path"] for row in call("members", "--json", "--", ref).document] == ["a.txt"]
        assert call("log", "--json", "--", ref).document[0]["archives"] == [f"{name}@1"]
        assert call("forget", "--dry-run", "--json", "--", ref).document["forgotten"][0]["sample"] == name
        assert call("ls", "--", ref).out.rstrip().endswith("a.txt")
    assert [row["sample"] for row in call("ls", "--json", "--", name).document] == [name]
    assert call("-q", "forget", "--yes", "--", name).code == 0
    again = call("-q", "forget", "--yes", "--", name)
    assert again.code == 3, again.err  # not what it would fit as a pattern
    assert call("-q", "restore", "--", name).code == 0


def test_patterns_are_patterns_still(lake: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    capfdbinary.readouterr()
    assert run(["ls", "--json", "Si*", "axb"]) == 0
    listed = Answer(0, *capfdbinary.readouterr()).document
    assert [row["sample"] for row in listed] == ["Si 0", "Si [001]", "axb"]
    assert run(["ls", "--json", "Si [[]*"]) == 0
    assert [row["sample"] for row in Answer(0, *capfdbinary.readouterr()).document] == ["Si [001]"]


def test_one_odd_name_does_not_keep_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    assert run(["-q", "init"]) == 0
    Path("in").mkdir()
    for name in ("back\\slash.zip", "plain.zip", os.fsdecode(b"caf\xe9.zip"), f"{'l' * 240}.zip"):
        zip_of(Path("in", name), {f"{len(name)}.txt": os.fsencode(name)})
    assert run(["-q", "ingest", "in"]) == 0
    assert run(["-q", "pull", "--all", "-o", "out/"]) == 0
    assert len(list(Path("out").iterdir())) == 4
    assert Path("out/plain.zip").is_file()
    assert run(["-q", "pull", "--all", "--as-source", "-o", "back/"]) == 0
    assert len(list(Path("back").iterdir())) == 4


COMMANDS = (
    "show X", "cat X y", "pull X", "pull X -o Y", "pull x -o X", "forget X", "restore X", "log X", "diff X X",
    "members X", "ls X", "hold X", "release X", "tag X t", "tag x X", "exact X", "sync X Y", "annotate X a=b",
    "annotate x a=X",    "query X", "query --sql X", "query maps-by-beam-condition --grating X",
    "query maps-by-beam-condition --sample X",
    "find X", "pull --where X", "ingest X", "audit X", "use X", "use n X", "schema X", "copy X X", "repair --from X",
    "help X", "X", "ls --lake X", "init X", "init --lake X", "doctor --lake X", "verify --lake X", "completion X",
    "pull --all --sample X -o out/", "pull --all --operator X -o out/", "conditions --grating X", "find y --source X",
    "init s3://X/b", "ls --lake s3://b/X", "ls --limit-up X", "ls --retry-for X", "cat x a.txt --range X",
    "query --sql SELECT(1) --format X", "pull x --member X -o y.zip", "pull x --query X -o y.zip",
    "query x --queries X", "query maps-by-beam-condition -o X/x.csv", "ingest --sample X y", "ingest --encoding X y",
)  # fmt: skip


def test_words_that_are_no_text_end_in_no_surprise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    assert run(["-q", "init"]) == 0
    assert run(["-q", "ingest", str(zip_of(tmp_path / "x.zip", {"a.txt": b"1"}))]) == 0
    odd = os.fsdecode(b"caf\xe9")
    for line in COMMANDS:
        code = run([odd if word == "X" else word for word in line.split()])
        err = capsys.readouterr().err
        assert "Unexpected" not in err, f"{line}: {err}"
        assert "Conversion" not in err, f"{line}: {err}"
        assert code in (0, 2, 3, 4, 6, 7), f"{line}: {err}"


def test_a_lake_in_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    where = os.fsencode(tmp_path) + b"/caf\xe9"
    archive = zip_of(tmp_path / "x.zip", {"a.txt": b"1"})
    sql = "SELECT count(*) FROM archives"
    for words in (["init"], ["ingest", str(archive)], ["ls"], ["ls", "--json"], ["pull", "x", "-o", "y.zip"],
                  ["verify"], ["query", "--sql", sql], ["gc", "--grace", "0"]):  # fmt: skip
        program = [sys.executable.encode(), b"-m", b"sxeslake", *(word.encode() for word in words), b"--lake", where]
        done = subprocess.run(program, capture_output=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, (words, done.stderr)


def test_who_stored_it_may_have_a_name_that_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("LOGNAME", os.fsdecode(b"ren\xe9"))
    assert run(["-q", "init"]) == 0
    assert run(["-q", "ingest", str(zip_of(tmp_path / "x.zip", {"a.txt": b"1"}))]) == 0
    capfdbinary.readouterr()
    assert run(["log", "--json"]) == 0
    assert Answer(0, *capfdbinary.readouterr()).document[0]["who"].startswith("ren\\xe9")


def test_names_in_another_encoding_stay_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    assert run(["-q", "init"]) == 0
    for number, name in enumerate(("試料", "材料", "表面")):
        zip_of(Path(os.fsdecode(b"in/" + name.encode("cp932") + b".zip")), {"a.txt": b"%d" % number})
    assert run(["-q", "ingest", "in"]) == 0
    capfdbinary.readouterr()
    assert run(["ls", "--json"]) == 0
    samples = [row["sample"] for row in Answer(0, *capfdbinary.readouterr()).document]
    assert samples == ["%8D%DE%97%BF", "%8E%8E%97%BF", "%95%5C%96%CA"]
    for sample in samples:
        assert run(["-q", "pull", sample, "-o", f"{sample}.zip"]) == 0
