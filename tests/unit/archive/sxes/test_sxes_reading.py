"""Opening a group reads little; touching a position reads that position; nothing odd is fatal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.sxes_sources import sxes_source

from sxeslake.archive import open_group
from sxeslake.archive.sxes import arrays
from sxeslake.archive.sxes.items import Resolved
from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, UsageError


def test_opening_reads_metadata_and_lists_nothing() -> None:
    source = sxes_source()
    group = open_group(source)
    assert len(group.positions) == 6
    assert group.positions[2].uuid == group.analyses[0].positions[2].uuid
    assert source.reads == {"metadata.json": 1}
    assert (source.listed, source.requests) == (0, 0)


def test_a_position_reads_its_own_members_once() -> None:
    source = sxes_source()
    position = open_group(source).positions[4]
    assert position.xes.shape == (17, 2049)
    assert position.state.accelerating_voltage_kv == 5.0
    assert position.comment.endswith("Pos. : 5")
    read = {path for path in source.reads if path.startswith("data/")}
    assert read == {position.folder + name for name in ("info.json", "state.json", "xes.data")}
    assert max(source.reads.values()) == 1


def test_a_loop_reads_in_batches() -> None:
    source = sxes_source(nx=13, ny=10)
    group = open_group(source)
    voltages = [position.state.accelerating_voltage_kv for position in group.positions]
    assert voltages == [5.0] * 130
    assert source.requests == 3
    assert source.reads == {"metadata.json": 1}


def test_a_loop_hands_out_what_a_single_read_gives() -> None:
    source = sxes_source()
    group = open_group(source)
    for number, position in enumerate(group.positions):
        assert position.raw("qlw") == source.contents[position.folder + "qlw.data"]
        assert position.raw("qlw") == group.positions[number].raw("qlw")  # the second time, one by one


def test_arrays_agree_with_each_other() -> None:
    for position in open_group(sxes_source()).positions:
        assert position.types == ("qlw", "sum", "xes")
        assert position.raw("sum") == arrays.sum_bytes(position.xes)
        assert position.sum.shape == (2048,)
        assert position.signal.base is not None
        assert np.allclose(arrays.qlw_from_xes(position.background_corrected), position.qlw, rtol=1e-6)
        assert not position.saturated.any()
        assert position.derived_wavelength_angstrom.shape == position.qlw.shape


def test_other_types_are_bytes_or_what_you_say() -> None:
    source = sxes_source()
    first = open_group(source).positions[0].uuid
    source.contents[f"data/{first}/lif.data"] = b"\1\0\2\0\3\0"
    source.members = type(source)(source.contents).members
    position = open_group(source).positions[0]
    assert "lif" in position.types
    assert position.raw("lif") == b"\1\0\2\0\3\0"
    assert position.array("lif").tolist() == [1, 0, 2, 0, 3, 0]
    assert position.array("lif", "<u2").tolist() == [1, 2, 3]
    with pytest.raises(DamagedArchiveError):
        position.array("lif", "<f8")
    with pytest.raises(MemberNotFoundError, match="no data of type nix") as raised:
        position.raw("nix")
    assert "lif, qlw, sum, xes" in str(raised.value)


def test_items_by_number_slice_and_uuid() -> None:
    positions = open_group(sxes_source()).positions
    assert positions[-1].uuid == positions.uuids[5]
    assert [each.uuid for each in positions[1:3]] == list(positions.uuids[1:3])
    assert positions[positions.uuids[3]].uuid == positions.uuids[3]
    assert positions[3] in positions
    with pytest.raises(KeyError):
        positions["nobody"]
    with pytest.raises(IndexError):
        positions[6]


def test_operator_and_comment_resolve_upwards() -> None:
    source = sxes_source(operator="A. Miner", comment="map")
    group = open_group(source)
    position = group.positions[0]
    assert position.resolved_operator == Resolved("A. Miner", "analysis")
    assert position.resolved_comment == Resolved(position.comment, "position")
    group.analyses[0].operator = ""
    assert position.resolved_operator == Resolved("A. Miner", "project")
    group.projects[0].operator = " "
    assert position.resolved_operator.origin == "project"
    group.projects[0].operator = ""
    assert position.resolved_operator == Resolved("", None)
    position.operator = "me"
    assert position.resolved_operator == Resolved("me", "position")


def test_broken_members_are_warned_of_and_kept() -> None:
    source = sxes_source()
    first, second, third = open_group(source).positions.uuids[:3]
    source.contents[f"data/{first}/state.json"] = b'{"stage":'
    del source.contents[f"data/{second}/info.json"]
    source.edit_json(f"data/{third}/info.json", conditionUuid="0" * 64, uuid="other")
    group = open_group(source)
    assert group.positions[0].state.stage_x_mm is None
    assert group.positions[1].condition is None
    assert group.positions[2].condition is None
    warnings = {str(warning) for warning in group.check()}
    assert warnings == {
        f"data/{first}/state.json: not valid JSON (Expecting value, line 1 column 10)",
        f"data/{second}/info.json: missing",
        f"data/{third}/info.json: names conditions/{'0' * 64}.json, which is not there",
        f"data/{third}/info.json: states another uuid, other",
    }
    assert group.positions[0].read("state.json") == b'{"stage":'


def test_what_a_broken_position_cannot_tell_is_an_error_that_names_it() -> None:
    source = sxes_source()
    first = open_group(source).positions.uuids[0]
    source.contents[f"data/{first}/info.json"] = b"{}"
    position = open_group(source).positions[0]
    with pytest.raises(InputError, match="no background"):
        _ = position.background_corrected
    with pytest.raises(InputError, match="how many frames"):
        _ = position.saturated
    with pytest.raises(InputError, match="no condition"):
        _ = position.derived_wavelength_angstrom
    assert position.xes.shape == (17, 2049)


@pytest.mark.parametrize(
    "metadata", [b"{", b"[]", b'{"projects":{},"analyses":7}', b'{"analyses":[{"uuid":3,"positionUuids":"x"},5]}']
)
def test_odd_metadata_opens_empty(metadata: bytes) -> None:
    source = sxes_source()
    source.contents["metadata.json"] = metadata
    group = open_group(source)
    assert len(group.positions) == 0
    assert group.projects == ()
    assert len(group.unlisted_positions) == 6
    assert group.source.read("metadata.json") == metadata


def test_without_metadata_it_is_not_a_group() -> None:
    source = sxes_source()
    del source.contents["metadata.json"]
    with pytest.raises(InputError, match=r"holds no metadata\.json"):
        open_group(source)


def test_old_spellings() -> None:
    source = sxes_source(nx=1, ny=1)
    contents = source.contents
    background = next(path for path in contents if path.startswith("backgrounds/"))
    contents[background + ".json"] = contents.pop(background)
    info = next(path for path in contents if path.endswith("info.json"))
    fields = json.loads(contents[info])
    fields["rawCondtionUuid"] = fields.pop("rawConditionUuid")
    contents[info] = json.dumps(fields).encode()
    metadata = json.loads(contents["metadata.json"])
    metadata["projects"][0]["analyses"] = metadata["projects"][0].pop("analysisUuids")
    contents["metadata.json"] = json.dumps(metadata).encode()
    group = open_group(type(source)(contents))
    position = group.projects[0].analyses[0].positions[0]
    assert position.raw_condition is not None
    assert position.background is not None
    assert position.background_corrected.shape == (16, 2048)
    assert list(group.backgrounds) == [background.partition("/")[2]]
    assert group.check() == ()


def test_a_shared_file_under_a_wrong_name_is_warned_of() -> None:
    source = sxes_source(nx=1, ny=1)
    path = next(path for path in source.contents if path.startswith("conditions/"))
    source.contents[path] += b" "
    assert [warning.path for warning in open_group(source).check()] == [path]


def test_json_in_a_legacy_encoding() -> None:
    source = sxes_source(nx=1, ny=1)
    info = next(path for path in source.contents if path.endswith("info.json"))
    source.contents[info] = source.contents[info].replace(b"CuFeS2", "黄銅鉱ソ".encode("cp932"))
    assert [warning.path for warning in open_group(source).check()] == [info]
    group = open_group(source, encoding="cp932")
    assert group.positions[0].comment.startswith("黄銅鉱ソ")
    assert group.check() == ()


def test_unlisted_positions_are_found() -> None:
    source = sxes_source()
    metadata = json.loads(source.contents["metadata.json"])
    gone = metadata["analyses"][0]["positionUuids"].pop()
    source.contents["metadata.json"] = json.dumps(metadata).encode()
    group = open_group(source)
    assert group.unlisted_positions.uuids == (gone,)
    assert group.unlisted_positions[0].xes.shape == (17, 2049)
    assert group.unlisted_positions[0].analysis is None


def test_names_that_would_leave_the_folder_are_refused() -> None:
    position = open_group(sxes_source()).positions[0]
    for name in ("", "/x", "../x", "a/../x", "a\\b", "a\0"):
        with pytest.raises(UsageError):
            position.write(name, b"")
    with pytest.raises(UsageError):
        position.set_raw("a/b", b"")


def test_the_real_archive(real_archive: Path) -> None:
    with open_group(real_archive) as group:
        assert [len(analysis.positions) for analysis in group.analyses] == [2, 2, 1, 6, 1, 2]
        assert [project.name for project in group.projects] == ["2018-04-12_JS300_Nitrogen"]
        assert group.version is None
        assert group.check() == ()
        assert len(group.unlisted_positions) == 0
        for position in group.positions:
            assert position.raw("sum") == arrays.sum_bytes(position.xes)
            if "no Bkgr" in position.comment:
                derived = arrays.qlw_from_xes(position.signal)
                assert np.allclose(derived[:-2], position.qlw[:-2], rtol=2e-6)
            else:
                assert abs(arrays.qlw_from_xes(position.background_corrected) - position.qlw).max() < 800
        saturated = {position.comment: int(position.saturated.sum()) for position in group.positions}
        assert {comment: count for comment, count in saturated.items() if count} == {
            "HOPG 5kV 100nA 5 min : Pos. : 2": 28
        }
