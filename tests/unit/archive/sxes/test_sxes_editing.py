"""Adding, changing, copying, removing: what is needed comes along, what is not goes, the rest keeps its bytes."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import numpy as np
import pytest
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import create_group, open_group
from sxeslake.archive.sxes.group import Group
from sxeslake.archive.sxes.spool import Spool
from sxeslake.errors import AlreadyExistsError, DamagedArchiveError, InputError, ReadOnlyError, UsageError

CONDITION: dict[str, object] = {"ccd": {"accumulation": 10, "bins": {"x": 17, "y": 2048}}}


def contents(group: Group) -> dict[str, bytes]:
    source = group.source
    return dict(source.read_many([member.path for member in source.children("") if member.kind == "file"]))


def test_an_untouched_group_gives_every_byte_back() -> None:
    source = sxes_source()
    assert contents(open_group(source)) == source.contents


def test_a_change_touches_one_member_and_keeps_unknown_fields() -> None:
    source = sxes_source()
    first = open_group(source).positions.uuids[0]
    info, state = f"data/{first}/info.json", f"data/{first}/state.json"
    source.edit_json(info, mounted={"by": [1, None, 2.5]}, zażółć="ż")
    group = open_group(source)
    group.positions[0].comment = "repolished"
    after = contents(group)
    assert {path for path in after if after[path] != source.contents[path]} == {info}
    assert json.loads(after[info]) == {**json.loads(source.contents[info]), "comment": "repolished"}
    group.positions[0].edit_state(dwellTime="300000")
    assert group.positions[0].state.dwell_ms == 300_000
    assert json.loads(contents(group)[state])["stage"] == json.loads(source.contents[state])["stage"]


def test_two_views_of_a_position_agree_after_a_change() -> None:
    group = open_group(sxes_source())
    one, other = group.positions[0], group.positions[0]
    assert one.comment == other.comment
    one.comment = "new"
    assert other.comment == "new"
    looped = list(group.positions)
    assert looped[1].state.stage_x_mm is not None
    group.positions[0].edit_state(stage={"x": 7})
    assert looped[0].state.stage_x_mm == 7.0


def test_entries_keep_unknown_fields_and_setting_the_same_changes_nothing() -> None:
    source = sxes_source(operator="me")
    metadata = json.loads(source.contents["metadata.json"])
    metadata["analyses"][0]["proposal"] = "P-17"
    metadata["facility"] = {"site": 3}
    source.contents["metadata.json"] = json.dumps(metadata, indent=1).encode()
    group = open_group(source)
    group.analyses[0].operator = "me"
    assert contents(group)["metadata.json"] == source.contents["metadata.json"]
    group.analyses[0].instrument = "JXA-iHP200F"
    metadata["analyses"][0]["instrument"] = "JXA-iHP200F"
    assert json.loads(contents(group)["metadata.json"]) == metadata
    assert group.metadata.fields == metadata


def test_a_group_made_from_nothing() -> None:
    group = create_group("mine")
    analysis = group.add_project("steel", operator="A. Miner").add_analysis(
        "carbides", instrument="JXA-8530F", acquired=datetime(2024, 2, 29, 23, 59, 1)
    )
    xes = np.arange(17 * 2049, dtype=np.int64).reshape(17, 2049)
    background = np.full((17, 2049), 3, np.uint32)
    position = analysis.add_position(
        condition=CONDITION, state={"stage": {"x": 1}}, arrays={"xes": xes, "qlw": [1.5, 2.5]}, raw={"lif": b"\7"},
        background=background, comment="a : Pos. : 1",
    )  # fmt: skip
    image = analysis.add_image(b"BM", "bmp", condition=CONDITION, comment="secondary electrons")
    assert (analysis.acquired_local, group.version) == (datetime(2024, 2, 29, 23, 59, 1), "0.1.0")
    assert position.types == ("lif", "qlw", "xes")
    assert np.array_equal(position.xes, xes)
    assert position.background_corrected[0, 0] == -30
    assert (image.picture, image.image_type, image.state.stage_x_mm) == (b"BM", "bmp", None)
    assert (image.analysis, position.resolved_operator) == (analysis, ("A. Miner", "project"))
    (condition,) = group.conditions.values()
    assert condition.path == f"conditions/{hashlib.sha256(condition.raw).hexdigest()}.json"
    assert len(group.raw_conditions) == 1
    assert open_group(CountingSource(contents(group))).check() == ()


def test_values_that_do_not_fit_are_refused() -> None:
    position = open_group(sxes_source()).positions[0]
    for values in ([-1], [2**32], [1.5]):
        with pytest.raises(UsageError, match="do not fit"):
            position.set_array("xes", values)
    position.set_array("qlw", [np.nan, 1])
    assert np.isnan(position.qlw[0])


def test_types_are_added_and_removed() -> None:
    group = open_group(sxes_source())
    position = group.positions[0]
    position.set_array("lif", np.array([1, 258], ">i2"))
    assert position.raw("lif") == b"\1\0\2\1"
    position.remove_type("sum")
    assert position.types == ("lif", "qlw", "xes")
    with pytest.raises(UsageError):
        position.set_raw("../info.json", b"")


def test_shared_files_follow_their_users() -> None:
    group = open_group(sxes_source(nx=2, ny=1))
    (old,) = group.conditions
    first, second = group.positions
    first.set_condition({"ccd": {"grating": "JS2000", "accumulation": 10}})
    assert len(group.conditions) == 2
    second.set_condition(first.condition.id if first.condition else "")
    assert old not in group.conditions
    with pytest.raises(UsageError, match="the group has no"):
        first.set_condition("0" * 64)
    first.set_raw_condition(b'{"dataCondition":{"a":1}}')
    second.set_background(np.zeros((17, 2049), np.uint32))
    assert (len(group.raw_conditions), len(group.backgrounds)) == (2, 2)
    assert first.background_corrected.mean() != second.background_corrected.mean()


def test_removing_takes_what_nothing_else_needs() -> None:
    source = sxes_source(nx=2, ny=2)
    group = open_group(source)
    first = group.positions[0]
    first.set_condition({"only": "here"})
    first.set_raw("odd", b"1")
    group.remove(first)
    after = contents(group)
    assert not [path for path in after if first.uuid in path]
    assert first.uuid not in after["metadata.json"].decode()
    assert len(group.positions) == 3
    assert len(group.conditions) == len(group.backgrounds) == 1
    group.remove(group.projects[0])
    assert list(contents(group)) == ["metadata.json"]
    assert group.analyses == group.projects == ()


def test_shared_files_stay_while_an_info_cannot_be_read() -> None:
    source = sxes_source(nx=2, ny=1)
    broken = open_group(source).positions.uuids[1]
    source.contents[f"data/{broken}/info.json"] = b"{"
    group = open_group(source)
    group.remove(group.positions[0])
    assert len(group.conditions) == len(group.backgrounds) == 1
    with pytest.raises(InputError, match="would lose its bytes"):
        group.positions[0].comment = "x"


def test_a_position_of_two_analyses_outlives_one() -> None:
    source = sxes_source(nx=2, ny=1)
    metadata = json.loads(source.contents["metadata.json"])
    shared = metadata["analyses"][0]["positionUuids"][0]
    metadata["analyses"].append({"uuid": "second", "positionUuids": [shared]})
    source.contents["metadata.json"] = json.dumps(metadata).encode()
    group = open_group(source)
    group.remove(group.analyses[0])
    assert group.positions.uuids == (shared,)
    assert group.positions[0].xes.shape == (17, 2049)


def test_a_project_copied_to_another_group_brings_all_it_needs() -> None:
    theirs = sxes_source(seed=5, nx=2, ny=1)
    source = open_group(theirs)
    target = open_group(sxes_source(seed=6, nx=1, ny=1))
    theirs.reads.clear()
    copied = target.copy(source.projects[0])
    assert not [path for path in theirs.reads if path.endswith((".data", "state.json"))]  # borrowed, not read
    assert copied.uuid == source.projects[0].uuid
    after = contents(target)
    assert {path: after[path] for path in theirs.contents if path != "metadata.json"} == {
        path: data for path, data in theirs.contents.items() if path != "metadata.json"
    }
    assert target.check() == ()
    assert len(target.positions) == 3


def test_a_copy_beside_its_original_gets_ids_of_its_own() -> None:
    group = open_group(sxes_source(nx=2, ny=1))
    copied = group.copy(group.analyses[0], into=group.projects[0])
    assert len({*group.positions.uuids}) == 4
    original, twin = group.analyses[0].positions[0], copied.positions[0]
    assert twin.raw("xes") == original.raw("xes")
    assert twin.info.uuid == twin.uuid != original.uuid
    original.set_raw("qlw", b"")
    original.comment = "changed"
    assert twin.qlw.shape == (4095,)
    assert twin.comment != "changed"
    assert len(group.conditions) == 1
    assert group.check() == ()


def test_a_copy_is_what_was_there_when_it_was_copied() -> None:
    source, target = open_group(sxes_source(seed=5)), create_group()
    analysis = target.add_project("p").add_analysis("a")
    source.positions[0].comment = "before"
    copied = target.copy(source.positions[0], into=analysis)
    source.positions[0].comment = "after"
    assert copied.comment == "before"
    again = create_group()
    onward = again.copy(copied, into=again.add_project("q").add_analysis("b"))
    assert onward.raw("xes") == source.positions[0].raw("xes")


def test_images_are_copied_too() -> None:
    source, target = create_group(), create_group()
    image = source.add_project("p").add_analysis("a").add_image(b"PNG", "png", condition=CONDITION)
    target.copy(source.analyses[0])
    assert target.images[0].picture == b"PNG"
    assert target.images.uuids == (image.uuid,)
    source.remove(image)
    assert (len(source.images), len(source.conditions), len(source.unlisted_images)) == (0, 0, 0)
    assert target.analyses[0].projects == ()


def test_copies_and_removals_to_the_wrong_place_are_refused() -> None:
    group, other = open_group(sxes_source(nx=2, ny=1)), create_group()
    position, analysis, project = group.positions[0], group.analyses[0], group.projects[0]
    for what, into in ((position, project), (position, None), (analysis, analysis), (project, project)):
        with pytest.raises(UsageError):
            group.copy(what, into)
    with pytest.raises(UsageError, match="another group"):
        other.copy(position, into=analysis)
    with pytest.raises(UsageError, match="another group"):
        other.remove(position)
    with pytest.raises(AlreadyExistsError):
        analysis.add_position(uuid=position.uuid, condition=CONDITION, state={})
    with pytest.raises(UsageError, match="not an id"):
        group.add_project("x", uuid="../x")


def test_a_newer_version_is_read_not_written() -> None:
    source = sxes_source(nx=1, ny=1)
    source.edit_json("metadata.json", version="0.2.0")
    group = open_group(source)
    assert group.read_only
    assert [warning.path for warning in group.warnings] == ["metadata.json"]
    assert group.positions[0].xes.shape == (17, 2049)
    position, analysis = group.positions[0], group.analyses[0]
    for change in (
        lambda: setattr(position, "comment", "x"),
        lambda: position.edit_state(a=1),
        lambda: position.set_raw("xes", b""),
        lambda: position.remove_type("xes"),
        lambda: setattr(analysis, "name", "x"),
        lambda: group.remove(analysis),
        lambda: group.copy(group.projects[0]),
        lambda: group.add_project("x"),
        lambda: group.add_condition({}),
        lambda: analysis.add_position(condition=CONDITION, state={}),
    ):
        with pytest.raises(ReadOnlyError, match=r"0\.2\.0 is newer"):
            change()
    assert contents(group) == source.contents


@pytest.mark.parametrize("metadata", [b"{", b"[]", '{"a":"ü"}'.encode("cp437")])
def test_unreadable_metadata_is_never_overwritten(metadata: bytes) -> None:
    source = sxes_source(nx=1, ny=1)
    source.contents["metadata.json"] = metadata
    group = open_group(source)
    with pytest.raises(InputError, match="would lose its bytes"):
        group.add_project("x")
    assert contents(group)["metadata.json"] == metadata


def test_lists_that_are_none_are_refused() -> None:
    source = sxes_source(nx=1, ny=1)
    source.contents["metadata.json"] = b'{"projects":{},"analyses":[{"uuid":"a","positionUuids":5}]}'
    group = open_group(source)
    with pytest.raises(DamagedArchiveError):
        group.add_project("x")
    with pytest.raises(DamagedArchiveError):
        group.analyses[0].add_position(condition=CONDITION, state={})


def test_legacy_text_is_changed_in_its_own_encoding() -> None:
    source = sxes_source(nx=1, ny=1)
    info = next(path for path in source.contents if path.endswith("info.json"))
    source.contents[info] = source.contents[info].replace(b"CuFeS2", "ソ".encode("cp932"))
    group = open_group(source, encoding="cp932")
    group.positions[0].operator = "山田"
    assert "山田".encode("cp932") in contents(group)[info]
    assert "ソ".encode("cp932") in contents(group)[info]
    with pytest.raises(InputError, match="would lose its bytes"):
        open_group(source).positions[0].operator = "x"


def test_a_spool_moves_to_disk_and_reads_on() -> None:
    spool = Spool(memory_bytes=10)
    kept = [spool.put(bytes([number]) * 4) for number in range(8)]
    assert [spool.get(each) for each in kept] == [bytes([number]) * 4 for number in range(8)]
    spool.close()
