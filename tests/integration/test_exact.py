"""Exact rebuilds with the real tools: what is made again bit by bit, and at what cost."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sxeslake.archive.exact import programs
from sxeslake.errors import NotFoundError
from sxeslake.lake import Lake, init

SEVENZIP = programs.find_program("7-Zip")
INFOZIP = programs.find_program("Info-ZIP's zip")
needs_7zip = pytest.mark.skipif(SEVENZIP is None, reason="7-Zip is not installed")
needs_zip = pytest.mark.skipif(INFOZIP is None, reason="Info-ZIP's zip is not installed")

Make = Callable[[Path, Path], None]


def _spectra(seed: int, count: int) -> bytes:
    return np.random.default_rng(seed).poisson(200, count).astype("<u4").tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("source")
    for number in range(4):
        inside = made / "data" / f"{number}"
        inside.mkdir(parents=True)
        (inside / "xes.data").write_bytes(_spectra(number, 12_000))
        (inside / "qlw.data").write_bytes(_spectra(100 + number, 2_000))
        (inside / "info.json").write_text(f'{{"uuid": "{number}", "comment": "grain"}}')
    (made / "empty.txt").touch()
    return made


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with init(str(tmp_path_factory.mktemp("lake") / "lake")) as made:
        yield made


def _sevenzip(*options: str) -> Make:
    def make(folder: Path, out: Path) -> None:
        subprocess.run(
            [str(SEVENZIP), "a", "-bd", *options, str(out), "."], cwd=folder, check=True, capture_output=True
        )

    return make


def _infozip(level: int) -> Make:
    def make(folder: Path, out: Path) -> None:
        subprocess.run([str(INFOZIP), "-q", "-r", f"-{level}", str(out), "."], cwd=folder, check=True)

    return make


def _python(level: int) -> Make:
    def make(folder: Path, out: Path) -> None:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as made:
            for path in sorted(folder.rglob("*")):
                made.write(path, path.relative_to(folder))

    return make


def _py7zr(folder: Path, out: Path) -> None:
    import py7zr  # noqa: PLC0415  # heavy, and needed here only

    with py7zr.SevenZipFile(out, "w") as made:
        for path in sorted(folder.rglob("*")):
            made.write(path, str(path.relative_to(folder)))


def _bsdtar(folder: Path, out: Path) -> None:
    subprocess.run(["bsdtar", "-a", "-cf", str(out), "."], cwd=folder, check=True)


MAKERS = [
    *(pytest.param(f"python-{level}.zip", _python(level), "zlib", id=f"python-zip-{level}") for level in (0, 1, 6, 9)),
    *(
        pytest.param(f"infozip-{level}.zip", _infozip(level), "", id=f"infozip-{level}", marks=needs_zip)
        for level in (1, 6, 9)
    ),
    *(
        pytest.param(
            f"7zip-{level}.zip", _sevenzip(f"-mx={level}"), "7zip-deflate", id=f"7zip-zip-{level}", marks=needs_7zip
        )
        for level in (1, 3, 5, 7, 9)
    ),
    *(
        pytest.param(
            f"7zip-{level}-{solid}.7z", _sevenzip(f"-mx={level}", f"-ms={solid}"), "7zip-lzma",
            id=f"7zip-7z-{level}-solid-{solid}", marks=needs_7zip,
        )
        for level in range(1, 10)
        for solid in ("on", "off")
    ),
    pytest.param("lzma.7z", _sevenzip("-m0=lzma"), "7zip-lzma:1", id="7zip-7z-lzma", marks=needs_7zip),
    pytest.param("deflate.7z", _sevenzip("-m0=deflate"), "7zip-deflate", id="7zip-7z-deflate", marks=needs_7zip),
    pytest.param("copy.7z", _sevenzip("-mx=0"), "store", id="7zip-7z-copy", marks=needs_7zip),
    pytest.param("py7zr.7z", _py7zr, "liblzma", id="py7zr"),
    pytest.param(
        "bsdtar.zip", _bsdtar, "zlib", id="bsdtar",
        marks=pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar is not installed"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "encoder"), MAKERS)
def test_the_very_file_comes_back(
    lake: Lake, folder: Path, tmp_path: Path, name: str, make: Make, encoder: str
) -> None:
    source = tmp_path / name
    make(folder, source)
    sample = source.stem
    # By name: some levels give equal files, and these are one version with several paths.
    assert not lake.ingest(source, exact="never", sample=sample).failed
    (row,) = lake.exact([sample])
    assert row.exact, row.exact_reason
    assert any(used.startswith(encoder) for used in row.encoders)
    assert row.bytes <= 0.05 * source.stat().st_size
    print(f"{name:18} {source.stat().st_size:8,} bytes, recipe {100 * row.bytes / source.stat().st_size:.2f} %")
    report = lake.pull(sample, tmp_path / "back" / name, exact=True)
    assert report.exact
    assert (tmp_path / "back" / name).read_bytes() == source.read_bytes()


@needs_7zip
@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_block_that_is_larger_than_what_is_tried(tmp_path: Path, level: int) -> None:
    """7-Zip's fast levels find other matches in the first part of a block, given that part alone."""
    inside = tmp_path / "source"
    inside.mkdir()
    for number in range(16):
        numbers = np.random.default_rng(number)
        (inside / f"{number}.xes").write_bytes(numbers.poisson(3000, 17 * 2049).astype("<u4").tobytes())
        (inside / f"{number}.qlw").write_bytes(numbers.poisson(300, 4095).astype("<f8").tobytes())
    _sevenzip(f"-mx={level}")(inside, tmp_path / "map.7z")
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(tmp_path / "map.7z", exact="never")
        (row,) = lake.exact(["map"])
        assert row.encoders == ["7zip-lzma:2:1:1048576:3:0:2:0" if level == 2 else "7zip-lzma:2:1:3145728:3:0:2:0"]


@needs_7zip
def test_the_real_archive_is_the_same_file_in_less_room(real_archive: Path, tmp_path: Path) -> None:
    home = tmp_path / "lake"
    with init(str(home)) as lake:
        (archive,) = lake.ingest(real_archive, exact="always").archives
        assert (archive.exact, archive.exact_reason) == (True, None)
        report = lake.pull(str(archive.sample), tmp_path / "back.plzip")
        assert report.exact
        assert report.sha256 == hashlib.sha256(real_archive.read_bytes()).hexdigest()
        assert (tmp_path / "back.plzip").read_bytes() == real_archive.read_bytes()
    stored = sum(path.stat().st_size for part in ("log", "packs", "manifests") for path in (home / part).rglob("*.*"))
    assert stored <= 0.70 * real_archive.stat().st_size


def test_the_life_of_a_recipe(folder: Path, tmp_path: Path) -> None:
    """Found at ingest, kept by the collector, copied with its archive; refused where it cannot serve."""
    source = tmp_path / "map.zip"
    _python(6)(folder, source)
    with init(str(tmp_path / "lake")) as lake, init(str(tmp_path / "other")) as other:
        lake.ingest(source, exact="always")
        lake.ingest(source, sample="second", exact="never")
        assert [(row.exact, row.exact_reason) for row in lake.ls()] == [
            (True, None), (False, 'it came in with exact="never"'),
        ]  # fmt: skip
        assert lake.show("map").exact
        lake.forget(["second"])
        lake.gc(grace="0")
        assert lake.verify(data=True).problems == []
        lake.copy_to(other)
        assert other.verify(data=True).problems == []
        for each in (lake, other):
            assert each.pull("map", tmp_path / "back.zip", force=True).exact
            assert (tmp_path / "back.zip").read_bytes() == source.read_bytes()
        with pytest.raises(NotFoundError, match="the source is a zip, and a 7z was requested") as caught:
            lake.pull("map", tmp_path / "map.7z", exact=True)
        assert caught.value.exit_code == 3
        assert not (tmp_path / "map.7z").exists()
        assert lake.pull("map", tmp_path / "level.zip", level=3).exact_reason == (
            "a level was given, and the source has its own"
        )


def test_a_recipe_is_not_believed_without_its_file(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "map.zip"
    _python(6)(folder, source)
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="never")
        source.write_bytes(source.read_bytes() + b"more")
        assert lake.exact(["map"])[0].exact_reason == f"{source} is another file by now"
        source.unlink()
        assert "not at" in str(lake.exact(["map"])[0].exact_reason)
        with pytest.raises(NotFoundError, match=r"exact=.never"):
            lake.pull("map", tmp_path / "back.zip", exact=True)


def test_a_search_that_fails_says_why_from_then_on(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "map.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_BZIP2) as made:
        made.write(folder / "data" / "0" / "xes.data", "xes.data")
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="never")
        (row,) = lake.exact(["map"])
        assert row.exact_reason == "no known encoder makes its packed data"
        assert lake.show("map").exact_reason == lake.ls()[0].exact_reason == row.exact_reason
        with pytest.raises(NotFoundError, match="no known encoder"):
            lake.pull("map", tmp_path / "back.zip", exact=True)
        commits = len(list(lake.log()))
        lake.exact(["map"])
        source.unlink()
        assert "not at" in str(lake.exact(["map"])[0].exact_reason)
        assert len(list(lake.log())) == commits, "nothing new was learnt"
        assert lake.verify(data=True).ok


def test_an_encoder_that_is_missing_at_the_pull(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a pull gives the members in a new container and says so; one that insists says why not."""
    if SEVENZIP is None:
        pytest.skip("7-Zip is not installed")
    source = tmp_path / "map.zip"
    _sevenzip("-mx=5")(folder, source)
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="always")
        monkeypatch.setattr(programs, "find_program", lambda _: None)
        report = lake.pull("map", tmp_path / "back.zip")
        assert not report.exact
        assert "7-Zip is not installed here" in str(report.exact_reason)
        with zipfile.ZipFile(source) as before, zipfile.ZipFile(tmp_path / "back.zip") as after:
            assert {name: before.read(name) for name in before.namelist()} == {
                name: after.read(name) for name in after.namelist()
            }
        with pytest.raises(NotFoundError, match="7-Zip is not installed here"):
            lake.pull("map", tmp_path / "other.zip", exact=True)
