"""Ingest by many workers: the same archives as one stores, each once, whatever becomes of the workers.

`SXESLAKE_WORKER_KILLS=200` for the long runs: so many archives, where a short run has a dozen.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake.cli.run import run
from sxeslake.clusters.processes import WorkerPool
from sxeslake.clusters.rows import Plan, PlanRow
from sxeslake.clusters.run import Coordinator
from sxeslake.clusters.work import IngestJob, WorkShare
from sxeslake.errors import InputError, SxeslakeError, UsageError
from sxeslake.ingest.options import Options
from sxeslake.ingest.report import ArchiveReport, IngestReport
from sxeslake.version import TOOL

ARCHIVES = int(os.environ.get("SXESLAKE_WORKER_KILLS", "12"))


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Archives that share nothing, and one copy."""
    for number in range(ARCHIVES - 1):
        zip_of(tmp_path / f"in/{number % 3}/map {number}.plzip", group(number + 1, 3))
    shutil.copyfile(tmp_path / "in/0/map 0.plzip", tmp_path / "in/copy.plzip")
    return tmp_path / "in"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[sxeslake.Lake]:
    """An empty lake in a folder."""
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        yield lake


class Watcher:
    """Counts, and does something when so many archives are done."""

    def __init__(self, at: int = -1, act: Callable[[], object] = lambda: None) -> None:
        self.numbers: list[int] = []
        self.kept_paths: list[str] = []
        self.total, self._at, self._act = 0, at, act

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        self.numbers.append(number)
        self.total = total
        if number == self._at:
            self._act()

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        self.kept_paths += [archive.path for archive in archives]

    def asked_to_end(self) -> bool:
        return False


def check(lake: sxeslake.Lake, drive: Path) -> None:
    """Each archive once, whole, and nothing wrong in the lake."""
    lake.refresh()
    expected = {str(path.relative_to(drive).with_suffix("")) for path in drive.rglob("*.plzip")} - {"copy", "0/map 0"}
    rows = {(row.sample, row.version) for row in lake.ls(all_versions=True)}
    assert len(rows) == ARCHIVES - 1, "each content once"
    assert {(sample, 1) for sample in expected} <= rows
    assert {sample for sample, _ in rows} - expected in ({"copy"}, {"0/map 0"})
    assert lake.verify(data=True).problems == []
    for number in range(1, ARCHIVES - 1):
        ref = f"{number % 3}/map {number}"
        assert {row.path: lake.read(ref, row.path) for row in lake.members(ref)} == group(number + 1, 3)


def test_processes_store_what_one_stores(lake: sxeslake.Lake, drive: Path) -> None:
    watcher = Watcher()
    report = lake.ingest(drive, workers=2, watcher=watcher)
    check(lake, drive)
    assert (report.workers, report.lost_workers, report.failed, report.commit) == (2, 0, False, lake.refresh())
    assert sorted(watcher.numbers) == list(range(1, ARCHIVES + 1))
    assert watcher.total == ARCHIVES
    assert sorted(watcher.kept_paths) == sorted(archive.path for archive in report.archives)
    assert sum(archive.status == "unchanged" for archive in report.archives) == 1
    assert lake.ingest(drive).commit is None, "all is there"


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_stores_what_one_stores(lake: sxeslake.Lake, drive: Path, pool: Any, tmp_path: Path) -> None:
    sxeslake.plan(drive, tmp_path / "plan.parquet")
    context = {"mp_context": multiprocessing.get_context("spawn")} if pool is ProcessPoolExecutor else {}
    with pool(2, **context) as executor:
        report = lake.ingest(plan=tmp_path / "plan.parquet", executor=executor)
        check(lake, drive)
        assert not report.failed
        assert lake.verify(data=True, executor=executor).ok


def test_a_worker_killed_in_mid_upload_costs_nothing(drive: Path, tmp_path: Path) -> None:
    sxeslake.init(str(tmp_path / "lake")).close()
    with sxeslake.open(str(tmp_path / "lake"), limit_up="40kB/s") as lake:
        killed: list[int] = []

        def kill() -> None:
            while not killed:
                time.sleep(0.02)
                # A journal names a pack before its first byte goes to the bucket.
                if any(path.stat().st_size for path in Path(os.environ["SXESLAKE_CACHE"]).rglob("uploads/*.jsonl")):
                    for child in multiprocessing.active_children():
                        os.kill(child.pid or 0, signal.SIGKILL)
                        killed.append(child.pid or 0)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        report = lake.ingest(drive, workers=2)
        killer.join()
    with sxeslake.open(str(tmp_path / "lake")) as lake:
        assert 0 < report.lost_workers <= len(killed) == 2, "one that has no share yet is replaced, and not lost"
        assert not report.failed
        check(lake, drive)
        lake.gc(grace="0")
        check(lake, drive)


class Deadly(type(Path())):  # type: ignore[misc]
    """A path that ends each process that is given it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def test_a_group_that_ends_each_worker_fails_alone(lake: sxeslake.Lake, drive: Path) -> None:
    path = zip_of(drive / "good.plzip", group(77))
    deadly = PlanRow(Deadly(drive / "deadly.plzip"), Path("deadly"), "zip", 1, 1, group=0)
    good = PlanRow(path, Path("good"), "zip", path.stat().st_size, path.stat().st_mtime_ns, group=1)
    report, job = IngestReport(lake.url), IngestJob(lake._opener(), Options(jobs=1), TOOL)
    coordinator = Coordinator(Plan([deadly, good]), report)
    with WorkerPool(job, 1) as pool:
        pool.run([WorkShare(0, (deadly,)), WorkShare(1, (good,))], coordinator)
    coordinator.end()
    assert [(Path(archive.path).name, archive.status) for archive in report.archives] == [
        ("deadly.plzip", "failed"),
        ("good.plzip", "added"),
    ]
    assert "3 times" in str(report.archives[0].error)
    assert report.lost_workers == 3


def test_processes_that_cannot_start_are_an_error() -> None:
    job = IngestJob(partial(os._exit, 3), Options(), TOOL)
    row = PlanRow(Path("a"), Path("a"), "zip", 1, 1)
    with pytest.raises(SxeslakeError, match=r"cannot be started.*exit code 3"), WorkerPool(job, 1) as pool:
        pool.run([WorkShare(0, (row,))], Coordinator(Plan([row]), IngestReport("")))


def test_an_error_of_the_lake_ends_the_run_as_its_own(drive: Path, tmp_path: Path) -> None:
    sxeslake.init(str(tmp_path / "lake")).close()
    with sxeslake.open(str(tmp_path / "lake")) as lake:
        shutil.rmtree(tmp_path / "lake")
        with pytest.raises(SxeslakeError) as caught:
            lake.ingest(drive, workers=2)
        assert caught.value.exit_code in (3, 6)
    assert not multiprocessing.active_children()


def test_lost_work_is_counted_by_group() -> None:
    rows = [PlanRow(Path(name), Path(name), "zip", 10, 1, group=number) for number, name in enumerate("abc")]
    report = IngestReport("")
    coordinator = Coordinator(Plan(rows), report)
    share: WorkShare | None = WorkShare(0, tuple(rows))
    coordinator.kept(0, [ArchiveReport("a", status="added")], 1)
    for _ in range(3):
        assert share is not None
        share = coordinator.lost(share, "was ended by SIGKILL")
    assert share is not None
    assert [row.path for row in share.rows] == [Path("c")], "a is stored, b is given up"
    coordinator.end()
    assert [(archive.path, archive.status) for archive in report.archives] == [("a", "added"), ("b", "failed")]


def test_what_has_changed_since_the_plan_is_taken_as_it_is(lake: sxeslake.Lake, drive: Path, tmp_path: Path) -> None:
    sxeslake.plan(drive, tmp_path / "plan.parquet")
    zip_of(drive / "1/map 1.plzip", group(99, 3))
    (drive / "2/map 2.plzip").unlink()
    report = lake.ingest(plan=tmp_path / "plan.parquet", workers=2)
    assert sorted(report.changed) == [str(drive / "1/map 1.plzip"), str(drive / "2/map 2.plzip")]
    assert [archive.path for archive in report.archives if archive.status == "failed"] == [str(drive / "2/map 2.plzip")]
    lake.refresh()
    assert {row.path: lake.read("1/map 1", row.path) for row in lake.members("1/map 1")} == group(99, 3)
    with sxeslake.open(lake.url) as other:
        assert other.ingest(plan=tmp_path / "plan.parquet").changed == report.changed, "also one worker says so"


def test_what_many_workers_cannot_do_is_refused(
    lake: sxeslake.Lake, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in ({"dry_run": True}, {"sample": "one"}):
        with pytest.raises(UsageError, match="one worker"):
            lake.ingest(drive, workers=2, **words)
    with pytest.raises(UsageError, match="not both"):
        lake.ingest(drive, plan="plan.parquet")
    with pytest.raises(UsageError, match="from 1"):
        lake.ingest(drive, workers=0)
    with sxeslake.init("memory://many-hands") as other, pytest.raises(UsageError, match="memory"):
        other.ingest(drive, workers=2)
    monkeypatch.setattr(lake, "_opening", lake._opening._replace(storage_options={"secret": "x"}))  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="secrets"):
        lake.ingest(drive, workers=2)
    assert lake.refresh() == 0


def test_the_command_line(drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sxeslake.init(str(tmp_path / "lake")).close()
    plan, words = str(tmp_path / "plan.parquet"), ("--lake", str(tmp_path / "lake"))
    assert run(["plan", str(drive), "-o", plan, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["archives"] == ARCHIVES
    (drive / "broken.plzip").write_bytes(b"PK\3\4 and no more")
    assert run(["plan", str(drive), "-o", plan]) == 0
    capsys.readouterr()
    assert run([*words, "ingest", "--plan", plan, "--workers", "2", "--gc"]) == 4
    said = capsys.readouterr()
    assert f"{ARCHIVES + 1} archives: {ARCHIVES - 1} stored, 1 unchanged, 1 failed" in said.out
    assert "freed by gc" in said.out
    assert "broken.plzip" in said.err
    assert run([*words, "ingest", "--plan", plan, "--workers", "2", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert (document["workers"], document["commit"], document["gc"]) == (2, None, None)
    for wrong in (
        ("ingest",), ("ingest", "--plan", plan, str(drive)), ("ingest", "--plan", plan, "--tree"),
        ("ingest", "--workers", "2", "--dask", "tcp://x", str(drive)), ("ingest", str(drive), "--gc", "--dry-run"),
        ("ingest", "--workers", "0", str(drive)), ("plan", str(drive)),
    ):  # fmt: skip
        assert run([*words, *wrong]) == 2, wrong
    assert run([*words, "ingest", "--plan", str(drive / "broken.plzip")]) == 4
    assert run([*words, "ingest", "--plan", str(tmp_path / "none")]) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_is_left_behind(drive: Path, tmp_path: Path, number: signal.Signals) -> None:
    sxeslake.init(str(tmp_path / "lake")).close()
    command = [sys.executable, "-m", "sxeslake", "--lake", str(tmp_path / "lake"), "ingest", str(drive)]
    with subprocess.Popen(
        [*command, "--workers", "2", "--limit-up", "40kB/s"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as running:  # fmt: skip
        try:
            give_up = time.monotonic() + 60
            journals = Path(os.environ["SXESLAKE_CACHE"])
            while not any(path.stat().st_size for path in journals.rglob("uploads/*.jsonl")):
                assert time.monotonic() < give_up
                assert running.poll() is None
                time.sleep(0.05)
            children = _below(running.pid)
            assert len(children) >= 2
            sent = time.monotonic()
            if number == signal.SIGINT:
                os.killpg(running.pid, number)  # as a terminal does: all hear it
            else:
                running.send_signal(number)
            _, said = running.communicate(timeout=30)
            took = time.monotonic() - sent
        finally:
            running.kill()
    assert running.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert "run the same command again to continue" in said
        assert took < 5
    give_up = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()], "orphans"
    with sxeslake.open(str(tmp_path / "lake")) as lake:
        lake.ingest(drive)
        check(lake, drive)


def _below(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(other for child in found for other in _below(child))]


def test_plan_rows_travel() -> None:
    row = PlanRow(Path("a"), Path("a"), "zip", 1, 2, "00", "11", (1, 2), 3)
    assert pickle.loads(pickle.dumps(row)) == row
    with pytest.raises(InputError):
        raise pickle.loads(pickle.dumps(InputError("x", where="y")))
