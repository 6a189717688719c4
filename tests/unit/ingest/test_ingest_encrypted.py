"""Encrypted archives with a password: unpacked, said to be stored unencrypted, and never called the original file."""

from __future__ import annotations

from pathlib import Path

import pytest

import sxeslake
from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.container import create_writer, open_container
from sxeslake.model import Member

PASSWORD = "Gips & Spülung"
CONTENTS = {"a.csv": b"1,2,3\n" * 50, "b.txt": b"brucite"}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sxeslake.Lake:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sxeslake.init(str(tmp_path / "lake"))


def locked(path: Path, password: str | None = PASSWORD) -> Path:
    with path.open("wb") as out:
        writer = create_writer(out, "7z", password=password)
        for name, data in CONTENTS.items():
            writer.add(Member(name, "file", len(data)), [data])
        writer.close()
    return path


@pytest.mark.parametrize("passwords", [[PASSWORD], ["wrong", PASSWORD], PASSWORD])
def test_with_a_password_it_is_taken_apart_and_that_is_said(
    lake: sxeslake.Lake, tmp_path: Path, passwords: list[str] | str
) -> None:
    source = locked(tmp_path / "x.7z")
    (archive,) = lake.ingest(source, passwords=passwords).archives
    assert (archive.status, archive.kind, archive.members) == ("added", "generic", 2)
    assert archive.warnings == (WAS_ENCRYPTED,)
    assert (archive.exact, archive.exact_reason) == (False, WAS_ENCRYPTED)
    assert lake.read("x", "b.txt") == CONTENTS["b.txt"]
    assert lake.show("x").warnings == [WAS_ENCRYPTED]
    assert lake.ingest(source).archives[0].status == "unchanged"  # known by its SHA-256: no password is needed
    assert not any(PASSWORD.encode() in path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file())


@pytest.mark.parametrize("exact", ["auto", "always"])
def test_no_recipe_is_sought_at_any_cost(lake: sxeslake.Lake, tmp_path: Path, exact: str) -> None:
    lake.ingest(locked(tmp_path / "x.7z"), passwords=[PASSWORD], exact=exact)  # type: ignore[arg-type]
    (row,) = lake.exact(["x"], any_cost=True)
    assert (row.exact, row.exact_reason) == (False, WAS_ENCRYPTED)
    report = lake.pull("x", tmp_path / "out.7z")
    assert (report.exact, report.exact_reason) == (False, WAS_ENCRYPTED)
    with open_container(tmp_path / "out.7z") as archive:
        assert [archive.read(place) for place in range(2)] == list(CONTENTS.values())


@pytest.mark.parametrize(("passwords", "word"), [((), "passwords="), (("wrong",), "wrong password, or damaged")])
def test_without_the_password_it_is_kept_whole_or_refused(
    lake: sxeslake.Lake, tmp_path: Path, passwords: tuple[str, ...], word: str
) -> None:
    source = locked(tmp_path / "x.7z")
    (refused,) = lake.ingest(source, passwords=passwords, opaque="never").archives
    assert refused.status == "failed"
    assert word in str(refused.error)
    (kept,) = lake.ingest(source, passwords=passwords).archives
    assert kept.kind == "opaque"
    assert word in kept.warnings[0]
    assert [row.status for row in lake.audit(source)] == ["stored"]
    (apart,) = lake.ingest(source, passwords=[PASSWORD]).archives
    assert (apart.kind, apart.version) == ("generic", 2)
    assert [(row.status, row.archive) for row in lake.audit(source)] == [("stored", "x@1")]


def test_audit_says_why_it_is_not_the_very_file(lake: sxeslake.Lake, tmp_path: Path) -> None:
    source, other = locked(tmp_path / "x.7z"), locked(tmp_path / "other.7z")
    lake.ingest(source, passwords=[PASSWORD])
    (row,) = lake.audit(source)
    assert (row.status, row.archive, row.exact, row.differs) == ("same-content", "x@1", False, ["container"])
    assert WAS_ENCRYPTED in str(row.reason)
    assert "--always" not in str(row.reason)
    (blind,) = lake.audit(other)
    assert (blind.status, blind.archive) == ("absent", None)
    assert "passwords=" in str(blind.reason)
    (seen,) = lake.audit(other, passwords=["wrong", PASSWORD])
    assert (seen.status, seen.archive, seen.differs) == ("same-content", "x@1", ["container"])
    assert "encrypted" in str(seen.reason)


def test_a_survey_and_a_dry_run_open_it_too(lake: sxeslake.Lake, tmp_path: Path) -> None:
    lake.ingest(locked(tmp_path / "plain.7z", None))
    source = locked(tmp_path / "x.7z")
    assert lake.survey(source).total.duplicates == 0
    assert lake.survey(source, passwords=[PASSWORD]).total.duplicates == 1
