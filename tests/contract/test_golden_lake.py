"""A lake made long ago stays readable: by sxeslake, and by the one-file reader that never saw sxeslake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from sxeslake import lake as lakes
from sxeslake.archive.container import open_container
from sxeslake.archive.sxes.axes import Calibration
from sxeslake.errors import SampleNotFoundError
from sxeslake.format import frame, keys, logentry, pack
from sxeslake.lake import Lake
from sxeslake.salvage import salvage
from sxeslake.storage import open_store

GOLDEN = Path(__file__).parents[1] / "golden"
LISTING: dict[str, list[dict[str, Any]]] = json.loads((GOLDEN / "lake-1.json").read_text(encoding="utf-8"))
NAMES = sorted(LISTING)
SCRIPT = Path(str(salvage.__file__))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The golden lake, where a test may damage it."""
    return Path(shutil.copytree(GOLDEN / "lake-1", tmp_path / "lake"))


@pytest.fixture
def lake(copied: Path) -> Iterator[Lake]:
    with lakes.open_lake(str(copied)) as opened:
        yield opened


def files_below(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Path → content and modification time."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_is_listed(lake: Lake) -> None:
    assert sorted(f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True)) == NAMES
    assert lake.show("grains").tags == ["paper-2026"]
    assert lake.resolve(["grains@paper-2026"]) == ["grains@1"]
    with pytest.raises(SampleNotFoundError, match="grains has no version 2"):
        lake.show("grains@2")  # forgotten


def test_it_has_no_calibrations_and_takes_some(lake: Lake) -> None:
    assert lake.calibrations() == []
    name = lake.add_calibration(Calibration("qlw", "JS300N", "angstrom", "own", coefficients=(15.0, 0.03)))
    assert [each.id for each in lake.calibrations()] == [name]
    assert lake.verify(data=True).problems == []


def test_every_byte_of_it_is_whole(lake: Lake) -> None:
    report = lake.verify(data=True)
    assert report.problems == []
    assert (report.ok, report.checked.log_entries, report.checked.manifests) == (True, 7, 3)


@pytest.mark.parametrize("name", NAMES)
def test_members_are_what_they_were(lake: Lake, name: str) -> None:
    found = [(row.path, row.kind, row.size, row.blake3) for row in lake.members(name)]
    assert found == [(row["path"], row["kind"], row["size"], row["blake3"]) for row in LISTING[name]]
    for row in LISTING[name]:
        if row["kind"] == "file":
            assert blake3(lake.read(name, row["path"])).hexdigest() == row["blake3"]


@pytest.mark.parametrize("suffix", [".zip", ".7z"])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_pulled(lake: Lake, name: str, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    lake.pull(name, out)
    with open_container(out, encoding="cp932") as container:
        members = list(container.members)
        assert [(m.path, m.kind, m.size) for m in members] == [(r["path"], r["kind"], r["size"]) for r in LISTING[name]]
        for number, (member, row) in enumerate(zip(members, LISTING[name], strict=True)):
            if row["modified_ns"] is not None:
                assert member.modified_ns == row["modified_ns"]
            if row["kind"] == "file":
                assert blake3(container.read(number)).hexdigest() == row["blake3"]
            if suffix == ".zip":
                assert (None if member.raw_name is None else member.raw_name.hex()) == row["raw_name"]


def test_the_reader_imports_nothing_of_ours() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    imports = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert "sxeslake" not in imports
    assert imports - set(sys.stdlib_module_names) == {"numpy", "pyarrow", "zstandard", "blake3", "pcodec"}


def run(*arguments: object, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    """The reader as a stranger runs it: alone, in isolated mode, far from the checkout."""
    return subprocess.run(
        [sys.executable, "-I", "-X", "utf8", str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


def check_folder(folder: Path, name: str) -> None:
    """Whether a folder holds what the archive held: every name, byte and time."""
    found = files_below(folder)
    wanted = {row["path"]: row for row in LISTING[name] if row["kind"] == "file"}
    assert found.keys() == wanted.keys()
    for path, (data, modified_ns) in found.items():
        assert blake3(data).hexdigest() == wanted[path]["blake3"]
        if wanted[path]["modified_ns"] is not None:
            assert modified_ns // 100 == wanted[path]["modified_ns"] // 100
    for row in LISTING[name]:
        assert (folder / row["path"]).is_dir() == (row["kind"] == "directory")


def test_a_lake_carries_its_reader_and_its_format(tmp_path: Path) -> None:
    with lakes.init(str(tmp_path / "lake")):
        pass
    packed = tmp_path / "lake" / "salvage.pyz"
    with zipfile.ZipFile(packed) as archive:
        assert archive.read("FORMAT.md").startswith(b"# The lake format, number 1")
    assert "unzip salvage.pyz FORMAT.md" in (tmp_path / "lake" / "README.txt").read_text(encoding="utf-8")
    done = run(GOLDEN / "lake-1", "list", script=packed)
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} >= set(NAMES)


def test_the_reader_restores_folders(tmp_path: Path) -> None:
    done = run(GOLDEN / "lake-1", "restore", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}\twhole" for name in NAMES)
    for name in NAMES:
        check_folder(tmp_path / "out" / name, name)


def test_the_reader_restores_what_was_forgotten(tmp_path: Path) -> None:
    done = run(GOLDEN / "lake-1", "restore", tmp_path / "out", "grains@2", "--all")
    assert (done.returncode, done.stdout) == (0, "grains@2\twhole\n")


def test_the_reader_restores_zips(tmp_path: Path) -> None:
    done = run(GOLDEN / "lake-1", "restore", tmp_path / "out", "--zip")
    assert (done.returncode, done.stderr) == (0, "")
    for name in NAMES:
        with zipfile.ZipFile(tmp_path / "out" / f"{name}.zip") as archive:
            assert archive.testzip() is None
            found = {info.filename: info for info in archive.infolist()}
            assert list(found) == [row["path"] + "/" * (row["kind"] == "directory") for row in LISTING[name]]
            for row in LISTING[name]:
                if row["kind"] == "file":
                    assert blake3(archive.read(row["path"])).hexdigest() == row["blake3"]


def test_the_reader_needs_no_footers(copied: Path, tmp_path: Path) -> None:
    """Without footers, and with hints that lead nowhere, frames are found by scanning and known by their hashes."""
    for path in copied.glob("packs/*/*.pack"):
        data = path.read_bytes()
        start = pack.footer_start(data, len(data), where=str(path))
        path.write_bytes(b"moved" + data[5:24] + b"SXf1 some noise" + data[24:start] + b"SXf1")
    done = run(copied, "restore", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    for name in NAMES:
        check_folder(tmp_path / "out" / name, name)


def test_the_reader_names_a_damaged_blob_and_restores_the_rest(copied: Path, tmp_path: Path) -> None:
    wanted = next(row for row in LISTING["grains@1"] if row["path"].endswith("xes.data"))
    (path,) = (p for p in copied.glob("packs/*/*.pack") if wanted["size"] // 4 < p.stat().st_size)
    data = bytearray(path.read_bytes())
    large = max(pack.scan(bytes(data)), key=lambda place: place[1])
    data[large[0] + frame.HEADER.size + 500] ^= 1
    path.write_bytes(data)
    done = run(copied, "restore", tmp_path / "out")
    assert done.returncode == 1
    assert "grains@1\t2 members lost" in done.stdout  # sum.data follows from xes.data, in one frame
    lost = [line.split(":")[1].strip() for line in done.stderr.splitlines()]
    restored = files_below(tmp_path / "out" / "grains@1")
    assert {row["path"] for row in LISTING["grains@1"] if row["kind"] == "file"} - restored.keys() == set(lost)
    for name in set(NAMES) - {"grains@1"}:
        check_folder(tmp_path / "out" / name, name)


def test_the_reader_gets_over_a_damaged_log_entry(copied: Path, tmp_path: Path) -> None:
    store = open_store(str(copied))
    key = keys.log_key(1)
    store.replace(key, store.get(key).replace(b"curie", b"curiX"))
    done = run(copied, "restore", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{key}: its hash is wrong")
    for name in NAMES:
        check_folder(tmp_path / "out" / name, name)


def test_the_reader_finds_archives_whose_log_entry_is_gone(copied: Path, tmp_path: Path) -> None:
    (copied / keys.log_key(3)).unlink()
    done = run(copied, "restore", tmp_path / "out")
    assert done.returncode == 1
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name for name in found if not name.startswith("lost-")] == ["grains@1"]
    lost = [tmp_path / "out" / name for name in found if name.startswith("lost-")]
    assert len(lost) == 2
    for folder in lost:
        check_folder(folder, "odd things@1" if (folder / "empty").exists() else "grains-2@1")


def test_the_reader_follows_an_entry_that_stands_for_a_lost_one(copied: Path) -> None:
    """A repair puts an entry in the place of a lost one: the chain goes on by the hash of the lost one."""
    store = open_store(str(copied))
    key = keys.log_key(2)
    lost = logentry.digest_of(store.get(key), where=key)
    entry = replace(logentry.load(store.get(key), where=key), stands_for=lost, message="found again")
    store.replace(key, logentry.dump(entry)[0])
    done = run(copied, "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(NAMES) + 1
    with lakes.open_lake(str(copied)) as lake:
        assert lake.verify(data=True).problems == []


def test_the_reader_names_a_damaged_manifest(copied: Path, tmp_path: Path) -> None:
    for path in copied.glob("manifests/*/*.parquet"):
        path.write_bytes(path.read_bytes()[:-20])
    done = run(copied, "restore", tmp_path / "out")
    assert done.returncode == 1
    for name in NAMES:
        assert f"{name}: manifests/" in done.stderr


def test_the_reader_says_what_is_not_there(tmp_path: Path) -> None:
    done = run(GOLDEN / "lake-1", "restore", tmp_path / "out", "unknown")
    assert (done.returncode, done.stderr) == (1, "unknown: there is no such archive\n")
    assert run(GOLDEN / "lake-1").returncode == 2


@pytest.mark.parametrize("hostile", ["../up", "/etc/x", "C:\\x", "a/../../b", "a//b", "..\\x", "", "a\0b", "./a"])
def test_the_reader_writes_nowhere_else(hostile: str) -> None:
    assert not salvage.is_safe(hostile)
    assert salvage.is_safe("data/5/xes.data")
