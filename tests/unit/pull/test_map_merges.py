"""Merges of groups with maps: parts of a map become it again, clashes stand apart, every reference follows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.map_groups import GriddedMap, add_document, add_shared, assert_whole, documents, map_group, maps_of
from support.part_lakes import files, metadata, uid
from support.small_lakes import new_lake, own_store, zip_of

from sxeslake.archive import open_group
from sxeslake.lake import Lake

PLAN = GriddedMap(shape=(2, 3), holes=[4])
WHOLE = map_group(PLAN)


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def merged(lake: Lake, tmp_path: Path, *groups: dict[str, bytes], warnings: int = 0) -> dict[str, bytes]:
    """The files of a merge of some groups, which hold together."""
    names = [f"g{number}" for number in range(len(groups))]
    for name, group in zip(names, groups, strict=True):
        lake.ingest(zip_of(tmp_path / "in" / f"{name}.plzip", group))
    report = lake.pull_part(names, tmp_path / "merged.plzip", force=True)
    found = files(report.path)
    assert (report.members, report.bytes_raw) == (len(found), sum(map(len, found.values())))
    assert len(report.warnings) == warnings
    assert_whole(found)
    with open_group(report.path or "") as opened:
        assert opened.check() == ()
    return found


def part(lake: Lake, tmp_path: Path, **words: Any) -> dict[str, bytes]:
    lake.ingest(zip_of(tmp_path / "in" / "whole.plzip", WHOLE))
    return files(lake.pull_part("whole", tmp_path / "part.plzip", force=True, **words).path)


def without_notes(group: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in group.items() if path not in ("notes/readme.txt", "metadata.json")}


def test_all_parts_of_a_map_are_the_map_again(lake: Lake, tmp_path: Path) -> None:
    parts = [part(lake, tmp_path, positions=list(words)) for words in (["2", "4"], ["1"], ["3", "5"])]
    found = merged(lake, tmp_path, *parts)
    assert maps_of(found) == maps_of(WHOLE)
    assert without_notes(found).keys() == without_notes(WHOLE).keys()


def test_parts_of_its_data_describe_all_of_it_again(lake: Lake, tmp_path: Path) -> None:
    parts = [part(lake, tmp_path, types=[each]) for each in ("xes", "qlw", "wds-ch4")]
    found = merged(lake, tmp_path, *parts)
    for number in (1, 2, 3, 4, 6):
        path = f"data/{uid(number)}/arrays.json"
        assert json.loads(found[path]) == json.loads(WHOLE[path])
    assert maps_of(found) == maps_of(WHOLE)


def test_equal_groups_are_one(lake: Lake, tmp_path: Path) -> None:
    found = merged(lake, tmp_path, WHOLE, {**WHOLE, "more.txt": b"1"})
    assert without_notes(found) == without_notes(WHOLE)
    said = json.loads(found["metadata.json"])["provenance"]
    assert said["maps"] == {PLAN.uuid: [{"archive": 0}, {"archive": 1}]}


def test_another_map_of_a_uuid_stands_apart_and_every_reference_follows(lake: Lake, tmp_path: Path) -> None:
    other = map_group(replace(PLAN, seed=50))  # the same UUIDs, measured again
    found = merged(lake, tmp_path, WHOLE, other, {**other, "more.txt": b"1"})
    maps = maps_of(found)
    (new,) = maps.keys() - {PLAN.uuid}
    positions = [uuid for uuid in maps[new]["points"]["positionUuids"] if uuid is not None]
    assert len(positions) == 5
    assert not set(positions) & set(PLAN.points)
    assert maps[new]["stateUuid"] == positions[0]
    assert found[f"maps/{new}/ti-ka-v2.data"] == other[PLAN.folder + "ti-ka-v2.data"]
    told = [value["about"][0] for value in documents(found, "documents").values()]
    assert sum(about == {"map": new} for about in told) == 2
    assert {about["position"] for about in told if "position" in about} == {*positions, *filter(None, PLAN.points)}
    newer = [value for value in documents(found, "documents").values() if value["about"] == [{"map": new}]]
    assert {value.get("supersedes") is None for value in newer} == {True, False}
    rebuilt = {file["path"] for value in documents(found, "sources").values() for file in value["files"]}
    assert rebuilt == {"map_101.map", f"{uid(1)}.xes"}
    assert len(documents(found, "sources")) == 4
    assert {each["uuid"]: each["mapUuids"] for each in json.loads(found["metadata.json"])["analyses"]} == {
        uid(101): [PLAN.uuid, new],
    }  # fmt: skip


def test_a_renamed_map_is_the_same_whoever_merges(lake: Lake, tmp_path: Path) -> None:
    other = map_group(replace(PLAN, seed=50))
    once = merged(lake, tmp_path, WHOLE, other)
    lake.ingest(zip_of(tmp_path / "in" / "once.plzip", once))
    report = lake.pull_part(["once", "g1", "g0"], tmp_path / "again.plzip")
    assert maps_of(files(report.path)) == maps_of(once)


def test_the_newer_version_of_an_extension_is_stated(lake: Lake, tmp_path: Path) -> None:
    one = map_group(PLAN, top={"extensions": {"maps": 1, "later": 3}})
    two = map_group(PLAN, top={"extensions": {"maps": 2, "arrays": 1, "later": 1}})
    merged(lake, tmp_path, one, two)
    stated = metadata(tmp_path / "merged.plzip")["extensions"]
    assert stated == {"maps": 2, "later": 3, "arrays": 1}


def test_a_source_whose_members_another_copy_gives_otherwise_is_left_out_and_told(lake: Lake, tmp_path: Path) -> None:
    other = dict(WHOLE)
    path = f"data/{uid(1)}/log.txt"
    other[path] = b"other words"
    source = {"root": "R", "files": [{"path": "log.txt", "sha256": "0" * 64, "size": 5, "parts": [
        {"member": path, "length": 5}]}]}  # fmt: skip
    add_shared(other, "sources", source)
    lake.ingest(zip_of(tmp_path / "in" / "a.plzip", {**WHOLE, path: b"first words"}))
    lake.ingest(zip_of(tmp_path / "in" / "b.plzip", other))
    report = lake.pull_part(["a", "b"], tmp_path / "merged.plzip")
    assert any("sources whose members are not in the merged group as they were: 1" in each for each in report.warnings)
    assert_whole(files(report.path))


def test_a_description_that_says_otherwise_is_in_the_provenance(lake: Lake, tmp_path: Path) -> None:
    other, path = dict(WHOLE), f"data/{uid(2)}/arrays.json"
    said = json.loads(other[path])
    said["qlw"]["madeBy"] = "somebody"
    other[path] = json.dumps(said).encode()
    found = merged(lake, tmp_path, WHOLE, other)
    assert json.loads(found[path]) == json.loads(WHOLE[path])
    origins = json.loads(found["metadata.json"])["provenance"]["positions"][uid(2)]
    assert origins[1] == {"archive": 1, "otherwise": {"arrays.json": {"qlw": said["qlw"]}}}


def test_maps_of_arrays_alone_are_merged_and_shared_files_are_once(lake: Lake, tmp_path: Path) -> None:
    one, two = (map_group(GriddedMap(number, listed=False)) for number in (110, 111))
    add_document(one, {"about": []})
    add_document(two, {"about": []})
    found = merged(lake, tmp_path, one, two)
    assert maps_of(found) == maps_of(one) | maps_of(two)
    assert len([path for path in found if path.startswith("residue/")]) == 1
    assert sum(value["about"] == [] for value in documents(found, "documents").values()) == 1
