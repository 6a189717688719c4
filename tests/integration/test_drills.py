"""The operator's handbook: its sessions are run, each incident on a lake and its second copy of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sessions

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.run import run

HANDBOOK = Path(__file__).parents[2] / "infra" / "OPERATIONS.md"
_HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)


def sections() -> Iterator[tuple[str, str]]:
    """The parts of the page that have sessions, by their headings."""
    _, *parts = _HEADING.split(HANDBOOK.read_text(encoding="utf-8"))
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        if "```console" in text:
            yield heading, text


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drive of archives, the lake that has them, and its second copy."""
    place = tmp_path_factory.mktemp("drills")
    synthetic_facility(place / "drive", seed=1, nx=4, ny=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SXESLAKE_CONFIG", str(place / "config"))
        patch.setenv("SXESLAKE_CACHE", str(place / "cache"))
        for words in ("init first", "init second", "ingest drive --lake first", "copy first second"):
            patch.chdir(place)
            assert run(["--quiet", *words.split()]) == 0
    return place


@pytest.mark.parametrize(("heading", "text"), [pytest.param(*each, id=each[0]) for each in sections()])
def test_the_sessions_of_the_handbook_are_true(
    heading: str,
    text: str,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    place = tmp_path / "work"
    shutil.copytree(prepared, place)
    monkeypatch.chdir(place)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)
    monkeypatch.setenv("SXESLAKE_CONFIG", str(place / "config"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(place / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for step in sessions.steps(text):
        if step.line.startswith("sxeslake "):
            code = run(step.words)
        else:
            code = subprocess.run(["/bin/sh", "-c", step.line], check=False).returncode
        out, err = (stream.decode() for stream in capfdbinary.readouterr())
        assert code == step.exit_code, f"{heading}: {step.line}\n{out}\n{err}"
        told = re.sub(r"^\d+ of \d+ .*\n", "", err, flags=re.MULTILINE)
        assert step.fits(out) or step.fits(told) or step.fits(told + out), f"{step.line}\n{out}\n--- stderr\n{err}"


def test_the_handbook_has_every_incident() -> None:
    headings = " ".join(_HEADING.findall(HANDBOOK.read_text(encoding="utf-8")))
    for word in (
        "bucket is lost",
        "deleted",
        "Ransomware",
        "key leaked",
        "disk is full",
        "clock",
        "watcher",
        "catalogue",
    ):
        assert word in headings, word
