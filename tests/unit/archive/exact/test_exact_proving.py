"""From a file to its recipe and back: containers of this process's own encoders, mixed tools, and what resists."""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from sxeslake.archive.container import create_writer, open_container
from sxeslake.archive.exact import programs, skeleton, trial
from sxeslake.archive.exact.proving import FREE_BYTES, MAX_COST, Proved, Terms, prove
from sxeslake.archive.exact.rebuild import rebuild
from sxeslake.archive.exact.recipe import Column
from sxeslake.errors import InputError, LimitExceededError, UnsupportedMethodError
from sxeslake.model import Member


def _noise(seed: int, count: int) -> bytes:
    return np.random.default_rng(seed).poisson(40, count).astype("<u4").tobytes()


CONTENTS = {
    "metadata.json": b'{"analyses": []}',
    "data/1/xes.data": _noise(1, 6_000),
    "data/1/qlw.data": _noise(2, 4_000),
    "empty": b"",
    "data/2/xes.data": _noise(3, 6_000),
    "big.bin": _noise(4, 3_000) * 360,  # more than the writers hold whole
}


def proved(path: Path, terms: Terms | None = None) -> tuple[Proved, bytes]:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    out = io.BytesIO()
    with open_container(path) as container:
        return prove(container, path, sha256, out, terms or Terms()), out.getvalue()


def rebuilt(path: Path, recipe: bytes) -> bytes:
    out = io.BytesIO()
    with open_container(path) as container:

        def contents(members: Column) -> Iterator[Iterable[bytes]]:
            for member in members.tolist():
                data = container.read(member)
                yield [data[:1000], data[1000:]]  # parts may come in any size

        rebuild(io.BytesIO(recipe), contents, out, where="here")
    return out.getvalue()


def python_zip(path: Path, level: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED, compresslevel=level) as made:
        for name, data in CONTENTS.items():
            made.writestr(name, data)
        made.comment = b"a comment"
    return path


def own_archive(path: Path, level: int) -> Path:
    container = "zip" if path.suffix == ".zip" else "7z"
    with path.open("wb") as file:
        writer = create_writer(file, "zip" if container == "zip" else "7z", level=level)
        for name, data in CONTENTS.items():
            writer.add(Member(name, "file", len(data)), [data])
        writer.close()
    return path


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_a_zip_from_python_is_made_again(tmp_path: Path, level: int) -> None:
    path = python_zip(tmp_path / "python.zip", level)
    found, recipe = proved(path)
    assert rebuilt(path, recipe) == path.read_bytes()
    assert len(recipe) == found.size < 0.05 * path.stat().st_size
    assert found.residue_bytes == 0


def stating(path: Path, version: int) -> Path:
    """The same zip, whose directory states another version of the format for what made it."""
    data = path.read_bytes()
    for place in re.finditer(rb"PK\x01\x02", data):
        data = data[: place.end()] + bytes([version]) + data[place.end() + 1 :]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("version", [20, 63])
def test_what_a_zip_states_of_its_writer_only_says_where_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    path = stating(python_zip(tmp_path / "python.zip", 6), version)
    tried: list[str] = []

    def told(name: str) -> Callable[[Sequence[trial.Sample]], object]:
        whole = getattr(trial, name)

        def trials(samples: Sequence[trial.Sample]) -> object:
            tried.append(name)
            return whole(samples)

        return trials

    for name in ("_in_process", "_in_programs"):
        monkeypatch.setattr(trial, name, told(name))
    found, recipe = proved(path)
    assert rebuilt(path, recipe) == path.read_bytes()
    assert {spec.partition(":")[0] for spec in found.encoders} <= {"zlib", "store"}
    assert tried[0] == ("_in_programs" if version == 63 else "_in_process")


@pytest.mark.parametrize(
    ("name", "level"),
    [
        *((f"own.{container}", level) for container in ("zip", "7z") for level in (0, 1, 3)),
        ("own.zip", 5),
        pytest.param("own.7z", 5, marks=pytest.mark.slow),
    ],
)
def test_our_own_archives_are_made_again(tmp_path: Path, name: str, level: int) -> None:
    path = own_archive(tmp_path / name, level)
    found, recipe = proved(path)
    assert rebuilt(path, recipe) == path.read_bytes()
    assert found.residue_bytes == 0


def test_a_zip_that_two_tools_wrote_to(tmp_path: Path) -> None:
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as made:
        for number, (name, data) in enumerate(CONTENTS.items()):
            made.writestr(name, data, zipfile.ZIP_DEFLATED, compresslevel=9 if number % 2 else 2)
    found, recipe = proved(path)
    assert rebuilt(path, recipe) == path.read_bytes()
    assert {"zlib:9:8:0", "zlib:2:8:0"} <= set(found.encoders)


def test_what_stands_before_and_behind_the_zip_comes_back(tmp_path: Path) -> None:
    plain = python_zip(tmp_path / "plain.zip", 6).read_bytes()
    path = tmp_path / "program.zip"
    path.write_bytes(b"MZ a program that unpacks itself" * 20 + plain)
    assert rebuilt(path, proved(path)[1]) == path.read_bytes()


def foreign_zip(path: Path) -> Path:
    """A zip by an encoder that nobody has: full flushes at odd places."""
    data = _noise(9, 8_000)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    cut = random.Random(5).randrange(1000, 30_000)
    packed = (
        packer.compress(data[:cut]) + packer.flush(zlib.Z_FULL_FLUSH) + packer.compress(data[cut:]) + packer.flush()
    )
    python = io.BytesIO()
    with zipfile.ZipFile(python, "w", zipfile.ZIP_STORED) as made:
        made.writestr(zipfile.ZipInfo("x.data", (2020, 1, 1, 0, 0, 0)), packed)
    raw = bytearray(python.getvalue())
    for magic, method, crc in ((b"PK\x03\x04", 8, 14), (b"PK\x01\x02", 10, 16)):
        at = raw.index(magic)
        raw[at + method] = 8
        raw[at + crc : at + crc + 4] = zlib.crc32(data).to_bytes(4, "little")
        raw[at + crc + 8 : at + crc + 12] = len(data).to_bytes(4, "little")
    path.write_bytes(raw)
    return path


def test_an_unknown_encoder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMethodError, match="no known encoder"):
        proved(foreign_zip(tmp_path / "foreign.zip"))


def test_what_resists_is_kept_as_it_is_when_that_is_asked_for(tmp_path: Path) -> None:
    path = foreign_zip(tmp_path / "foreign.zip")
    found, recipe = proved(path, Terms(any_cost=True))
    assert rebuilt(path, recipe) == path.read_bytes()
    assert found.residue_bytes > 0.9 * path.stat().st_size


def test_no_time_is_said(tmp_path: Path) -> None:
    with pytest.raises(LimitExceededError, match="too long"):
        proved(python_zip(tmp_path / "python.zip", 6), Terms(seconds=-1))


def test_a_recipe_for_software_that_is_not_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = python_zip(tmp_path / "python.zip", 6)
    recipe = proved(path)[1].replace(b'"zlib:6:8:0"', b'"infozip:6" ')
    monkeypatch.setattr(programs, "find_program", lambda _: None)
    with pytest.raises(UnsupportedMethodError, match="Info-ZIP's zip is not installed here"):
        rebuilt(path, recipe)


def test_an_encoder_that_gives_other_bytes_is_found_out(tmp_path: Path) -> None:
    path = python_zip(tmp_path / "python.zip", 6)
    recipe = proved(path)[1].replace(b'"zlib:6:8:0"', b'"zlib:4:8:0"')
    with pytest.raises(UnsupportedMethodError, match="do not give the source's bytes") as caught:
        rebuilt(path, recipe)
    assert "zlib" in str(caught.value.hint)


def test_a_folder_has_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_container(tmp_path) as container, pytest.raises(InputError, match="no bytes of its own"):
        prove(container, tmp_path, "", io.BytesIO(), Terms())


def test_what_is_only_stored_is_always_quick(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in CONTENTS.items():
            archive.writestr(name, content)
    found, recipe = proved(path, Terms(seconds=0))
    assert found.encoders == ("store",)
    assert rebuilt(path, recipe) == path.read_bytes()


def test_without_time_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", CONTENTS["data/1/xes.data"])
    monkeypatch.setattr(trial, "choose", lambda *_: pytest.fail("an encoder was tried"))
    with pytest.raises(LimitExceededError):
        proved(path, Terms(seconds=0))


def test_local_headers_are_looked_at_a_stretch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeleton, "_MAPPED_BYTES", 1)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}", _noise(number, 3_000))
    _, recipe = proved(path)
    assert rebuilt(path, recipe) == path.read_bytes()


EMPTY_UNITS: dict[str, list[tuple[str, bytes, int]]] = {
    "all are empty": [("a", b"", zipfile.ZIP_DEFLATED), ("b", b"", zipfile.ZIP_DEFLATED)],
    "empty beside stored": [("a", b"", zipfile.ZIP_DEFLATED), ("b", b"picture", zipfile.ZIP_STORED)],
    "empty beside packed": [("a", b"", zipfile.ZIP_DEFLATED), ("b", b"text " * 900, zipfile.ZIP_DEFLATED)],
    "no member": [],
}


@pytest.mark.parametrize("seconds", [60.0, float("inf")])
@pytest.mark.parametrize("case", EMPTY_UNITS)
def test_packed_members_of_no_bytes_come_back(tmp_path: Path, case: str, seconds: float) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name, data, method in EMPTY_UNITS[case]:
            made.writestr(name, data, method)
    found, recipe = proved(path, Terms(seconds=seconds))
    assert found.size <= FREE_BYTES
    assert rebuilt(path, recipe) == path.read_bytes()


def test_a_short_recipe_is_kept_though_it_is_a_large_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("a", b"x")
    found, recipe = proved(path)
    assert MAX_COST * path.stat().st_size < found.size <= FREE_BYTES
    assert rebuilt(path, recipe) == path.read_bytes()
