"""Filters against rows: what SQL chooses equals what a plain Python reading of the same rows chooses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.catalog.query.filters import Filters
from sxeslake.catalog.query.quantity import Range
from sxeslake.errors import UsageError

Row = dict[str, Any]


def chosen(facility: Any, over: str, words: dict[str, Any]) -> set[Any]:
    """The UUIDs that the filters choose."""
    condition = Filters.parse(words).condition("analyses" if over == "analyses" else "positions", "t")
    uuid = "position_uuid" if over == "positions" else "analysis_uuid"
    relation = facility.connection.sql(
        f"SELECT t.{uuid} FROM {over} AS t WHERE {condition.sql}", params=dict(condition.parameters) or None
    )
    return {row[0] for row in relation.fetchall()}


# A plain reading of the filters' meaning, written again.


def in_range(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and value in Range(low, high)  # with the rounding that the filter has


def position_fits(row: Row, words: dict[str, Any]) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "kv": lambda ends: in_range(row["accelerating_voltage_kv"], *ends),
        "current_na": lambda ends: in_range(row["probe_current_na"], *ends),
        "accumulation": lambda ends: in_range(row["accumulation"], *ends),
        "grating": lambda name: row["grating"] is not None and row["grating"].lower() == name.lower(),
        "operator": lambda part: row["operator"] is not None and part.lower() in row["operator"].lower(),
        "type": lambda name: name in row["types"],
    }
    return all(checks[name](value) for name, value in words.items() if name in checks)


positions = st.fixed_dictionaries(
    {
        "accelerating_voltage_kv": st.sampled_from([None, 4.95, 5.0, 5.05, 15.0]),
        "probe_current_na": st.sampled_from([None, 99.7, 100.9, 110.0, 110.00000000000001, 110.000001]),
        "probe_current_target_na": st.sampled_from([None, 100.0]),
        "accumulation": st.sampled_from([None, 1, 10]),
        "grating": st.sampled_from([None, "JS300N", "JS50XL"]),
        "spectrometer": st.just("XES300N"),
        "operator": st.sampled_from([None, "Y. Tanaka", "M. Sato"]),
        "types": st.sampled_from([[], ["qlw"], ["qlw", "xes"]]),
    }
)
ends = st.sampled_from([(4.95, 5.05), (5, None), (None, 5), (100, 110), (None, 99.7), (10, 10)])
words = st.fixed_dictionaries(
    {},
    optional={
        "kv": ends,
        "current_na": ends,
        "accumulation": ends,
        "grating": st.sampled_from(["js300n", "JS50XL", "other"]),
        "operator": st.sampled_from(["tanaka", "SATO"]),
        "type": st.sampled_from(["xes", "qlw"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    analyses=st.lists(st.tuples(st.sampled_from([None, "M. Sato"]), st.lists(positions, max_size=4)), max_size=3),
    words=words,
)
def test_all_and_any_mean_what_they_say(
    new_facility: Callable[[], Any], analyses: list[tuple[str | None, list[Row]]], words: dict[str, Any]
) -> None:
    facility = new_facility()
    for number, (operator, rows) in enumerate(analyses):
        # A position without an operator of its own has its analysis'.
        resolved = [{**row, "operator": row["operator"] or operator} for row in rows]
        facility.add_analysis(number, "s", 1, f"a{number}", resolved, operator=operator, analysis_uuid=f"a{number}")
    listed: dict[str, list[Row]] = {f"a{number}": [] for number in range(len(analyses))}
    for row in facility.positions:
        listed[row["analysis_uuid"]].append(row)

    fits = {row["position_uuid"] for row in facility.positions if position_fits(row, words)}
    assert chosen(facility, "positions", words) == fits
    if not words:
        assert chosen(facility, "analyses", words) == set(listed)
        return
    every = {uuid for uuid, rows in listed.items() if rows and all(position_fits(row, words) for row in rows)}
    assert chosen(facility, "analyses", {**words, "match": "all"}) == every
    some = {uuid for uuid, rows in listed.items() if any(position_fits(row, words) for row in rows)}
    assert chosen(facility, "analyses", {**words, "match": "any"}) == some
    facility.connection.close()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"kv": 5}, {"TiN map", "mixed"}),
        ({"kv": "5", "kv_tolerance": 20}, {"TiN map", "mixed", "Fe map"}),
        ({"grating": "JS*"}, {"TiN map", "mixed", "Fe map"}),
        ({"grating": "js5?xl"}, {"Fe map"}),
        ({"grating": ["JS50XL", "nothing"]}, {"Fe map"}),
        ({"grating": "JS[35]*"}, set()),
        ({"instrument": "jxa-82*"}, {"Fe map"}),
        ({"operator": "tanaka"}, {"TiN map", "mixed"}),
        ({"project": "STEEL"}, {"Fe map"}),
        ({"text": "cufes2"}, {"mixed"}),
        ({"text": "two beams"}, {"mixed"}),
        ({"text": "map nitrides"}, {"TiN map"}),
        ({"text": "map', 'x"}, set()),
        ({"kind": "map"}, {"TiN map", "Fe map"}),
        ({"kind": ["points", "line"]}, {"mixed"}),
        ({"min_positions": 3}, {"TiN map", "Fe map"}),
        ({"since": "2018-04-12", "until": "2018-04-12"}, {"TiN map", "mixed"}),
        ({"since": "2019"}, {"Fe map"}),
        ({"until": "2018-03"}, set()),
        ({"type": ["qlw", "xes"], "kv": 15}, {"Fe map"}),
        ({"target_current_na": "50 nA"}, {"Fe map"}),
        ({"accumulation": "10", "current_na": "0.2 µA..0.202 µA"}, {"mixed"}),
        ({"annotation": "role=Standard"}, {"Fe map"}),  # of nitrides it is no longer said
        ({"annotation": "material=pure*"}, {"Fe map"}),
        ({"annotation": ["role=standard", "material=gold"]}, set()),
        ({"annotation": "saturated"}, {"mixed"}),
    ],
)
def test_filters_on_positions(facility: Any, words: dict[str, Any], found: set[str]) -> None:
    uuids = chosen(facility, "positions", words)
    assert {row["analysis_name"] for row in facility.positions if row["position_uuid"] in uuids} == found


@pytest.mark.parametrize(
    ("words", "every", "some"),
    [
        ({"kv": 5}, {"TiN map"}, {"TiN map", "mixed"}),
        ({"kv": 5, "current_na": "200.."}, set(), set()),  # one position has 5 kV, another 201 nA
        ({"grating": ["JS300N", "JS50XL"]}, {"TiN map", "Fe map"}, {"TiN map", "Fe map", "mixed"}),
        ({"text": "cufes2"}, set(), {"mixed"}),
        ({"text": "beams two"}, {"mixed"}, {"mixed"}),
        ({"kind": "map", "kv": 15}, {"Fe map"}, {"Fe map"}),
        ({"kv": 15, "min_positions": 2, "since": "2018-04"}, {"Fe map"}, {"Fe map", "mixed"}),
        ({"type": "qlw"}, {"TiN map", "Fe map"}, {"TiN map", "Fe map", "mixed"}),
        ({"until": "2018-04-12 14:30"}, {"TiN map"}, {"TiN map"}),
        ({"annotation": "role=standard"}, {"Fe map"}, {"Fe map"}),
        ({"annotation": ["material=pure iron", "role"]}, {"Fe map"}, {"Fe map"}),
        ({"annotation": "saturated=yes"}, set(), {"mixed"}),
    ],
)
def test_filters_on_analyses(facility: Any, words: dict[str, Any], every: set[str], some: set[str]) -> None:
    def found(match: str) -> set[str]:
        return {uuid.split("-")[-1] for uuid in chosen(facility, "analyses", {**words, "match": match})}

    assert found("all") == every
    assert found("any") == some


def test_a_sample_is_chosen_by_name_or_pattern(facility: Any) -> None:
    names = sorted({row["sample"] for row in facility.positions})
    assert len(names) > 1
    for name in names:
        wanted = {row["position_uuid"] for row in facility.positions if row["sample"] == name}
        assert chosen(facility, "positions", {"sample": name.upper()}) == wanted
        listed = {row["analysis_uuid"] for row in facility.positions if row["sample"] == name}
        assert listed <= chosen(facility, "analyses", {"sample": f"{name[:3]}*"})
    every = {row["position_uuid"] for row in facility.positions}
    assert chosen(facility, "positions", {"sample": names}) == every
    assert chosen(facility, "positions", {"sample": "no-such-sample"}) == set()


def test_values_are_bound_never_pasted() -> None:
    nasty = "x'); DROP TABLE positions; --"
    for over in ("positions", "analyses"):
        condition = Filters.parse(
            {"grating": nasty, "operator": nasty, "text": nasty, "type": nasty, "project": f"*{nasty}"}
        ).condition("analyses" if over == "analyses" else "positions")
        assert "DROP" not in condition.sql.upper()
        assert "'" not in condition.sql.replace("concat_ws(' '", "")


def test_a_python_date_is_a_day(facility: Any) -> None:
    assert chosen(facility, "analyses", {"until": dt.date(2018, 4, 12), "since": dt.datetime(2018, 4, 12, 14, 30)}) == {
        "analysis-1-mixed"
    }


def test_the_message_for_a_filter_that_is_none_has_the_near_miss() -> None:
    with pytest.raises(UsageError, match=r'no filter "grateing".*Did you mean "grating"'):
        Filters.parse({"grateing": "JS300N"})
