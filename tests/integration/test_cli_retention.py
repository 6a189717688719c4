"""Forget, restore, hold, tag, gc and log on the command line: documents, exit codes, what people read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.interactive import answered
from support.small_lakes import group, zip_of

from sxeslake.cli.run import run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line on a lake that holds `a` in three versions and `b`."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    assert call("init")[0] == 0
    for number in range(3):
        assert call("ingest", zip_of(tmp_path / "a.zip", group(number)), "--sample", "a")[0] == 0
    assert call("ingest", zip_of(tmp_path / "b.zip", group(9)))[0] == 0
    return call


def document(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0, answer
    return json.loads(answer[1])


def test_what_would_go_is_listed_first(call: Call) -> None:
    code, out, _ = call("forget", "a", "--keep-last", 1, "--dry-run")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:4]] == [
        ["forget", "a@1"],
        ["forget", "a@2"],
        ["keep", "a@3"],
    ]
    assert out.splitlines()[-1] == "2 versions would be forgotten."
    assert len(document(call("ls", "--all-versions", "--json"))) == 4


def test_forget_and_restore(call: Call) -> None:
    report = document(call("forget", "a@1", "b", "-m", "spoilt", "--json"))
    assert list(report) == ["dry_run", "commit", "forgotten", "kept", "affected"]
    assert (report["commit"], report["dry_run"]) == (5, False)
    assert [(row["sample"], row["version"]) for row in report["forgotten"]] == [("a", 1), ("b", 1)]
    assert call("show", "b")[0] == 3
    assert call("restore", "b")[1] == "restored   b@1\n"
    assert call("restore", "b")[0] == 7
    assert [row["what"] for row in document(call("log", "b", "--json"))] == [["restored"], ["forgotten"], ["added"]]
    assert "spoilt" in call("log", "--limit", 2)[1]


QUESTION = b"Go on? [y/N]: "
ANSWERS = {
    "y": (b"y\n", 0), "yes": (b"yes\n", 0), "n": (b"n\n", 2), "nothing": (b"\n", 2), "Ctrl-C": (b"\x03", 130),
    "Ctrl-D": (b"\x04", 130), "another word, then nothing": (b"all\n\n", 2),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("pattern", ["*", "[ab]"])
def test_a_terminal_is_asked_before_everything_is_forgotten(call: Call, answer: str, pattern: str) -> None:
    keys, expected = ANSWERS[answer]
    code, seen = answered(["forget", pattern], QUESTION, keys)
    assert code == expected, seen
    assert "takes everything that the lake holds, 4 versions. Go on? [y/N]: " in seen
    assert len(document(call("ls", "--all-versions", "--json"))) == (4 if expected else 0)
    assert len(document(call("log", "--json"))) == (4 if expected else 5), "nothing else was written"


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(
    ("words", "left"),
    [(["*", "--yes"], 0), (["a", "b"], 0), (["*", "--keep-last", "1"], 2), (["*", "--dry-run"], 4), (["a*"], 1)],
)
def test_a_terminal_is_asked_of_nothing_else(call: Call, words: list[str], left: int) -> None:
    code, seen = answered(["forget", *words], QUESTION, b"n\n")
    assert (code, QUESTION.decode() in seen) == (0, False)
    assert len(document(call("ls", "--all-versions", "--json"))) == left


def test_without_a_terminal_a_word_is_needed_to_forget_everything(call: Call, tmp_path: Path) -> None:
    """Neither `yes |` nor a terminal on only one side answers for a person."""
    master, terminal = os.openpty()
    command = [sys.executable, "-m", "sxeslake", "forget", "*"]
    try:
        for given, errors in ((b"y\n", None), (None, subprocess.PIPE)):
            ended = subprocess.run(
                command, input=given, stdin=terminal if given is None else None, stdout=subprocess.PIPE,
                stderr=errors or terminal, check=False,
            )  # fmt: skip
            assert ended.returncode == 2
    finally:
        os.close(terminal)
        os.close(master)
    code, _, err = call("forget", "*")
    assert code == 2
    assert "nothing was forgotten. Add --yes" in err
    assert len(document(call("ls", "--all-versions", "--json"))) == 4
    assert call("forget", "*", "--yes")[0] == 0
    assert document(call("ls", "--all-versions", "--json")) == []


def test_nothing_to_forget(call: Call) -> None:
    assert call("forget", "a", "--keep-within", "1y")[1].splitlines()[-1] == "Nothing to forget."
    assert call("forget", "nobody")[0] == 3
    assert call("forget", "a", "--keep-within", "soon")[0] == 2
    code, _, err = call("forget", "a", "--keep-within", "6m")
    assert (code, "m is minutes, months are mo. Write 6mo" in err) == (2, True)
    assert call("forget", "a", "--keep-within", "6mo", "--dry-run")[0] == 0
    assert call("forget", "a@1", "--keep-last", 1)[0] == 2


def test_a_wrong_clock_is_named(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as wrong:
        wrong.setattr("sxeslake.vault.log.commit.utc_now", lambda: "2136-01-01T00:00:00Z")
        assert call("ingest", zip_of(tmp_path / "a.zip", group(7)), "--sample", "a")[0] == 0
    code, out, err = call("forget", "a", "--keep-within", "5y")
    assert code == 7
    assert out.splitlines()[-1] == "Nothing to forget."
    assert "a@4 claims to be stored at 2136-01-01T00:00:00Z" in err
    assert call("forget", "a", "--keep-within", "5y", "--json")[0] == 7
    assert len(document(call("ls", "--all-versions", "--json"))) == 5
    assert call("forget", "a@1")[0] == 0


def test_held_and_tagged_versions_stay(call: Call) -> None:
    assert call("hold", "a@1")[1] == "held   a@1\n"
    assert call("tag", "a@2", "paper")[1] == "tagged   a@2   paper\n"
    code, _, err = call("forget", "a")
    assert code == 7
    assert "a@1 (held), a@2 (tagged paper)" in err
    assert document(call("show", "a@paper", "--json"))["version"] == 2
    assert call("release", "a@1")[1] == "released   a@1\n"
    assert call("tag", "a", "paper", "--remove")[1] == "untagged   a@2   paper\n"
    assert document(call("forget", "a", "--json"))["commit"] is not None


def test_gc(call: Call, tmp_path: Path) -> None:
    before = document(call("stats", "--json"))["bytes_stored"]
    call("forget", "a")
    told = document(call("gc", "--grace", "0", "--dry-run", "--json"))
    assert told["commit"] is None
    assert told["bytes_freed"] > 0
    code, out, _ = call("gc", "--grace", "0")
    assert code == 0
    assert out.splitlines()[:3] == ["collected  a@1", "collected  a@2", "collected  a@3"]
    assert out.splitlines()[3].endswith("freed")
    assert document(call("stats", "--json"))["bytes_stored"] < before
    assert call("restore", "a")[0] == 3
    assert call("verify", "--data")[0] == 0
    assert call("pull", "b", "-o", tmp_path / "pulled.zip")[0] == 0
    assert document(call("gc", "--grace", "1h", "--json"))["bytes_freed"] == 0
    assert call("gc", "--grace", "later")[0] == 2


def test_ingest_says_what_it_found_damaged(call: Call, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "heal.zip", group(31))
    assert call("ingest", archive)[0] == 0
    for pack in (tmp_path / "lake" / "packs").rglob("*.pack"):
        pack.unlink()
    code, out, err = call("ingest", archive, "--check-data")
    assert code == 0
    assert out.startswith("restored   heal@1")
    assert "is missing; nothing new is built on it" in err
    assert "sxeslake repair" in err
    told = document(call("ingest", archive, "--json"))
    assert (told["archives"][0]["status"], told["damaged"]) == ("unchanged", [])
    assert call("pull", "heal", "-o", tmp_path / "back.zip")[0] == 0
