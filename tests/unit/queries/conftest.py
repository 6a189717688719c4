"""A small facility in an in-memory DuckDB: the tables of the catalogue, rows written by hand."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import pytest

from sxeslake.catalog.query import library
from sxeslake.catalog.schema.tables import BY_NAME, TABLES

QUANTITIES = {"accelerating_voltage": "_kv", "probe_current": "_na", "probe_current_target": "_na", "accumulation": ""}


SCHEMA = ";".join(
    f"CREATE TABLE {table.name} (" + ", ".join(f'"{column.name}" {column.type}' for column in table.columns) + ")"
    for table in TABLES
)
LIBRARY = library.load()


class Facility:
    """Tables and how to fill them; an analysis' columns follow from its positions, in plain Python."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        self.library = LIBRARY
        self.positions: list[dict[str, Any]] = []
        self.connection.execute(SCHEMA)

    def add(self, table: str, **values: Any) -> None:
        """One row; columns that are not named are null."""
        for name in values:
            BY_NAME[table].column(name)  # KeyError for a column that the catalogue does not have
        names = ", ".join(f'"{name}"' for name in values)
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", list(values.values())
        )

    def add_analysis(
        self, archive_id: int, sample: str, version: int, name: str, positions: list[dict[str, Any]], **values: Any
    ) -> None:
        """An analysis and its positions."""
        uuid = values.pop("analysis_uuid", f"analysis-{archive_id}-{name}")
        shared = {key: values.get(key) for key in ("operator", "project", "instrument", "comment")}
        owner = {"archive_id": archive_id, "sample": sample, "version": version, "analysis_uuid": uuid}
        rows = []
        for number, own in enumerate(positions, start=1):
            row = {
                **shared,
                "position_uuid": f"position-{archive_id}-{name}-{number}",
                "position_number": number,
                "analysis_name": name,
                "acquired_local": values.get("acquired_local"),
                "types": ["qlw", "xes"],
                **own,
                **owner,
            }
            rows.append(row)
            self.add("positions", **row)
        self.positions += rows
        saved = [row["acquired_local"] for row in rows if row["acquired_local"] is not None]
        self.add(
            "analyses",
            **owner,
            analysis_name=name,
            positions=len(rows),
            **{"kind": "points", "kind_inferred": True, "last_saved_local": max(saved, default=None), **values},
            **summary(rows),
        )

    def ask(self, name: str, **words: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        bound = self.library.bind(name, words)
        relation = self.connection.sql(bound.sql, params=dict(bound.parameters) or None)
        rows: list[dict[str, Any]] = relation.to_arrow_table().to_pylist()
        return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of an analysis that follow from its positions."""
    made: dict[str, Any] = {}
    for stem, unit in QUANTITIES.items():
        known = [row[stem + unit] for row in rows if row.get(stem + unit) is not None]
        made[f"{stem}_min{unit}"] = min(known, default=None)
        made[f"{stem}_max{unit}"] = max(known, default=None)
        made[f"{stem}_missing"] = len(rows) - len(known)
        if unit:
            made[stem + unit] = statistics.median(known) if known else None
    for column in ("grating", "spectrometer", "operator"):
        known = [row[column] for row in rows if row.get(column) is not None]
        made[f"{column}s"] = sorted(set(known))
        if column != "operator":
            made[f"{column}_missing"] = len(rows) - len(known)
            made[column] = known[0] if len(set(known)) == 1 and len(known) == len(rows) else None
    kinds = [set(row["types"] or ()) for row in rows]
    made["types"] = sorted(set().union(*kinds))
    made["types_common"] = sorted(set.intersection(*kinds)) if kinds else []
    return made


@pytest.fixture
def empty_facility() -> Iterator[Facility]:
    """Tables without rows."""
    made = Facility()
    yield made
    made.connection.close()


@pytest.fixture(scope="session")
def new_facility() -> Callable[[], Facility]:
    """Makes empty facilities, for tests that need one for each example."""
    return Facility


def position(kv: float | None, na: float | None, **values: Any) -> dict[str, Any]:
    """A position under the usual condition."""
    usual: Mapping[str, Any] = {
        "probe_current_target_na": 100.0,
        "probe_current_source": "average",
        "grating": "JS300N",
        "spectrometer": "XES300N",
        "accumulation": 10,
        "bytes_raw": 172_092,
    }
    return {"accelerating_voltage_kv": kv, "probe_current_na": na, **usual, **values}


APRIL = dt.datetime(2018, 4, 12, 14, 0)


def minutes(count: float) -> dt.timedelta:
    """So many minutes."""
    return dt.timedelta(minutes=count)


@pytest.fixture
def facility(empty_facility: Facility) -> Facility:
    """Four archives: `nitrides` in two versions that share a map, `steel` of another instrument, and a broken one."""
    made = empty_facility
    for archive_id, sample, version, raw, stored, problem in (
        (1, "nitrides", 1, 1000, 400, None),
        (2, "nitrides", 2, 1200, 50, None),
        (3, "steel", 1, 700, 300, None),
        (4, "broken", 1, 90, 60, "metadata.json: not readable JSON"),
    ):
        made.add(
            "archives", archive_id=archive_id, sample=sample, version=version, kind="sxes", name=f"{sample}.plzip",
            source_path=f"D:/data/{sample}.plzip", bytes_source=raw // 2, bytes_raw=raw, bytes_stored=stored, members=9,
            blobs=8, blobs_new=stored // 50, positions=5, problem=problem,
        )  # fmt: skip
    tanaka = {"operator": "Y. Tanaka", "project": "Nitrides", "instrument": "JXA-8530F"}
    lattice = [
        position(5.0, 100.0 + n, stage_x_mm=10 + n % 2 * 0.01, stage_y_mm=20 + n // 2 * 0.01, content_id=f"c{n}",
                 acquired_local=APRIL + minutes(n + 1), background_id="b", ccd_temperature_c=-60.0)
        for n in range(4)
    ]  # fmt: skip
    made.add_analysis(
        1, "nitrides", 1, "TiN map", lattice, kind="map", acquired_local=APRIL, analysis_number=1, **tanaka
    )
    made.add_analysis(
        1, "nitrides", 1, "mixed",
        [position(5.0, 99.0, comment="CuFeS2 : Pos. : 1"), position(15.0, 201.0, grating=None, types=["xes"])],
        acquired_local=APRIL + minutes(60), analysis_number=2, comment="two beams", **tanaka,
    )  # fmt: skip
    made.add_analysis(
        2, "nitrides", 2, "TiN map", [{**row, "comment": "seen again"} for row in lattice],
        kind="map", acquired_local=APRIL, analysis_number=1, **tanaka,
    )  # fmt: skip
    made.add_analysis(
        3, "steel", 1, "Fe map",
        [
            position(15.0, 50.0, grating="JS50XL", probe_current_pre_na=50.0, probe_current_post_na=post,
                     probe_current_target_na=50.0, ccd_temperature_c=warm, background_id=background)
            for post, warm, background in ((50.0, -60.0, "b"), (53.0, -60.0, "b"), (50.5, -50.0, None))
        ],
        kind="map", acquired_local=dt.datetime(2019, 1, 5, 9, 0), analysis_number=1, operator="M. Sato",
        project="Steels", instrument="JXA-8230",
    )  # fmt: skip
    made.add("documents", archive_id=4, sample="broken", version=1, path="metadata.json", readable=False,
             problem="line 1: no value", json="{uuid: ")  # fmt: skip
    made.add("documents", archive_id=1, sample="nitrides", version=1, path="metadata.json", readable=True,
             json='{"projects": [{"name": "Nitrides", "hidden": "Zirkon"}]}')  # fmt: skip
    for number, (sample, target, uuid, key, value, current) in enumerate(
        [
            ("steel", "sample", None, "role", "standard", True),
            ("steel", "sample", None, "material", "steel 316", True),
            ("steel", "analysis", "analysis-3-Fe map", "material", "pure iron", True),
            ("nitrides", "sample", None, "role", "standard", False),
            ("nitrides", "position", "position-1-mixed-1", "saturated", "yes", True),
        ]
    ):
        made.add("annotations", log_number=number, ordinal=0, sample=sample, target=target, target_uuid=uuid, key=key,
                 value=value, is_current=current)  # fmt: skip
    made.add("blobs", blake3="aa", pack_id="p1", bytes_raw=1000, bytes_stored=400)
    made.add("blobs", blake3="aa", pack_id="p2", bytes_raw=1000, bytes_stored=400)
    made.add("blobs", blake3="bb", pack_id="p2", bytes_raw=600, bytes_stored=200)
    made.add("packs", pack_id="p1", bytes_stored=410)
    made.add("packs", pack_id="p2", bytes_stored=620)
    return made
