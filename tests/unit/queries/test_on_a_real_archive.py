"""The library's answers on a real archive equal a plain reading of its JSON."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path
from typing import Any

import blake3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sxeslake.catalog.build.projection import project
from sxeslake.catalog.model import VersionHeader
from sxeslake.catalog.query import library
from sxeslake.catalog.schema.tables import BY_NAME, TABLES
from sxeslake.catalog.schema.views import table_view


class RealLake:
    """One real archive, seen through the catalogue and through its own JSON."""

    def __init__(self, archive: Path, folder: Path) -> None:
        with zipfile.ZipFile(archive) as file:
            self.files = {info.filename: file.read(info) for info in file.infolist() if not info.is_dir()}
        self.connection = duckdb.connect(":memory:")
        header = VersionHeader(
            1, 0, "test", 1, "sxes", "c", "m", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None, None, 1, 1, 1, 1, 1,
            {"name": archive.name, "path": str(archive), "container": "zip"},
        )  # fmt: skip
        members = pa.table(
            {
                "path": list(self.files),
                "ordinal": list(range(len(self.files))),
                "directory": [False] * len(self.files),
                "size": [len(data) for data in self.files.values()],
                "modified_ns": pa.array([None] * len(self.files), pa.int64()),
                "attributes": pa.array([None] * len(self.files), pa.int64()),
                "crc32": pa.array([0] * len(self.files), pa.int64()),
                "blake3": pa.array([blake3.blake3(data).digest() for data in self.files.values()], pa.binary(32)),
            }
        )
        documents = [(path, data) for path, data in self.files.items() if path.endswith(".json")]
        made = project(header, members, documents)
        for table in TABLES:
            rows = made.get(table.name, table.arrow.empty_table())
            pq.write_table(rows, folder / f"{table.name}.parquet")
            self.connection.execute(table_view(BY_NAME[table.name], [folder / f"{table.name}.parquet"], [], {}))

    def ask(self, name: str, **words: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        bound = library.load().bind(name, words)
        rows: list[dict[str, Any]] = (
            self.connection.sql(bound.sql, params=dict(bound.parameters) or None).to_arrow_table().to_pylist()
        )
        return rows

    def json(self, path: str) -> Any:
        """A member's JSON."""
        return json.loads(self.files[path])

    def positions(self) -> dict[str, tuple[float, float, str]]:
        """Voltage, current and grating by position, as plain Python reads them."""
        found = {}
        for path in self.files:
            if path.startswith("data/") and path.endswith("/state.json"):
                uuid = path.split("/")[1]
                probe = self.json(path)["probe"]
                condition = self.json(f"conditions/{self.json(f'data/{uuid}/info.json')['conditionUuid']}.json")
                current = float(probe["current"]["average"]) * 1e9
                found[uuid] = (float(probe["acceleratingVoltage"]), current, condition["ccd"]["grating"])
        return found


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealLake:
    """The real archive in a catalogue."""
    return RealLake(request.getfixturevalue("real_archive"), tmp_path_factory.mktemp("parts"))


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ({"kv": "5"}, 14),
        ({"current_na": "100..110"}, 3),
        ({"current_na": "..99.7"}, 1),
        ({"kv": "15"}, 0),
        ({"grating": "JS300N"}, 14),
        ({}, 14),
    ],
)
def test_positions_by_condition_count_what_the_json_says(real: RealLake, words: dict[str, str], count: int) -> None:
    rows = real.ask("positions-by-condition", **words)
    assert len(rows) == count
    plain = real.positions()
    low, high = (float(end or 0) for end in words.get("current_na", "..0").split(".."))
    tests = {
        "kv": lambda found: abs(found[0] - float(words["kv"])) <= 0.05,
        "current_na": lambda found: low <= found[1] <= high,
        "grating": lambda found: found[2] == words["grating"],
    }
    expected = {uuid for uuid, found in plain.items() if all(tests[name](found) for name in words)}
    assert {row["position_uuid"] for row in rows} == expected


def test_kinds_of_analyses(real: RealLake) -> None:
    rows = real.ask("analyses-by-condition")
    listed = {analysis["uuid"]: len(analysis["positionUuids"]) for analysis in real.json("metadata.json")["analyses"]}
    assert {row["analysis_uuid"]: row["positions"] for row in rows} == listed
    (grains,) = real.ask("analyses-by-condition", text="CuFeS2", min_positions=3)
    assert (grains["kind"], grains["kind_inferred"]) == ("points", True)


@pytest.mark.parametrize("name", sorted(library.load().queries))
def test_every_query_answers(real: RealLake, name: str) -> None:
    words: dict[str, dict[str, object]] = {
        "positions-near": {"x": 0, "y": 0, "sample": "test"},
        "find-text": {"text": "cufes2"},
    }
    rows = real.ask(name, **words.get(name, {}))
    nothing = {
        "maps-by-beam-condition", "positions-near", "standards-for-condition", "same-measurement-elsewhere",
        "unreadable-metadata", "drifting-current", "saturated-or-odd", "annotations-in-use",
        "maps-by-element",
    }  # fmt: skip
    assert rows or name in nothing
