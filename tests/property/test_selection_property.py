"""Any selection of any group is a group by itself: it opens, has just what was asked for, and all that it names."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from support.part_lakes import CONDITION, Session, Spot, contents, uid
from support.small_lakes import new_lake, zip_of

from sxeslake.archive import open_container, open_group
from sxeslake.archive.sxes.documents import listing
from sxeslake.format import rowgroups
from sxeslake.ingest import absorb
from sxeslake.storage import open_store

CONDITIONS = [CONDITION, {"ccd": {"grating": "JS50XL"}}, {"ccd": {"grating": "JS2000"}}]


@st.composite
def groups(draw: st.DrawFn) -> list[Session]:
    """Analyses whose positions share conditions and backgrounds, and may be listed twice."""
    count = draw(st.integers(1, 8))
    spots = [
        Spot(
            number,
            number,
            condition=draw(st.sampled_from(CONDITIONS)),
            background=draw(st.sampled_from([None, 1, 2])),
        )
        for number in range(1, count + 1)
    ]
    return [
        Session(100 + number, draw(st.lists(st.sampled_from(spots), unique_by=lambda s: s.number)), f"session {number}",
                images=draw(st.lists(st.integers(60, 63), unique=True)))
        for number in range(draw(st.integers(1, 3)))
    ]  # fmt: skip


def wants(sessions: list[Session]) -> st.SearchStrategy[dict[str, Any]]:
    """What somebody may ask of such a group."""
    listed = sorted({spot.number for session in sessions for spot in session.spots})
    some = st.lists(st.sampled_from(listed), min_size=1, unique=True).map(lambda found: [uid(each) for each in found])
    types = st.sampled_from([None, ["qlw"], ["xes", "images"], ["state"], ["qlw,xes"]])
    return st.fixed_dictionaries({"positions": some, "types": types, "container": st.sampled_from(["zip", "7z"])})


@settings(max_examples=25)
@given(data=st.data())
def test_any_selection_is_a_group_of_just_that(data: st.DataObject) -> None:
    sessions = data.draw(groups().filter(lambda found: any(session.spots for session in found)))
    wanted = data.draw(wants(sessions))
    whole = contents(sessions)
    large = data.draw(st.booleans(), label="whether the manifest tells where positions are listed")
    order = list(dict.fromkeys(uid(spot.number) for session in sessions for spot in session.spots))
    numbers = [str(order.index(uuid) + 1) for uuid in wanted["positions"]]
    words = numbers if data.draw(st.booleans(), label="whether positions are named by number") else wanted["positions"]
    asked = {**wanted, "positions": words}
    with (
        patch.object(listing, "LEAST_POSITIONS", 1 if large else 1000),
        patch.object(absorb, "LEAST_POSITIONS", 1 if large else 1000),
        patch.object(rowgroups, "RUN_ROWS", 9),
        TemporaryDirectory() as name,
        new_lake(open_store(f"memory://{Path(name).name}")) as lake,
    ):
        folder = Path(name)
        lake.ingest(zip_of(folder / "whole.plzip", whole))
        planned = lake.pull_part("whole", **asked, dry_run=True)
        stream = io.BytesIO()
        report = lake.pull_part("whole", stream=stream, **asked)
        (folder / "part").write_bytes(stream.getvalue())
        with open_container(folder / "part") as archive:
            found = {member.path: archive.read(at) for at, member in enumerate(archive.members)}
        with open_group(folder / "part") as group:
            assert group.check() == ()
            assert set(group.positions.uuids) == set(wanted["positions"])
            used = {(p.info.condition_id, p.info.background_id) for p in group.positions}
            used |= {(image.info.condition_id, None) for image in group.images}
            assert set(group.conditions) == {condition for condition, _ in used}
            assert set(group.backgrounds) == {background for _, background in used} - {None}
            found_order = [uuid for analysis in group.analyses for uuid in analysis.positions.uuids]
        listed = [uid(spot.number) for session in sessions for spot in session.spots]
        assert found_order == [uuid for uuid in listed if uuid in wanted["positions"]]
        assert {path: data for path, data in found.items() if path != "metadata.json"}.items() <= whole.items()
        assert (planned.members, planned.bytes_raw) == (report.members, report.bytes_raw)
        assert (report.members, report.bytes_raw) == (len(found), sum(map(len, found.values())))
