"""Documents that are alike, read by their shape: never another answer than the parser's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalog_documents import read_documents
from support.catalog_source import state

from sxeslake.archive.sxes.documents.units import local_time, number, text
from sxeslake.catalog.build.documents import Contents, DocumentReader
from sxeslake.catalog.build.json_shapes import Leaf, Shapes

ENOUGH = 80
"""So many documents of a kind, and it is learned."""


def info(uuid: object = "p", comment: object = "steel : Pos. : 1", **more: object) -> dict[str, object]:
    return {"comment": comment, "operator": "", "backgroundUuid": "ef", "uuid": uuid, "conditionUuid": "88", **more}


def read(texts: list[bytes], name: str = "state.json") -> Contents:
    """All at once, by one reader that has seen many ordinary ones before."""
    usual = state() if name == "state.json" else info()
    reader, contents = DocumentReader(), Contents()
    before = [(f"data/before{n}/{name}", json.dumps(usual).encode()) for n in range(ENOUGH)]
    asked = [(f"data/p{n}/{name}", data) for n, data in enumerate(texts)]
    for documents in (before, asked):
        contents = Contents()
        for _ in reader.read(contents, documents, sxes=True):
            pass
    return contents


def alone(data: bytes, place: int, name: str = "state.json") -> Contents:
    return read_documents([(f"data/p{place}/{name}", data)], sxes=True)


def agrees(texts: list[bytes], name: str = "state.json") -> None:
    """Each document says the same as if it were the only one."""
    together = read(texts, name)
    for place, data in enumerate(texts):
        one, uuid, path = alone(data, place, name), f"p{place}", f"data/p{place}/{name}"
        assert repr(together.states.get(uuid)) == repr(one.states.get(uuid)), data
        assert repr(together.infos.get(uuid)) == repr(one.infos.get(uuid)), data
        assert together.problems.get(path) == one.problems.get(path), data
        assert together.files.problems[place] == one.files.problems[0], data
    assert [text for each in together.files.texts for text in each.to_pylist()] == [
        alone(data, 0, name).files.texts[0][0].as_py() for data in texts
    ]


def test_a_map_is_read_without_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [json.dumps(state(n / 7, -n, second=n)).encode() for n in range(600)]
    agrees(texts)
    parsed = []
    monkeypatch.setattr("sxeslake.catalog.build.documents.parse", lambda path, data: parsed.append(path))
    assert len(read(texts).states) == 600
    assert parsed == []


USUAL = json.dumps(state())


@pytest.mark.parametrize(
    "odd",
    [
        USUAL.replace('"x": 1.0', '"x": 1.0, "x": 7.0', 1),  # the last of two counts
        USUAL.replace('"z": 10.9', '"z": 10.9, "x": 3', 1),
        USUAL[:-1] + ', "saveDate": "2000/01/01 00:00:00"}',
        USUAL[:-1] + ', "stage": {"x": 5}}',
        USUAL.replace('"x": 1.0', '"x": "1.0"', 1),
        USUAL.replace('"x": 1.0', '"x": 01.0', 1),
        USUAL.replace('"x": 1.0', '"x": 1.0.0', 1),
        USUAL.replace('"x": 1.0', '"x": -0', 1),
        USUAL.replace('"x": 1.0', '"x": -0.0', 1),
        USUAL.replace('"x": 1.0', '"x": 1e999', 1),
        USUAL.replace('"x": 1.0', '"x": 1e9999', 1),
        USUAL.replace('"x": 1.0', f'"x": {"9" * 40}', 1),
        USUAL.replace('"x": 1.0', f'"x": {"9" * 5000}', 1),
        USUAL.replace('"x": 1.0', '"x": NaN', 1),
        USUAL.replace('"x": 1.0', '"x": true', 1),
        USUAL.replace('"x": 1.0', '"x": 1.0, "note": "\\"x\\": 9"', 1),
        USUAL.replace("2018/04/12 14:00:00", "2018/02/31 14:00:00"),
        USUAL.replace("2018/04/12 14:00:00", "2018\\/04\\/12 14:00:00"),
        USUAL.replace("2018/04/12 14:00:00", "2018/04/12\t14:00:00"),
        USUAL.replace("2018/04/12 14:00:00", "\\ud800"),
        USUAL.replace("2018/04/12 14:00:00", '","stage":{"x":9},"y":"'),
        USUAL.replace(" ", "\n"),
        USUAL + "\n",
        " " + USUAL,
        USUAL + USUAL,
        USUAL + "\x1e" + USUAL,
        "\x1e",
        USUAL + "\x1e",
        "\x1e" + USUAL,
        USUAL[:-1],
        USUAL[1:],
        "\ufeff" + USUAL,
        "",
        "[]",
        "{}",
    ],
)
def test_an_odd_one_among_many_is_read_as_by_itself(odd: str) -> None:
    agrees([USUAL.encode()] * 3 + [odd.encode()] + [USUAL.encode()] * 3)


@pytest.mark.parametrize("data", [USUAL.encode("utf-16"), USUAL.encode("utf-16-le"), USUAL.encode() + b"\xff"])
def test_other_encodings_among_many(data: bytes) -> None:
    agrees([USUAL.encode(), data, USUAL.encode()])


@pytest.mark.parametrize(
    "comment", ['quoted "x"', "back\\slash", "試料 : Pos. : 3", "\u0001", "", 7, None, [1], "é" * 3000]
)
def test_comments_of_any_kind(comment: object) -> None:
    texts = [
        json.dumps(info(f"u{n}", comment), ensure_ascii=ascii_).encode() for n in range(4) for ascii_ in (True, False)
    ]
    agrees(texts, "info.json")
    assert [each.comment for each in read(texts, "info.json").infos.values()] == [text(comment)] * 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from([("saveDate",), ("stage",), ("stage", "x"), ("stage", "z"), ("probe", "current", "pre")]),
            JSON, st.booleans(), st.integers(0, 600), st.sampled_from(["", '"', "\\", "}", "{", ",", "0", "e", "\x1e"]),
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_whatever_differs_the_answer_is_the_parsers(changes: list[tuple[Any, ...]]) -> None:
    texts = [USUAL]
    for path, value, ascii_, place, sign in changes:
        changed = state()
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        said = json.dumps(changed, ensure_ascii=ascii_)
        texts += [said, said[:place] + sign + said[place:], USUAL]
    agrees([each.encode("utf-8", "replace") for each in texts])


def test_documents_of_many_templates_are_all_read() -> None:
    kinds = [json.dumps(info(f"u{n}", f"c{n}") | {"backgroundUuid": f"b{n % 30}"}).encode() for n in range(2000)]
    agrees(kinds, "info.json")


def test_a_leaf_is_found_where_its_path_says_and_not_under_the_same_key_elsewhere() -> None:
    shapes = Shapes([Leaf(("b", "x"), number), Leaf(("t",), local_time)], lambda rest: rest)
    texts = [f'{{"a":{{"x":1}},"b":{{"x":{n}}},"t":"2018/04/12 14:00:{n:02d}"}}' for n in range(40)]
    for n, said in enumerate(texts):
        time = local_time(f"2018/04/12 14:00:{n:02d}")
        assert shapes.match(said) == (float(n), time, {"a": {"x": 1}, "b": {}})


@pytest.mark.parametrize(
    "odd", ["NaN", "-Infinity", "1e400", r'"\ud800"', "9" * 5000, "[" * 100_000, "1,}", '"\x01"', "01", r'"\q"']
)
@pytest.mark.parametrize("place", ["{}", '{{"a": {}}}', '{{"b": {{"x": {}}}}}', '{{"b": {{"y": [{}]}}}}'])
def test_what_msgspec_does_not_take_is_left_to_the_parser(place: str, odd: str) -> None:
    shapes = Shapes([Leaf(("b", "x"), number)], lambda rest: rest)
    assert shapes.match(place.format(odd)) is None
    assert shapes.match('{"a": 1}') == (None, {"a": 1})


def test_what_is_shared_is_told_apart_by_all_that_is_written() -> None:
    shapes = Shapes([Leaf(("b", "x"), number)], lambda rest: rest)
    texts = [
        "{}",
        '{"b":{}}',
        '{"b":{"x":1}}',
        '{"b":{"y":{}}}',
        '{"b":{"y":null}}',
        '{"y":null}',
        '{"a":1.0}',
        '{"a":1}',
    ]
    for said in texts * 2:
        assert repr(shapes.match(said)) == repr(shapes.plain(json.loads(said)))


LEAVES = [Leaf(("b", "x"), number), Leaf(("t",), local_time), Leaf(("n",), None), Leaf(("b", "y"), text)]
TOKENS = st.sampled_from(
    ["1.5", "-0", "-0.0", "1e99", "1e999", "01", "1.", "9" * 30, "NaN", "null", "true", "[1]", '"1.5"', '""', '"é"',
     '"\\u0041"', '"\\""', '"2018/04/12 14:00:07"', '"2018/13/12 14:00:07"', "{}", '{"x":3}', '"a\tb"', "", ",", '"']
)  # fmt: skip


def written(order: list[str], said: dict[str, str], gap: str) -> str:
    """An object of some names in some order."""
    return "{" + f",{gap}".join(f'"{name}":{gap}{said.get(name, "7")}' for name in order) + "}"


NAMES = st.lists(st.sampled_from(["t", "n", "b", "other", "c"]), max_size=6)
INNER = st.lists(st.sampled_from(["x", "y", "tilt"]), max_size=4)


@given(st.data())
@settings(deadline=None, max_examples=120)
def test_many_at_once_say_what_each_says_alone(data: st.DataObject) -> None:
    """Also where names stand twice, a leaf is missing or no scalar, and where texts are cut or longer."""
    texts = []
    for order, inner, gap in data.draw(st.lists(st.tuples(NAMES, INNER, st.sampled_from(["", " "])), max_size=3)):
        for n in range(70):
            time = f'"2018/04/12 14:00:{n % 60:02d}"'
            said = {"t": time, "n": str(n), "c": str(n // 30), "b": written(inner, {"x": str(n / 7)}, gap)}
            texts.append(written(order, said, gap))
        for _ in range(data.draw(st.integers(0, 4))):
            changed = {name: data.draw(TOKENS) for name in data.draw(st.sets(st.sampled_from("tnbc"), max_size=2))}
            odd = written(data.draw(st.permutations(order)), said | changed, gap)
            at = data.draw(st.integers(0, len(odd)))
            texts.insert(data.draw(st.integers(0, len(texts))), odd[:at] + data.draw(TOKENS) + odd[at:])
    together, one_by_one = (Shapes(LEAVES, lambda rest: rest) for _ in range(2))
    half = len(texts) // 2
    found = [*together.match_all(texts[:half]), *together.match_all(texts[half:])]
    assert list(map(repr, found)) == [repr(one_by_one.match(each)) for each in texts]


def test_a_template_takes_what_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = Shapes(LEAVES, lambda rest: rest)
    texts = [f'{{"n":{n},"t":"2018/04/12 14:00:00","b":{{"x":{n},"z":5}},"c":{n % 3}}}' for n in range(500)]
    apart: list[str] = []
    match = Shapes.match

    def counted(self: Shapes[Any], said: str) -> tuple[Any, ...] | None:
        apart.append(said)
        return match(self, said)

    monkeypatch.setattr(Shapes, "match", counted)
    found = shapes.match_all(texts)
    assert found[7] == (7.0, local_time("2018/04/12 14:00:00"), None, {"c": 1, "b": {"z": 5}})
    assert len(apart) <= 4  # the one of which the template is made, and one for each of three endings
    assert shapes.match_all(texts) == found
    assert len(apart) <= 4


@pytest.mark.parametrize("ending", ['},"b":{"x":2}}', '},"t":""}', ',"y":"k"}}', ',"x":3}}'])
def test_a_leaf_that_stands_only_at_the_end_or_again_counts(ending: str) -> None:
    shapes = Shapes(LEAVES, lambda rest: rest)
    start = '{"t":"2018/04/12 14:00:00","b":{"x":1'
    usual, more = [start + '},"c":1}'] * 100, [start + ending] * 100
    for said in (usual + more, more):
        assert shapes.match_all(said) == [Shapes(LEAVES, lambda rest: rest).match(each) for each in said]


def test_endings_are_forgotten_where_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sxeslake.catalog.build.json_shapes._TAIL_CHARS", 100)
    shapes = Shapes(LEAVES, lambda rest: rest)
    texts = [f'{{"n":{n},"c":{n % 90}}}' for n in range(1000)]
    assert shapes.match_all(texts) == shapes.match_all(texts) == list(map(Shapes(LEAVES, dict).match, texts))
    assert sum(len(tail) for template in shapes._templates for tail in template.tails) <= 100
