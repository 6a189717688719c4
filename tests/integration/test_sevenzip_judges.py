"""Judges who did not write our code: 7-Zip, p7zip, bsdtar and py7zr open what we write; we read what they write."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import py7zr
import pytest

from sxeslake.archive.attributes import is_link
from sxeslake.archive.sevenzip.reader import SevenZipReader
from sxeslake.archive.sevenzip.writer import SevenZipWriter
from sxeslake.errors import EncryptedArchiveError
from sxeslake.model import MIB, Member

NOON = 1_700_000_000_123_456_700
CONTENTS: dict[str, bytes | None] = {
    "metadata.json": b'{"projects":[]}',
    "data/a/xes.data": random.Random(1).randbytes(70_000) + bytes(69_332),
    "data/a/qlw.data": random.Random(2).randbytes(32_760),
    "data/a/empty.data": b"",
    "data": None,
    "empty folder": None,
    "測定/ümlaut 炭素.json": b'{"comment":"C K"}' * 50,
    "large.bin": random.Random(3).randbytes(1 << 16) * 96,  # 6 MiB: larger than any deflate block
    "tail": b"x",
}
WRITERS = [name for name in ("7zz", "7z", "7za", "7zr") if shutil.which(name)]


def seven_zip() -> str:
    if not WRITERS:
        pytest.skip("7-Zip is not installed: apt-get install 7zip (or p7zip-full)")
    return WRITERS[0]


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a judge; its words are shown where it objects."""
    done = subprocess.run(command, capture_output=True, check=False, cwd=cwd, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, (command, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def tree(root: Path) -> dict[str, bytes | None]:
    """What stands below a folder: files' bytes, None for a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


def with_parents(contents: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """Also the folders that exist because something is in them."""
    parents = {parent.as_posix(): None for path in contents for parent in Path(path).parents if parent.name}
    return {**parents, **contents}


@pytest.fixture(scope="module", params=[0, 1, 3, 4, 9], ids=lambda level: f"level{level}")
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of ours."""
    path = tmp_path_factory.mktemp("written") / "x.7z"
    with path.open("wb") as out:
        writer = SevenZipWriter(out, level=request.param)
        for name, data in CONTENTS.items():
            member = Member(name, "directory" if data is None else "file", len(data or b""), NOON)
            writer.add(member, () if data is None else (data,))
        for index in range(800):  # enough to pack the header
            writer.add(Member(f"many/{index:05}.json", "file", 20, NOON, 0x20), (b"%020d" % index,))
        writer.close()
    return path


def expected() -> dict[str, bytes | None]:
    return with_parents({**CONTENTS, **{f"many/{index:05}.json": b"%020d" % index for index in range(800)}})


@pytest.mark.parametrize("judge", ["7zz", "7z", "7za"])
def test_7zip_tests_and_extracts_it(judge: str, written: Path, tmp_path: Path) -> None:
    if not shutil.which(judge):
        pytest.skip(f"{judge} is not installed: apt-get install 7zip p7zip-full")
    run(judge, "t", written)
    run(judge, "x", f"-o{tmp_path}", written)
    assert tree(tmp_path) == expected()
    assert {path.stat().st_mtime_ns // 100 * 100 for path in tmp_path.rglob("*.json")} == {NOON}


def test_bsdtar_extracts_it(written: Path, tmp_path: Path) -> None:
    if not shutil.which("bsdtar"):
        pytest.skip("bsdtar is not installed: apt-get install libarchive-tools")
    run("bsdtar", "-xf", written, "-C", tmp_path)
    assert tree(tmp_path) == expected()


def test_py7zr_extracts_it(written: Path, tmp_path: Path) -> None:
    # given a file, it works in one thread; its threads leave files open, which is a warning, and that an error
    with written.open("rb") as file, py7zr.SevenZipFile(file) as archive:
        archive.extractall(tmp_path)
    assert tree(tmp_path) == expected()


OPTIONS = {
    "default": (),
    "not solid": ("-ms=off",),
    "small blocks": ("-ms=64k",),
    "plain header": ("-mhc=off",),
    "copy": ("-mx0",),
    "lzma": ("-m0=lzma",),
    "ppmd": ("-m0=ppmd",),
    "bzip2": ("-m0=bzip2", "-mmt4"),
    "deflate": ("-m0=deflate",),
    "deflate64": ("-m0=deflate64",),
    "delta+lzma2": ("-m0=delta:4", "-m1=lzma2"),
    "delta+deflate": ("-m0=delta:4", "-m1=deflate"),
    "delta+ppmd": ("-m0=delta:8", "-m1=ppmd"),
    "bcj+lzma": ("-m0=bcj", "-m1=lzma"),
    "ia64+lzma": ("-m0=ia64", "-m1=lzma"),
    "armt+bzip2": ("-m0=armt", "-m1=bzip2"),
    "bcj+delta+lzma2": ("-m0=bcj", "-m1=delta:2", "-m2=lzma2"),
    "all times": ("-mtc=on", "-mta=on"),
    "without times": ("-mtm=off",),
    "many threads": ("-m0=lzma2:d=1m:c=4m", "-mmt4"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_7zip_writes_is_read_equal(options: tuple[str, ...], tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "x.7z"
    for name, data in CONTENTS.items():
        target = source / name
        (target if data is None else target.parent).mkdir(parents=True, exist_ok=True)
        if data is not None:
            target.write_bytes(data)
            os.utime(target, ns=(NOON, NOON))
    run(seven_zip(), "a", *options, path, ".", cwd=source)
    with SevenZipReader(path) as reader:
        found: dict[str, bytes | None] = {
            member.path: None if member.kind == "directory" else b"" for member in reader.members
        }
        for job in reader.jobs(MIB):
            for piece in job():
                held = found[reader.members[piece.member].path]
                assert held is not None
                assert len(held) == piece.offset
                found[reader.members[piece.member].path] = held + piece.data
        times = {member.modified_ns for member in reader.members if member.kind == "file"}
        for index in reversed(range(len(reader.members))):
            assert reader.read(index) == (found[reader.members[index].path] or b"")
    found.pop(".", None)
    assert found == with_parents(CONTENTS)
    assert times == ({None} if options == ("-mtm=off",) else {NOON})


@pytest.mark.parametrize("header", ["-mhe=off", "-mhe=on"])
def test_encryption_by_7zip_is_said(header: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    run(seven_zip(), "a", "-psecret", header, tmp_path / "x.7z", tmp_path / "a")
    with pytest.raises(EncryptedArchiveError):
        SevenZipReader(tmp_path / "x.7z")


PASSWORD = "Gips & Spülung 石膏"


@pytest.mark.parametrize("level", [0, 1, 5])
@pytest.mark.parametrize("judge", ["7zz", "7z", "7za"])
def test_7zip_opens_what_is_encrypted_here_and_lists_no_name_without_the_password(
    judge: str, level: int, tmp_path: Path
) -> None:
    if not shutil.which(judge):
        pytest.skip(f"{judge} is not installed: apt-get install 7zip p7zip-full")
    path = tmp_path / "x.7z"
    with path.open("wb") as out:
        writer = SevenZipWriter(out, level=level, password=PASSWORD)
        for name, data in CONTENTS.items():
            member = Member(name, "directory" if data is None else "file", len(data or b""), NOON)
            writer.add(member, () if data is None else (data,))
        writer.close()
    run(judge, "x", f"-p{PASSWORD}", f"-o{tmp_path / 'out'}", path)
    assert tree(tmp_path / "out") == with_parents(CONTENTS)
    for command in ("l", "t"):
        done = subprocess.run([judge, command, "-pwrong", str(path)], capture_output=True, check=False)
        assert done.returncode != 0
        assert b"metadata" not in done.stdout


@pytest.mark.parametrize("header", ["-mhe=off", "-mhe=on"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_7zip_encrypts_is_read_equal(options: tuple[str, ...], header: str, tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "x.7z"
    files = {name: data for name, data in CONTENTS.items() if data is not None}
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    run(seven_zip(), "a", *options, header, f"-p{PASSWORD}", path, ".", cwd=source)
    with SevenZipReader(path, passwords=["wrong", PASSWORD]) as reader:
        members = list(reader.members)
        found = {member.path: reader.read(place) for place, member in enumerate(members) if member.kind == "file"}
    assert found == files
    with pytest.raises(EncryptedArchiveError, match="wrong password, or damaged"):
        SevenZipReader(path, passwords=["wrong"])


def test_what_only_7zip_decodes_is_decrypted_by_it_too(tmp_path: Path) -> None:
    chain = ["-m0=BCJ2", "-m1=LZMA", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"]
    data = Path(shutil.which("true") or "/bin/true").read_bytes()
    (tmp_path / "program").write_bytes(data)
    run(seven_zip(), "a", *chain, "-psecret", tmp_path / "x.7z", tmp_path / "program")
    with SevenZipReader(tmp_path / "x.7z", passwords=["wrong", "secret"]) as reader:
        assert reader.read(0) == data
    with (
        SevenZipReader(tmp_path / "x.7z", passwords=["wrong"]) as reader,
        pytest.raises(EncryptedArchiveError, match="wrong password"),
    ):
        reader.read(0)
    with pytest.raises(EncryptedArchiveError, match="is encrypted"):
        SevenZipReader(tmp_path / "x.7z")


@pytest.mark.parametrize("method", ["LZMA2", "ARM64"])
def test_an_archive_of_which_a_part_is_encrypted(method: str, tmp_path: Path) -> None:
    chain = ["-m0=LZMA2"] if method == "LZMA2" else [f"-m0={method}", "-m1=LZMA2"]
    contents = {"open": b"open" * 500, "locked": b"locked" * 500}
    for (name, data), words in zip(contents.items(), (chain, ["-m0=LZMA2", "-psecret"]), strict=True):
        (tmp_path / name).write_bytes(data)
        run(seven_zip(), "a", *words, tmp_path / "x.7z", tmp_path / name)
    with SevenZipReader(tmp_path / "x.7z", passwords=["wrong", "secret"]) as reader:
        assert {member.path: reader.read(place) for place, member in enumerate(reader.members)} == contents
    with pytest.raises(EncryptedArchiveError, match="is encrypted"):
        SevenZipReader(tmp_path / "x.7z")


def test_a_symbolic_link_by_7zip_is_a_member_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    run(seven_zip(), "a", "-snl", tmp_path / "x.7z", tmp_path / "a")
    with SevenZipReader(tmp_path / "x.7z") as reader:
        (member,) = reader.members
        assert (member.path, reader.read(0)) == ("a", b"b")
        assert is_link(member.attributes, member.size)
