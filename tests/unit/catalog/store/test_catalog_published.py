"""A published catalogue that is not what the archives say is found, and published again."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from support.internals import close_catalog
from support.small_lakes import group, own_store, zip_of

from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault, create_lake


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with a lake of three archives and a checkpoint."""
    made = own_store(request)
    create_lake(made, {})
    vault = Vault(made, tmp_path / "first")
    lake = Lake(vault)
    for number in range(3):
        lake.ingest(zip_of(tmp_path / f"{number}.plzip", group(number, positions=3)))
    lake.checkpoint()
    close_catalog(lake)
    vault._release()
    return made


def poison(store: Store, table: str, column: str, value: object) -> None:
    """Publish other rows under right hashes: one value in a column."""
    key = f"{keys.checkpoint_prefix(3)}catalog/parts.json"
    listed = json.loads(store.get(key))
    for part in listed["parts"]:
        if part["table"] == table:
            folder = f"{keys.checkpoint_prefix(part['home'])}catalog/{table}/"
            rows = pq.read_table(pa.BufferReader(store.get(f"{folder}{part['blake3']}.parquet")))
            kind = rows.schema.field(column)
            at = rows.schema.get_field_index(column)
            rows = rows.set_column(at, kind, pa.array([value] * rows.num_rows, kind.type))
            sink = pa.BufferOutputStream()
            pq.write_table(rows, sink)
            data = sink.getvalue().to_pybytes()
            part.update(blake3=blake3(data).hexdigest(), bytes=len(data))
            store.create(f"{folder}{part['blake3']}.parquet", data)
    store.replace(key, json.dumps(listed).encode())


WRONG = [("positions", "operator", "somebody"), ("members", "bytes_raw", 1), ("documents", "json", "{}")]


@pytest.mark.parametrize(("table", "column", "value"), WRONG)
@pytest.mark.parametrize("data", [False, True])
def test_wrong_rows_are_found_and_replaced(
    store: Store, tmp_path: Path, table: str, column: str, value: object, data: bool
) -> None:
    poison(store, table, column, value)
    vault = Vault(store, tmp_path / "second", tolerant=True)
    lake = Lake(vault)
    (problem,) = lake.verify(data=data, seed=1).problems
    assert problem.kind == "checkpoint"
    assert table in problem.detail
    report = lake.repair()
    assert (report.ok, [mended.kind for mended in report.mended]) == (True, ["checkpoint"])
    assert lake.verify(data=True).problems == []
    assert lake.rebuild_catalog().equal, "the catalogue on this machine is right as well"
    close_catalog(lake)
    vault._release()


def test_a_checkpoint_replaces_wrong_rows(store: Store, tmp_path: Path) -> None:
    poison(store, "members", "bytes_raw", 1)
    vault = Vault(store, tmp_path / "second")
    lake = Lake(vault)
    lake.checkpoint()
    assert lake.verify(data=True).problems == []
    close_catalog(lake)
    vault._release()


def test_a_right_one_is_well(store: Store, tmp_path: Path) -> None:
    vault = Vault(store, tmp_path / "second")
    lake = Lake(vault)
    before = {info.key for info in store.list(keys.CHECKPOINT_PREFIX)}
    for seed in range(3):
        assert lake.verify(seed=seed).problems == []
    assert lake.verify(data=True).problems == []
    assert lake.repair().problems == 0
    assert {info.key for info in store.list(keys.CHECKPOINT_PREFIX)} == before
    close_catalog(lake)
    vault._release()


@pytest.mark.parametrize("data", [False, True])
def test_a_limit_of_documents_other_than_the_default_is_no_fault(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bool
) -> None:
    monkeypatch.setenv("SXESLAKE_DOCUMENT_LIMIT", "100")
    made = own_store(request)
    create_lake(made, {})
    vault = Vault(made, tmp_path / "cache")
    lake = Lake(vault)
    lake.ingest(zip_of(tmp_path / "a.plzip", {**group(1), "long.json": b'{"a": "' + b"x" * 200 + b'"}'}))
    lake.checkpoint()
    assert lake.verify(data=data, seed=1).problems == []
    close_catalog(lake)
    vault._release()
