"""A large group, whose rows and small files stand in runs of its list: whoever reads or rewrites it goes by that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of, version_of
from support.small_lakes import counts, flip, new_lake, new_vault, own_store, zip_of

from sxeslake.archive.sxes.documents import listing as listings
from sxeslake.errors import DamagedLakeError, MemberNotFoundError, NotFoundError
from sxeslake.filesystem import LakeFileSystem
from sxeslake.format import keys, rowgroups
from sxeslake.format.rowgroups import RowGroups
from sxeslake.ingest import absorb
from sxeslake.lake import Lake
from sxeslake.salvage import salvage
from sxeslake.storage import open_store
from sxeslake.vault import listings as stored_listings

POSITIONS = 40
UUIDS = [f"{(number * 7919) % 997:03x}-{number:02}" for number in range(POSITIONS)]  # as listed: not by name
GONE, UNLISTED = UUIDS[17], "zz-unlisted"


def contents(lists: tuple[list[str], ...] = (UUIDS[:30], UUIDS[30:])) -> dict[str, bytes]:
    names = ("grain", "line", "rest")
    analyses = [
        {"uuid": name[0], "name": name, "positionUuids": each} for name, each in zip(names, lists, strict=False)
    ]
    found = {
        "conditions/c.json": b"{}",
        "data/readme.txt": b"not a position",
        "metadata.json": json.dumps({"analyses": analyses}).encode(),
    }
    for number, uuid in enumerate([*UUIDS, UNLISTED]):
        if uuid != GONE:
            found[f"data/{uuid}/info.json"] = json.dumps({"comment": f"Pos. {number}", "conditionUuid": "c"}).encode()
            found[f"data/{uuid}/state.json"] = json.dumps({"stage": {"x": number}}).encode()
            found[f"data/{uuid}/sum.data"] = counts(number, 4)
            found[f"data/{uuid}/xes.data"] = counts(number, 30)
            found[f"data/{uuid}/qlw.data"] = counts(number + 500, 5000)  # large enough for a frame of its own
    return dict(sorted(found.items()))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (listings, absorb, stored_listings):
        monkeypatch.setattr(module, "LEAST_POSITIONS", 3)
    monkeypatch.setattr(rowgroups, "RUN_ROWS", 16)


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    lake = Lake(new_vault(own_store(request)))
    assert not lake.ingest(zip_of(tmp_path / "in" / "map.plzip", contents())).failed
    with lake:
        yield lake


def finder(lake: Lake) -> RowGroups:
    version = version_of(lake, "map")
    manifests = vault_of(lake).manifests
    return manifests.open(version.archive.manifest).row_groups(manifests.range_of(version))


def is_whole(lake: Lake) -> bool:
    """Whether every member comes back, in order, by each reader."""
    found = contents()
    assert [row.path for row in lake.members("map")] == list(found)
    assert dict(lake.read_many("map", found)) == found
    assert lake.verify(data=True).problems == []
    return all(lake.read("map", path) == data for path, data in found.items())


def test_all_of_it_comes_back(lake: Lake, tmp_path: Path) -> None:
    runs = finder(lake).runs
    assert runs is not None
    assert (runs.lists, len(runs.starts)) == ((30, 10), 13)
    assert not finder(lake).by_path
    assert is_whole(lake)
    lake.pull("map", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == list(contents())
    assert [row.member.path for row in vault_of(lake).rows(version_of(lake, "map"), by_path=True)] == list(contents())


def test_small_files_of_neighbours_share_frames(lake: Lake) -> None:
    source = lake._source("map")

    def frames(name: str, uuids: list[str]) -> set[object]:
        rows = [source.row(f"data/{uuid}/{name}") for uuid in uuids]
        return {blob.hint[:2] for row in rows if row is not None for blob in row.blobs if blob.hint is not None}

    for name in ("info.json", "state.json", "xes.data", "sum.data"):
        assert len(frames(name, UUIDS[2:12])) == 1
    assert len(frames("qlw.data", UUIDS[2:12])) == 10
    offsets = [row.blobs[0].hint for uuid in UUIDS if (row := source.row(f"data/{uuid}/info.json")) is not None]
    assert [hint.blob_offset for hint in offsets if hint is not None] == sorted(
        hint.blob_offset for hint in offsets if hint is not None
    )


def test_files_are_listed_by_path(lake: Lake) -> None:
    files = lake.files("map")
    assert [info.path for info in files.walk("")] == list(contents())
    assert [info.path for info in files.walk("data/" + UUIDS[3])] == [
        path for path in contents() if path.startswith("data/" + UUIDS[3])
    ]
    assert [info.path for info in files.entries("")] == ["conditions", "data", "metadata.json"]
    assert [info.path for info in files.entries("data")] == sorted(
        ["data/readme.txt", *(f"data/{uuid}" for uuid in [*UUIDS, UNLISTED] if uuid != GONE)]
    )
    assert [info.path for info in files.entries(f"data/{UUIDS[3]}")] == [
        path for path in contents() if path.startswith(f"data/{UUIDS[3]}/")
    ]
    info = files.info("data")
    assert info is not None
    assert info.kind == "directory"
    assert files.info(f"data/{GONE}") is None
    assert files.info("data/" + UUIDS[3][:3]) is None
    assert [member.path for member in lake._source("map").children("data/" + UUIDS[3][:1])] == [
        path for path in contents() if path.startswith("data/" + UUIDS[3][:1])
    ]
    with pytest.raises(MemberNotFoundError, match="no file 'data/nobody'"):
        lake.read_many("map", ["metadata.json", "data/nobody"])


def test_many_files_by_url(lake: Lake) -> None:
    fs = LakeFileSystem()
    fs._opened = os.getpid(), lake
    wanted = {path: data for path, data in contents().items() if path.endswith("state.json")}
    assert fs.cat([f"map/{path}" for path in wanted]) == {f"map/{path}": data for path, data in wanted.items()}
    assert fs.cat("map/data/*/state.json") == fs.cat([f"map/{path}" for path in wanted])
    assert fs.cat("map/metadata.json") == contents()["metadata.json"]
    with pytest.raises(FileNotFoundError):
        fs.cat(["map/metadata.json", "map/nothing"])
    assert list(fs.cat(["map/metadata.json", "map/nothing"], on_error="omit")) == ["map/metadata.json"]
    found = fs.cat(["map/metadata.json", "map/nothing"], on_error="return")
    assert isinstance(found["map/nothing"], FileNotFoundError)


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ({"positions": ["1..3"]}, UUIDS[:3]),
        ({"positions": ["40", "2", UUIDS[5], "1..3"]}, [*UUIDS[:3], UUIDS[5], UUIDS[39]]),
        ({"analyses": ["line"]}, UUIDS[30:]),
        ({"analyses": ["line"], "positions": ["2..3"]}, UUIDS[31:33]),
        ({"analyses": ["line"], "positions": [UUIDS[31].upper()]}, [UUIDS[31]]),
        ({"positions": ["17..19"]}, [UUIDS[16], UUIDS[18]]),  # what is listed and not there does not come
        ({"positions": [UNLISTED, "1"]}, [UUIDS[0], UNLISTED]),
    ],
)
def test_parts(lake: Lake, tmp_path: Path, words: dict[str, list[str]], taken: list[str]) -> None:
    lake.pull_part("map", tmp_path / "part.zip", **words)  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "part.zip") as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert {path.split("/")[1] for path in found if path.startswith("data/")} == set(taken)
    assert {path: data for path, data in found.items() if path != "metadata.json"}.items() <= contents().items()
    analyses = json.loads(found["metadata.json"])["analyses"]
    assert [uuid for each in analyses for uuid in each["positionUuids"]] == [uuid for uuid in taken if uuid != UNLISTED]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"positions": ["41"]}, "there is no position 41. There are 40."),
        ({"positions": ["nobody"]}, "there is no position nobody"),
        ({"positions": ["18"]}, "none of the chosen positions has a folder"),
        ({"analyses": ["nobody"]}, "no analysis is called 'nobody'"),
        ({"analyses": ["line"], "positions": [UUIDS[1]]}, "does not list position"),
        ({"analyses": ["line"], "positions": ["11"]}, "there is no position 11. There are 10."),
    ],
)
def test_what_is_not_there_is_said_as_of_a_small_group(lake: Lake, words: dict[str, list[str]], said: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        lake.pull_part("map", dry_run=True, **words)  # type: ignore[arg-type]
    assert said in f"{caught.value.what} {caught.value.hint or ''}"


def test_positions_of_the_group_are_there_without_the_list(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    source = lake._source("map")
    asked: list[str] = []
    read = source.read

    def watched(path: str) -> bytes:
        asked.append(path)
        return read(path)

    monkeypatch.setattr(source, "read", watched)
    group = lake["map"]
    positions = group.positions
    assert (len(positions), positions[3].uuid, positions[-1].uuid) == (POSITIONS, UUIDS[3], UUIDS[39])
    assert positions[UUIDS[9]].comment == "Pos. 9"
    assert positions.uuids[4:8] == tuple(UUIDS[4:8])
    assert UUIDS[33] in positions.uuids
    assert "metadata.json" not in asked
    assert GONE in positions.uuids  # nothing but the list knows it
    assert "nobody" not in positions.uuids
    assert asked.count("metadata.json") == 1
    assert positions.uuids == tuple(UUIDS) == tuple(group.positions.uuids)
    with pytest.raises(IndexError):
        positions[POSITIONS]
    assert group.analyses[1].positions[0].comment == "Pos. 30"
    assert asked.count("metadata.json") == 1


def test_a_list_that_is_held_stays_what_it_was(lake: Lake) -> None:
    group = lake["map"]
    before = group.positions
    group.remove(group.positions[UUIDS[0]])
    assert (len(before), len(group.positions)) == (POSITIONS, POSITIONS - 1)
    assert before.uuids == tuple(UUIDS)


def test_a_copy_stands_in_runs_too(lake: Lake, tmp_path: Path) -> None:
    with new_lake(open_store(f"memory://{tmp_path.name}-copy")) as target:
        assert {row.status for row in lake.copy_to(target).archives} == {"copied"}
        assert is_whole(target)
        ours, theirs = finder(lake).runs, finder(target).runs
        assert ours is not None
        assert ours == theirs


@pytest.mark.parametrize("offer", ["archive", "lake"])
def test_a_table_that_is_mended_stands_in_runs_again(lake: Lake, tmp_path: Path, offer: str) -> None:
    runs = finder(lake).runs
    with new_lake(open_store(f"memory://{tmp_path.name}-spare")) as spare:
        lake.copy_to(spare)
        flip(vault_of(lake).store, keys.manifest_key(version_of(lake, "map").archive.manifest), 900)
        offered = spare if offer == "lake" else tmp_path / "in" / "map.plzip"
        lake.repair([offered])
    assert is_whole(lake)
    assert finder(lake).runs == runs


def test_a_failed_archive_leaves_its_small_files_to_others(lake: Lake, tmp_path: Path) -> None:
    whole = contents((UUIDS[:5],))
    other = {path.replace("data/", "data/x"): data[::-1] for path, data in whole.items() if path.startswith("data/")}
    broken = zip_of(tmp_path / "broken.zip", {**other, "zz.bin": counts(9, 100)})
    raw = bytearray(broken.read_bytes())
    at = raw.index(b"zz.bin") + 60
    raw[at] ^= 0xFF
    broken.write_bytes(raw)
    good = zip_of(tmp_path / "good.zip", other)
    report = lake.ingest([broken, good])
    assert [each.status for each in report.archives] == ["failed", "added"]
    assert dict(lake.read_many("good", other)) == other
    assert lake.verify(data=True).problems == []


def test_the_one_file_reader_restores_it(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    with new_lake(open_store(str(root))) as lake:
        lake.ingest(zip_of(tmp_path / "map.plzip", contents()))
    script = Path(shutil.copy(salvage.__file__, tmp_path))  # as a lake has it: by itself
    done = subprocess.run(
        [sys.executable, str(script), str(root), "restore", str(tmp_path / "out"), "--zip"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with zipfile.ZipFile(tmp_path / "out" / "map@1.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents()


def test_a_lost_file_is_no_trouble_to_its_neighbours(lake: Lake) -> None:
    row = lake._source("map").row(f"data/{UUIDS[4]}/qlw.data")
    assert row is not None
    hint = row.blobs[0].hint
    assert hint is not None
    flip(vault_of(lake).store, keys.pack_key(hint.pack), hint.frame_offset + hint.frame_length - 5)
    position = lake["map"].positions[UUIDS[4]]
    assert position.raw("xes") == counts(4, 30)
    assert position.comment == "Pos. 4"
    with pytest.raises(DamagedLakeError):
        position.raw("qlw")
