"""`report` and the dry run tell before the ingest what it stores; without a lake they compare with an empty one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.cli.run import run


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two archives of 2018 and 2019, and a copy of the first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    first = zip_of(tmp_path / "in" / "2018" / "a.zip", {"a.bin": counts(1, 30_000)})
    second = zip_of(tmp_path / "in" / "2019" / "b.zip", {"b.bin": counts(2, 30_000)})
    (tmp_path / "in" / "copies").mkdir()
    shutil.copy(first, tmp_path / "in" / "copies" / "c.zip")
    for path, seconds in ((first, 1_530_000_000), (second, 1_560_000_000), (first.parents[1] / "copies" / "c.zip", 0)):
        os.utime(path, (seconds, seconds))
    return tmp_path


def document_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("lake", ["there", "not yet"])
def test_the_total_is_what_the_ingest_stores(
    share: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lake: str
) -> None:
    default = share / "lake"
    if lake == "there":
        monkeypatch.setenv("SXESLAKE_LAKE", str(default))
        assert run(["init"]) == 0
    else:
        monkeypatch.setenv("XDG_DATA_HOME", str(share / "data"))
        monkeypatch.delenv("SXESLAKE_LAKE", raising=False)
    capsys.readouterr()
    found = document_of(capsys, "report", "in")
    dry = document_of(capsys, "ingest", "in", "--dry-run")
    done = document_of(capsys, "ingest", "in")
    stored = [sum(each["bytes_stored"] for each in report["archives"]) for report in (found, dry, done)]  # type: ignore[attr-defined]
    assert stored[0] == stored[1] == pytest.approx(stored[2], rel=0.02)
    assert found["total"]["bytes_stored"] == stored[0]  # type: ignore[index]
    after = document_of(capsys, "report", "in")["total"]
    assert (after["duplicates"], after["bytes_stored"]) == (3, 0)  # type: ignore[index]


def test_rows_by_folder_year_and_kind(
    share: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", str(share / "lake"))
    assert run(["init"]) == 0
    capsys.readouterr()
    groups = {
        by: {
            row["group"]: (row["archives"], row["duplicates"])
            for row in document_of(capsys, "report", "in", "--by", by)["rows"]  # type: ignore[attr-defined]
        }
        for by in ("folder", "year", "kind")
    }
    assert groups == {
        "folder": {str(Path("in/2018")): (1, 0), str(Path("in/2019")): (1, 0), str(Path("in/copies")): (1, 1)},
        "year": {"1970": (1, 1), "2018": (1, 0), "2019": (1, 0)},
        "kind": {"generic": (3, 1)},
    }
    assert run(["report", "in", "-o", "report.csv"]) == 0
    lines = Path("report.csv").read_text().splitlines()
    assert (len(lines), lines[0].split(",")[0], lines[-1].split(",")[0]) == (5, "group", "total")
    assert run(["report", "in", "-o", "report.csv"]) == 7
    Path("in/bad.zip").write_bytes(b"PK\x03\x04 but no more")
    assert run(["report", "in"]) == run(["ingest", "in", "--dry-run"]) == 4


def test_a_quick_estimate_holds_the_truth_within_its_error(
    share: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", str(share / "lake"))
    for number in range(40):
        zip_of(share / "in" / f"{number}.zip", {"x.bin": counts(number + 10, 2_000 + 200 * (number % 7))})
    assert run(["init"]) == 0
    capsys.readouterr()
    found = document_of(capsys, "ingest", "in", "--dry-run", "--quick")["estimate"]
    assert (found["archives"], found["archives_read"], found["copies"]) == (43, 12, 1)  # type: ignore[index]
    true = document_of(capsys, "report", "in")["total"]["bytes_stored"]  # type: ignore[index]
    assert abs(found["bytes_stored"] - true) <= found["error_bytes"] < true  # type: ignore[index]
    assert run(["ingest", "in", "--quick"]) == 2
