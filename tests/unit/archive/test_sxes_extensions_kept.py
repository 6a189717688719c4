"""Maps, arrays, documents and sources stay right when positions and analyses are copied, merged and removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import FilePart, Group, Position, create_group, open_group
from sxeslake.errors import MemberNotFoundError, UsageError


def extended(source: CountingSource | None = None) -> Group:
    """A synthetic map that uses all extensions: its raster with a channel, an array, documents, a source."""
    group = open_group(sxes_source() if source is None else source)
    (analysis,) = group.analyses
    positions = list(analysis.positions)
    made = analysis.add_map(
        "stage", (2, 3), name="raster", positions=positions, state=positions[0], xy=np.zeros((6, 2)), uuid="raster"
    )
    made.add_channel("Ti Ka", np.arange(6).reshape(2, 3), condition={"probe": {"channel": 1}})
    positions[1].add_array(
        "wds", [1.0, 2.0], condition={"probe": {"array": 1}}, raw_condition={"dataCondition": {"a": 1}}
    )
    first = group.add_document({"Ti": 1}, schema="s", about=[positions[1], positions[2]])
    group.add_document({"Ti": 2}, schema="s", about=[made], supersedes=first)
    group.add_document("of the group", schema="s")
    pieces: list[bytes | FilePart] = [
        b"head",
        FilePart(f"{positions[2].folder}qlw.data", 32_760),
        FilePart(f"{made.folder}ti-ka.data", 48),
    ]
    source_of = group.add_source("Ti_QLW", [("1.qlw", pieces), ("MAP.cnd", [b"$KV 15"])])
    made.edit(channels=[{**channel.json, "source": source_of.id} for channel in made.channels])
    return group


def paths(group: Group, folder: str) -> list[str]:
    return [member.path for member in group.source.children(f"{folder}/")]


def data_of(group: Group) -> list[str]:
    return sorted(str(each.data) for each in group.documents.values())


def test_a_project_is_copied_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    theirs, ours = extended(), create_group()
    ours.copy(theirs.projects[0])
    ours.save(tmp_path / "copy.plzip")
    ours.close()
    with open_group(tmp_path / "copy.plzip") as group:
        assert group.check() == ()
        assert group.extensions == {"maps": 1, "arrays": 1, "documents": 1, "sources": 1}
        (found,) = group.maps
        assert (found.uuid, found.analysis) == ("raster", group.analyses[0])
        assert found.position_uuids == group.positions.uuids
        assert group.analyses[0].maps == (found,)
        assert found.channel("Ti Ka").array().sum() == 15
        assert found.channel("Ti Ka").condition is not None
        wds = group.positions[theirs.positions.uuids[1]].arrays["wds"]
        assert wds.condition is not None
        assert wds.condition.document.value == {"probe": {"array": 1}}
        assert wds.raw_condition is not None
        assert data_of(group) == ["of the group", "{'Ti': 1}", "{'Ti': 2}"]
        (source,) = group.sources.values()
        assert source.id == found.channel("Ti Ka").fields.source
        assert [len(data) for _, data in source.rebuild()] == [4 + 32_760 + 48, 6]


def test_a_second_copy_gets_ids_of_its_own_everywhere() -> None:
    theirs, ours = extended(), create_group()
    ours.copy(theirs.projects[0])
    copied = ours.copy(theirs.projects[0])
    assert ours.check() == ()
    (analysis,) = copied.analyses
    (found,) = analysis.maps
    assert found.uuid != "raster"
    assert found.fields.uuid == found.uuid
    assert found.fields.analysis_uuid == analysis.uuid
    assert found.position_uuids == tuple(analysis.positions.uuids)
    assert found.fields.state_uuid == analysis.positions.uuids[0]
    assert set(found.position_uuids).isdisjoint(theirs.positions.uuids)
    source = ours.sources[found.channel("Ti Ka").fields.source or ""]
    assert f"{found.folder}ti-ka.data" in source.recipe.members
    assert len(list(source.rebuild())) == 2
    assert len(ours.sources) == 2
    newest = [each for each in ours.documents.values() if ("map", found.uuid) in each.about]
    assert [each.version for each in newest] == [2]
    older = ours.documents[newest[0].supersedes or ""]
    assert older.about == tuple(("position", analysis.positions.uuids[at]) for at in (1, 2))


def test_groups_merge_into_one() -> None:
    merged = create_group()
    for theirs in (extended(), extended(sxes_source(seed=2)), extended(sxes_source(seed=3, nx=3, ny=2))):
        for project in theirs.projects:
            merged.copy(project)
    assert merged.check() == ()
    assert len({each.uuid for each in merged.maps}) == 3
    assert [len(analysis.maps) for analysis in merged.analyses] == [1, 1, 1]
    assert [len(list(source.rebuild())) for source in merged.sources.values()] == [2, 2, 2]


def test_a_map_names_the_copy_in_its_own_analysis_of_a_position_in_two() -> None:
    theirs = extended()
    other = theirs.projects[0].add_analysis("other")
    other.enlist("positionUuids", theirs.positions.uuids[0])
    theirs.forget_outline()
    other.add_map("free", positions=[theirs.positions[0]])
    ours = create_group()
    copied = ours.copy(theirs.projects[0])
    for analysis in copied.analyses:
        assert analysis.maps[0].position_uuids == tuple(analysis.positions.uuids)
    assert len(ours.positions) == 7
    assert [len(list(source.rebuild())) for source in ours.sources.values()] == [2]
    assert ours.check() == ()


def test_what_belongs_to_the_group_comes_with_a_project_only() -> None:
    theirs = extended()
    text = theirs.add_source("report", [("report.txt", [b"all residue"])])
    ours = create_group()
    ours.copy(theirs.analyses[0], ours.add_project("p"))
    assert data_of(ours) == ["{'Ti': 1}", "{'Ti': 2}"]
    assert text.id not in ours.sources
    ours.copy(theirs.projects[0])
    assert dict(ours.sources[text.id].rebuild()) == {"report.txt": b"all residue"}
    assert data_of(ours).count("of the group") == 1


def test_a_copy_within_a_group_repeats_no_documents_and_no_sources() -> None:
    group = extended()
    copied = group.copy(group.analyses[0], group.projects[0])
    (found,) = copied.maps
    assert found.position_uuids == tuple(copied.positions.uuids)
    assert found.channel("Ti Ka").fields.source in group.sources
    assert (len(group.documents), len(group.sources), len(group.maps)) == (3, 1, 2)
    assert group.check() == ()


def test_a_map_alone_keeps_its_state_and_names_no_positions() -> None:
    theirs, ours = extended(), create_group()
    copied = ours.copy(theirs.maps[0], ours.add_project("p").add_analysis("a"))
    assert set(copied.position_uuids) == {None}
    assert copied.fields.state_uuid is None
    assert copied.state == theirs.maps[0].state
    assert copied.state.accelerating_voltage_kv is not None
    assert copied.channel("Ti Ka").array().sum() == 15
    assert data_of(ours) == ["{'Ti': 1}", "{'Ti': 2}"]
    assert ours.sources == {}  # a file of it is made of a position
    assert ours.check() == ()
    with pytest.raises(UsageError, match="copied into an analysis"):
        ours.copy(theirs.maps[0], ours.projects[0])


def test_a_position_takes_its_arrays_and_documents_along() -> None:
    theirs, ours = extended(), create_group()
    ours.copy(theirs.positions[1], ours.add_project("p").add_analysis("a"))
    assert ours.extensions == {"arrays": 1, "documents": 1}
    assert ours.positions[0].array("wds").tolist() == [1.0, 2.0]
    assert data_of(ours) == ["{'Ti': 1}"]
    assert (ours.maps, ours.check()) == ((), ())


def test_a_source_that_takes_bytes_of_unknown_members_is_left() -> None:
    theirs, ours = open_group(sxes_source()), create_group()
    position = theirs.positions[0]
    pieces: list[bytes | FilePart] = [FilePart(f"{position.folder}qlw.data", 8), FilePart("metadata.json", 1)]
    theirs.add_source("Ti", [("1.qlw", pieces)])
    ours.copy(position, ours.add_project("p").add_analysis("a"))
    assert ours.sources == {}
    assert [project.name for project in ours.projects] == ["p"]


def test_a_removed_position_leaves_its_point_empty() -> None:
    group = extended()
    found, uuids, state = group.maps[0], list(group.positions.uuids), group.maps[0].state
    group.remove(group.positions[0])
    assert found.position_uuids == (None, *uuids[1:])
    assert (found.fields.state_uuid, found.state) == (None, state)
    assert len(group.sources) == 1
    assert group.check() == ()
    group.remove(group.positions[uuids[2]])
    assert group.sources == {}  # a file of it was made of this position
    assert paths(group, "residue") == []
    group.remove(group.positions[uuids[1]])
    assert found.position_uuids == (None, None, None, *uuids[3:])
    assert data_of(group) == ["of the group", "{'Ti': 1}", "{'Ti': 2}"]  # a document about the map supersedes it
    assert group.check() == ()


def test_conditions_that_only_an_array_or_a_channel_names_stay_until_it_goes() -> None:
    group = extended()
    only = {digest for digest, each in group.conditions.items() if "ccd" not in each.document.fields}
    assert len(only) == 2
    for position in group.positions:
        position.set_condition({"ccd": {"name": "new"}})
    assert only <= set(group.conditions)
    group.remove(group.positions[1])
    assert len(only & set(group.conditions)) == 1
    assert len(group.raw_conditions) == 1
    group.remove(group.maps[0])
    assert not only & set(group.conditions)


def test_a_removed_analysis_takes_all_along_but_what_is_about_the_group() -> None:
    group = extended()
    group.remove(group.analyses[0])
    assert [
        paths(group, folder) for folder in ("maps", "data", "sources", "residue", "conditions", "rawConditions")
    ] == ([[]] * 6)
    assert data_of(group) == ["of the group"]
    assert group.check() == ()


def test_a_removed_map_leaves_its_positions() -> None:
    group = extended()
    group.remove(group.maps[0])
    assert (group.maps, group.analyses[0].maps, group.analyses[0].listed("mapUuids")) == ((), (), ())
    assert len(group.positions) == 6
    assert data_of(group) == ["of the group", "{'Ti': 1}"]
    assert group.sources == {}


def test_a_position_in_two_analyses_stays_in_the_maps_of_both() -> None:
    group = extended()
    other = group.projects[0].add_analysis("other")
    other.enlist("positionUuids", group.positions.uuids[0])
    group.forget_outline()
    kept = other.add_map("free", positions=[group.positions[0]])
    group.remove(group.analyses[0])
    assert kept.position_uuids == tuple(group.positions.uuids)
    assert group.check() == ()


def test_a_removed_channel_takes_the_source_that_was_made_of_it() -> None:
    group = extended()
    group.maps[0].remove_channel("Ti Ka")
    assert group.sources == {}
    assert paths(group, "residue") == []
    with pytest.raises(MemberNotFoundError):
        group.maps[0].channel("Ti Ka")


def test_a_removed_data_type_takes_the_source_that_was_made_of_it() -> None:
    group = extended()
    group.positions[1].remove_type("wds")
    assert len(group.sources) == 1
    group.positions[2].remove_type("qlw")
    assert group.sources == {}


def test_where_a_document_or_source_cannot_be_parsed_all_of_its_kind_stay() -> None:
    group = extended()
    for folder in ("documents", "sources"):
        group.edited.write(f"{folder}/{'0' * 64}.json", b"{")
    group.remove(group.analyses[0])
    assert (len(group.documents), len(group.sources)) == (4, 2)
    assert len(paths(group, "residue")) == 2


def test_unknown_extensions_are_kept_and_ignored(tmp_path: Path) -> None:
    source = sxes_source()
    stated = {"holograms": 3, "maps": 2, "odd": "x"}
    source.edit_json("metadata.json", version="0.1.0", extensions=stated, extensionsRequired=["maps"])
    assert open_group(source).read_only
    source.edit_json("metadata.json", extensionsRequired=[])
    source = CountingSource({**source.contents, "holograms/1/h.json": b"{", "data/custom.bin": b"x"})
    group = open_group(source)
    assert not group.read_only
    position = group.positions[0]
    position.set_raw("custom", b"of another program")
    group.analyses[0].add_map("line", [1])
    group.save(tmp_path / "map.plzip")
    metadata = group.metadata.fields
    assert metadata["extensions"] == stated
    assert (metadata["version"], group.extensions) == ("0.1.0", {"holograms": 3, "maps": 2})
    assert group.source.read("holograms/1/h.json") == b"{"
    assert group.source.read("data/custom.bin") == b"x"
    assert group.positions[0].raw("custom") == b"of another program"
    group.close()


def test_extensions_that_are_no_object_are_replaced_only_when_one_is_used() -> None:
    source = sxes_source()
    source.edit_json("metadata.json", extensions="maps")
    group = open_group(source)
    assert group.extensions == {}
    assert group.source.read("metadata.json") == source.contents["metadata.json"]
    group.analyses[0].add_map("line", [1])
    assert json.loads(group.source.read("metadata.json"))["extensions"] == {"maps": 1}


def test_where_no_extension_is_used_nothing_more_is_read() -> None:
    source = sxes_source()
    group = open_group(source)
    target = create_group()
    target.copy(group.projects[0])
    listed = source.listed
    _ = target.source, group.source
    assert source.listed == listed
    assert {path.partition("/")[0] for path in source.reads} <= {"metadata.json", "data", "conditions", "rawConditions",
                                                                "backgrounds"}  # fmt: skip
    assert target.extensions == {}
    assert not any(path.endswith("arrays.json") for path in source.reads)


STEPS = st.lists(
    st.tuples(st.sampled_from(["position", "channel", "map", "copy", "move", "array", "type"]), st.integers(0, 5)),
    max_size=6,
)


def step(group: Group, what: str, number: int) -> Group:
    """Copy, add or remove something; the group that it gives."""
    positions, maps = list(group.positions), group.maps
    position = positions[number % len(positions)] if positions else None
    if what == "copy" and 0 < len(group.analyses) < 4:
        group.copy(group.analyses[number % len(group.analyses)], group.projects[0])
    elif what == "move":
        moved = create_group()
        moved.copy(group.projects[0])
        return moved
    elif what == "map" and maps:
        group.remove(maps[number % len(maps)])
    elif what == "channel" and maps and maps[0].channels:
        maps[0].remove_channel(maps[0].channels[0].name)
    elif position is not None:
        step_at(position, what, number)
    return group


def step_at(position: Position, what: str, number: int) -> None:
    if what == "position":
        position.group.remove(position)
    elif what == "array" and f"new-{number}" not in position.types:
        position.add_array(f"new-{number}", [1.0], condition={"probe": {"n": number}})
    elif what == "type" and position.types:
        position.remove_type(position.types[0])


@given(steps=STEPS)
def test_whatever_is_copied_and_removed_nothing_names_what_is_not_there(steps: list[tuple[str, int]]) -> None:
    group = extended()
    for what, number in steps:
        group = step(group, what, number)
    assert group.check() == ()
    for source in group.sources.values():
        assert len(list(source.rebuild())) == 2
    needed = {member for source in group.sources.values() for member in source.recipe.residues}
    assert set(paths(group, "residue")) == needed
