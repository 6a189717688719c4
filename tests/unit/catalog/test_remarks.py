"""Annotations from words and tables: what is taken, what is refused and how that is said."""

from __future__ import annotations

import re

import pytest

from sxeslake.catalog.remarks import MAX_VALUE, Remark, checked, full_uuid, items, parse_csv, parse_words, slips
from sxeslake.errors import InputError, NotFoundError, SxeslakeError, UsageError

UUIDS = ["586f0b9a-0119-428b-bf07-60fb65387217", "586fffff-0119-428b-bf07-60fb65387217", "ce5f7254-fbae-4a86-b257-6dc6"]


def test_words() -> None:
    assert parse_words(["role=standard", "coating=", "material=a=b, 炭素　C"]) == {
        "role": "standard",
        "coating": None,
        "material": "a=b, 炭素　C",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["standard"], "KEY=VALUE"),
        ([], "annotation is empty"),
        (["Role=standard"], "lower-case"),
        (["sample=x"], "what the annotation is about"),
        (["role=a", "role=b"], "twice"),
        (["exposure_s=5 min"], "number of seconds"),
        (["role=\x1b[2J"], "control"),
        (["role=\udce9"], "half characters"),
        ([f"role={'x' * (MAX_VALUE + 1)}"], str(MAX_VALUE)),
    ],
)
def test_words_that_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_words(words)


def test_values_from_python_are_text() -> None:
    assert checked({"exposure_s": 0.5, "mount": None, "role": " standard "}) == {
        "exposure_s": "0.5",
        "mount": None,
        "role": "standard",
    }


def test_a_table_with_a_column_a_key() -> None:
    text = "\ufeffsample, analysis,role,material\r\nsteel@2,,standard,\r\nmap,586f0b9a,,TiN\r\nempty,,,\r\n"
    assert parse_csv(text, "t.csv") == [
        Remark("steel@2", {"role": "standard"}),
        Remark("map", {"material": "TiN"}, "586f0b9a"),
    ]


def test_a_table_of_keys_and_values() -> None:
    assert parse_csv("sample,position,key,value\nmap,ce5f,role,\n,,,\n", "t.csv") == [
        Remark("map", {"role": None}, None, "ce5f")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'no column "sample"'),
        ("smaple,role\n", 'Did you mean "smaple"|Did you mean'),
        ("sample,role\n", "no annotation"),
        ("sample,role,role\nx,a,b\n", "same name"),
        ("sample,key\nx,role\n", "go together"),
        ("sample,role\nx,a,b\n", "t.csv, line 2: .*as many cells"),
        ("sample,role\n,standard\n", "t.csv, line 2: .*no sample"),
        ("sample,exposure_s\nx,1\ny,long\n", "t.csv, line 3: exposure_s"),
        ('sample,role\nx,"a\n', "not CSV"),
    ],
)
def test_tables_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_csv(text, "t.csv")
    assert re.search(said, str(refused.value)), str(refused.value)


def test_the_start_of_a_uuid_is_enough() -> None:
    assert full_uuid("ce5f", UUIDS, "analysis", "map@1") == UUIDS[2]
    assert full_uuid("586F0B9A", [*UUIDS, None], "analysis", "map@1") == UUIDS[0]
    assert full_uuid("586f0b9a…", UUIDS, "analysis", "map@1") == UUIDS[0]
    with pytest.raises(UsageError, match='2 UUIDs of its analysis start with "586f"'):
        full_uuid("586f", UUIDS, "analysis", "map@1")
    with pytest.raises(NotFoundError, match="no analysis") as missing:
        full_uuid("586f0b9b-0119-428b-bf07-60fb65387217", UUIDS, "analysis", "map@1")
    assert missing.value.hint == f"Did you mean {UUIDS[0]} or {UUIDS[1]}?"
    with pytest.raises(SxeslakeError):
        full_uuid("c", UUIDS, "position", "map@1")


def test_items_of_a_log_entry() -> None:
    assert items("map", 2, "analysis", UUIDS[0], {"role": "standard"}) == [
        {"sample": "map", "version": 2, "target": "analysis", "uuid": UUIDS[0], "key": "role", "value": "standard"}
    ]


def test_keys_that_look_like_slips_are_named() -> None:
    assert slips(["role", "matrial", "temperature_c"], []) == ['"matrial" is a new key. Did you mean "material"?']
    assert slips(["matrial"], ["matrial"]) == []
