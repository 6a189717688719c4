"""Parts of groups with maps, described arrays, documents and sources: whatever is named is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.map_groups import (
    EXTENSIONS,
    SCAN,
    WDS,
    GriddedMap,
    add_document,
    add_shared,
    assert_whole,
    documents,
    map_group,
    maps_of,
)
from support.part_lakes import files, metadata, uid
from support.small_lakes import new_lake, own_store, zip_of

from sxeslake.archive import open_group
from sxeslake.archive.sxes.documents import listing
from sxeslake.errors import NotFoundError
from sxeslake.format import rowgroups
from sxeslake.ingest import absorb
from sxeslake.lake import Lake
from sxeslake.vault import listings

FIRST, SECOND = GriddedMap(), GriddedMap(102, 11, (1, 3), holes=[1], seed=9, name="O map")
BARE = GriddedMap(103, 21, listed=False, name="WDS map")
GROUP = map_group(FIRST, SECOND, BARE)
"""Two maps with positions 1 to 6 and 11, 13; one of arrays alone."""


@pytest.fixture(params=["small", "large"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """Groups as they are, and as if they were so large that their manifest tells where positions are listed."""
    if request.param == "large":
        for module in (listing, absorb, listings):
            monkeypatch.setattr(module, "LEAST_POSITIONS", 3)
        monkeypatch.setattr(rowgroups, "RUN_ROWS", 12)
    with new_lake(own_store(request)) as opened:
        opened.ingest(zip_of(tmp_path / "in" / "maps.plzip", GROUP))
        yield opened


def part(lake: Lake, tmp_path: Path, **words: Any) -> dict[str, bytes]:
    """The files of a part, which hold together."""
    report = lake.pull_part("maps", tmp_path / "part.plzip", force=True, **words)
    found = files(report.path)
    assert (report.members, report.bytes_raw) == (len(found), sum(map(len, found.values())))
    assert_whole(found)
    assert metadata(report.path)["extensions"] == EXTENSIONS
    with open_group(report.path or "") as group:
        assert group.check() == ()
    return found


def about(found: dict[str, bytes]) -> list[Any]:
    return sorted(json.dumps(value["about"]) for value in documents(found, "documents").values())


def test_the_test_s_group_holds_together() -> None:
    assert_whole(GROUP)


def test_points_that_are_not_in_a_part_have_no_position(lake: Lake, tmp_path: Path) -> None:
    found = part(lake, tmp_path, positions=["2", "5"])
    (value,) = maps_of(found).values()
    assert value["points"]["positionUuids"] == [None, uid(2), None, None, uid(5), None]
    assert (value["name"], value["shape"], value["frame"]["unit"]) == ("Ti map", [2, 3], "mm")
    folder = FIRST.folder
    assert all(
        found[path] == data for path, data in GROUP.items() if path.startswith(folder) and path.endswith(".data")
    )
    assert about(found) == sorted(
        json.dumps([each])
        for each in ({"map": FIRST.uuid}, {"map": FIRST.uuid}, {"position": uid(2)}, {"position": uid(5)})
    )


def test_a_whole_analysis_keeps_every_byte_of_its_map(lake: Lake, tmp_path: Path) -> None:
    found = part(lake, tmp_path, analyses=["O map"])
    assert found[SECOND.folder + "map.json"] == GROUP[SECOND.folder + "map.json"]
    assert {path for path in GROUP if path.startswith(SECOND.folder)} == {p for p in found if p.startswith("maps/")}


def test_a_map_of_arrays_alone_is_a_part(lake: Lake, tmp_path: Path) -> None:
    found = part(lake, tmp_path, analyses=["WDS map"])
    assert list(maps_of(found)) == [BARE.uuid]
    assert not any(path.startswith("data/") for path in found)
    assert add_shared({}, "conditions", WDS) in {path[11:-5] for path in found if path.startswith("conditions/")}


def test_everything_is_all_maps_and_a_query_takes_those_of_its_positions(lake: Lake, tmp_path: Path) -> None:
    assert maps_of(part(lake, tmp_path, types=["qlw", "xes", "wds-ch4"])) == maps_of(GROUP)
    assert list(maps_of(part(lake, tmp_path, where="stage_x_mm > 15"))) == [SECOND.uuid]
    with pytest.raises(NotFoundError):
        lake.pull_part("maps", tmp_path / "none.plzip", where="stage_x_mm > 99")


@pytest.mark.parametrize(("types", "left"), [(["qlw"], {"qlw"}), (["wds-ch4", "xes"], {"wds-ch4", "xes"})])
def test_descriptions_tell_of_the_types_that_are_taken(
    lake: Lake, tmp_path: Path, types: list[str], left: set[str]
) -> None:
    found = part(lake, tmp_path, positions=["1..3"], types=types)
    for number in (1, 2, 3):
        said = json.loads(found[f"data/{uid(number)}/arrays.json"])
        whole = json.loads(GROUP[f"data/{uid(number)}/arrays.json"])
        assert said == {name: whole[name] for name in left}
    scan = f"conditions/{add_shared({}, 'conditions', SCAN)}.json"
    assert (scan in found) == ("wds-ch4" in types)


def test_a_description_of_nothing_that_is_taken_is_left_out(lake: Lake, tmp_path: Path) -> None:
    found = part(lake, tmp_path, positions=["1"], types=["info"])
    assert not any(path.endswith(("arrays.json", "xes.data")) for path in found)


def test_sources_come_along_where_every_member_does(lake: Lake, tmp_path: Path) -> None:
    names = {
        each["path"]
        for v in documents(part(lake, tmp_path, positions=["1"]), "sources").values()
        for each in v["files"]
    }
    assert names == {"map_101.map", f"{uid(1)}.xes"}
    for words in ({"positions": ["2"]}, {"positions": ["1"], "types": ["qlw"]}):
        found = documents(part(lake, tmp_path, **words), "sources")
        assert {each["path"] for value in found.values() for each in value["files"]} == {"map_101.map"}


def test_ingest_of_a_part_adds_no_array(lake: Lake, tmp_path: Path) -> None:
    lake.pull_part("maps", tmp_path / "part.plzip", positions=["1", "3"], types=["qlw", "wds-ch4"])
    before = {row["blake3"] for row in lake.sql("SELECT blake3 FROM blobs").rows()}
    lake.ingest(tmp_path / "part.plzip")
    new = lake.sql("SELECT path, blake3 FROM members WHERE kind = 'file' AND sample = 'part'").rows()
    assert {row["path"].rpartition("/")[2] for row in new if row["blake3"] not in before} == {
        "metadata.json", "map.json", "arrays.json",
    }  # fmt: skip


def test_a_dry_run_tells_what_the_part_is(lake: Lake, tmp_path: Path) -> None:
    dry = lake.pull_part("maps", tmp_path / "a.plzip", positions=["1..4"], types=["qlw"], dry_run=True)
    real = lake.pull_part("maps", tmp_path / "a.plzip", positions=["1..4"], types=["qlw"])
    assert (dry.members, dry.bytes_raw, dry.bytes_fetch) == (real.members, real.bytes_raw, real.bytes_fetch)


def test_older_versions_of_a_document_come_along_and_broken_ones_are_kept(lake: Lake, tmp_path: Path) -> None:
    group = map_group(FIRST)
    older = add_document(group, {"version": 1, "about": [{"position": uid(99)}]})
    newer = add_document(group, {"version": 2, "supersedes": older, "about": [{"analysis": uid(101)}]})
    on_it = add_document(group, {"about": [{"document": newer}]})
    elsewhere = add_document(group, {"about": [{"position": uid(4)}]})
    broken = "documents/" + "ab" * 32 + ".json"
    group[broken] = b"{"
    lake.ingest(zip_of(tmp_path / "in" / "more.plzip", group))
    found = files(lake.pull_part("more", tmp_path / "more.plzip", positions=["1"]).path)
    assert {f"documents/{each}.json" for each in (older, newer, on_it)} | {broken} <= found.keys()
    assert f"documents/{elsewhere}.json" not in found


def test_a_map_that_only_its_analysis_knows_comes_along_as_it_is(lake: Lake, tmp_path: Path) -> None:
    group = map_group(FIRST, SECOND)
    group[FIRST.folder + "map.json"] = b"{"
    lake.ingest(zip_of(tmp_path / "in" / "odd.plzip", group))
    found = files(lake.pull_part("odd", tmp_path / "odd.plzip", positions=["1"]).path)
    assert found[FIRST.folder + "map.json"] == b"{"
    assert not any(path.startswith(SECOND.folder) for path in found)
