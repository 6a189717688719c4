"""Parts of a small lake, valid by themselves, complete and lean; and what differs between its archives."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.internals import vault_of
from support.part_lakes import CONDITION, ONE, Session, Spot, add, contents, files, metadata, uid
from support.small_lakes import new_lake, own_store, zip_of

from sxeslake.archive import open_group
from sxeslake.errors import AlreadyExistsError, InputError, NotFoundError, UsageError
from sxeslake.lake import Lake
from sxeslake.pull.part.selection import SelectionReport


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        opened.ingest(zip_of(tmp_path / "in" / "one.plzip", ONE))
        yield opened


def test_a_part_is_a_group_of_just_what_it_needs(lake: Lake, tmp_path: Path) -> None:
    said: list[SelectionReport] = []
    report = lake.pull_part("one", tmp_path / "p.pl7z", positions=["1"], types=["qlw", "state"], planned=said.append)
    found = files(report.path)
    folder = f"data/{uid(1)}/"
    shared = {path for path in found if path.startswith(("conditions/", "rawConditions/", "backgrounds/"))}
    assert set(found) - shared == {folder + name for name in ("info.json", "state.json", "qlw.data")} | {
        "metadata.json"
    }
    assert len(shared) == 3
    assert all(found[path] == ONE[path] for path in found if path != "metadata.json")
    pruned = json.loads(found["metadata.json"])
    assert pruned["future"] == 5
    assert [each["positionUuids"] for each in pruned["analyses"]] == [[uid(1)]]
    assert pruned["projects"][0]["analysisUuids"] == [uid(101)]
    assert pruned["projects"][0]["mine"] == [1]
    with open_group(report.path or "") as group:
        assert group.check() == ()
    assert said[0].bytes_written is None
    assert (report.positions, report.members) == (1, len(found))
    assert report.bytes_raw == sum(map(len, found.values()))


def test_pictures_come_with_their_analysis_unless_types_are_named(lake: Lake, tmp_path: Path) -> None:
    whole = files(lake.pull_part("one", tmp_path / "a.plzip", positions=[1]).path)
    assert whole[f"images/{uid(50)}/image.bmp"] == ONE[f"images/{uid(50)}/image.bmp"]
    named = lake.pull_part("one", tmp_path / "b.plzip", positions=[1], types=["qlw"]).path
    assert not any(path.startswith("images/") for path in files(named))
    assert metadata(named)["analyses"][0]["imageUuids"] == []


def test_an_analysis_by_name_with_all_its_files(lake: Lake, tmp_path: Path) -> None:
    found = files(lake.pull_part("one", tmp_path / "a.plzip", analyses=["grain 2"]).path)
    assert found[f"data/{uid(4)}/sub/deep.bin"] == b"y"
    assert metadata(tmp_path / "a.plzip")["analyses"][0]["mine"] == 1
    assert not any(path.startswith("backgrounds/") for path in found)


def test_members_by_glob_of_any_archive(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "plain", {"a/1.txt": b"1", "a/b/2.txt": b"2", "c.txt": b"3"})
    report = lake.pull_part("plain", tmp_path / "m.zip", members=["a/", "c.*"])
    assert files(report.path) == {"a/1.txt": b"1", "a/b/2.txt": b"2", "c.txt": b"3"}
    assert files(lake.pull_part("plain", tmp_path / "n.zip", members=["*/2.txt"]).path) == {"a/b/2.txt": b"2"}
    both = files(lake.pull_part("one", tmp_path / "o.plzip", positions=["2"], members=["notes/*"]).path)
    assert both["notes/readme.txt"] == ONE["notes/readme.txt"]
    assert f"data/{uid(1)}/info.json" not in both
    with pytest.raises(NotFoundError, match=r"members \*\.dat fits no member"):
        lake.pull_part("plain", members=["*.dat"])
    with pytest.raises(NotFoundError, match="not an sxes group"):
        lake.pull_part("plain", positions=["1"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"positions": ["9"]}, "no position 9.*There are 4"),
        ({"positions": [uid(77)]}, f"no position {uid(77)}"),
        ({"types": ["lqw"]}, "types lqw leaves nothing.*qlw, xes"),
        ({"analyses": ["grain 9"]}, "no analysis is called 'grain 9'.*grain 1"),
        ({"where": "accelerating_voltage_kv = 5 and stage_x_mm between 10 and 20"},
         'where "stage_x_mm between 10 and 20" leaves none of 3 positions'),
        ({"kv": 15}, "accelerating voltage .* leaves none of 4 positions"),
        ({"kv": 10, "grating": "JS300N"}, "grating JS300N leaves none of 1 position"),
        ({"query": "positions-by-condition", "kv": 15}, "query positions-by-condition has no rows"),
        ({"kv": 10, "positions": ["1"]}, "leaves none of 1 positions"),
    ],
)  # fmt: skip
def test_nothing_left_names_the_condition(lake: Lake, words: dict[str, Any], said: str) -> None:
    with pytest.raises(NotFoundError, match=said) as caught:
        lake.pull_part("one", **words)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("words", "positions"),
    [
        ({"where": "accelerating_voltage_kv = 10 -- a comment"}, {3}),
        ({"kv": 5}, {1, 2, 4}),
        ({"kv": 5, "where": "stage_x_mm > 1.5"}, {2, 4}),
        ({"query": "positions-by-condition", "grating": "JS50XL"}, {3}),
        ({"sql": "SELECT sample, analysis_uuid FROM analyses WHERE analysis_name = 'grain 1'"}, {1, 2, 3}),
        ({"sql": "SELECT DISTINCT sample FROM archives", "kv": ""}, {1, 2, 3, 4}),
    ],
)
def test_the_catalogue_chooses(lake: Lake, tmp_path: Path, words: dict[str, Any], positions: set[int]) -> None:
    report = lake.pull_part("one", tmp_path / "a.plzip", **words)
    with open_group(report.path or "") as group:
        assert set(group.positions.uuids) == {uid(number) for number in positions}


def test_a_dry_run_writes_nothing_and_reads_no_spectrum(lake: Lake, tmp_path: Path) -> None:
    before = vault_of(lake).store.counters.bytes_in
    report = lake.pull_part("one", tmp_path / "a.plzip", positions=["1..3"], dry_run=True)
    assert (report.dry_run, report.path, list(tmp_path.glob("*.plzip"))) == (True, None, [])
    assert report.bytes_fetch > 0
    assert report.requests > 0
    real = lake.pull_part("one", tmp_path / "a.plzip", positions=["1..3"])
    assert (real.members, real.bytes_raw, real.positions) == (report.members, report.bytes_raw, report.positions)
    assert vault_of(lake).store.counters.bytes_in > before


def test_places_to_write_to(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lake.pull_part("one", positions=["1"]).path == "one-part.plzip"
    with pytest.raises(AlreadyExistsError):
        lake.pull_part("one", positions=["1"])
    stream = io.BytesIO()
    assert lake.pull_part("one", positions=["1"], stream=stream).path == "-"
    assert stream.getvalue().startswith(b"PK")
    lake.pull_part("one", "folder/", positions=["1"])
    assert (tmp_path / "folder" / "metadata.json").is_file()
    with pytest.raises(UsageError, match="output of the merged group"):
        lake.pull_part((), kv=5)
    with pytest.raises(UsageError, match="no part is named"):
        lake.pull_part("one")


def test_what_is_said_of_the_version_comes_beside_a_part(lake: Lake, tmp_path: Path) -> None:
    lake.annotate("one", material="TiN")
    report = lake.pull_part("one", tmp_path / "a.plzip", positions=["1"])
    assert report.annotations == str(tmp_path / "a.plzip.annotations.json")
    (said,) = json.loads(Path(report.annotations).read_text())["annotations"]
    assert (said["key"], said["value"]) == ("material", "TiN")


def test_a_broken_info_keeps_every_shared_file(lake: Lake, tmp_path: Path) -> None:
    broken = {**ONE, f"data/{uid(1)}/info.json": b"{broken"}
    add(lake, tmp_path, "broken", broken)
    found = files(lake.pull_part("broken", tmp_path / "a.plzip", positions=["1"]).path)
    shared = {path for path in broken if path.startswith(("conditions/", "rawConditions/", "backgrounds/"))}
    assert shared <= set(found)


def test_listed_positions_that_are_not_there_are_left_out(lake: Lake, tmp_path: Path) -> None:
    folder = f"data/{uid(2)}/"
    add(lake, tmp_path, "holes", {path: data for path, data in ONE.items() if not path.startswith(folder)})
    report = lake.pull_part("holes", tmp_path / "a.plzip", positions=["1..4"])
    assert report.positions == 3
    assert metadata(report.path)["analyses"][0]["positionUuids"] == [uid(1), uid(3)]
    with pytest.raises(NotFoundError, match="there is no position"):
        lake.pull_part("holes", positions=[uid(2)])


def test_broken_metadata_is_pulled_whole_only(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "bad", {**ONE, "metadata.json": b"{"})
    with pytest.raises(InputError, match="pulled whole"):
        lake.pull_part("bad", positions=["1"])


def test_a_part_comes_with_what_is_said_of_what_is_in_it(lake: Lake, tmp_path: Path) -> None:
    lake.annotate("one", position=uid(1), mount="A")
    lake.annotate("one", position=uid(2), mount="B")
    lake.annotate("one", analysis=uid(102), mount="C")
    report = lake.pull_part("one", tmp_path / "a.plzip", positions=["1"])
    (said,) = json.loads(Path(str(report.annotations)).read_text())["annotations"]
    assert (said["uuid"], said["value"]) == (uid(1), "A")
    whole = lake.pull_part("one", tmp_path / "b.zip", members=["*.json"])
    assert len(json.loads(Path(str(whole.annotations)).read_text())["annotations"]) == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"positions": []}, NotFoundError), ({"analyses": []}, NotFoundError), ({"members": []}, NotFoundError),
        ({"positions": [""]}, UsageError), ({"analyses": [" "]}, UsageError), ({"types": [""]}, UsageError),
        ({"where": ""}, UsageError), ({"query": ""}, UsageError), ({"sql": " "}, UsageError),
    ],
)  # fmt: skip
def test_nothing_never_means_everything(lake: Lake, tmp_path: Path, words: dict[str, Any], error: type) -> None:
    with pytest.raises(error, match="empty"):
        lake.pull_part("one", tmp_path / "a.plzip", **{"kv": 5, **words})


# --- differences --------------------------------------------------------------------------------------------------


def test_equal_contents_are_equal(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "copy.plzip", ONE), sample="copy")  # else it is one more path of the same version
    found = lake.diff("one", "copy")
    assert (found.equal, found.members, found.members_same) == (True, [], len(ONE))


def test_differences_by_content_and_field(lake: Lake, tmp_path: Path) -> None:
    changed = contents(
        [
            Session(101, [Spot(1, 1, "first, polished", background=7), Spot(22, 2), Spot(3, 33, kv=10)], "grain one"),
            Session(102, [Spot(5, 5, condition={**CONDITION, "gain": 2})], "grain 2", more={"mine": 1}),
        ],
        top={"future": 5},
    )
    add(lake, tmp_path, "changed", changed)
    found = lake.diff("one", "changed")
    assert {(each.change, each.uuid_a, each.uuid_b): each.types for each in found.positions} == {
        ("changed", uid(1), uid(1)): [],
        ("renamed", uid(2), uid(22)): [],
        ("changed", uid(3), uid(3)): ["qlw", "xes"],
        ("removed", uid(4), None): ["qlw", "xes"],
        ("added", None, uid(5)): ["qlw", "xes"],
    }
    fields = {(each.where, each.field): (each.a, each.b) for each in found.fields}
    assert fields[f"position {uid(1)} info.json", "comment"] == ("first", "first, polished")
    assert fields[f"analysis {uid(101)}", "name"] == ("grain 1", "grain one")
    assert (f"position {uid(2)} info.json", "uuid") not in fields
    moved = next(each for each in found.conditions if each.positions)
    assert {each.field: (each.a, each.b) for each in moved.fields}["ccd.grating"] == ("JS50XL", "JS300N")
    paths = {each.path: each.change for each in found.members}
    assert paths["metadata.json"] == "changed"
    assert paths[f"data/{uid(4)}/info.json"] == "removed"
    assert found.members_same == len(ONE.keys() & changed.keys()) - list(paths.values()).count("changed")


def test_generic_archives_differ_by_members(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "p", {"a": b"1", "b": b"2"})
    add(lake, tmp_path, "q", {"a": b"1", "b": b"22"})
    (change,) = lake.diff("p", "q").members
    assert (change.path, change.change, change.size_a, change.size_b) == ("b", "changed", 1, 2)
