"""Whatever a group holds, its migration is done once, in any number of steps, and loses nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.archive.migration.contents import GroupContents, is_read
from sxeslake.archive.migration.plan import FORMS, plan_migration
from sxeslake.archive.sxes.documents.fields import read_analyses, read_info, read_projects
from sxeslake.errors import InputError, ReadOnlyError

Contents = dict[str, bytes]

UUIDS = ("a", "b", "c", "d", "e")
DIGESTS = ("0" * 64, "f" * 64)

odd = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
uuid = st.sampled_from(UUIDS)
number = st.sampled_from([0, 1, "1.0", 2, 3.5, "---"]) | odd
info_keys = ("rawConditionUuid", "rawCondtionUuid", "conditionUuid", "comment", "uuid")
info = st.dictionaries(st.sampled_from(info_keys), st.sampled_from(DIGESTS) | odd)
state = st.fixed_dictionaries({}, optional={"stage": st.dictionaries(st.sampled_from("xyz"), number), "probe": odd})
condition = st.fixed_dictionaries(
    {},
    optional={
        "ccd": st.fixed_dictionaries(
            {"spectrometer": st.sampled_from(["XES300N", "X"]), "grating": st.just("JS300N")},
            optional={"bins": st.fixed_dictionaries({"x": number, "y": number})},
        )
        | odd
    },
)
analysis = st.fixed_dictionaries(
    {"positionUuids": st.lists(uuid, max_size=6) | odd},
    optional={"uuid": uuid | odd, "mapUuids": st.lists(uuid) | odd, "name": odd},
)
project = st.dictionaries(st.sampled_from(["analyses", "analysisUuids", "name"]), st.lists(uuid) | odd)
metadata = st.fixed_dictionaries(
    {"projects": st.lists(project | odd, max_size=2) | odd, "analyses": st.lists(analysis | odd, max_size=3) | odd},
    optional={"version": odd, "extensions": st.dictionaries(st.sampled_from(["maps", "x"]), number) | odd, "more": odd},
)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def groups(draw: st.DrawFn) -> Contents:
    """A group of a few positions with any of the slips, any values, broken JSON."""
    found = {"metadata.json": dumped(draw(metadata))}
    for each in UUIDS:
        folder = f"data/{each}"
        files: dict[str, st.SearchStrategy[bytes]] = {
            f"{folder}/info.json": info.map(dumped) | st.just(b"{"),
            f"{folder}/state.json": state.map(dumped) | odd.map(dumped),
            f"{folder}/qlw.data": st.sampled_from([bytes(32_760), b"1"]),
            f"{folder}/xes.data": st.sampled_from([bytes(16), bytes(8), b""]),
            f"{folder}/custom.data": st.just(b"theirs"),
            f"{folder}/arrays.json": odd.map(dumped) | st.just(b'{"xes":{"dtype":"<u4"}}'),
            f"maps/{each}/map.json": st.fixed_dictionaries({"analysisUuid": uuid}).map(dumped) | st.just(b"no"),
        }
        for path, strategy in files.items():
            if draw(st.integers(0, 3 if path.endswith(("arrays.json", "map.json")) else 0)) == 0 and draw(
                st.booleans()
            ):
                found[path] = draw(strategy)
    for digest in DIGESTS:
        if draw(st.booleans()):
            found[f"conditions/{digest}{draw(st.sampled_from(['', '.json']))}"] = dumped(draw(condition))
        if draw(st.booleans()):
            found[f"backgrounds/{digest}{draw(st.sampled_from(['', '.json']))}"] = b"dark"
    return found


def migrated(contents: Contents, to: str) -> Contents:
    plan = plan_migration(group_of(contents), to)
    assert set(plan.written) <= {path for path in plan.written if is_read(path, 0)}
    moved = {plan.renamed.get(path, path): data for path, data in contents.items()}
    assert len(moved) == len(contents)
    return {**moved, **plan.written}


def group_of(contents: Contents) -> GroupContents:
    files = ((path, len(data)) for path, data in contents.items())
    return GroupContents.of(files, lambda paths: [(path, contents[path]) for path in paths])


@settings(max_examples=150)
@given(groups(), st.sampled_from(FORMS))
def test_a_migration_is_done_once_and_forms_follow_one_another(contents: Contents, to: str) -> None:
    try:
        new = migrated(contents, to)
    except (ReadOnlyError, InputError):
        return
    assert migrated(new, to) == new
    for earlier in FORMS[: FORMS.index(to) + 1]:
        assert migrated(new, earlier) == new
        assert migrated(migrated(contents, earlier), to) == new


@settings(max_examples=150)
@given(groups())
def test_readers_see_the_same_before_and_after(contents: Contents) -> None:
    try:
        new = migrated(contents, FORMS[-1])
    except (ReadOnlyError, InputError):
        return
    for path, data in contents.items():
        if path.endswith(".data"):
            assert new[path] == data
        if path.endswith("info.json") and data != b"{":
            assert read_info(json.loads(new[path])) == read_info(json.loads(data))
    before, after = json.loads(contents["metadata.json"]), json.loads(new["metadata.json"])
    assert read_projects(after) == read_projects(before)
    assert read_analyses(after) == read_analyses(before)
    assert after.keys() - before.keys() <= {"extensions"}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=20, unique=True), st.data())
def test_the_map_of_a_raster_does_not_depend_on_anything_but_its_positions(
    cells: list[tuple[int, int]], data: st.DataObject
) -> None:
    """The order in which members stand changes nothing, and each position stands where the frame says."""
    uuids = [f"{at:04d}" for at in range(len(cells))]
    contents = {"metadata.json": dumped({"projects": [], "analyses": [{"uuid": "a", "positionUuids": uuids}]})}
    for each, (row, column) in zip(uuids, cells, strict=True):
        contents[f"data/{each}/state.json"] = dumped({"stage": {"x": 1 + column * 0.01, "y": 2 + row * 0.02, "z": 3}})
    shuffled = dict(data.draw(st.permutations(list(contents.items()))))
    new = migrated(contents, FORMS[1])
    assert migrated(shuffled, FORMS[1]) == new
    for path in (path for path in new if path.startswith("maps/")):
        found = json.loads(new[path])
        if found["kind"] != "stage":
            continue
        origin, (across, down) = found["frame"]["origin"], found["frame"]["step"]
        for at, each in enumerate(found["points"]["positionUuids"]):
            row, column = divmod(at, found["shape"][1])
            place = [origin[axis] + column * across[axis] + row * down[axis] for axis in range(2)]
            if each is not None:
                true = json.loads(contents[f"data/{each}/state.json"])["stage"]
                assert abs(place[0] - true["x"]) < 1e-5
                assert abs(place[1] - true["y"]) < 1e-5
