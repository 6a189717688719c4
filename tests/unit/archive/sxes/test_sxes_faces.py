"""Groups and what they hold in a line and in a notebook: what a person asks first, and nothing that is obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sxeslake
from sxeslake.archive.sxes.group import Group
from sxeslake.errors import NotFoundError

HOSTILE = "<script>alert(1)</script>&\x1b]0;owned\x07\u202e"


def shown(group: Group) -> Iterator[object]:
    """Everything in a group that shows itself."""
    yield group
    yield from group.projects
    for analysis in group.analyses:
        yield from (analysis, analysis.positions, analysis.images, *analysis.positions, *analysis.images)
    yield from group.conditions.values()
    yield from (*group.raw_conditions.values(), *group.backgrounds.values())


def page(thing: object) -> str:
    made = getattr(thing, "_repr_html_", lambda: "<table></table>")()
    assert isinstance(made, str)
    return made


@pytest.fixture
def group() -> Iterator[Group]:
    """Two positions and a picture, all in words that attack."""
    group = sxeslake.create_group(HOSTILE)
    analysis = group.add_project(HOSTILE, operator=HOSTILE).add_analysis(
        HOSTILE, comment=HOSTILE, operator=HOSTILE, instrument=HOSTILE, acquired="2018-04-12 13:57:54"
    )
    condition = {"ccd": {"grating": HOSTILE, "spectrometer": HOSTILE, "model": HOSTILE, "accumulation": 10}}
    state = {
        "saveDate": "2018/04/12 13:58:30",
        "stage": {"x": "2.9855", "y": -1.145, "z": 10.764},
        "probe": {"acceleratingVoltage": 5, "current": {"average": 1e-7}},
    }
    for number in (1, 2):
        comment = f"{HOSTILE} : Pos. : {number}"
        analysis.add_position(condition=condition, state=state, raw={"qlw": bytes(80), HOSTILE.replace("/", ""): b"x"},
                              comment=comment)  # fmt: skip
    analysis.add_image(b"BM", "bmp", condition=condition, comment=HOSTILE)
    yield group
    group.close()


def test_nothing_that_is_shown_is_obeyed(group: Group) -> None:
    things = list(shown(group))
    assert len(things) > 8
    for thing in things:
        assert "<script" not in page(thing)
        for text in (repr(thing), page(thing)):
            assert not re.search(r"[\x00-\x1f\x7f\u202e]", text), text
    assert "&lt;script&gt;" in page(group)


def test_a_position_says_what_a_person_asks_first(group: Group) -> None:
    group.name = "map@1"
    position = group.positions[1]
    position.comment = "TiN : Pos. : 2"
    position.set_condition({"ccd": {"grating": "JS300N", "spectrometer": "XES300N", "accumulation": 1}})
    assert repr(position) == '<Position 2 of map@1: 5 kV, 100 nA, JS300N, "TiN : Pos. : 2">'
    assert repr(position.condition) == "<Condition: JS300N, XES300N, 1 frame>"
    assert repr(group.positions) == "<2 positions of map@1>"
    made = page(position)
    facts = dict(re.findall("<tr><th>(.*?)</th><td>(.*?)</td></tr>", made))
    assert facts["beam"] == "5 kV, 100 nA"
    assert facts["stage (mm)"] == "x 2.9855, y -1.145, z 10.764"
    assert facts["measured"] == "2018-04-12 13:58"
    assert "qlw float64 (10,)" in facts["data"]
    assert list(facts)[:3] == ["comment", "beam", "condition"]
    assert position.uuid not in repr(position)


def test_groups_analyses_and_projects_name_themselves(group: Group) -> None:
    group.name = "map@1"
    (analysis,), (project,) = group.analyses, group.projects
    analysis.name, analysis.instrument, project.name = "TiN", "JXA-8530F", "steel"
    assert repr(group) == "<Group map@1: 1 analysis, 2 positions>"
    assert repr(analysis) == '<Analysis "TiN" of map@1: 2 positions, 1 image, 2018-04-12 13:57, JXA-8530F>'
    assert repr(project) == '<Project "steel" of map@1: 1 analysis>'
    assert "<td>TiN</td><td>2</td><td>5</td><td>100</td>" in page(group)
    (raw, *_) = group.raw_conditions.values() or [None]
    assert raw is None or re.fullmatch(r"<RawCondition of map@1: [\d,]+ bytes>", repr(raw))


def test_what_cannot_be_read_is_said_and_never_raised(tmp_path: Path, group: Group) -> None:
    path = tmp_path / "map.plzip"
    group.save(path)
    opened = sxeslake.open_group(path)
    things = list(shown(opened))
    opened.close()
    for thing in things:
        assert repr(thing)
        assert page(thing).startswith("<table>")


def test_many_positions_are_counted_and_the_first_shown(group: Group) -> None:
    (analysis,) = group.analyses
    for _ in range(20):
        analysis.add_position(condition={}, state={})
    made = page(group.positions)
    assert "22 in all, the first 20 shown" in made
    assert made.count("<tr>") == 21


def test_a_position_that_is_not_there_says_how_many_are(group: Group) -> None:
    group.name = "map@1"
    with pytest.raises(IndexError, match=r"no position \[99\]: there are 2 positions, \[0\] to \[1\]") as caught:
        _ = group.positions[99]
    assert isinstance(caught.value, NotFoundError)
    with pytest.raises(IndexError, match=r"no position \[0\]: there are none"):
        _ = group.unlisted_positions[0]
    with pytest.raises(KeyError, match=r"no position has the UUID 'nope'\. There are 2") as unknown:
        _ = group.positions["nope"]
    assert str(unknown.value).startswith("map@1: no position")
    assert group.positions[-1].uuid == list(group.positions)[-1].uuid
