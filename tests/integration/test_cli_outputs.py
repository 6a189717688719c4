"""`-o` of every command that writes: devices, links, taken and impossible places, full disks; each its own error."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.cli.run import run
from sxeslake.lake import init

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="devices and limits of Unix")

CONTENTS = {f"data/{number}.bin": counts(number, 20_000) for number in range(4)}
COMMANDS = {
    "query": ["query", "--sql", "SELECT path FROM members", "--format", "csv"],
    "find": ["find", "x", "--format", "csv"],
    "conditions": ["conditions", "--format", "parquet"],
    "pull": ["pull", "a", "--container", "zip"],
    "pull of a part": ["pull", "a", "--member", "data/1.bin", "--container", "7z"],
}
each = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", CONTENTS), exact="never")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@each
def test_devices_pipes_and_links_stay(work: Path, command: str) -> None:
    target, link = work / "target", work / "link"
    target.write_text("old")
    link.symlink_to(target)
    assert run([*COMMANDS[command], "-o", str(link)]) == 7
    assert target.read_text() == "old"
    assert run([*COMMANDS[command], "-o", str(link), "--force"]) == 0
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    for force in ([], ["--force"]):
        assert run([*COMMANDS[command], "-o", "/dev/null", *force]) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert sorted(path.name for path in work.iterdir()) == ["link", "target"]


@each
def test_a_place_that_cannot_be(work: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (work / "file").write_text("mine")
    for out in (
        "",
        "x" * 300,
        f"{'y' * 300}/x.csv",
        "file/x.csv",
        *(("/", "..", ".") if "pull" not in command else ()),
    ):
        assert run([*COMMANDS[command], "-o", out]) == 2
        said = capsys.readouterr().err
        assert "Unexpected" not in said
        assert ".partial" not in said
        assert [path.name for path in work.iterdir()] == ["file"]


@pytest.mark.parametrize("words", [["pull", "a"], ["pull", "a", "--member", "data/1.bin"]])
def test_a_folder_that_cannot_be(work: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    for out in (".", "./", "..", "/", "x" * 300, f"{'x' * 300}/"):
        for force in ([], ["--force"]):
            assert run([*words, "-o", out, *force]) == 2
            assert "Unexpected" not in capsys.readouterr().err
            assert list(work.iterdir()) == []


@each
def test_nothing_goes_into_the_lake(work: Path, command: str) -> None:
    lake = work.parent / "lake"
    before = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    for name in ("lake.json", "x.csv"):
        assert run([*COMMANDS[command], "-o", str(lake / name), "--force"]) == 2
    assert {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()} == before


def limited(work: Path, *words: str, room: int = 4096, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that may write no file larger than that: as a full disk, with EFBIG for ENOSPC."""
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "from sxeslake.cli.run import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *words], cwd=work, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("out", ["out.zip", "out.7z", "out/"])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_full_disk_leaves_no_part(work: Path, out: str, is_there: bool) -> None:
    if is_there:
        assert run(["pull", "a", "-o", out]) == 0
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    done = limited(work, "pull", "a", "-o", out, "--level", "0", *["--force"] * is_there)
    assert done.returncode == 6, done.stderr
    assert out.rstrip("/") in done.stderr
    assert "full" in done.stderr
    assert ".partial" not in done.stderr
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [["ls"], ["ls", "--json"], ["pull", "a", "-o", "x.zip"], ["pull", "a", "-o", "-"]])
def test_printing_to_a_full_disk(work: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "sxeslake", *words]
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(command, cwd=work, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, "Unexpected" in done.stderr) == (6, False)
        assert "full" in done.stderr
        silent = [sys.executable, "-m", "sxeslake", "-q", "show", "nothing"]
        assert subprocess.run(silent, cwd=work, stdout=full, stderr=full, check=False).returncode == 3


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk")
class TestASmallDisk:
    """A tmpfs that is full but for a little."""

    @pytest.fixture
    def small(self, tmp_path: Path) -> object:
        place = tmp_path / "small"
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False)
        if mounted.returncode:
            pytest.skip("no file system can be mounted here")
        yield place
        subprocess.run(["umount", "-l", place], check=True)

    @each
    def test_outputs(self, small: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
        (small / "fill").write_bytes(bytes(64 * 1024))
        assert run([*COMMANDS[command], "-o", str(small / "out.x")]) == 6
        said = capsys.readouterr().err
        assert "the disk or quota is full" in said
        assert str(small / "out.x") in said
        assert [path.name for path in small.iterdir()] == ["fill"]

    def test_a_temporary_folder_that_is_full_stops_no_ingest(
        self, small: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(small))
        zip_of(tmp_path / "b.zip", {f"{number}.bin": counts(number, 60_000) for number in range(10, 13)})
        assert run(["ingest", str(tmp_path / "b.zip"), "--exact", "always"]) == 0
        assert run(["pull", "b", "-o", "b.zip"]) == 0

    def test_a_pull_to_stdout_names_it(self, small: Path, work: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "sxeslake", "pull", "a", "--no-exact", "--level", "0", "-o", "-"], cwd=work,
            capture_output=True, check=False, env={**os.environ, "TMPDIR": str(small)},
        )  # fmt: skip
        assert done.returncode == 6
        assert f"{small}: the temporary folder is full".encode() in done.stderr

    def test_a_lake_that_is_full(self, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        init(str(small / "lake")).close()
        zip_of(tmp_path / "b.zip", {"b.bin": os.urandom(100_000)})
        assert run(["ingest", str(tmp_path / "b.zip"), "--lake", str(small / "lake")]) == 6
        assert str(small / "lake") in capsys.readouterr().err
        assert run(["verify", "--lake", str(small / "lake")]) == 0
