"""How processes of our own start: the allocator, threads, what is loaded."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sxeslake.machine.processes import cores_of, held_to, keep_little


class _Library:
    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def mallopt(self, setting: int, value: int) -> int:
        self.told[setting] = value
        return 1


def test_glibc_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    keep_little()
    assert library.told == {-8: 2, -1: 32 << 20, -3: 8 << 20}


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    asked: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", asked.append)  # gives back None, which has no `mallopt`
    keep_little()
    assert asked == [None]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_another_system_is_not_asked(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("it was asked"))
    keep_little()


def test_a_light_start_keeps_pandas_out_and_threads_few(tmp_path: Path) -> None:
    program = (
        "import gc, os, threading; from sxeslake.machine.processes import let_pandas_in, start_lightly\n"
        "start_lightly(); import numpy, pyarrow\n"
        "pyarrow.array([1]).to_pylist(); numpy.ones((400, 400)) @ numpy.ones((400, 400))\n"
        "import sys; assert 'pandas' not in sys.modules; assert gc.get_threshold()[0] >= 50_000\n"
        "assert os.environ['OPENBLAS_NUM_THREADS'] == '1'\n"
        "let_pandas_in(); import pandas"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)


def test_the_workers_of_a_program_leave_its_own_pools_alone(tmp_path: Path) -> None:
    """On Linux, Python 3.14 forks all pools of a program from one process."""
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import sxeslake\n"
        "from sxeslake.archive import synthetic_facility\n"
        "def imports_pandas():\n"
        "    import os, pandas\n"
        "    return os.environ.get('OPENBLAS_NUM_THREADS')\n"
        "if __name__ == '__main__':\n"
        "    synthetic_facility('drive', nx=2, ny=2)\n"
        "    with sxeslake.init('lake') as lake:\n"
        "        assert not lake.ingest('drive', workers=2).failed\n"
        "    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('forkserver')) as pool:\n"
        "        assert pool.submit(imports_pandas).result() is None\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_workers_find_all_loaded() -> None:
    """What ingesting loads late is in the list of what the process that workers are forked from loads."""
    program = (
        "import sys, sxeslake.clusters.loaded\n"
        "for name in ('numpy', 'pyarrow.parquet', 'pyarrow.compute', 'pcodec', 'zstandard', 'isal.isal_zlib', 'blake3',"
        " 'sxeslake.ingest.batch', 'sxeslake.codecs'): assert name in sys.modules, name\n"
        "assert 'pandas' not in sys.modules and 'duckdb' not in sys.modules and 'sxeslake.cli' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to cores")
def test_workers_have_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 6, 7, 9})
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    assert [cores_of(worker, 1) for worker in range(6)] == [{3}, {6}, {7}, {9}, {2}, set()]
    monkeypatch.setattr(os, "getpid", lambda: 4710)
    assert [cores_of(worker, 1) for worker in range(6)] == [{2}, {3}, {6}, {7}, {9}, set()]
    assert [cores_of(worker, 2) for worker in range(3)] == [{2, 3}, {6, 7}, set()]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_thread_is_held_to_cores_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    found: list[set[int]] = []
    with held_to({core}):
        assert os.sched_getaffinity(0) == {core}
        thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
    assert found == [{core}]
    assert os.sched_getaffinity(0) == before
    for cores in ((), {4096}):
        with held_to(cores):
            assert os.sched_getaffinity(0) == before
