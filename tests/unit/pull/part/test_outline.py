"""Which positions are meant, what stays of metadata.json, and which condition is named when nothing is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sxeslake.errors import InputError, NotFoundError, ReadOnlyError, UsageError
from sxeslake.pull.part.outline import Outline, choose, pictures, pruned, read_outline
from sxeslake.pull.part.wanted import PartSpec, numbers_of, split_words

METADATA: dict[str, Any] = {
    "future": {"kept": 1},
    "projects": [
        {"uuid": "p1", "analysisUuids": ["a1", "a2"], "mine": 2},
        {"uuid": "p2", "analyses": ["a3"]},
    ],
    "analyses": [
        {"uuid": "a1", "name": "grain 1", "positionUuids": ["u1", "u2", "u3"], "imageUuids": ["i1"], "mine": 3},
        {"uuid": "a2", "name": "grain 2", "positionUuids": ["u3", "u4"]},
        {"uuid": "a3", "name": "", "positionUuids": []},
    ],
}
OUTLINE = Outline(METADATA, "utf-8")


def taken(wanted: PartSpec, chosen: set[str] | None = None) -> tuple[str, ...]:
    return choose(OUTLINE, wanted, chosen, where="s@1", by='--where "x"').positions


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (PartSpec(), ("u1", "u2", "u3", "u4")),
        (PartSpec(positions=("2",)), ("u2",)),
        (PartSpec(positions=("3..4", "U1")), ("u1", "u3", "u4")),
        (PartSpec(positions=("1",), analyses=("grain 2",)), ("u3",)),
        (PartSpec(analyses=("a2",)), ("u3", "u4")),
        (PartSpec(analyses=("GRAIN*",)), ("u1", "u2", "u3", "u4")),
    ],
)
def test_numbers_uuids_and_names_mean_positions(wanted: PartSpec, positions: tuple[str, ...]) -> None:
    assert taken(wanted) == positions


def test_a_query_narrows_further() -> None:
    assert taken(PartSpec(analyses=("a1",)), {"u3", "u4"}) == ("u3",)
    free = choose(OUTLINE, PartSpec(), {"u1", "unlisted"}, where="s@1")
    assert (free.positions, free.unlisted, free.analyses) == (("u1",), ("unlisted",), (0,))


@pytest.mark.parametrize(
    ("wanted", "chosen", "words"),
    [
        (PartSpec(positions=("5",)), None, "no position 5.*There are 4"),
        (PartSpec(analyses=("grain 3",)), None, "'grain 3'.*grain 1"),
        (PartSpec(analyses=("a3",)), None, "analyses a3 lists no position"),
        (PartSpec(positions=("u1",), analyses=("a2",)), None, "analyses a2 does not list position u1"),
        (PartSpec(), {"nobody"}, None),
        (PartSpec(analyses=("a2",)), {"u1"}, 'where "x" leaves none of 2 positions'),
    ],
)
def test_the_condition_that_leaves_nothing_is_named(
    wanted: PartSpec, chosen: set[str] | None, words: str | None
) -> None:
    if words is None:  # a position that no analysis lists may still have a folder
        assert choose(OUTLINE, wanted, chosen, where="s@1").unlisted == ("nobody",)
        return
    with pytest.raises(NotFoundError, match=words):
        taken(wanted, chosen)


def test_pruning_keeps_what_nobody_knows() -> None:
    choice = choose(OUTLINE, PartSpec(positions=("u2",)), None, where="s@1")
    assert pruned(OUTLINE, choice, images=True) == {
        "future": {"kept": 1},
        "projects": [{"uuid": "p1", "analysisUuids": ["a1"], "mine": 2}],
        "analyses": [{"uuid": "a1", "name": "grain 1", "positionUuids": ["u2"], "imageUuids": ["i1"], "mine": 3}],
    }
    without = pruned(OUTLINE, choice, images=False)
    assert pictures(without) == []
    assert METADATA["analyses"][0]["positionUuids"] == ["u1", "u2", "u3"]  # the outline itself is not touched


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (b"{", InputError, "metadata.json.*pulled whole"),
        (b"[]", InputError, "a JSON list where an object belongs"),
        (b'{"version":"9.0"}', ReadOnlyError, "9.0 is newer"),
    ],
)
def test_what_cannot_be_pruned_is_refused(raw: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_outline(raw, where="s@1")


def test_a_legacy_encoding_is_kept() -> None:
    raw = json.dumps({"analyses": [{"name": "炭素"}]}, ensure_ascii=False).encode("cp932")
    assert read_outline(raw, where="s@1").encoding == "cp932"


def test_types_and_numbers_as_people_write_them() -> None:
    assert split_words(["qlw, state", "qlw,"]) == ("qlw", "state")
    wanted = PartSpec(types=("qlw", "notes.txt"))
    kept = [name for name in ("info.json", "state.json", "qlw.data", "xes.data", "notes.txt") if wanted.keeps(name)]
    assert kept == ["info.json", "state.json", "qlw.data", "notes.txt"]
    assert PartSpec(types=("qlw", "images", "state", "lqw")).missing_types({"qlw.data"}) == ["lqw"]
    assert (numbers_of("7"), numbers_of("3..9"), numbers_of("a1")) == ((7, 7), (3, 9), None)
    for wrong in ("0", "9..3"):
        with pytest.raises(UsageError, match="count from 1"):
            numbers_of(wrong)
