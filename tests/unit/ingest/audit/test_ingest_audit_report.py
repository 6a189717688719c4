"""A report of an audit: safe to open in a spreadsheet, and checked against the lake later."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.small_lakes import flip, group, new_lake, objects, only, own_store, zip_of

from sxeslake.errors import InputError
from sxeslake.ingest.audit.report import COLUMNS, ReportRow, written
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


def reported(lake: Lake, path: Path, *, raw: bool = False) -> Path:
    """The report of an audit, as the command writes it."""
    report = path.parent / "report.csv"
    rows = [dataclasses.asdict(row) for row in lake.audit(path)]
    report.write_text(written(rows, COLUMNS, raw=raw), encoding="utf-8")
    return report


def filled(lake: Lake, tmp_path: Path) -> Path:
    """A folder with a file of each kind that can be proved, and one that cannot."""
    folder = tmp_path / "in"
    lake.ingest(zip_of(folder / "=1+1.zip", group(1)))
    lake.pull("=1+1", folder / "b.7z")
    for name, data in group(2).items():
        path = folder / "group" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    lake.ingest(folder / "group")
    (folder / "absent.txt").write_text("x")
    return folder


def held(rows: list[ReportRow]) -> dict[str, tuple[str, str, bool]]:
    return {Path(row.path).name: (row.was, row.status, row.holds) for row in rows}


@pytest.mark.parametrize("raw", [False, True])
def test_a_fresh_report_holds(lake: Lake, tmp_path: Path, raw: bool) -> None:
    report = reported(lake, filled(lake, tmp_path), raw=raw)
    rows = lake.verify_audit(report, check_data=True)
    assert [(row.was, row.status, row.holds) for row in rows] == [
        ("stored", "stored", True),
        ("absent", "absent", True),
        ("same-content", "same-content", True),
        ("stored", "stored", True),
    ]


def _rot(store: Store) -> None:
    for key in objects(store):
        if key.startswith("packs/"):
            flip(store, key, 60)


LATER: dict[str, Callable[[Lake, Store], object]] = {
    "forgotten": lambda lake, _: lake.forget(["*"]),
    "a pack is missing": lambda _, store: store.delete([key for key in objects(store) if key.startswith("packs/")]),
    "the manifests are missing": lambda _, store: store.delete(
        [k for k in objects(store) if k.startswith("manifests/")]
    ),
    "the packs are rotten": lambda _, store: _rot(store),
}


@pytest.mark.parametrize("case", LATER)
def test_a_report_does_not_hold_when_the_lake_has_lost_it(lake: Lake, store: Store, tmp_path: Path, case: str) -> None:
    report = reported(lake, filled(lake, tmp_path))
    LATER[case](lake, store)
    with Lake(Vault(store, None)) as fresh:
        rows = fresh.verify_audit(report, check_data=True)
    assert [row.holds for row in rows] == [False, True, False, False]
    assert all(row.reason for row in rows if not row.holds)


def test_a_report_holds_also_after_more_came_in(lake: Lake, tmp_path: Path) -> None:
    report = reported(lake, filled(lake, tmp_path))
    lake.ingest(zip_of(tmp_path / "more.zip", group(9)))
    assert all(row.holds for row in lake.verify_audit(report))


def _change(report: Path, column: str, value: str) -> None:
    rows = list(csv.DictReader(io.StringIO(report.read_text(encoding="utf-8"))))
    report.write_text(written([{**row, column: value} for row in rows], COLUMNS, raw=True), encoding="utf-8")


@pytest.mark.parametrize("column", ["sha256", "archive_sha256"])
def test_another_file_is_not_proved_by_a_version(lake: Lake, tmp_path: Path, column: str) -> None:
    path = zip_of(tmp_path / "a.zip", group(1))
    lake.ingest(path)
    report = reported(lake, path)
    _change(report, column, "0" * 64)
    assert [row.holds for row in lake.verify_audit(report)] == [False]


def test_a_report_of_another_lake_is_refused(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", group(1))
    lake.ingest(path)
    report = reported(lake, path)
    _change(report, "lake", "0" * 32)
    with pytest.raises(InputError, match="another lake"):
        lake.verify_audit(report)


@pytest.mark.parametrize(("column", "value"), [("commit", "99"), ("commit", "x"), ("commit_blake3", "0" * 64)])
def test_a_lake_that_was_set_back_is_noticed(lake: Lake, tmp_path: Path, column: str, value: str) -> None:
    path = zip_of(tmp_path / "a.zip", group(1))
    lake.ingest(path)
    report = reported(lake, path)
    _change(report, column, value)
    (row,) = lake.verify_audit(report)
    assert (row.holds, "set back or replaced" in (row.reason or "")) == (False, True)


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"path,status\n"])
def test_what_is_no_report_is_refused(lake: Lake, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(InputError):
        lake.verify_audit(tmp_path / "x.csv")
    with pytest.raises(InputError, match="cannot be read"):
        lake.verify_audit(tmp_path / "absent.csv")


def test_no_cell_is_a_formula_or_steers_a_terminal() -> None:
    row = dict.fromkeys(COLUMNS, "") | {"path": "=1+1", "reason": "\x1b]0;x\x07\n\u202e", "exact": True}
    text = written([row], COLUMNS)
    assert text.splitlines()[1].startswith("'=1+1,")
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert ",true," in text
    assert written([row], COLUMNS, raw=True).splitlines()[1].startswith("=1+1,")


def test_rows_that_claim_nothing_always_hold(lake: Lake, store: Store, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", group(1))
    report = reported(lake, path)
    lake.ingest(path)
    store.delete([only(store, "manifests/")])
    assert held(lake.verify_audit(report)) == {"a.zip": ("absent", "absent", True)}
