"""The query library: the grammar of headers, where queries come from, and binding words to them."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sxeslake.catalog.query import library
from sxeslake.catalog.query.header import Query, parse_query
from sxeslake.catalog.query.run import EMPTY_LAKE, why_empty
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.text.wording import said

HEAD = """-- Things near a place.
--
-- Words of help,
-- on two lines.
--
-- parameter: x number [mm] required: Stage x.
-- parameter: radius number [mm] = 0.1: How far.
-- parameter: since_when date = 2018-04: From when.
-- parameter: name text = 'two words': A name.
-- parameter: count integer: How many.
-- parameter: strict flag = no: Whether.
-- parameter: span range [kV] = 4..6: Which voltages.
-- filters: positions
-- default: kind = map
"""
BODY = """SELECT $x, $radius, $since_when, $name, $count, $strict, '$nothing' AS "$no" -- $neither
FROM positions AS p WHERE v BETWEEN $span_low AND $span_high AND /* filters: positions p */ true;
"""


def parsed(text: str, name: str = "things-near") -> Query:
    return parse_query(name, text, where="q.sql")


def test_a_header_says_everything_about_a_query() -> None:
    query = parsed(HEAD + BODY)
    assert (query.title, query.help, query.over) == (
        "Things near a place", "Words of help, on two lines.", "positions",
    )  # fmt: skip
    assert [(each.name, each.type, each.unit, each.default, each.required) for each in query.parameters] == [
        ("x", "number", "mm", None, True),
        ("radius", "number", "mm", "0.1", False),
        ("since_when", "date", None, "2018-04", False),
        ("name", "text", None, "two words", False),
        ("count", "integer", None, None, False),
        ("strict", "flag", None, "no", False),
        ("span", "range", "kV", "4..6", False),
    ]
    assert query.defaults == {"kind": "map"}


def test_words_become_bound_values() -> None:
    bound = library.bind(parsed(HEAD + BODY), {"x": "5 µm", "--count": 3, "strict": True, "kv": "5"})
    assert bound.parameters["x"] == 0.005
    assert bound.parameters["radius"] == 0.1
    assert bound.parameters["since_when"] == dt.datetime(2018, 4, 1)
    assert bound.parameters["name"] == "two words"
    assert (bound.parameters["count"], bound.parameters["strict"]) == (3, True)
    assert bound.parameters["span_low"] == pytest.approx(4)
    assert "accelerating_voltage_kv >= $f1_0" in bound.sql
    assert bound.parameters["f1_0"] == pytest.approx(4.95)
    assert bound.notes == (
        "x 5 µm", "count 3", "strict True", "accelerating voltage 4.95..5.05 kV (5 ± 0.05 kV)",
        'kind map (set by this question; kind="any" removes it)',
    )  # fmt: skip


def test_two_marks_do_not_share_parameter_names() -> None:
    text = (
        "-- Two\n-- filters: analyses\nSELECT 1 WHERE /* filters: analyses a */ true OR /* filters: positions */ true\n"
    )
    bound = library.bind(parsed(text), {"kv": "5.."})
    assert sorted(bound.parameters) == ["f1_0", "f1_1"]
    assert "a.accelerating_voltage_min_kv" in bound.sql
    assert "positions.accelerating_voltage_kv" in bound.sql


def test_a_query_knows_whether_anything_was_filtered() -> None:
    query = parsed("-- T\n-- filters: analyses\nSELECT $filtered WHERE /* filters: analyses a */ true\n")
    assert library.bind(query, {}).parameters == {"filtered": False}
    assert library.bind(query, {"kv": "5.."}).parameters["filtered"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "line 1: the first line is a comment"),
        ("", "line 1: the first line is a comment"),
        ("-- T\n", "line 2: there is no SQL"),
        ("-- T\n-- parameter: x number\nSELECT $x", "line 2: a parameter is written NAME TYPE"),
        ("-- T\n-- parameter: x numbr: Help.\nSELECT $x", 'line 2: there is no type "numbr". Did you mean "number"'),
        ("-- T\n-- parameter: x number [mmm]: Help.\nSELECT $x", 'line 2: there is no unit "mmm". Did you mean "mm"'),
        ("-- T\n-- parameter: x number = a: Help.\nSELECT $x", 'line 2: "a" is neither a number'),
        ("-- T\n-- parameter: x text: H.\n-- parameter: x text: H.\nSELECT $x", "line 3: .* declared twice"),
        ("-- T\n-- parameters: x text: H.\nSELECT $x", 'line 2: there is no "parameters:". Did you mean "parameter"'),
        ("-- T\n-- paramter: x text: H.\nSELECT $x", 'line 2: there is no "paramter:". Did you mean "parameter"'),
        ("-- T\n-- filters: position\nSELECT 1", 'line 2: filters choose analyses or positions, not "position"'),
        ("-- T\n-- filters: positions\nSELECT 1", r"/\* filters: positions \*/ true is missing"),
        ("-- T\nSELECT 1 WHERE /* filters: positions */ true", "-- filters: positions is missing"),
        ("-- T\n-- filters: positions\nSELECT 1 WHERE /* filters: images */ true", 'not "images"'),
        ("-- T\n-- default: knd = map\nSELECT 1", 'line 2: there is no filter "knd". Did you mean "kind"'),
        ("-- T\n-- default: kind = mapp\nSELECT 1", 'line 2: there is no kind "mapp"'),
        ("-- T\n-- default: kind\nSELECT 1", "line 2: a default is written FILTER = VALUE"),
        ("-- T\n-- require: a or b\nSELECT 1", 'line 2: the parameter "a" is not declared'),
        ("-- T\n\nSELECT 1,\n $radus", r'line 4: the parameter "\$radus" is not declared'),
        ("-- T\n-- parameter: x text: H.\nSELECT '$x'", 'the parameter "x" is declared, and the SQL does not use'),
    ],
)
def test_a_mistake_is_named_by_file_and_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"q\.sql: .*{message}"):
        parsed(text)


@pytest.mark.parametrize("name", ["Upper", "two words", "under_score", "-x", ""])
def test_a_file_name_is_a_name_on_the_command_line(name: str) -> None:
    with pytest.raises(InputError, match=r"lower-case words"):
        parsed("-- T\nSELECT 1\n", name)


def test_a_folder_of_queries_joins_and_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text("\ufeff-- Mine\r\nSELECT 1\r\n", encoding="utf-8", newline="")
    (tmp_path / "notes.txt").write_text("no query")
    found = library.load([tmp_path, tmp_path])
    assert found.get("mine").title == "Mine"
    assert not found.bind("mine", {}).trusted
    assert found.bind("by-operator", {}).trusted
    assert [query.name for query in found] == sorted(found.queries)


def test_a_folder_replaces_no_query(tmp_path: Path) -> None:
    for name in ("one/by-operator.sql", "one/mine.sql", "two/mine.sql"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("-- Harmless\nSELECT 1\n")
    with pytest.raises(UsageError, match=r'by-operator\.sql: the library has a query "by-operator", too. Rename'):
        library.load([tmp_path / "one"])
    (tmp_path / "one/by-operator.sql").unlink()
    with pytest.raises(UsageError, match=r'two/mine\.sql: the file .*one/mine\.sql has a query "mine", too'):
        library.load([tmp_path / "one", tmp_path / "two"])


def test_a_query_that_is_too_long_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "long.sql").write_text("-- T\nSELECT 1" + " " * library.QUERY_BYTES)
    with pytest.raises(InputError, match=r"long\.sql: this query is longer than 256 KiB"):
        library.load([tmp_path])
    (tmp_path / "long.sql").unlink()
    (tmp_path / "folder.sql").mkdir()
    with pytest.raises(NotFoundError, match=r"folder\.sql: this query is not a file"):
        library.load([tmp_path])


def test_comments_without_end_are_read_in_a_moment() -> None:
    started = time.monotonic()
    parsed("-- T\nSELECT 1 " + "/*" * 60_000)
    assert time.monotonic() - started < 2


def test_titles_and_help_cannot_steer_the_terminal() -> None:
    query = parsed("-- T\x1b]0;x\x07\n--\n-- Help\x9b\n-- parameter: a text: H\u202e.\nSELECT $a")
    assert query.title.isprintable()
    assert query.help.isprintable()
    assert query.parameters[0].help.isprintable()


def test_a_broken_query_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.sql").write_bytes(b"-- T\xff\nSELECT 1\n")
    with pytest.raises(InputError, match=r"broken\.sql: this query is not UTF-8"):
        library.load([tmp_path])
    with pytest.raises(NotFoundError, match=r"no such folder"):
        library.load([tmp_path / "absent"])


def test_unknown_names_come_with_near_misses() -> None:
    own = library.load()
    with pytest.raises(NotFoundError, match=r'no query "map-by-condition".*Did you mean .*"maps-by-beam-condition"'):
        own.get("map-by-condition")
    assert own.get("by_operator").name == "by-operator"
    with pytest.raises(UsageError, match=r'"drifting-current" has no parameter "drft". Did you mean "drift"'):
        own.bind("drifting-current", {"drft": 3})
    with pytest.raises(UsageError, match=r'no parameter "gratting". Did you mean "grating"'):
        own.bind("maps-by-beam-condition", {"gratting": "JS300N"})
    with pytest.raises(UsageError, match=r'"facility-dedup" takes no filters'):
        own.bind("facility-dedup", {"kv": 5})
    with pytest.raises(UsageError, match=r'no parameter "zzz". It takes none'):
        own.bind("facility-dedup", {"zzz": 5})
    with pytest.raises(UsageError, match=r"needs x. Stage x"):
        own.bind("positions-near", {"y": 1, "sample": "s"})
    with pytest.raises(UsageError, match=r"drift: .* unit of voltage, and this is a share in %"):
        own.bind("drifting-current", {"drift": "3 kV"})


def test_words_that_are_none_are_as_if_not_said() -> None:
    bound = library.load().bind("maps-by-beam-condition", {"kv": None, "grating": (), "nonsense": None})
    assert bound.notes == ('kind map (set by this question; kind="any" removes it)',)
    assert library.load().bind("maps-by-beam-condition", {"kind": "any"}).notes == ()


def test_the_columns_to_show_are_read_and_checked() -> None:
    text = "-- Shown\n-- show: sample, kind,\n-- show: positions\nSELECT 1 AS sample"
    assert parse_query("shown", text, where="shown.sql").show == ("sample", "kind", "positions")
    for line, message in (
        ("show: sample kind", "line 2: columns to show are written NAME, NAME"),
        ("show:", "line 2: columns to show are written NAME, NAME"),
        ("show: sample, sample", 'line 2: the column "sample" is shown twice'),
        ("shows: sample", 'line 2: there is no "shows:"'),
    ):
        with pytest.raises(InputError, match=message):
            parse_query("shown", f"-- Shown\n-- {line}\nSELECT 1 AS sample", where="shown.sql")


def test_what_leaves_no_rows_is_named() -> None:
    header = "-- Maps\n-- filters: analyses\n-- parameter: top integer: T.\n"
    text = f"{header}SELECT $top FROM analyses WHERE /* filters: analyses */ true"
    query = parse_query("maps", text, where="maps.sql")
    rows = {"archives": 7, "analyses": 14}

    def count(what: str, values: Mapping[str, object]) -> int:
        return rows.get(what, 0 if "grating" in what else 1 if "accelerating" in what else 14)

    def reason(**words: object) -> str:
        return why_empty(count, library.bind(query, words))

    assert reason(kind="map", grating=["A", "B"]) == "grating=['A', 'B'] leaves none of 14 analyses"
    assert reason(kv=(5, None), grating="A") == "grating='A' leaves none of 1 analysis that kv=(5, None) leaves"
    assert reason(kv="5", top=3) == "nothing in 1 analysis that kv='5' leaves fits: top 3"
    assert reason() == "nothing in 14 analyses fits"
    rows["analyses"] = 0
    assert reason(kv="5") == "7 archives, none of them with analyses"
    assert why_empty(count, None) == ""
    rows["archives"] = 0
    assert reason(kv="5") == why_empty(count, None) == said(EMPTY_LAKE)
