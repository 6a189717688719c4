"""The steps of a migration: each slip is put right, what is doubtful is left out, nothing is lost or done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.old_groups import SLIPS, Contents, dump, new_group, old_group, positions, with_condition
from support.sxes_sources import CountingSource

from sxeslake.archive import open_group
from sxeslake.archive.migration.contents import GroupContents, is_read
from sxeslake.archive.migration.plan import FORMS, MigrationPlan, plan_migration
from sxeslake.archive.sxes.extensions.array_fields import read_array
from sxeslake.archive.sxes.extensions.map_fields import read_map
from sxeslake.errors import InputError, ReadOnlyError, UsageError


def plan_of(contents: Contents, to: str | None = None) -> MigrationPlan:
    return plan_migration(group_of(contents), to)


def group_of(contents: Contents) -> GroupContents:
    def read(paths: Any) -> Any:
        assert not any(path.endswith(".data") for path in paths)
        return [(path, contents[path]) for path in paths]

    return GroupContents.of(((path, len(data)) for path, data in contents.items()), read)


def migrated(contents: Contents, to: str | None = None) -> Contents:
    plan = plan_of(contents, to)
    moved = {plan.renamed.get(path, path): data for path, data in contents.items()}
    return {**moved, **plan.written}


def edited(contents: Contents, path: str, **changes: Any) -> Contents:
    return {**contents, path: dump({**json.loads(contents[path]), **changes})}


def stated(contents: Contents) -> Any:
    return json.loads(contents["metadata.json"])


def moved_to(contents: Contents, places: list[tuple[float, float]]) -> Contents:
    """The positions in other places, in mm."""
    found = dict(contents)
    for uuid, (x, y) in zip(positions(contents), places, strict=True):
        path = f"data/{uuid}/state.json"
        state = json.loads(contents[path])
        found[path] = dump({**state, "stage": {**state["stage"], "x": x, "y": y}})
    return found


@pytest.mark.parametrize("slip", [slip for slip in SLIPS if slip != "no version"])
def test_each_slip_is_put_right(slip: str) -> None:
    assert migrated(old_group([slip]), "0.1.0") == new_group()
    assert migrated(old_group([slip])) == migrated(new_group())


def test_a_version_that_is_missing_stays_missing() -> None:
    old = old_group(["no version"])
    assert "version" not in stated(migrated(old))
    assert not plan_of(old, "0.1.0").changes


def test_all_slips_together_are_put_right_and_members_that_no_step_names_stay() -> None:
    old = old_group()
    new = migrated(old)
    assert not plan_of(new).changes
    named = {step.step for step in plan_of(old).steps}
    assert named == {"keys", "names", "maps", "arrays", "extensions"}
    kept = new_group()
    touched = {path for path in kept if path == "metadata.json"}
    assert {path: new[path] for path in kept if path not in touched} == {
        path: data for path, data in kept.items() if path not in touched
    }


def test_a_later_form_has_what_the_forms_before_it_have() -> None:
    old = old_group()
    by_steps = migrated(migrated(migrated(old, FORMS[0]), FORMS[1]), FORMS[2])
    assert by_steps == migrated(old)
    for form in FORMS:
        assert not plan_of(migrated(old), form).changes


def test_an_unknown_form_names_those_that_are_known() -> None:
    with pytest.raises(UsageError) as raised:
        plan_of(new_group(), "0.3")
    assert all(form in str(raised.value.hint) for form in FORMS)


def test_a_raster_gets_a_map_that_the_group_reads() -> None:
    new = migrated(new_group(3, 2), "0.1.0+maps")
    (path,) = [path for path in new if path.startswith("maps/")]
    found = read_map(json.loads(new[path]))
    assert (found.kind, found.shape, found.order) == ("stage", (2, 3), "row")
    assert list(found.position_uuids) == positions(new)
    assert found.frame is not None
    assert found.frame.step == ((0.005, 0.0, 0.0), (0.0, 0.005, 0.0))
    assert stated(new)["analyses"][0]["mapUuids"] == [found.uuid]
    assert stated(new)["extensions"] == {"maps": 1}
    assert json.loads(new[path])["method"] == "inferred from stage coordinates"


def test_holes_of_a_raster_have_no_position() -> None:
    contents = new_group(4, 3)
    metadata = stated(contents)
    gone = metadata["analyses"][0]["positionUuids"].pop(5)
    new = migrated({**contents, "metadata.json": dump(metadata)}, "0.1.0+maps")
    (path,) = [path for path in new if path.startswith("maps/")]
    found = read_map(json.loads(new[path])).position_uuids
    assert found[5] is None
    assert gone not in found
    assert len(found) == 12


def test_a_line_is_told_in_the_order_of_its_places() -> None:
    contents = new_group(3, 2)
    places = [(1.0 + 0.01 * at, 2.0 + 0.02 * at) for at in (3, 0, 5, 1, 4, 2)]
    new = migrated(moved_to(contents, places), "0.1.0+maps")
    (path,) = [path for path in new if path.startswith("maps/")]
    found, listed = read_map(json.loads(new[path])), positions(contents)
    assert (found.kind, found.shape, found.frame) == ("line", (6,), None)
    assert list(found.position_uuids) == [listed[at] for at in (1, 3, 5, 0, 4, 2)]


SCATTERED = [(1.0, 1.0), (1.3, 1.02), (2.7, 1.9), (1.9, 2.2), (2.4, 0.3), (0.2, 2.9)]


@pytest.mark.parametrize("doubt", ["scattered", "one place unknown", "one state lost", "deflected", "one uuid twice"])
def test_what_is_doubtful_gets_no_map(doubt: str) -> None:
    contents = new_group(3, 2)
    path = f"data/{positions(contents)[2]}/state.json"
    if doubt == "scattered":
        contents = moved_to(contents, SCATTERED)
    elif doubt == "one place unknown":
        contents = edited(contents, path, stage={"x": "---", "y": 1})
    elif doubt == "one state lost":
        del contents[path]
    elif doubt == "deflected":
        probe = json.loads(contents[path])["probe"]
        contents = edited(contents, path, probe={**probe, "beam": {**probe["beam"], "x": "1"}})
    else:
        metadata = stated(contents)
        contents = edited(contents, "metadata.json", analyses=metadata["analyses"] * 2)
    assert not plan_of(contents, "0.1.0+maps").changes


def test_an_analysis_that_has_a_map_gets_no_second_one() -> None:
    contents = new_group()
    analysis = stated(contents)["analyses"][0]["uuid"]
    own = dump({"uuid": "m", "analysisUuid": analysis, "kind": "free", "channels": []})
    assert [step.step for step in plan_of({**contents, "maps/m/map.json": own}, "0.1.0+maps").steps] == ["extensions"]
    assert not any(step.step == "maps" for step in plan_of({**contents, "maps/m/map.json": b"{"}).steps)


def test_arrays_of_positions_that_were_measured_alike_are_the_same_bytes() -> None:
    new = migrated(new_group())
    found = {data for path, data in new.items() if path.endswith("/arrays.json")}
    assert len(found) == 1
    entries = json.loads(found.pop())
    assert set(entries) == {"qlw", "xes"}
    qlw, xes = read_array(entries["qlw"]), read_array(entries["xes"])
    assert (xes.dtype, xes.shape) == ("<u4", (17, 2049))
    assert qlw.derived_axis is not None
    assert (qlw.derived_axis.start, qlw.derived_axis.step) == (14.976, 0.032455)
    assert qlw.derived_axis.method == "fit XES300N/JS300N"


@pytest.mark.parametrize(
    ("ccd", "described", "axis"),
    [
        ({"grating": "JS200N"}, {"qlw", "xes"}, False),
        ({"bins": {"x": 16, "y": 2048}}, {"qlw"}, True),
        ({"bins": {"x": 10**9, "y": 10**9}}, {"qlw"}, True),
        ({"bins": {"x": -17, "y": -2050}}, {"qlw"}, True),
        ({"bins": {}}, {"qlw"}, True),
    ],
)
def test_shape_and_axis_are_told_only_where_they_are_sure(ccd: Any, described: set[str], axis: bool) -> None:
    new = migrated(with_condition(new_group(), **ccd))
    for path in (path for path in new if path.endswith("/arrays.json")):
        entries = json.loads(new[path])
        assert set(entries) == described
        assert ("derivedAxis" in entries["qlw"]) == axis


def test_an_array_of_another_size_and_the_types_of_others_are_not_described() -> None:
    contents = new_group(1, 1)
    (uuid,) = positions(contents)
    contents[f"data/{uuid}/qlw.data"] += b"\0"
    contents[f"data/{uuid}/xes.data"] = contents[f"data/{uuid}/xes.data"][:-4]
    assert not plan_of(contents).changes


def test_what_is_described_already_stays() -> None:
    contents = new_group(1, 1)
    (uuid,) = positions(contents)
    path = f"data/{uuid}/arrays.json"
    own = {"wds": {"dtype": "<f8"}, "xes": {"dtype": ">u4", "shape": [1]}}
    new = migrated({**contents, path: dump(own)})
    assert {key: json.loads(new[path])[key] for key in own} == own
    assert set(json.loads(new[path])) == {*own, "qlw"}
    broken = {**contents, path: b'{"qlw":'}
    assert migrated(broken)[path] == b'{"qlw":'


def test_extensions_of_members_that_are_there_are_stated() -> None:
    digest = "0" * 64
    contents = {**new_group(1, 1), f"documents/{digest}.json": b"{}", f"sources/{digest}.json": b"{}"}
    assert stated(migrated(contents))["extensions"] == {"arrays": 1, "documents": 1, "sources": 1}
    newer = edited(contents, "metadata.json", extensions={"arrays": 2, "theirs": 4})
    assert stated(migrated(newer))["extensions"] == {"arrays": 2, "theirs": 4, "documents": 1, "sources": 1}
    odd = edited(contents, "metadata.json", extensions=["maps"])
    assert stated(migrated(odd))["extensions"] == ["maps"]


@pytest.mark.parametrize("changes", [{"version": "0.2.0"}, {"extensions": {"x": 1}, "extensionsRequired": ["x"]}])
def test_a_group_that_is_newer_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ReadOnlyError):
        plan_of(edited(new_group(), "metadata.json", **changes))


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (None, "holds no metadata.json"),
        (b"{", "not valid JSON"),
        (b"[]", "where an object belongs"),
        (b'{"projects":[],"analyses":[],"a":1,"a":2}', "stands twice"),
        (b'{"projects":[],"analyses":[],"a":1e999}', "more digits"),
        (b'{"projects":[],"analyses":[],"a":0.12345678901234567890}', "more digits"),
        ('{"projects":[],"analyses":[],"a":"é"}'.encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_metadata_that_would_lose_something_is_refused(metadata: bytes | None, why: str) -> None:
    contents = {**new_group(), "metadata.json": metadata}
    with pytest.raises(InputError, match=why):
        plan_of({path: data for path, data in contents.items() if data is not None})


def test_an_info_that_would_lose_something_stays_as_it_is() -> None:
    contents = old_group(["rawCondtionUuid"])
    path = f"data/{positions(contents)[0]}/info.json"
    contents[path] = contents[path][:-1] + b',"uuid":"again"}'
    assert path not in plan_of(contents, "0.1.0").written
    assert len(plan_of(contents, "0.1.0").written) == 5


def test_text_stays_in_its_encoding_and_keys_in_their_order() -> None:
    contents = old_group(["rawCondtionUuid"], 1, 1)
    path = f"data/{positions(contents)[0]}/info.json"
    text = json.dumps({**json.loads(contents[path]), "comment": "µ 炭素", "theirs": [1]}, ensure_ascii=False)
    contents[path] = text.encode("utf-16")
    found = migrated(contents, "0.1.0")[path].decode("utf-16")
    assert list(json.loads(found).items()) == [
        ("rawConditionUuid" if key == "rawCondtionUuid" else key, value) for key, value in json.loads(text).items()
    ]


def test_a_name_that_is_taken_or_there_twice_stays() -> None:
    contents = old_group(["backgrounds with .json"])
    wrong = next(path for path in contents if path.startswith("backgrounds/"))
    contents[wrong.removesuffix(".json")] = b"another"
    assert not plan_of(contents, "0.1.0").changes
    group = group_of(old_group(["backgrounds with .json"]))
    twice = GroupContents(group.sizes, group.raw, repeated=frozenset({wrong}))
    assert not plan_migration(twice, "0.1.0").changes


def test_only_small_json_of_known_places_is_looked_into() -> None:
    digest = "0" * 64
    read = ["metadata.json", "data/u/info.json", "data/u/state.json", "images/u/info.json", f"conditions/{digest}",
            f"conditions/{digest}.json", "maps/u/map.json", "data/u/arrays.json"]  # fmt: skip
    assert all(is_read(path, 10) for path in read)
    left = ["data/u/xes.data", f"backgrounds/{digest}", f"backgrounds/{digest}.json", "data/u/notes.json", "x.json",
            "maps/u/ti.data", "documents/a.json"]  # fmt: skip
    assert not any(is_read(path, 10) for path in left)
    assert not any(is_read(path, 1 << 40) for path in read)


def test_a_migrated_group_opens_and_may_be_written(tmp_path: Path) -> None:
    with open_group(CountingSource(migrated(old_group()))) as group:
        assert not group.read_only
        assert not group.check()
        assert [position.info.raw_condition_id is not None for position in group.positions] == [True] * 6
        assert group.positions[0].background is not None
        group.save(tmp_path / "again.plzip")
