"""Every example runs as it stands, in a process of its own, on a synthetic lake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility

FOLDER = Path(__file__).parents[2] / "examples"
MAP = "2019/chalcopyrite map@1"
ARGUMENTS: dict[str, list[list[str]]] = {
    "first_steps.py": [[]],
    "find_and_plot.py": [["{lake}", "--kv", "5", "--current-na", "90..110", "--lines", "N"]],
    "ratio_map.py": [["{lake}", MAP, "200..210", "300..310"]],
    "hyperspy_view.py": [["{lake}", MAP, "-o", "map.hspy"]],
    "session_report.py": [["{lake}", MAP, "--lines", "N"]],
    "pictures.py": [["pictures"]],
    "deduplicate_drive.py": [["{lake}", "{archives}"], ["{lake}", "{archives}", "--store", "--list", "free.txt"]],
}
MADE = {"find_and_plot.py": "found.png", "ratio_map.py": "ratio.png", "hyperspy_view.py": "map.hspy",
        "session_report.py": "session.html", "pictures.py": "pictures/map.png",
        "deduplicate_drive.py": "free.txt"}  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facility")
    synthetic_facility(folder, nx=4, ny=3)
    return folder


@pytest.fixture(scope="module")
def lake(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "lake"
    with sxeslake.init(str(folder)) as made:
        made.ingest(archives)
    return folder


def run(name: str, words: list[str], folder: Path, *, code: int = 0) -> str:
    own = {"SXESLAKE_CACHE": str(folder / "cache"), "SXESLAKE_CONFIG": str(folder / "config"), "MPLBACKEND": "agg"}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name), *words],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    assert result.stdout or code
    return result.stdout + result.stderr


def test_every_example_is_run() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.py")) == sorted(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_example_runs(name: str, lake: Path, archives: Path, tmp_path: Path) -> None:
    for words in ARGUMENTS[name]:
        run(name, [word.format(lake=lake, archives=archives) for word in words], tmp_path)
    if name in MADE:
        assert (tmp_path / MADE[name]).exists()


@pytest.mark.parametrize("name", MADE)
def test_an_example_has_help(name: str, tmp_path: Path) -> None:
    assert "usage: " in run(name, ["--help"], tmp_path)


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    shown = re.findall(r"!\[.+\]\((docs/.+)\)", (FOLDER.parent / "README.md").read_text("utf-8"))
    assert len(shown) >= 2
    assert all((FOLDER.parent / name).stat().st_size < 120_000 for name in shown)


def test_the_report_of_a_session_needs_no_other_file(lake: Path, tmp_path: Path) -> None:
    found: list[str | None] = []

    class Sources(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for name, value in attrs if name in {"src", "href"})

    run("session_report.py", [str(lake), MAP], tmp_path)
    Sources().feed((tmp_path / "session.html").read_text("utf-8"))
    assert len(found) == 2
    assert all(value and value.startswith("data:image/png;base64,") for value in found)


def test_only_audited_originals_may_be_deleted(lake: Path, archives: Path, tmp_path: Path) -> None:
    run("deduplicate_drive.py", [str(lake), str(archives), "--store", "--list", "free.txt"], tmp_path)
    listed = (tmp_path / "free.txt").read_text("utf-8").splitlines()
    with sxeslake.open(str(lake)) as opened:
        stored = [str(row.path) for row in opened.audit(archives) if row.status == "stored"]
    assert listed == stored


def test_where_nothing_fits_the_example_says_why(lake: Path, tmp_path: Path) -> None:
    assert "accelerating voltage 28.95..29.05 kV" in run(
        "find_and_plot.py", [str(lake), "--kv", "29"], tmp_path, code=1
    )
