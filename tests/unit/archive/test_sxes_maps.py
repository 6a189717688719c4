"""Maps of a group: points, channels and their versions; what is faulty is told and never takes memory."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import Analysis, ArrayAxis, Group, Map, MapFrame, create_group, open_group
from sxeslake.errors import (
    AlreadyExistsError,
    DamagedArchiveError,
    InputError,
    MemberNotFoundError,
    SxeslakeError,
    UsageError,
)

FRAME = MapFrame("stage", "mm", (1.0, 2.0, 10.0), ((0.5, 0.0, 0.0), (0.0, 0.25, 0.0)))


def an_analysis() -> Analysis:
    return create_group().add_project("p").add_analysis("a")


def with_map(value: object, **files: bytes) -> tuple[CountingSource, Group]:
    """The synthetic map with a `map.json` as somebody else may have written it, and files beside it."""
    source = sxes_source()
    analysis = json.loads(source.contents["metadata.json"])["analyses"][0]["uuid"]
    if isinstance(value, dict):
        value = {"analysisUuid": analysis, **value}
    source.contents["maps/m/map.json"] = value if isinstance(value, bytes) else json.dumps(value).encode()
    for name, data in files.items():
        source.contents[f"maps/m/{name}.data"] = data
    source = CountingSource(source.contents)
    return source, open_group(source)


def test_a_map_is_read_as_it_was_added(tmp_path: Path) -> None:
    analysis = an_analysis()
    made = analysis.add_map(
        "stage", (2, 3), name="Ti", comment="grain", frame=FRAME, state={"probe": {"acceleratingVoltage": "15"}},
        channels={"Ti Ka": np.arange(6, dtype=np.uint32).reshape(2, 3)}, more={"mounted": [1]},
    )  # fmt: skip
    with analysis.group as made_group:
        path = made_group.save(tmp_path / "map.plzip")
    with open_group(path) as group:
        (found,) = group.maps
        assert (found.uuid, found.name, found.comment, found.kind, found.shape) == (
            made.uuid, "Ti", "grain", "stage", (2, 3),
        )  # fmt: skip
        assert found == group.map(made.uuid) == group.analyses[0].maps[0]
        assert found.analysis == group.analyses[0]
        assert found.state.accelerating_voltage_kv == 15
        assert found.xy[4].tolist() == [1.5, 2.25, 10.0]
        array = found.channel("Ti Ka").array()
        assert (array.dtype, array.tolist()) == (np.dtype("<u4"), [[0, 1, 2], [3, 4, 5]])
        assert found.document.fields["mounted"] == [1]
        assert group.version == "0.1.0"
        assert group.extensions == {"maps": 1}
        assert group.check() == ()


@pytest.mark.parametrize("suffix", ["plzip", "pl7z", ""])
def test_a_map_is_changed_after_a_save_and_saved_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / (f"map.{suffix}" if suffix else "map")
    with create_group() as group:
        made = group.add_project("p").add_analysis("a").add_map("line", [2], channels={"Fe": [1, 2]})
        group.save(path)
        made.name = "after"
        made.add_channel("Fe", [3, 4])
        assert group.maps == (made,)
        group.save()
        made.remove_channel("Fe", version=1)
        group.save()
    with open_group(path) as group:
        (found,) = group.maps
        assert (found.name, [each.fields.version for each in found.channels]) == ("after", [2])
        assert found.channel("Fe").array().tolist() == [3, 4]
        assert sorted(found.members) == ["fe-v2.data", "map.json"]
        assert group.check() == ()


def test_what_is_stored_column_by_column_comes_out_as_rows_and_columns() -> None:
    values = np.arange(12).reshape(2, 3, 2)
    made = an_analysis().add_map("stage", (2, 3), order="column", frame=FRAME, channels={"spectra": values})
    channel = made.channel("spectra")
    assert (channel.fields.shape, channel.shape) == ((3, 2, 2), (2, 3, 2))
    assert np.array_equal(channel.array(), values)
    assert np.array_equal(np.frombuffer(channel.raw(), "<i8").reshape(3, 2, 2), values.swapaxes(0, 1))
    assert made.xy[:3, :2].tolist() == [[1.0, 2.0], [1.0, 2.25], [1.5, 2.0]]
    as_bytes = made.add_channel("bytes", np.arange(6, dtype="<u2").tobytes(), dtype="<u2")
    assert as_bytes.array().tolist() == [[0, 2, 4], [1, 3, 5]]
    assert made.group.check() == ()
    with pytest.raises(UsageError, match="2 × 3 values do not fit a map of 3 × 2"):
        made.add_channel("bytes", bytes(6), dtype="|u1", shape=(2, 3))


def test_spectra_at_each_point_may_have_an_axis() -> None:
    axis = ArrayAxis("energy", "eV", start=0.0, step=10.0)
    made = an_analysis().add_map("beam", (1, 2))
    cube = made.add_channel("eds", np.zeros((1, 2, 3), np.uint16), more={"axis": axis.json()})
    assert cube.axis == axis
    assert cube.axis.values(cube.shape[-1]).tolist() == [0, 10, 20]
    assert made.add_channel("sum", [[0, 0]]).axis is None


def test_a_channel_of_the_same_name_is_its_next_version() -> None:
    made = an_analysis().add_map("line", [3], channels={"Fe La": [1, 2, 3]})
    second = made.add_channel("Fe La", [1.5, 2.5, 3.5], quantity="counts", element="Fe", dwell_ms=200, more={"peak": 1})
    assert (second.fields.version, second.fields.supersedes, second.fields.dwell_ms) == (2, "fe-la.data", 200)
    assert made.channel("Fe La").array().tolist() == [1.5, 2.5, 3.5]
    assert made.channel("Fe La", version=1).array().tolist() == [1, 2, 3]
    assert [each.member for each in made.fields.current] == ["fe-la-v2.data"]
    made.remove_channel("Fe La")
    assert sorted(made.members) == ["fe-la.data", "map.json"]
    with pytest.raises(MemberNotFoundError, match=r"no version 2 of channel 'Fe La'\. There are: Fe La"):
        made.channel("Fe La", version=2)


def test_points_may_be_positions_coordinates_or_both() -> None:
    analysis = an_analysis()
    first = analysis.add_position(condition={"ccd": {}}, state={"stage": {"x": 1.5, "y": 2}})
    made = analysis.add_map("free", positions=[first, None], state=first)
    assert made.position_uuids == (first.uuid, None)
    assert made.state.stage_x_mm == 1.5
    assert made.positions[0] is not None
    assert made.positions[0].uuid == first.uuid
    assert np.array_equal(made.xy, [[1.5, 2], [np.nan, np.nan]], equal_nan=True)
    assert analysis.add_map("free", xy=[[1, 2, 3], [4, 5, 6]]).xy.shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "round"}, "not a kind of map"),
        ({"kind": "stage"}, "needs a shape"),
        ({"kind": "stage", "shape": (-1, 2)}, "needs a shape"),
        ({"kind": "stage", "shape": (1.5, 2)}, "needs a shape"),
        ({"kind": "stage", "shape": (1, 2, 3)}, "needs a shape"),
        ({"kind": "line", "shape": [3], "xy": [[1, 2]]}, "1 coordinates are not one for each of 3 points"),
        ({"kind": "free", "xy": [1, 2]}, "coordinates are an array"),
        ({"kind": "free", "positions": ["nobody"]}, "no position 'nobody'"),
        ({"kind": "line", "shape": [3], "channels": {"a": [1, 2]}}, "2 values do not fit a map of 3"),
        ({"kind": "line", "shape": [1], "channels": {"a": ["x"]}}, "cannot be stored"),
        ({"kind": "line", "shape": [1], "uuid": "../m"}, "not an id"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        an_analysis().add_map(**arguments)


def test_a_map_whose_channel_does_not_fit_leaves_nothing() -> None:
    analysis = an_analysis()
    with pytest.raises(UsageError, match="3 values do not fit a map of 2"):
        analysis.add_map("line", [2], xy=[[1, 2], [3, 4]], channels={"a": [1, 2], "b": [1, 2, 3]})
    assert (analysis.maps, analysis.listed("mapUuids"), len(analysis.group.source.children("maps/"))) == ((), (), 0)


def test_a_name_that_is_taken_or_unsafe_is_refused() -> None:
    analysis = an_analysis()
    made = analysis.add_map("line", [1], uuid="m")
    with pytest.raises(AlreadyExistsError, match="the map m already"):
        analysis.add_map("line", [1], uuid="m")
    for member in ("../a.data", "a.bin", "sub/a.data"):
        with pytest.raises(UsageError, match="cannot be the file of a channel"):
            made.add_channel("a", [1], member=member)
    made.add_channel("a", [1], member="b.data")
    with pytest.raises(UsageError, match="it is taken"):
        made.add_channel("c", [1], member="b.data")


def test_conditions_of_channels_are_kept_while_they_are_named() -> None:
    made = an_analysis().add_map("line", [1])
    channel = made.add_channel("Ti", [1], condition={"probe": {"n": 1}}, raw_condition={"dataCondition": {"n": 1}})
    group = made.group
    assert channel.condition is not None
    assert channel.condition.id in group.conditions
    assert channel.raw_condition is not None
    made.remove_channel("Ti")
    assert (group.conditions, group.raw_conditions) == ({}, {})


def test_editing_a_map_keeps_unknown_fields() -> None:
    _, group = with_map({"uuid": "m", "kind": "free", "shape": [1], "channels": [], "zażółć": {"ż": 1}})
    (found,) = group.maps
    found.name, found.comment = "new", "polished"
    assert json.loads(found.read("map.json"))["zażółć"] == {"ż": 1}
    assert (found.name, found.comment) == ("new", "polished")
    assert group.extensions == {"maps": 1}


def test_a_map_belongs_to_the_analysis_it_names_or_else_to_one_that_lists_it() -> None:
    source, _ = with_map({"uuid": "m", "analysisUuid": "gone", "kind": "free", "shape": [1], "channels": []})
    assert open_group(source).maps[0].analysis is None
    metadata = json.loads(source.contents["metadata.json"])
    metadata["analyses"][0]["mapUuids"] = ["m"]
    source.contents["metadata.json"] = json.dumps(metadata).encode()
    group = open_group(source)
    assert group.maps[0].analysis == group.analyses[0]
    assert group.analyses[0].maps == group.maps


def test_nothing_of_maps_is_read_until_it_is_asked_for() -> None:
    source, group = with_map({"uuid": "m", "kind": "free", "shape": [1], "channels": []})
    for position in group.positions:
        _ = position.state, position.condition, position.qlw
    assert len(group.analyses[0].positions) == 6
    group.positions[0].comment = "new"
    _ = group.source
    assert "maps/m/map.json" not in source.reads
    assert repr(group.maps[0]) == "<Map of counted.plzip: free, 1 points>"


def test_the_json_of_many_maps_is_read_side_by_side() -> None:
    source, _ = with_map({"kind": "free", "shape": [1], "channels": []})
    contents = {**source.contents, **{f"maps/{n}/map.json": source.contents["maps/m/map.json"] for n in range(99)}}
    source = CountingSource(contents)
    group = open_group(source)
    assert len(group.analyses[0].maps) == len(group.maps) == 100
    assert source.requests == 2
    assert "maps/m/map.json" not in source.reads


HUGE = 1 << 40
FAULTY = {
    "not JSON": (b"{", "not valid JSON"),
    "a list": (b"[]", "a JSON list"),
    "no shape": ({"kind": "free"}, "no shape"),
    "another uuid": ({"uuid": "n", "shape": [1]}, "another uuid, n"),
    "no such position": ({"shape": [1], "points": {"positionUuids": ["gone"]}}, "that no analysis lists: 1"),
    "too few positions": ({"shape": [2], "points": {"positionUuids": [None]}}, "names 1 positions for 2 points"),
    "no member": ({"shape": [1], "channels": [{"name": "a", "member": "b.data"}]}, "no member maps/m/b.data"),
    "no name of a member": ({"shape": [1], "channels": [{"name": "a"}]}, "it names no file"),
    "a member elsewhere": ({"shape": [1], "channels": [{"name": "a", "member": "../x"}]}, "leaves its folder"),
    "too short": (
        {"shape": [9], "channels": [{"name": "a", "member": "a.data", "dtype": "<f8", "shape": [9]}]},
        "needs 72 bytes, and 8 are there",
    ),
    "absurdly large": (
        {"shape": [HUGE, HUGE],
         "channels": [{"name": "a", "member": "a.data", "dtype": "<f8", "shape": [HUGE, HUGE]}]},
        "more bytes than any computer has",
    ),
    "no type": (
        {"shape": [1], "channels": [{"name": "a", "member": "a.data", "dtype": "O", "shape": [1]}]}, "'O' is not"
    ),
    "of another shape": (
        {"shape": [2], "channels": [{"name": "a", "member": "a.data", "dtype": "<f8", "shape": [1]}]},
        "1 values do not fit a map of 2",
    ),
    "no coordinates": ({"shape": [1], "points": {"xy": "xy.data"}}, "coordinates 'xy.data': no such file"),
    "coordinates elsewhere": ({"shape": [1], "points": {"xy": "../xy"}}, "leaves its folder"),
    "wrong coordinates": ({"shape": [1], "points": {"xy": "a.data"}}, "8 bytes are not the coordinates of 1 points"),
    "no condition": (
        {"shape": [1], "channels": [{"name": "a", "member": "a.data", "dtype": "<f8", "shape": [1],
                                     "conditionUuid": "0" * 64}]},
        "names conditions/0000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_map_is_warned_of_and_everything_else_is_read(fault: str) -> None:
    value, said = FAULTY[fault]
    source, group = with_map(value, a=bytes(8))
    assert [warning for warning in group.check() if said in str(warning)], group.warnings
    assert len(list(group.positions)) == 6
    assert repr(group.maps[0]).startswith("<Map")
    assert dict(group.source.read_many(list(source.contents))) == source.contents
    for channel in group.maps[0].channels:
        assert repr(channel).startswith("<Channel")
        if fault != "no condition":
            with pytest.raises((DamagedArchiveError, MemberNotFoundError)):
                channel.array()


def test_an_absurd_raster_takes_no_memory() -> None:
    frame = {"quantity": "stage", "unit": "mm", "origin": [0, 0], "step": [[1, 0], [0, 1]]}
    _, group = with_map({"shape": [HUGE, HUGE], "frame": frame})
    with pytest.raises(DamagedArchiveError, match="nothing in it is as large as"):
        _ = group.maps[0].xy
    with pytest.raises(InputError, match="neither coordinates nor a frame nor positions"):
        _ = with_map({"shape": [1]})[1].maps[0].xy


def test_a_map_that_cannot_be_parsed_is_not_written_over() -> None:
    source, group = with_map(b"{", a=bytes(8))
    found = group.maps[0]
    for change in (lambda: found.edit(name="x"), lambda: found.add_channel("a", [1])):
        with pytest.raises(InputError, match="not valid JSON"):
            change()
    for position in group.positions:
        position.set_condition({"ccd": {"name": "new"}})
    group.remove(group.positions[0])
    assert group.source.read("maps/m/map.json") == b"{"
    before = {path for path in source.contents if path.startswith("conditions/")}
    assert before < {member.path for member in group.source.children("conditions/")}  # nobody knows what it names


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["shape", "points", "positionUuids", "xy", "channels", "member", "dtype", "frame", "step",
                         "origin", "order", "name", "supersedes", "version", "conditionUuid", "stateUuid", "kind"]),
        inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(value=JSON)
def test_no_map_json_makes_anything_crash(value: object) -> None:
    _, group = with_map(json.loads(json.dumps(value)), a=bytes(8))
    group.check()
    found = group.maps[0]
    for look in (lambda: found.xy, lambda: found.state, lambda: found.analysis, lambda: found.positions,
                 lambda: [channel.array() for channel in found.channels], lambda: found.channel("a"),
                 lambda: repr(found)):  # fmt: skip
        with suppress(SxeslakeError):
            look()
    group.remove(group.positions[0])
    target = create_group()
    target.copy(group.projects[0])
    assert isinstance(target.maps, tuple)
    assert all(isinstance(each, Map) for each in target.maps)
    _ = target.source
