"""The one-file reader on damaged lakes: it gives back what is whole, names what is not, and never a wrong byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_lakes import group, zip_of

from sxeslake import lake as lakes
from sxeslake.codecs import Pipeline, encode
from sxeslake.salvage import salvage

CONTENTS = {**group(1, 2), "empty": b"", "notes/x.txt": b"words " * 50}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of one archive, made once."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SXESLAKE_CACHE", str(folder / "cache"))
        with lakes.init(str(folder / "lake")) as lake:
            lake.ingest(zip_of(folder / "a.plzip", CONTENTS))
    return folder / "lake"


def restored(root: Path, out: Path) -> tuple[dict[str, bytes], list[str]]:
    """What the reader gets out of a lake, and what it has to say."""
    shutil.rmtree(out, ignore_errors=True)
    lake = salvage.FolderLake(root)
    lake.open()
    for version in lake.versions.values():
        try:
            salvage.restore(lake, version, out, as_zip=False)
        except salvage.DamagedBytes as error:
            lake.note(version.name, str(error))
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {path.partition("/")[2]: data for path, data in found.items()}, lake.damage


def test_a_whole_lake_comes_back(whole: Path, tmp_path: Path) -> None:
    assert restored(whole, tmp_path / "out") == (CONTENTS, [])


@pytest.mark.parametrize("folder", ["packs", "manifests", "log"])
def test_no_flipped_byte_makes_a_wrong_one(whole: Path, tmp_path: Path, folder: str) -> None:
    root = Path(shutil.copytree(whole, tmp_path / "lake"))
    for path in sorted(file for file in (root / folder).rglob("*") if file.is_file()):
        data = path.read_bytes()
        for at in sorted({*range(0, len(data), max(1, len(data) // 25)), len(data) - 1, len(data) - 30}):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x08]) + data[at + 1 :])
            found, damage = restored(root, tmp_path / "out")
            wrong = [name for name, content in found.items() if content != CONTENTS.get(name)]
            assert wrong == [], f"{path.name}, byte {at}"
            assert damage or found == CONTENTS, (
                f"{path.name}, byte {at}: {CONTENTS.keys() - found.keys()} lost in silence"
            )
        path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"archives":', b'"archives":5,"x":'),
        lambda text: text.replace(b'"manifests":', b'"manifests":[{}],"x":'),
        lambda text: text.replace(b'"manifest":"', b'"manifest":"../../'),
        lambda text: text.replace(b'"first_group":0', b'"first_group":99'),
        lambda text: text.replace(b'"groups":1', b'"groups":"x"'),
        lambda text: b"",
        lambda text: b"[]",
        lambda text: text[:-9],
    ],
)
def test_hostile_entries_end_in_words(whole: Path, tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    root = Path(shutil.copytree(whole, tmp_path / "lake"))
    (path,) = (root / "log").glob("*.json")
    path.write_bytes(change(path.read_bytes()))
    lake = salvage.FolderLake(root)
    lake.open()
    for version in lake.versions.values():
        try:
            salvage.restore(lake, version, tmp_path / "out", as_zip=True)
        except (salvage.DamagedBytes, *salvage.HOSTILE) as error:
            lake.note(version.name, str(error))
    assert lake.damage
    assert sorted(entry.name for entry in tmp_path.iterdir()) in (["lake"], ["lake", "out"])


@pytest.mark.parametrize(
    "descriptor",
    [
        "raw",
        "zstd:3",
        "pco:u4:8:d0",
        "pco:f8:4",
        "pco:i2:8:d1:c4",
        "delta=4x5|raw",
        "transpose=2x7|raw",
        "delta=1x3|zstd:1",
        "head=12|tail=12|delta=4x2049|pco:i4:8:d0",
        "head=100|delta=4x9|transpose=4x9|pco:u4:6:v1:c3",
        "tail=70|raw",
        "head=3|tail=200|sums=4x50|pco:u4:4",
        "tail=9|sums=1x3|delta=2x4|raw",
    ],
)
@pytest.mark.parametrize("size", [0, 1, 10, 77, 4096, 40_001])
def test_every_pipeline_is_decoded(descriptor: str, size: int) -> None:
    raw = bytes((number * number // 7) % 251 for number in range(size))
    payload = encode(Pipeline.parse(descriptor), raw)
    assert salvage.decode(descriptor, payload, size) == raw


@pytest.mark.parametrize("descriptor", ["", "lz4", "delta=3x1|raw", "xor|raw", "raw|raw"])
def test_an_unknown_pipeline_is_damage(descriptor: str) -> None:
    with pytest.raises(salvage.DamagedBytes, match="nothing is known"):
        salvage.decode(descriptor, b"abcd", 4)


def test_a_name_that_the_disk_cannot_hold_is_said_and_the_rest_comes_back(tmp_path: Path) -> None:
    long = f"2-{'n' * 260}.txt"
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", {"1.txt": b"1", long: b"2", "3.txt": b"3", f"{'d' * 300}/4": b"4"}))
    found, damage = restored(tmp_path / "lake", tmp_path / "out")
    assert found == {"1.txt": b"1", "3.txt": b"3"}
    assert [line for line in damage if long in line]
    assert all("cannot hold" in line for line in damage)
    assert len(damage) == 2
    reader = salvage.FolderLake(tmp_path / "lake")
    reader.open()
    assert salvage.restore(reader, next(iter(reader.versions.values())), tmp_path / "zipped", as_zip=True) == 0


@given(st.sets(st.text(min_size=1, max_size=300), min_size=2, max_size=5))
def test_no_two_versions_share_a_folder(names: set[str]) -> None:
    made = {salvage.file_name(f"{name}@1") for name in names}
    assert len(made) == len(names)
    for name in made:
        assert len(name.encode()) <= 255
        assert "/" not in name
        assert not name.startswith(".")
    assert salvage.file_name("2019/map@1") != salvage.file_name("2019_map@1")
