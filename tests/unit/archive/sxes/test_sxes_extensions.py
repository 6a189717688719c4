"""The pure data model of maps, described arrays and sources: what is written is read, and absurd sizes are told."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from support.sxes_sources import sxes_source

from sxeslake.archive import open_group
from sxeslake.archive.sxes.extensions import array_fields, carried, map_fields, originals
from sxeslake.archive.sxes.extensions.stated import newer_than_known
from sxeslake.errors import DamagedArchiveError, ReadOnlyError


def test_an_array_comes_back_and_an_absurd_shape_is_refused() -> None:
    dtype, shape, raw = array_fields.stored_bytes(np.arange(6.0).reshape(2, 3))
    assert array_fields.array_of(raw, dtype, shape).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(DamagedArchiveError, match="more bytes than any computer has"):
        array_fields.array_of(raw, "<f8", (1 << 40, 1 << 40))


def test_an_axis_and_a_map_are_read_as_written() -> None:
    axis = array_fields.ArrayAxis("position", "mm", 70.0, 0.5)
    assert array_fields.read_array(array_fields.array_json("<f8", [3], axis=axis)).axis == axis
    channel = map_fields.channel_json("Ti Ka", "ti-ka.data", "<f8", [1, 2], element="Ti")
    value = map_fields.map_json("m", "a", "stage", [1, 2], position_uuids=["p", "q"], channels=[channel])
    fields = map_fields.read_map(json.loads(json.dumps(value)))
    assert (fields.kind, fields.shape, fields.position_uuids) == ("stage", (1, 2), ("p", "q"))
    assert fields.channels[0].element == "Ti"
    part = carried.map_as(value, lambda what, uuid: None if uuid == "q" else uuid)
    assert map_fields.read_map(part).position_uuids == ("p", None)
    assert carried.joined_points(part, value) == value


def test_a_recipe_is_read_as_written_and_its_parts_add_up() -> None:
    file = originals.OriginalFile("a.cnd", hashlib.sha256(b"xy").hexdigest(), 2, (originals.FilePart("residue/r", 2),))
    value = originals.recipe_json(originals.OriginalsRecipe("R", (file,)))
    assert originals.read_recipe(value).files == (file,)
    value["files"][0]["size"] = 3
    with pytest.raises(DamagedArchiveError, match="are 2 bytes"):
        originals.read_recipe(value)


def test_a_required_extension_that_is_newer_forbids_writing() -> None:
    assert newer_than_known({"extensions": {"maps": 2}}) is None
    assert newer_than_known({"extensions": {"maps": 2}, "extensionsRequired": ["maps"]}) == (
        "it requires the extension maps 2, which is newer than maps 1"
    )


def test_a_group_with_one_is_read_and_not_changed() -> None:
    source = sxes_source()
    source.edit_json("metadata.json", extensions={"maps": 2}, extensionsRequired=["maps"])
    group = open_group(source)
    assert group.read_only
    assert len(group.positions) == 6
    with pytest.raises(ReadOnlyError, match="extension maps 2"):
        group.add_project("p")
