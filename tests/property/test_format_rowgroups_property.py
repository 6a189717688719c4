"""Whatever an archive lists, each row stands in one group, and every path, prefix and number leads to its rows."""

from __future__ import annotations

import json
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.archive.sxes.documents import listing as listings
from sxeslake.archive.sxes.documents.listing import PositionListing
from sxeslake.format import rowgroups
from sxeslake.format.rowgroups import Numbers, RowGroups, Runs, arranged, position_of

NAMES = st.text("ab-/é\U0001f52c", min_size=1, max_size=3).filter(lambda name: "/" not in name)
FILES = st.sampled_from(["", "/info.json", "/xes.data", "/x/y", "-"])
INSIDE = st.builds(lambda name, file: f"data/{name}{file}", NAMES, FILES)
PATHS = st.lists(INSIDE | st.sampled_from(["data", "metadata.json", "images/a/info.json", "a"]), unique=True)
LISTS = st.lists(NAMES, unique=True, max_size=8)


@settings(max_examples=200)
@given(PATHS, LISTS, st.integers(0, 8), st.text("abdt/-", max_size=7), st.integers(0, 5))
def test_every_row_is_found(paths: list[str], names: list[str], cut: int, prefix: str, first: int) -> None:
    paths.sort(key=str.encode)
    listing = listed(names, cut)
    with patch.object(rowgroups, "RUN_ROWS", 3), patch.object(rowgroups, "ROW_GROUP", 5):
        groups, runs = arranged(paths, listing)
    assert sorted(at for group in groups for at in group) == list(range(len(paths)))
    assert all(list(group) == sorted(group) and 0 < len(group) <= 5 for group in groups)
    standing = [[paths[at] for at in group] for group in groups]
    said = None if runs is None else Runs.load(json.loads(json.dumps(moved(runs, first).dump())))
    finder = RowGroups(first, [(group[0], group[-1]) for group in standing], said)

    def scan(fits: object) -> set[int]:
        return {first + at for at, group in enumerate(standing) if any(fits(path) for path in group)}  # type: ignore[operator]

    for path in [*paths, prefix, "data/a", "data/b/info.json"]:
        assert scan(lambda each, path=path: each == path) <= set(finder.at([path]))
        assert scan(lambda each, path=path: each == path or each.startswith(path + "/")) <= set(finder.holding([path]))
        assert scan(lambda each, path=path: each.startswith(path)) <= set(finder.beginning(path))
        assert scan(lambda each, path=path: path <= each <= path + "b") <= set(finder.between(path, path + "b"))
    assert scan(lambda each: True) == set(finder.beginning(""))
    assert finder.at(paths) == sorted(set(finder.at(paths)))
    if said is not None and listing is not None:
        for name, place in listing.places.items():
            number = said.number(place)
            held = scan(lambda each, name=name: position_of(each) == name)
            assert len(held) <= 1
            assert held <= said.groups_at([Numbers(number, number + 1)])
        assert said.groups_at([Numbers(0, said.positions)]) == set(range(said.group, said.group + len(said.starts)))


def listed(names: list[str], cut: int) -> PositionListing | None:
    with patch.object(listings, "LEAST_POSITIONS", 1):
        return listings.listing({"analyses": [{"positionUuids": names[:cut]}, {"positionUuids": names[cut:]}]})


def moved(runs: Runs, first: int) -> Runs:
    return Runs(runs.lists, first + runs.group, runs.starts, runs.packed)
