"""Where positions are listed, beside their rows, and which row groups hold them: there for those who ask."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from sxeslake.archive.sxes.documents import listing as listings
from sxeslake.archive.sxes.documents.listing import ListPlace, PositionListing
from sxeslake.errors import DamagedLakeError
from sxeslake.format import rowgroups
from sxeslake.format.manifest import LISTED, SCHEMA, Manifest, ManifestBuilder, RowRange, digest_column, footer_bytes
from sxeslake.format.rowgroups import Numbers, arranged
from sxeslake.format.rows import with_places

ID = "ab" * 16
NAMES = ["m", "a", "z", "c", "k"]  # as they are listed, in two analyses
PATHS = sorted(
    ["data", "conditions/1.json", "metadata.json", "data/unlisted/info.json", "data/readme.txt"]
    + [f"data/{name}/{file}" for name in NAMES if name != "c" for file in ("info.json", "xes.data")]
    + [f"data/{name}" for name in NAMES[:2]]
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "LEAST_POSITIONS", 3)
    monkeypatch.setattr(rowgroups, "RUN_ROWS", 5)


def listed() -> PositionListing:
    metadata = {"mine": 1, "analyses": [{"uuid": "x", "positionUuids": NAMES[:3]}, {"positionUuids": NAMES[3:]}]}
    found = listings.listing(metadata)
    assert found is not None
    return found


def rows_of(paths: Sequence[str]) -> pa.Table:
    """Rows of empty files."""
    count = len(paths)
    columns = {field.name: pa.nulls(count, field.type) for field in SCHEMA}
    columns |= {
        "path": pa.array(paths, pa.string()),
        "ordinal": pa.array(range(count), pa.uint32()),
        "directory": pa.array([False] * count),
        "size": pa.array([0] * count, pa.uint64()),
        "blake3": digest_column(np.zeros((count, 32), np.uint8)),
    }
    return pa.table(columns, schema=SCHEMA)


def built(*archives: tuple[list[str], PositionListing | None]) -> tuple[bytes, list[RowRange]]:
    builder, ranges = ManifestBuilder(), []
    for paths, listing in archives:
        groups, runs = arranged(paths, listing)
        tables = [rows_of([paths[at] for at in group]) for group in groups]
        if listing is not None and runs is not None:
            builder.outline(listing.outline, runs)
            tables = [with_places(table, listing.places) for table in tables]
        ranges.append(builder.add(tables))
    return builder.finish(), ranges


def opened(data: bytes) -> Manifest:
    return Manifest(ID, len(data), data[-footer_bytes(data) :])


def test_rows_stand_in_runs_of_the_list() -> None:
    groups, runs = arranged(PATHS, listed())
    assert [[PATHS[at] for at in group] for group in groups] == [
        ["data/m", "data/m/info.json", "data/m/xes.data"],
        ["data/a", "data/a/info.json", "data/a/xes.data", "data/z/info.json", "data/z/xes.data"],
        ["data/k/info.json", "data/k/xes.data"],
        ["data/readme.txt", "data/unlisted/info.json"],
        ["conditions/1.json", "data", "metadata.json"],
    ]
    assert runs is not None
    assert (runs.lists, runs.group, runs.starts) == ((3, 2), 0, (0, 1, 4))  # number 3, `c`, has no members
    assert runs.groups_at([Numbers(0, 1), Numbers(4, 5), Numbers(2, 2)]) == {0, 2}
    assert runs.groups_at([Numbers(0, 5)]) == {0, 1, 2}
    assert [runs.number(ListPlace(0, 2)), runs.number(ListPlace(1, 1))] == [2, 4]


@pytest.mark.parametrize("names", [[], ["q"]])
def test_without_members_of_listed_positions_all_stand_by_path(names: list[str]) -> None:
    paths = sorted(f"data/{name}/x" for name in names)
    assert arranged(paths, listed()).runs is None
    assert arranged(PATHS, None) == ([range(len(PATHS))], None)


def test_a_position_of_more_rows_than_a_group_holds_is_arranged_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowgroups, "ROW_GROUP", 4)
    paths = sorted(f"data/m/{number}" for number in range(5))
    assert arranged(paths, listed()) == ([range(4), range(4, 5)], None)


def test_places_and_outlines_belong_to_their_archive() -> None:
    data, (small, large) = built((["a.txt"], None), (PATHS, listed()))
    manifest = opened(data)
    assert (small, large) == (RowRange(0, 1, 1), RowRange(1, 5, len(PATHS)))
    assert manifest.outline(small) is None
    outline = manifest.outline(large)
    assert outline == {"mine": 1, "analyses": [{"uuid": "x", "positionUuids": []}, {"positionUuids": []}]}
    with_listed = manifest.table([2], [(0, data)], listed=True)
    assert [with_listed[name].to_pylist() for name in LISTED.names] == [
        [0, None, None, 0, None],
        [1, None, None, 2, None],
    ]
    assert manifest.table([0], [(0, data)], listed=True)["listed_at"].to_pylist() == [None]
    plain = manifest.table(range(1, 6), [(0, data)])
    assert plain.column_names == SCHEMA.names
    assert [row.member.path for row in manifest.rows(plain, "path")] == PATHS
    assert [row.member.path for row in manifest.rows(plain)] != PATHS


def test_what_stands_in_a_group_is_found_there() -> None:
    data, (_, large) = built((["a.txt"], None), (PATHS, listed()))
    finder = opened(data).row_groups(large)
    assert (finder.by_path, finder.shared, finder.all) == (False, [5], range(1, 6))
    assert (finder.at(["metadata.json"]), finder.at(["data"])) == ([5], [5])
    assert finder.at(["data/z/xes.data"]) == finder.beginning("data/z/") == finder.holding(["data/z"]) == [2]
    assert finder.at(["data/unlisted/info.json"]) == [4]
    assert finder.at(["data/nobody/info.json"]) == []
    assert finder.beginning("data/") == [1, 2, 3, 4, 5]  # `data` to `metadata.json` can hold such paths
    assert finder.beginning("") == [1, 2, 3, 4, 5]
    assert finder.between("data/a", "data/b") == [2, 5]


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """The same file with another word of equal length in its metadata."""
    assert data.count(old) == 1
    assert len(new) <= len(old)
    return data.replace(old, new + b" " * (len(old) - len(new)))


def said(data: bytes) -> bytes:
    start = data.index(b'"outlines": ') + len(b'"outlines": ')
    return data[start : start + json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))[1]]


def test_outlines_of_the_first_form_have_no_runs() -> None:
    data, (where,) = built((PATHS, listed()))
    manifest = opened(replaced(data, said(data), b'{"0": {"analyses": [{"positionUuids": []}]}}'))
    assert manifest.outline(where) == {"analyses": [{"positionUuids": []}]}
    finder = manifest.row_groups(where)
    assert (finder.runs, finder.shared) == (None, [])
    assert finder.at(["data/z/xes.data"]) == [1, 4]  # by bounds alone


@pytest.mark.parametrize("outlines", ["5", '"x"', '["x"]', '[{"metadata":{}}]', '{"x": {}}'])
def test_outlines_of_another_form_are_damage(outlines: str) -> None:
    data, _ = built((PATHS, listed()))
    with pytest.raises(DamagedLakeError):
        opened(replaced(data, said(data), outlines.encode()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"lists": [3, 2]', b'"lists": [3, 0]'),  # fewer positions than runs begin with
        (b'"lists": [3, 2]', b'"lists": 32'),
        (b'"lists": [3, 2]', b'"lists": [5]'),  # an analysis less than there are
        (b'"lists": [3, 2]', b'"lists": [9]'),  # more positions than names
        (b'"starts": [0, 1, 4]', b'"starts": [0, 4, 1]'),
        (b'"starts": [0, 1, 4]', b'"starts": [1, 2, 4]'),
        (b'"starts": [0, 1, 4]', b'"starts": []'),
        (b'"group": 0', b'"group": 9'),
        (b'"names": "', b'"name": "'),
    ],
)
def test_runs_that_do_not_hold_together_are_damage_or_not_believed(old: bytes, new: bytes) -> None:
    data, (where,) = built((PATHS, listed()))
    broken = replaced(data, old, new)
    if b"name" in old:  # nothing is said of runs: what is known of groups still holds
        assert opened(broken).row_groups(where).at(["data/z/xes.data"]) == [1, 4]
        return
    with pytest.raises(DamagedLakeError):
        opened(broken).row_groups(where).at(["data/z/xes.data"])
