"""`sxeslake://`: what fsspec and its users ask of a file system, asked of a lake."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from support.lake_files import LARGE, TABLE, make_lake, names_in
from support.small_lakes import group, zip_of

from sxeslake.filesystem import LakeFileSystem
from sxeslake.lake import open_lake
from sxeslake.vault.blobs.reader import BlobReader


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_lake(tmp_path_factory.mktemp("files"))


@pytest.fixture
def fs(url: str) -> Any:
    made = fsspec.filesystem("sxeslake", lake=url, skip_instance_cache=True)
    yield made
    made.lake.close()


def test_fsspec_finds_it_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, fsspec; kind = fsspec.get_filesystem_class('sxeslake'); kind(lake='x'); "
        "heavy = {'numpy', 'pyarrow', 'duckdb', 's3fs', 'botocore', 'aiohttp', 'blake3'} & set(sys.modules); "
        "sys.exit(f'{kind} {heavy}' if heavy or kind.__name__ != 'LakeFileSystem' else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_looking_around(fs: Any) -> None:
    assert fs.ls("", detail=False) == ["2019", "t"]
    assert fs.ls("sxeslake://2019/", detail=False) == ["2019/map"]
    assert fs.ls("2019/map", detail=False) == ["2019/map/data", "2019/map/metadata.json"]
    assert len(fs.ls("2019/map@1/data")) == 3
    assert len(fs.ls("2019/map@paper/data")) == 3
    assert len(fs.ls("2019/map/data")) == 4
    assert fs.ls("t/sub/table.csv", detail=False) == ["t/sub/table.csv"]
    assert (fs.isdir("2019"), fs.isdir("t@1"), fs.isdir("t/sub"), fs.isfile("t/empty")) == (True,) * 4
    info = fs.info("t/sub/table.csv")
    assert (info["size"], info["type"], info["version"]) == (len(TABLE), "file", "t@1")
    assert fs.modified("t/sub/table.csv") == info["mtime"] == fs.created("t")  # a zip's own clock has no zone
    assert fs.created("t") <= datetime.now(UTC)
    assert fs.ukey("2019/map@1/metadata.json") == fs.ukey("2019/map@2/metadata.json") != fs.ukey("t/empty")


def test_find_and_glob(fs: Any) -> None:
    assert fs.find("t") == sorted(["t/Größe/日本.txt", "t/empty", "t/large.bin", "t/sub/table.csv"])
    assert fs.find("t/sub") == ["t/sub/table.csv"]
    assert fs.find("t/empty") == ["t/empty"]
    assert fs.find("t/su") == []
    assert len(fs.find("")) == len(fs.find("t")) + len(fs.find("2019/map"))
    assert len(fs.glob("2019/map@1/data/*/xes.data")) == 3
    assert len(fs.glob("sxeslake://2019/*/**/info.json")) == 4
    assert fs.glob("t/*.bin") == ["t/large.bin"]
    assert set(fs.find("t", withdirs=True)) == {"t", "t/Größe", "t/sub", *fs.find("t")}
    found = fs.find("t", detail=True)
    assert {name: fs.info(name) for name in found} == found


def test_parts_of_files(fs: Any) -> None:
    assert fs.cat_file("t/sub/table.csv") == TABLE.encode()
    assert fs.cat_file("t/sub/table.csv", 2, 5) == TABLE.encode()[2:5]
    assert fs.cat_file("t/sub/table.csv", -5) == TABLE.encode()[-5:]
    assert fs.cat_file("t/sub/table.csv", 5, -7) == TABLE.encode()[5:-7]
    assert fs.cat_file("t/sub/table.csv", 9, 3) == b""
    assert fs.cat_file("t/empty") == b""
    assert fs.cat_file("t/large.bin", 4_194_300, 8_388_700) == LARGE[4_194_300:8_388_700]
    assert fs.head("t/large.bin", 10) == LARGE[:10]
    assert fs.tail("t/large.bin", 10) == LARGE[-10:]
    both = fs.cat(["t/empty", "t/Größe/日本.txt"])
    assert both == {"t/empty": b"", "t/Größe/日本.txt": b"25"}


def test_ranges_of_many_files_are_fetched_together(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = fs.glob("2019/map@1/data/*/xes.data")
    whole = [fs.cat_file(path) for path in paths]
    asked: list[int] = []
    fetch = BlobReader.fetch

    def counting(self: BlobReader, blobs: Any, **how: bool) -> list[bytes]:
        asked.append(len(blobs))
        return fetch(self, blobs, **how)

    monkeypatch.setattr(BlobReader, "fetch", counting)
    assert fs.cat_ranges(paths, 3, [10, -4, None]) == [whole[0][3:10], whole[1][3:-4], whole[2][3:]]
    assert asked == [3]
    mixed = fs.cat_ranges([paths[0], "t/none", "t.zip", "t/sub"], 0, 4)
    assert (mixed[0], mixed[2]) == (whole[0][:4], b"PK\3\4")
    assert isinstance(mixed[1], FileNotFoundError)
    assert isinstance(mixed[3], IsADirectoryError)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["t/none"], 0, 4, on_error="raise")
    with pytest.raises(ValueError, match="as many"):
        fs.cat_ranges(["t/empty"], [1, 2], [3])


@pytest.mark.parametrize("path", ["none", "t/none", "t@7/empty", "t@none/empty", "2019/none/x", "none.plzip"])
def test_what_is_not_there(fs: Any, path: str) -> None:
    for ask in (fs.info, fs.ls, fs.cat_file, fs.open):
        with pytest.raises(FileNotFoundError):
            ask(path)
    assert not fs.exists(path)


def test_folders_have_no_bytes_and_7z_is_not_made(fs: Any) -> None:
    for path in ("", "2019", "t", "t/sub"):
        with pytest.raises(IsADirectoryError):
            fs.cat_file(path)
    with pytest.raises(FileNotFoundError, match=r"as zip only: NAME@V\.plzip"):
        fs.open("t.pl7z")


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "xb"])
def test_nothing_is_written(fs: Any, mode: str) -> None:
    with pytest.raises(OSError, match="read-only"):
        fs.open("t/new", mode)


def test_an_open_file_is_a_file(fs: Any) -> None:
    with fs.open("t/sub/table.csv") as file:
        assert (file.size, file.tell(), file.readable(), file.seekable(), file.writable()) == (
            len(TABLE), 0, True, True, False,
        )  # fmt: skip
        assert file.readline() == b"a,b\n"
        assert file.read(3) == b"0,0"
        assert file.seek(-4, io.SEEK_END) == len(TABLE) - 4
        assert file.read() == TABLE.encode()[-4:]
        assert file.read(5) == b""
        assert file.seek(2) == 2
        assert file.seek(3, io.SEEK_CUR) == 5
        buffer = bytearray(6)
        assert (file.readinto(buffer), bytes(buffer)) == (6, TABLE.encode()[5:11])
        assert file.read1(2) == TABLE.encode()[11:13]
        assert file.read_at(0, 3) == b"a,b"
        assert file.tell() == 13
        assert file.seek(10**9) == 10**9
        assert file.read() == b""
        with pytest.raises(OSError, match="before the file's beginning"):
            file.seek(-1)
        assert file.info()["size"] == file.size
        assert file.full_name == "sxeslake://t@1/sub/table.csv"
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with fs.open("t/sub/table.csv", "r", encoding="utf-8") as text:
        assert "".join(text) == TABLE
    assert list(fs.open("t/sub/table.csv")) == TABLE.encode().splitlines(keepends=True)


def test_a_failed_read_can_be_tried_again(fs: Any) -> None:
    file = fs.open("t/sub/table.csv")
    fetch: Callable[[int, int], bytes] = file._fetch

    def failing(start: int, end: int) -> bytes:
        raise OSError("the network")

    file._fetch = failing
    with pytest.raises(OSError, match="the network"):
        file.read(10)
    file._fetch = fetch
    assert file.read(10) == TABLE.encode()[:10]


def test_who_reads_on_and_on_is_read_ahead_for(fs: Any) -> None:
    file, asked = fs.open("t/large.bin"), []
    fetch = file._fetch

    def counting(start: int, end: int) -> bytes:
        asked.append((start, end))
        data: bytes = fetch(start, end)
        return data

    file._fetch = counting
    blocks = iter(lambda: file.read(16 << 10), b"")
    assert b"".join(blocks) == LARGE
    assert len(asked) < 20
    asked.clear()
    for at in (5_000_000, 100, 7_000_000):
        file.seek(at)
        assert file.read(50) == LARGE[at : at + 50]
    assert [end - start for start, end in asked] == [50, 50, 50]


@pytest.mark.parametrize(("path", "ref"), [("2019/map@1.plzip", "2019/map@1"), ("t.zip", "t"), ("t@1.plzip", "t@1")])
def test_the_whole_archive_is_what_a_pull_writes(fs: Any, tmp_path: Path, path: str, ref: str) -> None:
    out = tmp_path / "out.zip"
    fs.lake.pull(ref, out, level=0)
    pulled = out.read_bytes()
    assert (fs.info(path)["size"], fs.info(path)["type"]) == (len(pulled), "file")
    assert fs.cat_file(path) == pulled
    assert len(names_in(pulled)) == len(fs.find(ref))
    chance = random.Random(1)
    with fs.open(path) as file:
        for _ in range(100):
            at, size = chance.randrange(len(pulled)), chance.choice([1, 30, 5000, 1 << 20])
            file.seek(at)
            assert file.read(size) == pulled[at : at + size]


@pytest.mark.parametrize("path", ["t.zip", "t/large.bin"])
def test_many_threads_read_one_file(fs: Any, path: str) -> None:
    """Each thread seeks and reads on the one handle, as DuckDB does; none gets another's bytes."""
    whole, file = fs.cat_file(path), fs.open(path)

    def work(seed: int) -> int:
        chance, wrong = random.Random(seed), 0
        for _ in range(60):
            at, size = chance.randrange(len(whole)), chance.choice([1, 100, 70_000])
            if chance.random() < 0.5:
                file.seek(at)
                threading.Event().wait(chance.random() / 1000)  # others seek meanwhile
                found = file.read(size)
            else:
                found = file.read_at(at, size)
            wrong += found != whole[at : at + size]
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [0] * 8


def test_readers_that_take_turns_get_every_byte_once(fs: Any) -> None:
    file = fs.open("t/large.bin")
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: file.read(10_000), range(1200)))
    assert sum(map(len, parts)) == len(LARGE)
    assert sorted(part for part in parts if part) == sorted(
        LARGE[at : at + 10_000] for at in range(0, len(LARGE), 10_000)
    )


def test_a_file_goes_on_in_another_thread(fs: Any) -> None:
    file = fs.open("t/large.bin")
    file.seek(1000)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(file.read, 10).result() == LARGE[1000:1010]
        assert pool.submit(file.tell).result() == 1010


def test_pickles_open_again(fs: Any, url: str) -> None:
    again = pickle.loads(pickle.dumps(fs))
    assert again.cat_file("t/empty") == b""
    again.lake.close()
    file = fs.open("2019/map/metadata.json")
    file.seek(3)
    code = (
        "import pickle, sys; file = pickle.load(sys.stdin.buffer); "
        "sys.stdout.buffer.write(file.full_name.encode() + b' ' + file.read())"
    )
    answer = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(file), capture_output=True, check=True)
    assert answer.stdout == b"sxeslake://2019/map@2/metadata.json " + file.read()


SECRETS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("s3://AKIAKEY:S/ECRET+1@bucket/lake",), {}),
    ((), {"lake": "s3://AKIAKEY:S/ECRET+1@bucket/lake"}),
    (
        (),
        {"lake": "s3://bucket/lake", "key": "AKIAKEY", "secret": "S/ECRET+1", "token": "ECRET2", "region": "eu-west-3"},
    ),
    ((), {"lake": "s3://bucket/lake", "endpoint_url": "https://AKIAKEY:S/ECRET+1@s3.example.org"}),
    ((), {"lake": "sftp://host/lake", "username": "me", "password": "S/ECRET+1"}),
    ((), {"lake": "abfs://box/lake", "connection_string": "AccountKey=S/ECRET+1", "account_key": "ECRET2"}),
    ((), {"lake": "gs://box/lake", "client": {"project": "p", "private_key": "S/ECRET+1"}}),
]


@pytest.mark.parametrize(("words", "options"), SECRETS)
def test_no_serialised_form_has_a_secret(words: tuple[str, ...], options: dict[str, Any]) -> None:
    fs = LakeFileSystem(*words, **options)
    forms = [fs.to_json(), json.dumps(fs.to_dict()), repr(fs), str(fs), repr(fs.storage_options), repr(fs.storage_args)]
    forms.append(pickle.dumps(fs).decode("latin-1"))
    for form in forms:
        assert "AKIAKEY" not in form
        assert "ECRET" not in form
    assert (fs._word or "").rpartition("@")[2].rpartition("/")[2] in fs.to_json()
    for here in (pickle.loads(pickle.dumps(fs)), LakeFileSystem.from_json(fs.to_json())):
        assert (here._word, here._options) == (fs._word, fs._options)  # this process knows it still
        assert here.to_json() == fs.to_json()
    code = (
        "import pickle, sys; fs = pickle.load(sys.stdin.buffer); sys.stdout.buffer.write(pickle.dumps(fs)); "
        "print(fs._word, fs._options, file=sys.stderr)"
    )
    there = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(fs), capture_output=True, check=True)
    assert b"ECRET" not in there.stderr
    assert b"lake" in there.stderr
    back = pickle.loads(there.stdout)
    assert (back._word, back._options) == (fs._word, fs._options)


def test_a_secret_is_used_for_no_other_lake_of_that_name() -> None:
    LakeFileSystem(lake="s3://AKIAKEY:SECRET@bucket/lake", endpoint_url="https://one.example.org")
    other = LakeFileSystem(lake="s3://bucket/lake", endpoint_url="https://two.example.org")
    assert other._word == "s3://bucket/lake"
    assert "withheld" not in other.storage_options


def test_the_lake_is_that_of_the_command_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", url)
    made = LakeFileSystem(skip_instance_cache=True, use_listings_cache=False, asynchronous=True)
    assert made.ls("", detail=False) == ["2019", "t"]
    assert made.fsid == f"sxeslake_{url}"
    made.lake.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_opens_the_lake_anew(fs: Any) -> None:
    parent = fs.lake
    fs._opened = (fs._opened[0] + 1, parent)  # as if another process had opened it
    assert fs.lake is not parent
    parent.close()


def test_new_commits(url: str, tmp_path: Path) -> None:
    made = LakeFileSystem(lake=make_lake(tmp_path), skip_instance_cache=True)
    assert made.cat_file("2019/map/metadata.json")
    file = made.open("2019/map/metadata.json")
    before = file.read_at(0, 100)
    with open_lake(made.lake.url) as writer:
        writer.ingest(zip_of(tmp_path / "3" / "n.plzip", group(7, 1)), sample="new")
        writer.ingest(zip_of(tmp_path / "3" / "m.plzip", group(8, 1)), sample="2019/map")
    assert made.exists("new/metadata.json")  # a name that is not known is looked for
    made.invalidate_cache()
    assert made.info("2019/map/metadata.json")["version"] == "2019/map@3"
    assert file.read_at(0, 100) == before
    made.lake.close()


def test_the_longest_name_counts(tmp_path: Path) -> None:
    address = make_lake(tmp_path)
    with open_lake(address) as lake:
        lake.ingest(zip_of(tmp_path / "x.zip", {"y/z": b"member"}), sample="t/x")
        lake.ingest(zip_of(tmp_path / "y.zip", {"z": b"sample"}), sample="t/x/y")
        lake.ingest(zip_of(tmp_path / "p.zip", {"z": b"dotted"}), sample="t.zip")
    made = LakeFileSystem(lake=address, skip_instance_cache=True)
    assert made.cat_file("t/x/y/z") == b"sample"
    assert made.cat_file("t/x@1/y/z") == b"member"
    assert made.cat_file("t.zip/z") == b"dotted"
    made.lake.close()
