"""Positions mapped and packs verified by executors: the answers are those of one thread, also of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake.archive.sxes.position import Position
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.run import run
from sxeslake.clusters import cluster, positions
from sxeslake.errors import NotFoundError, SxeslakeError, UnreachableError, UsageError
from sxeslake.ingest.report import ArchiveReport

ARCHIVES = int(os.environ.get("SXESLAKE_WORKER_KILLS", "12"))


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a synthetic facility."""
    folder = tmp_path_factory.mktemp("facility")
    synthetic_facility(folder / "in", nx=2, ny=2)
    with sxeslake.init(str(folder / "lake")) as lake:
        lake.ingest(folder / "in")
    return folder / "lake"


@pytest.fixture
def lake(facility: Path) -> Iterator[sxeslake.Lake]:
    with sxeslake.open(str(facility)) as lake:
        yield lake


def processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def test_positions_are_mapped_alike_by_all(lake: sxeslake.Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {
        (row.archive, row.position_uuid): int(lake[row.archive].positions[row.position_uuid].qlw.sum())
        for row in lake.measured()
    }
    assert len({archive for archive, _ in expected}) > 1
    monkeypatch.setattr(positions, "BATCH", 3)

    def counts(position: Position) -> int:
        return int(position.qlw.sum())

    alone = lake.map_positions(counts)
    with ThreadPoolExecutor(3) as executor:
        assert list(lake.map_positions(counts, executor=executor).items()) == list(expected.items())
        with pytest.raises(NotFoundError):
            lake.map_positions(counts, "accelerating_voltage_kv = 77", executor=executor)
    assert list(alone.items()) == list(expected.items())


class Deadly:
    """A function that ends each process that is given it."""

    def __call__(self, position: Position) -> None:
        raise AssertionError("it is not called")

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def test_positions_are_mapped_by_processes(lake: sxeslake.Lake) -> None:
    with processes(2) as executor:
        found = lake.map_positions(repr, "grating = 'JS300N'", executor=executor)
        assert found == lake.map_positions(repr, "grating = 'JS300N'")
        with pytest.raises(UsageError, match="cannot be sent"):
            lake.map_positions(lambda position: 1, executor=executor)
        with pytest.raises(SxeslakeError, match="worker was lost"):
            lake.map_positions(Deadly(), executor=executor)


def test_an_error_names_its_position(lake: sxeslake.Lake) -> None:
    row = next(lake.measured())

    def fails(position: Position) -> None:
        raise ZeroDivisionError("by hand")

    with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError) as caught:
        lake.map_positions(fails, ref=row.archive, executor=executor)
    assert row.archive in caught.value.__notes__[0]


def test_an_executor_finds_the_damage_that_one_process_finds(tmp_path: Path) -> None:
    for number in range(3):
        zip_of(tmp_path / f"in/{number}.zip", group(number + 1))
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        for number in range(3):
            lake.ingest(tmp_path / f"in/{number}.zip")
        packs = sorted(path for path in (tmp_path / "lake/packs").rglob("*") if path.is_file())
        data = bytearray(packs[0].read_bytes())
        data[60] ^= 1
        packs[0].chmod(0o644)
        packs[0].write_bytes(data)
        alone = lake.verify(data=True)
        with ThreadPoolExecutor(2) as executor:
            assert lake.verify(data=True, executor=executor) == alone
            assert not alone.ok
            with pytest.raises(UsageError, match="time"):
                lake.verify(data=True, executor=executor, max_duration_s=1)


# --- a Dask cluster ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A client of a cluster of two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


class Killer:
    """Kills a worker as soon as some archives are stored; a watcher."""

    def __init__(self, victims: Sequence[int]) -> None:
        self.victims, self.numbers, self.kept_paths = list(victims), list[int](), list[str]()

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        self.numbers.append(number)

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        self.kept_paths += [archive.path for archive in archives]
        if self.victims and len(self.kept_paths) < ARCHIVES:
            os.kill(self.victims.pop(), signal.SIGKILL)

    def asked_to_end(self) -> bool:
        return False


@pytest.mark.filterwarnings("default")
def test_a_dask_worker_killed_midway_loses_and_doubles_nothing(dask: Any, tmp_path: Path) -> None:
    for number in range(ARCHIVES):
        zip_of(tmp_path / f"in/{number}.plzip", group(number + 1))
    watcher = Killer([next(iter(dask.run(os.getpid).values()))])
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        report = lake.ingest(tmp_path / "in", executor=dask.get_executor(pure=False), watcher=watcher)
        assert not watcher.victims, "it was killed"
        assert not report.failed
        assert sorted(watcher.numbers) == list(range(1, ARCHIVES + 1)), "one progress"
        assert sorted(watcher.kept_paths) == sorted(archive.path for archive in report.archives)
        assert [(row.sample, row.version) for row in lake.ls(all_versions=True)] == sorted(
            (str(number), 1) for number in range(ARCHIVES)
        )
        executor = dask.get_executor(pure=False)
        assert lake.verify(data=True, executor=executor).problems == []
        assert lake.ingest(tmp_path / "in", executor=executor).commit is None
        with pytest.raises(UsageError, match="passwords"):
            lake.ingest(tmp_path / "in", executor=executor, passwords=["secret"])


@pytest.mark.filterwarnings("default")
def test_the_command_line_takes_a_cluster(dask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zip_of(tmp_path / "in/a.zip", group(1))
    words = ["--lake", str(tmp_path / "lake")]
    assert run([*words, "init"]) == 0
    assert run([*words, "ingest", str(tmp_path / "in"), "--dask", dask.scheduler.address]) == 0
    assert "stored     a@1" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_a_cluster_of_another_version_is_refused(
    dask: Any, tmp_path: Path, lake: sxeslake.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "0.0.1")
    before = lake.refresh()
    for verb in (lambda **words: lake.ingest(tmp_path, **words), lambda **words: lake.map_positions(repr, **words)):
        zip_of(tmp_path / "a.zip", group(1))
        with pytest.raises(UsageError, match=r"runs sxeslake 0\.0\.1.*: sxeslake .* on Python .* \(tcp://"):
            verb(executor=dask.get_executor(pure=False))
    assert lake.refresh() == before


def test_why_a_worker_cannot_tell_its_version() -> None:
    assert cluster.in_words(ModuleNotFoundError("No module named 'sxeslake.clusters'")) == (
        "a sxeslake without this command, or none"
    )
    assert cluster.in_words(OSError("away")) == "OSError: away"


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    with pytest.raises(UnreachableError, match="dask scheduler"), cluster.connected("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(UsageError, match="not the address"), cluster.connected("nonsense://x"):
        pass


def test_an_executor_that_is_no_cluster() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert not cluster.is_cluster(executor)
        assert isinstance(executor, Executor)
    assert pickle.loads(pickle.dumps(cluster.versions)) is cluster.versions
