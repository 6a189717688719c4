"""Merges: equal measurements once, parts of one measurement together, and all that was said of them kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from blake3 import blake3
from support.internals import vault_of, version_of
from support.part_lakes import ONE, OTHER, Session, Spot, add, contents, files, metadata, uid
from support.small_lakes import new_lake, own_store, zip_of

from sxeslake.archive import open_group
from sxeslake.errors import AlreadyExistsError, InputError, LimitExceededError, NotFoundError, UsageError
from sxeslake.lake import Lake


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        opened.ingest(zip_of(tmp_path / "in" / "one.plzip", ONE))
        yield opened


TWO = contents(
    [
        Session(101, [Spot(1, 1, "first", background=7), Spot(2, 22, "another measurement")], "grain 1"),
        Session(103, [Spot(9, 4, "the same as spot 4, converted again"), Spot(8, 8)], "grain 3"),
    ],
    top={"future": 6},
)


def test_a_merge_keeps_equal_measurements_once(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    report = lake.pull_part(["one", "two"], tmp_path / "m.pl7z")
    assert (report.sample, report.samples, report.warnings) == (None, ["one@1", "two@1"], [])
    found, fields = files(report.path), metadata(report.path)
    uuids = {path.split("/")[1] for path in found if path.startswith("data/")}
    (derived,) = uuids - {uid(number) for number in (1, 2, 3, 4, 8)}
    assert UUID(derived).version == 5
    assert found[f"data/{derived}/qlw.data"] == TWO[f"data/{uid(2)}/qlw.data"]
    assert json.loads(found[f"data/{derived}/info.json"])["uuid"] == derived
    assert found[f"data/{uid(2)}/qlw.data"] == ONE[f"data/{uid(2)}/qlw.data"]
    listed = {each["name"]: each["positionUuids"] for each in fields["analyses"]}
    assert listed["grain 1"] == [uid(1), uid(2), uid(3), derived]
    assert listed["grain 3"] == [uid(4), uid(8)]
    said = fields["provenance"]
    assert [(each["sample"], each["version"]) for each in said["archives"]] == [("one", 1), ("two", 1)]
    assert said["archives"][0]["manifest"] == version_of(lake, "one").archive.manifest
    assert said["archives"][1]["metadata"] == {"future": 6}
    assert said["positions"][derived] == [{"archive": 1, "uuid": uid(2)}]
    assert said["positions"][uid(4)] == [
        {"archive": 0},
        {"archive": 1, "uuid": uid(9),
         "otherwise": {"info.json": {"comment": "the same as spot 4, converted again"}}},
    ]  # fmt: skip
    with open_group(report.path or "") as group:
        assert group.check() == ()


def test_a_merge_comes_in_again_without_a_new_array(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    report = lake.pull_part((), tmp_path / "m.pl7z", kv="1..20")
    (stored,) = lake.ingest(tmp_path / "m.pl7z").archives
    assert stored.status == "added"
    assert array_packs_of_last_commit(lake) == []
    again = lake.pull_part(["one", "two"], tmp_path / "n.pl7z")
    assert again.sha256 == report.sha256


def test_merges_of_merges_and_of_one(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    lake.pull_part(["one", "two"], tmp_path / "m.plzip")
    lake.ingest(tmp_path / "m.plzip")
    fields = metadata(lake.pull_part(["m", "two"], tmp_path / "n.plzip").path)
    assert len(fields["provenance"]["positions"]) == 6
    assert fields["provenance"]["archives"][0]["metadata"]["provenance"]["archives"][1]["sample"] == "two"
    alone = metadata(lake.pull_part((), tmp_path / "o.plzip", grating="JS50XL").path)
    assert list(alone["provenance"]["positions"]) == [uid(3)]


def array_packs_of_last_commit(lake: Lake) -> list[str]:
    entry = vault_of(lake).state.select("SELECT max(number) FROM entries")[0][0]
    found = vault_of(lake).state.select("SELECT json_extract(record, '$.kind') FROM packs WHERE number = ?", (entry,))
    return [kind for (kind,) in found if kind != "json"]


def test_parts_of_one_archive_meet_again_in_a_merge(lake: Lake, tmp_path: Path) -> None:
    """Copies that were pulled with other `--types` are one position with all of it, and come in without a new array."""
    for name, types in (("q", ["qlw"]), ("x", ["xes", "images"]), ("s", ["state"])):
        lake.pull_part("one", tmp_path / "in" / f"{name}.plzip", types=types)
        lake.ingest(tmp_path / "in" / f"{name}.plzip")
    report = lake.pull_part(["q", "s", "x"], tmp_path / "m.pl7z")
    found = files(report.path)
    assert (report.positions, report.warnings) == (4, [])
    arrays = {path: data for path, data in ONE.items() if path.endswith(".data")}
    assert {path: data for path, data in found.items() if path.endswith(".data")} == arrays
    assert all(ONE[path] == data for path, data in found.items() if path != "metadata.json")
    assert metadata(report.path)["provenance"]["positions"][uid(1)] == [{"archive": at} for at in range(3)]
    assert lake.ingest(tmp_path / "m.pl7z").archives[0].status == "added"
    assert array_packs_of_last_commit(lake) == []
    again = lake.pull_part(["one", "q", "m"], tmp_path / "n.pl7z")
    assert again.positions == 4
    with open_group(again.path or "") as group:
        assert group.check() == ()


@pytest.mark.parametrize("lost", ["info.json", "state.json"])
def test_a_copy_that_lost_a_file_gets_it_from_another(lake: Lake, tmp_path: Path, lost: str) -> None:
    add(
        lake,
        tmp_path,
        "less",
        {path: data for path, data in ONE.items() if path.startswith("images/") or not path.endswith(lost)},
    )
    report = lake.pull_part(["less", "one"], tmp_path / "m.plzip")
    assert report.positions == 4
    with open_group(report.path or "") as group:
        assert group.check() == (), "with the conditions and backgrounds that it names"


def test_an_archive_that_cannot_be_taken_apart_does_not_stop_a_merge_of_all(lake: Lake, tmp_path: Path) -> None:
    newer = json.loads(ONE["metadata.json"]) | {"version": "9.0"}
    add(lake, tmp_path, "newer", {**ONE, "metadata.json": json.dumps(newer).encode()})
    report = lake.pull_part((), tmp_path / "m.plzip", merge=True)
    assert report.samples == ["one@1"]
    assert report.warnings[0].startswith("left out: newer@1: its format version 9.0 is newer")
    with pytest.raises(InputError, match=r"newer@1: its format version"):
        lake.pull_part(["one", "newer"], tmp_path / "n.plzip")


def test_an_analysis_whose_uuid_is_no_word(lake: Lake, tmp_path: Path) -> None:
    fields = json.loads(ONE["metadata.json"])
    fields["analyses"][0]["uuid"] = [1]
    add(lake, tmp_path, "odd", {**ONE, "metadata.json": json.dumps(fields).encode()})
    lake.annotate("odd", material="TiN")
    report = lake.pull_part("odd", tmp_path / "a.plzip", positions=["1"])
    assert metadata(report.path)["analyses"][0]["uuid"] == [1]
    assert lake.pull_part(["odd", "one"], tmp_path / "m.plzip").positions == 4


def test_a_uuid_is_derived_alike_in_a_merge_of_merges(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    lake.ingest(Path(str(lake.pull_part(["one", "two"], tmp_path / "m.plzip").path)))
    fields = [metadata(lake.pull_part(names, tmp_path / f"{len(names)}.plzip").path)["provenance"]["positions"]
              for names in (["one", "two"], ["one", "two", "m"])]  # fmt: skip
    assert set(fields[0]) == set(fields[1])


def test_what_equal_positions_say_otherwise_is_kept(lake: Lake, tmp_path: Path) -> None:
    spot = Spot(4, 4, "edited", condition=OTHER, extra={"log.txt": b"another", "sub/deep.bin": b"y"})
    add(lake, tmp_path, "edited", contents([Session(102, [spot], "grain 2")]))
    report = lake.pull_part(["one", "edited"], tmp_path / "m.plzip")
    (_, said) = metadata(report.path)["provenance"]["positions"][uid(4)]
    assert said["otherwise"]["info.json"].keys() == {"comment", "conditionUuid"}
    assert said["otherwise"]["log.txt"] == {"blake3": blake3(b"another").hexdigest()}
    (warning,) = report.warnings
    assert warning.startswith("edited@1: files that differ from those of equal positions before them: 1; left out")
    assert files(report.path)[f"data/{uid(4)}/log.txt"] == b"x"


def test_what_is_said_of_merged_archives_comes_beside_the_merge(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    lake.annotate("one", material="TiN")
    lake.annotate("two", position=uid(2), mount="A")
    lake.annotate("two@1", analysis=uid(101), coating="C")
    lake.annotate("two", position=uid(9), coating="Au")
    report = lake.pull_part(["one", "two"], tmp_path / "m.plzip")
    assert report.annotations == str(tmp_path / "m.plzip.annotations.json")
    document = json.loads(Path(report.annotations).read_text())
    assert document["lake"] == lake.url
    one, two = document["archives"]
    assert (one["sample"], one["version"], one["annotations"][0]["value"]) == ("one", 1, "TiN")
    assert one["content_id"] == version_of(lake, "one").archive.content_id
    (derived,) = {path.split("/")[1] for path in files(report.path) if path.startswith("data/")} - {
        uid(number) for number in (1, 2, 3, 4, 8)
    }
    assert {(each["value"], each["uuid"], each.get("uuid_there")) for each in two["annotations"]} == {
        ("A", derived, uid(2)), ("C", uid(101), None), ("Au", uid(4), uid(9)),
    }  # fmt: skip
    part = lake.pull_part(["one", "two"], tmp_path / "p.plzip", positions=[uid(8)])
    assert part.annotations is None, "nothing is said of what is in it"


def test_another_file_of_the_name_stops_a_merge_before_it_is_made(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    lake.annotate("one", material="TiN")
    (tmp_path / "m.plzip.annotations.json").write_text("mine")
    with pytest.raises(AlreadyExistsError, match="annotations"):
        lake.pull_part(["one", "two"], tmp_path / "m.plzip")
    assert not (tmp_path / "m.plzip").exists()
    lake.pull_part(["one", "two"], tmp_path / "m.plzip", force=True)
    assert "TiN" in (tmp_path / "m.plzip.annotations.json").read_text()


def test_one_archive_is_merged_where_that_is_asked(lake: Lake, tmp_path: Path) -> None:
    fields = metadata(lake.pull_part("one", tmp_path / "m.plzip", merge=True).path)
    assert fields["provenance"]["archives"][0]["sample"] == "one"
    add(lake, tmp_path, "plain", {"a.txt": b"1"})
    report = lake.pull_part((), tmp_path / "n.plzip", merge=True)
    assert (report.samples, report.warnings) == (["one@1"], [])


def test_a_place_that_is_taken_is_refused_before_anything_is_read(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "there.plzip").write_text("mine")
    before = vault_of(lake).store.counters.requests
    for out, error in ((None, UsageError), (tmp_path / "there.plzip", AlreadyExistsError)):
        with pytest.raises(error):
            lake.pull_part(["one", "one@1"], out, merge=True)
    assert vault_of(lake).store.counters.requests == before


def test_a_merge_leaves_out_those_without_such_a_part(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "two", TWO)
    report = lake.pull_part(["one", "two"], tmp_path / "m.plzip", analyses=["grain 3"])
    assert report.samples == ["two@1"]
    assert "left out: one@1: no analysis is called 'grain 3'" in report.warnings[0]
    with pytest.raises(NotFoundError, match="grain 9"):
        lake.pull_part(["one", "two"], tmp_path / "n.plzip", analyses=["grain 9"])
    with pytest.raises(UsageError, match="one archive"):
        lake.pull_part(["one", "two"], tmp_path / "n.plzip", members=["*"])


@pytest.mark.parametrize(("words", "option"), [({"max_positions": 5}, "positions"), ({"max_bytes": 900}, "bytes")])
def test_a_merge_beyond_its_limit_says_so_first(lake: Lake, tmp_path: Path, words: dict[str, Any], option: str) -> None:
    add(lake, tmp_path, "two", TWO)
    with pytest.raises(LimitExceededError, match=f"{option}, more than .* allowed.*max_{option}"):
        lake.pull_part(["one", "two"], tmp_path / "m.plzip", where="true", **words)
    assert not (tmp_path / "m.plzip").exists()


def test_copies_count_once_against_the_limit(lake: Lake, tmp_path: Path) -> None:
    add(lake, tmp_path, "copy", ONE)
    assert lake.pull_part((), tmp_path / "m.plzip", where="true", max_positions=4).positions == 4
    with pytest.raises(LimitExceededError, match="4 positions, more than the 3"):
        lake.pull_part((), tmp_path / "n.plzip", where="true", max_positions=3)


def test_another_file_under_a_shared_name_is_warned_of(lake: Lake, tmp_path: Path) -> None:
    (name,) = (path for path in ONE if path.startswith("rawConditions/"))
    add(lake, tmp_path, "odd", {**TWO, name: b"{}"})
    report = lake.pull_part(["one", "odd"], tmp_path / "m.plzip")
    assert report.warnings == [f"odd@1: another {name} than that of an archive before it; left out"]
