"""Arrays of positions that `arrays.json` describes: type, shape, axis, versions and conditions of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import ArrayAxis, Group, Position, create_group, open_group
from sxeslake.errors import (
    AlreadyExistsError,
    DamagedArchiveError,
    InputError,
    MemberNotFoundError,
    SxeslakeError,
    UsageError,
)


def a_position(**arrays: object) -> Position:
    analysis = create_group().add_project("p").add_analysis("a")
    return analysis.add_position(condition={"ccd": {}}, state={}, arrays=arrays)  # type: ignore[arg-type]


def with_arrays(value: object, **data: bytes) -> tuple[CountingSource, Group]:
    """The synthetic map whose first position has an `arrays.json` as somebody else may have written it."""
    source = sxes_source()
    folder = f"data/{open_group(source).positions.uuids[0]}/"
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    source = CountingSource({**source.contents, f"{folder}arrays.json": raw,
                             **{f"{folder}{name}.data": each for name, each in data.items()}})  # fmt: skip
    return source, open_group(source)


def test_an_array_is_read_as_it_was_added(tmp_path: Path) -> None:
    position = a_position()
    axis = ArrayAxis("position", "mm", start=70.0, step=0.5, source="XM_WDS_SCAN_START_POS%0")
    derived = ArrayAxis("wavelength", "Å", listed=(1.0, 1.5, 2.5), method="Bragg")
    values = np.arange(6, dtype=">i2").reshape(2, 3)
    made = position.add_array(
        "wds-ch3", values, axis=axis, derived_axis=derived, columns=["a", "b", "c"], condition={"probe": {}},
        raw_condition={"dataCondition": {"n": 1}}, made_by="me", more={"detector": {"n": 3}},
    )  # fmt: skip
    assert repr(made) == "<DescribedArray wds-ch3: int16 2 × 3, position in mm>"
    with position.group as group:
        path = group.save(tmp_path / "map.plzip")
    with open_group(path) as group:
        found = group.positions[0].arrays["wds-ch3"]
        assert (found.dtype, found.shape, found.size) == ("<i2", (2, 3), 12)
        assert np.array_equal(found.array(), values)
        assert np.array_equal(group.positions[0].array("wds-ch3"), values)
        assert (found.axis, found.fields.derived_axis) == (axis, derived)
        assert found.fields.columns == ("a", "b", "c")
        assert found.json["detector"] == {"n": 3}
        assert found.condition is not None
        assert found.condition.document.value == {"probe": {}}
        assert found.raw_condition is not None
        assert found.raw_condition.document.value == {"dataCondition": {"n": 1}}
        assert group.extensions == {"arrays": 1}
        assert group.check() == ()


def test_arrays_that_nothing_describes_are_as_usual() -> None:
    group = open_group(sxes_source())
    arrays = group.positions[0].arrays
    assert {name: (each.dtype, each.shape) for name, each in arrays.items()} == {
        "qlw": ("<f8", (4095,)), "sum": ("|u1", (2048,)), "xes": ("<u4", (17, 2049)),
    }  # fmt: skip
    assert np.array_equal(arrays["xes"].array(), group.positions[0].xes)
    assert arrays["qlw"].condition == group.positions[0].condition
    assert (arrays["qlw"].axis, len(arrays)) == (None, 3)
    with pytest.raises(KeyError):
        _ = arrays["nothing"]
    group.positions[0].set_raw("custom", b"abc")
    assert group.positions[0].array("custom").tolist() == [97, 98, 99]
    assert group.extensions == {}


def test_a_newer_version_is_a_type_of_its_own() -> None:
    position = a_position(qlw=[1.0, 2.0])
    second = position.add_array("qlw-v2", [1.5, 2.5], supersedes="qlw", made_by="smoothing")
    third = position.add_array("qlw-v3", [1.25, 2.5], supersedes="qlw-v2")
    assert (second.fields.version, third.fields.version, third.fields.supersedes) == (2, 3, "qlw-v2")
    with pytest.raises(AlreadyExistsError, match="there is qlw already"):
        position.add_array("qlw", [1.0])
    with pytest.raises(MemberNotFoundError, match="no data of type nothing to supersede"):
        position.add_array("a", [1.0], supersedes="nothing")


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a\\b", ".."])
def test_a_name_that_old_readers_misread_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a data type"):
        a_position().add_array(name, [1.0])


def test_values_that_are_no_numbers_and_columns_that_do_not_fit_are_refused() -> None:
    position = a_position()
    with pytest.raises(UsageError, match="cannot be stored"):
        position.add_array("a", ["x"])
    with pytest.raises(UsageError, match="1 columns do not name 2"):
        position.add_array("a", [1.0, 2.0], columns=["x"])
    assert position.members.keys() == {"info.json", "state.json"}


def test_a_description_follows_the_data() -> None:
    position = a_position()
    position.add_array("a", [1.0, 2.0], made_by="me")
    position.set_array("a", np.zeros((2, 3), np.uint8))
    assert (position.arrays["a"].shape, position.arrays["a"].fields.made_by) == ((2, 3), "me")
    assert position.group.check() == ()
    position.remove_type("a")
    assert position.members.keys() == {"info.json", "state.json"}


def test_conditions_of_arrays_are_kept_while_they_are_named() -> None:
    position = a_position()
    group = position.group
    position.add_array("a", [1.0], condition={"probe": {"n": 1}})
    position.set_condition({"ccd": {"name": "new"}})
    named = position.arrays["a"].condition
    assert named is not None
    assert set(group.conditions) == {named.id, position.info.condition_id}
    position.remove_type("a")
    assert set(group.conditions) == {position.info.condition_id}


def test_an_arrays_json_that_cannot_be_parsed_keeps_its_bytes_and_all_conditions() -> None:
    source, group = with_arrays(b"{")
    position = group.positions[0]
    with pytest.raises(InputError, match="not valid JSON"):
        position.add_array("a", [1.0])
    for each in group.positions:
        each.set_condition({"ccd": {"name": "new"}})
    before = {path for path in source.contents if path.startswith("conditions/")}
    assert before < {member.path for member in group.source.children("conditions/")}
    assert group.source.read(position.folder + "arrays.json") == b"{"
    assert position.qlw.shape == (4095,)


def test_no_arrays_json_is_read_until_it_is_asked_for() -> None:
    source, group = with_arrays({"a": {"dtype": "<f8", "shape": [1]}}, a=bytes(8))
    for position in group.positions:
        _ = position.state, position.condition, position.qlw, position.types
    target = create_group()
    target.copy(open_group(sxes_source(seed=2)).projects[0])
    assert not any(path.endswith("arrays.json") for path in source.reads)
    assert group.positions[0].array("a").tolist() == [0]
    assert [path for path in source.reads if path.endswith("arrays.json")] == [
        group.positions[0].folder + "arrays.json"
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"{", "not valid JSON"),
        ([], "a JSON list"),
        ({"a": 1}, "a is not described by a JSON object"),
        ({"b": {}}, "describes b, which is not there"),
        ({"a": {"dtype": "<f8", "shape": [2]}}, "a is not as arrays.json says: <f8 2 needs 16 bytes, and 8 are there"),
        ({"a": {"dtype": "<f8", "shape": [1 << 40, 1 << 40]}}, "more bytes than any computer has"),
        ({"a": {"dtype": "O", "shape": [1]}}, "'O' is not a type of numbers"),
        ({"a": {"dtype": "<f8", "shape": [1], "conditionUuid": "0" * 64}}, "names conditions/0000"),
    ],
)
def test_a_faulty_description_is_warned_of_and_everything_else_is_read(value: object, said: str) -> None:
    source, group = with_arrays(value, a=bytes(8))
    warned = [warning for warning in group.check() if said in str(warning)]
    assert [warning.path.rpartition("/")[2] for warning in warned] == ["arrays.json"]
    assert len([position.qlw for position in group.positions]) == 6
    assert dict(group.source.read_many(list(source.contents))) == source.contents
    if "needs" in said or "bytes" in said:
        with pytest.raises(DamagedArchiveError, match=r"is not as arrays\.json says"):
            group.positions[0].array("a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["a", "xes", "dtype", "shape", "axis", "quantity", "start", "step", "values", "columns",
                         "conditionUuid", "version", "supersedes"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(value=JSON)
def test_no_arrays_json_makes_anything_crash(value: object) -> None:
    _, group = with_arrays(json.loads(json.dumps(value)), a=bytes(8))
    group.check()
    position = group.positions[0]
    for name, each in position.arrays.items():
        assert repr(each).startswith(f"<DescribedArray {name}")
        try:
            axis = each.axis
            array = each.array()
            _ = axis.values(array.shape[-1]) if axis is not None else None
        except SxeslakeError:
            pass
    assert position._repr_html_()
    target = create_group()
    target.copy(group.projects[0])
    group.remove(position)
    assert len(target.source.children("data/")) >= 24
    _ = group.source
