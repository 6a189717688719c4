"""Filters from words: what is understood, what is printed, and the messages for what is not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sxeslake.catalog.query.filter_spec import FILTERS
from sxeslake.catalog.query.filters import Filters, filter_words
from sxeslake.catalog.query.quantity import Range
from sxeslake.errors import UsageError


def test_a_single_number_stands_for_its_tolerance_and_says_so() -> None:
    chosen = Filters.parse({"kv": "5", "current_na": 100, "target_current_na": "..5"})
    assert chosen.values == {"kv": Range(4.95, 5.05), "current_na": Range(95, 105), "target_current_na": Range(None, 5)}
    assert chosen.describe() == [
        "accelerating voltage 4.95..5.05 kV (5 ± 0.05 kV)",
        "probe current 95..105 nA (100 ± 5 %)",
        "target current ..5 nA",
    ]


def test_tolerances_are_adjustable() -> None:
    chosen = Filters.parse({"kv": 5, "kv_tolerance": "100 V", "current-na": "50", "current_tolerance": "10%"})
    assert chosen.describe() == ["accelerating voltage 4.9..5.1 kV (5 ± 0.1 kV)", "probe current 45..55 nA (50 ± 10 %)"]
    assert Filters.parse({"kv": "5±0.2"}).describe() == ["accelerating voltage 4.8..5.2 kV"]


def test_words_of_the_command_line_and_of_python_are_the_same() -> None:
    assert Filters.parse({"--min-positions": "3"}) == Filters.parse({"min_positions": "3"})
    assert Filters.parse({"grating": ["JS300N"]}).values == Filters.parse({"grating": "JS300N"}).values


def test_nothing_given_chooses_everything() -> None:
    chosen = Filters.parse({"kv": None, "grating": (), "text": "", "match": "any"})
    assert not chosen
    assert chosen.describe() == []
    assert chosen.condition("positions").sql == "true"
    assert chosen.condition("analyses").sql == "true"


def test_any_kind_lifts_the_choice() -> None:
    assert not Filters.parse({"kind": "any"})
    assert Filters.parse({"kind": ("Map", "points")}).values == {"kind": ("map", "points")}


def test_any_position_is_said() -> None:
    assert (
        Filters.parse({"kv": 5, "match": "any"}).describe()[-1] == "an analysis counts when any of its positions fits"
    )


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("2018", dt.datetime(2018, 1, 1), dt.datetime(2019, 1, 1)),
        ("2018-12", dt.datetime(2018, 12, 1), dt.datetime(2019, 1, 1)),
        ("2020-02", dt.datetime(2020, 2, 1), dt.datetime(2020, 3, 1)),
        ("2018/04/12", dt.datetime(2018, 4, 12), dt.datetime(2018, 4, 13)),
        ("2018-4-12", dt.datetime(2018, 4, 12), dt.datetime(2018, 4, 13)),
        ("2018-04-12 14:30", dt.datetime(2018, 4, 12, 14, 30), dt.datetime(2018, 4, 12, 14, 31)),
        ("2018-04-12T14:30:05", dt.datetime(2018, 4, 12, 14, 30, 5), dt.datetime(2018, 4, 12, 14, 30, 6)),
        (dt.date(2018, 4, 12), dt.datetime(2018, 4, 12), dt.datetime(2018, 4, 13)),
    ],
)
def test_a_date_is_all_that_it_names(word: Any, start: dt.datetime, end: dt.datetime) -> None:
    assert Filters.parse({"since": word, "until": word}).values == {"since": start, "until": end}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"kv": "5-6"}, r'kv: "5-6" is not a range. Did you mean 5..6\?'),
        ({"kv": "6..5"}, r"runs downwards. Did you mean 5..6\?"),
        ({"kv": "5,5"}, r"Did you mean 5.5\?"),
        ({"kv": ".."}, "has no end"),
        ({"kv": "five"}, "neither a number nor a range. Write"),
        ({"kv": "5 kW"}, 'there is no unit "kW"'),
        ({"kv": "5 nA"}, 'a unit of current, and this is a voltage in kV'),
        ({"kv": (1, 2, 3)}, "is not a range"),
        ({"kv": {}}, "neither a number nor a range"),
        ({"kv": float("nan")}, "not a finite number"),
        ({"kv": True}, "neither a number"),
        ({"current_na": "100 nAA"}, 'no unit "nAA". Did you mean "nA"'),
        ({"accumulation": "10 kV"}, 'has no unit, "kV" was given'),
        ({"kind": "mapp"}, 'no kind "mapp". Did you mean "map"'),
        ({"match": "both"}, "neither all nor any"),
        ({"min_positions": "2.5"}, "not a whole number"),
        ({"min_positions": "-1"}, "not a whole number"),
        ({"since": "April"}, "is not a date. Write 2018"),
        ({"since": "11/25/2018"}, "Is the day or the month first"),
        ({"since": "2018-13"}, "is not a date: month must be in 1..12"),
        ({"curent_na": 5}, 'no filter "curent_na". Did you mean "current_na"'),
        ({"zzz": 5}, 'no filter "zzz"'),
        ({"annotation": "=standard"}, '"=standard" names no key'),
    ],
)  # fmt: skip
def test_messages_say_what_was_meant(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Filters.parse(words)


def test_every_filter_has_help_and_an_option() -> None:
    assert [each.option for each in FILTERS] == [
        "--kv", "--current-na", "--target-current-na", "--grating", "--spectrometer", "--instrument", "--operator",
        "--project", "--sample", "--text", "--kind", "--accumulation", "--type", "--min-positions", "--since",
        "--until", "--annotation",
    ]  # fmt: skip
    assert all(each.help.endswith((".", "…")) for each in FILTERS)


def test_filters_are_told_from_other_words() -> None:
    assert filter_words({"kv": 5, "match": "any", "radius": 3}) == {"kv": 5, "match": "any"}


def test_annotations_are_keys_with_or_without_a_value() -> None:
    chosen = Filters.parse({"annotation": ["role = standard", "mount"]})
    assert chosen.values == {"annotation": (("role", "standard"), ("mount", "*"))}
    assert chosen.describe() == ["annotation role=standard and mount=*"]
