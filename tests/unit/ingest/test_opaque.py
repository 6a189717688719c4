"""What cannot be taken apart is kept whole, comes back bit for bit, and is taken apart by a version that can."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import sxeslake
from sxeslake.archive.exact import programs
from sxeslake.archive.sevenzip import reader as sevenzip_reader
from sxeslake.archive.sevenzip.format import FolderCoder, FolderCoders
from sxeslake.archive.sevenzip.writer import SevenZipWriter
from sxeslake.model import Member


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sxeslake.Lake:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sxeslake.init(str(tmp_path / "lake"))


def _zip_with(name: str = "a.csv", flag: int = 0, method: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"data")
    data = bytearray(out.getvalue())
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= flag
        data[at + 2] = method
    return bytes(data)


KEPT = {
    "encrypted": (_zip_with(flag=1), "encrypted"),
    "unknown method": (_zip_with(method=97), "WavPack"),
    "unsafe name": (_zip_with("../evil"), "leaves its folder"),
}
DAMAGED = {"truncated": _zip_with()[:-30], "no archive": b"text" * 9}


@pytest.mark.parametrize("kind", KEPT)
def test_kept_whole_with_the_reason(lake: sxeslake.Lake, tmp_path: Path, kind: str) -> None:
    data, reason = KEPT[kind]
    source = tmp_path / "x.zip"
    source.write_bytes(data)
    assert lake.ingest(source, opaque="never").archives[0].status == "failed"
    report = lake.ingest(source)
    assert [(row.status, row.kind) for row in report.archives] == [("added", "opaque")]
    assert not report.failed
    assert any(reason in warning for warning in lake.show("x").warnings)
    assert [row.kind for row in lake.ls()] == ["opaque"]
    assert [row.status for row in lake.audit([source])] == ["stored"]
    assert lake.ingest(source).archives[0].status == "unchanged"
    assert lake.pull("x", tmp_path / "out.zip", exact=False).exact
    assert (tmp_path / "out.zip").read_bytes() == data
    lake.pull("x", tmp_path / "folder", container="folder")
    assert (tmp_path / "folder/x.zip").read_bytes() == data
    assert lake.verify(data=True).ok


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_kept_only_when_asked(lake: sxeslake.Lake, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "x.zip"
    source.write_bytes(DAMAGED[kind])
    assert lake.ingest(source).failed
    assert lake.ingest(source, opaque="always").archives[0].kind == "opaque"
    lake.pull("x", tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == DAMAGED[kind]


needs_7zip = pytest.mark.skipif(programs.find_program("7-Zip") is None, reason="7-Zip is not installed")


@needs_7zip
@pytest.mark.parametrize("method", ["BCJ2", "ARM64", "RISCV", "Swap4"])
def test_what_only_7zip_decodes(
    lake: sxeslake.Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    program = programs.find_program("7-Zip")
    inside = tmp_path / "in"
    inside.mkdir()
    shutil.copy(shutil.which("true") or "/bin/true", inside / "program")
    (inside / "text").write_bytes(b"text")
    chain = ["-m0=BCJ2", "-m1=LZMA", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"]
    chain = chain if method == "BCJ2" else [f"-m0={method}", "-m1=LZMA2"]
    subprocess.run(
        [str(program), "a", *chain, str(tmp_path / "x.7z"), "."], cwd=inside, check=True, capture_output=True
    )
    monkeypatch.setattr(programs, "find_program", lambda _: None)
    assert lake.ingest(tmp_path / "x.7z").archives[0].kind == "opaque"
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive = lake.ingest(tmp_path / "x.7z").archives[0]
    assert (archive.kind, archive.version) == ("generic", 2)
    for name in ("program", "text"):
        assert lake.read("x", name) == (inside / name).read_bytes()
    with sevenzip_reader.SevenZipReader(tmp_path / "x.7z") as reader:
        found = {member.path: reader.read(at) for at, member in enumerate(reader.members) if member.kind == "file"}
    assert found == {name: (inside / name).read_bytes() for name in ("program", "text")}


@needs_7zip
def test_what_7zip_does_not_decode_either_is_kept_whole_and_named(lake: sxeslake.Lake, tmp_path: Path) -> None:
    with (tmp_path / "x.7z").open("wb") as out:
        writer = SevenZipWriter(out, level=0)
        writer._method = writer._method._replace(recipe=lambda _: FolderCoders((FolderCoder(b"\x04\xf7\x11\x05"),)))
        writer.add(Member("a", "file", 4), [b"data"])
        writer.close()
    (archive,) = lake.ingest(tmp_path / "x.7z").archives
    assert archive.kind == "opaque"
    assert "LZ5 is not supported; 7-Zip cannot read it either" in archive.warnings[0]


def test_another_encoding_is_another_version(lake: sxeslake.Lake, tmp_path: Path) -> None:
    source = tmp_path / "x.zip"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("12345.txt", b"data")
    raw = "表面".encode("cp932") + b"1.txt"
    source.write_bytes(out.getvalue().replace(b"12345.txt", raw))
    first = lake.ingest(source).archives[0]
    assert [member.path for member in lake.members("x")] == ["表面1.txt"]
    assert any("cp932" in warning for warning in first.warnings)
    assert lake.ingest(source).archives[0].status == "unchanged"
    second = lake.ingest(source, encoding="cp437").archives[0]
    assert (second.status, second.version) == ("added", 2)
    assert lake.ingest(source, encoding="cp437").archives[0].status == "unchanged"
    lake.pull("x@1", tmp_path / "out.zip", exact=False)
    assert raw in (tmp_path / "out.zip").read_bytes()


def test_a_folder_is_taken_without_what_cannot_be_read(lake: sxeslake.Lake, tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"1")
    (folder / "link").symlink_to("a.csv")
    os.mkfifo(folder / "pipe")
    report = lake.ingest(folder, tree=True)
    assert report.archives[0].status == "added"
    assert report.failed
    assert [text.split(":")[0] for text in report.archives[0].left_out] == ["pipe"]
    lake.pull("tree", tmp_path / "out", container="folder")
    assert (tmp_path / "out/link").readlink() == Path("a.csv")
    assert lake.sync("tree", str(tmp_path / "out")).added == 0
    assert [row.status for row in lake.audit([folder], tree=True)] != ["stored"]
