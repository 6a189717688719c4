"""The same measurement has the same content_id, whatever was said of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from blake3 import blake3
from support.catalog_source import documents_of, group, header, member_table, state

from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.catalog.build.projection import project

SAVED = datetime(2018, 4, 13, 18, 53, 48)


def content_ids(files: dict[str, bytes]) -> list[Any]:
    tables = project(header(), member_table(files), documents_of(files))
    return list(tables["positions"]["content_id"].to_pylist())


def test_the_bytes_that_are_hashed_are_those_of_the_description() -> None:
    one, two = blake3(b"1").digest(), blake3(b"2").digest()
    text = b"sxeslake position 1\nqlw\0" + one + b"xes\0" + two + b"\n2018-04-13T18:53:48 2.9855 - 10.764"
    made = position_content_id([("qlw", one), ("xes", two)], SAVED, (2.9855, None, 10.764))
    assert made == blake3(text).hexdigest()
    assert position_content_id([], SAVED, (1.0, 2.0, 3.0)) is None
    assert position_content_id([("x", one)], None, (0.0,)) == position_content_id([("x", one)], None, (-0.0,))


def test_converted_again_it_has_another_uuid_and_the_same_content_id() -> None:
    states = {"a": state(1.5), "b": state(2.5, second=9)}
    once = group(states)
    again = group({name: {**value, "note": "converted by 2.0"} for name, value in states.items()}, uuid_prefix="new-")
    again = {path: data.replace(b"steel : Pos.", b"better comment : Pos.") for path, data in again.items()}
    for name in states:
        for kind in ("xes", "qlw"):
            again[f"data/new-{name}/{kind}.data"] = once[f"data/{name}/{kind}.data"]
    again["data/new-b/state.json"] = json.dumps(
        {**states["b"], "stage": {**states["b"]["stage"], "x": "2.50"}}
    ).encode()
    assert content_ids(again) == content_ids(once)
    assert len(set(content_ids(once))) == 2


def test_other_data_another_time_or_place_is_another_measurement() -> None:
    first = content_ids(group({"a": state()}))
    assert content_ids(group({"a": state()}, seed="other ")) != first
    assert content_ids(group({"a": state(second=1)})) != first
    assert content_ids(group({"a": state(1.0005)})) != first
