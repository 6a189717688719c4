"""The shipped queries over real views: each runs, and those of the real archive give the numbers of its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.catalog_source import MemorySource, group, state, zip_files

from sxeslake.catalog.query import library
from sxeslake.catalog.query.run import ask
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.sync import sync
from sxeslake.storage.memory import MemoryStore

QUERIES = library.load()
NEEDED: Mapping[str, Mapping[str, object]] = {
    "positions-near": {"sample": "map", "x": 0.0, "y": 0.0},
    "find-text": {"text": "steel"},
    "standards-for-condition": {},
}


def opened(source: MemorySource, folder: Path) -> Database:
    store, cache = MemoryStore("queries"), Cache.at(folder)
    return Database(sync(source, cache, store), cache, store.get)


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Two maps at other voltages, a copy of one under another name, something generic, something broken."""
    source = MemorySource()
    grid = [(x * 0.01, y * 0.01) for x in range(4) for y in range(3)]
    first = group({f"p{n}": state(x, y, second=n) for n, (x, y) in enumerate(grid)})
    other = group({f"q{n}": state(x, y, second=n, kv="15") for n, (x, y) in enumerate(grid)}, seed="other")
    source.commit({"map": first, "other": other, "copy": first, "broken": group({"a": b"{"})})
    source.commit({"generic": {"notes/log.json": b'{"steel": 1}'}})
    source.annotate("map", "role", "standard")
    source.add_pack("0" * 32)
    database = opened(source, tmp_path_factory.mktemp("facility"))
    yield database
    database.close()


@pytest.mark.parametrize("name", sorted(QUERIES.queries))
def test_every_shipped_query_runs(facility: Database, name: str) -> None:
    result = ask(facility.reader, QUERIES.bind(name, NEEDED.get(name, {})))
    assert result.arrow().num_columns > 1


@pytest.mark.parametrize(
    ("words", "samples"),
    [
        ({}, ["map", "other"]),
        ({"copies": True}, ["copy", "map", "other"]),
        ({"kv": 5}, ["map"]),
        ({"sample": "copy"}, ["copy"]),
        ({"kv": "10.."}, ["other"]),
        ({"kv": 5, "grating": "JS300N", "current_na": "90..110", "since": "2018-01-01"}, ["map"]),
        ({"kv": 5, "match": "any", "min_positions": 12, "copies": True}, ["copy", "map"]),
        ({"grating": "JS50XL"}, []),
        ({"since": "2020-01-01"}, []),
    ],
)
def test_maps_by_beam_condition(facility: Database, words: dict[str, Any], samples: list[str]) -> None:
    rows = ask(facility.reader, QUERIES.bind("maps-by-beam-condition", words)).rows()
    assert sorted(row["sample"] for row in rows) == samples
    assert {row["positions"] for row in rows} <= {12}


def test_unreadable_metadata_names_the_broken_archive(facility: Database) -> None:
    rows = ask(facility.reader, QUERIES.bind("unreadable-metadata", {})).rows()
    assert {row["sample"] for row in rows} == {"broken"}


def test_the_same_measurement_elsewhere_is_found_under_its_other_name(facility: Database) -> None:
    rows = ask(facility.reader, QUERIES.bind("same-measurement-elsewhere", {})).rows()
    assert {(row["sample"], row["other_sample"]) for row in rows} <= {("map", "copy"), ("copy", "map")}
    assert len(rows) >= 12


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ({"kv": 5}, 14),
        ({"current_na": "100..110"}, 3),
        ({"current_na": "..99.7"}, 1),
        ({"kv": 15}, 0),
        ({"grating": "JS300N"}, 14),
    ],
)
def test_the_real_archive_by_condition(
    real_archive: Path, tmp_path: Path, words: dict[str, Any], count: int
) -> None:  # fmt: skip
    source = MemorySource()
    source.commit({"real": zip_files(real_archive)})
    database = opened(source, tmp_path)
    assert len(ask(database.reader, QUERIES.bind("positions-by-condition", words)).rows()) == count
    database.close()
