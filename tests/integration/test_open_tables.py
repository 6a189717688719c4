"""`publish tables`: what other programs read is what the catalogue says, whatever happened to the lake meanwhile."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from support.seaweed import BUCKET, Seaweed
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake import storage
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.catalog.open_tables import publish
from sxeslake.catalog.open_tables.delta import AddedFile, DeltaLog
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.cli.run import run
from sxeslake.errors import AlreadyExistsError, ConflictError, MissingExtraError, StorageError, UsageError
from sxeslake.lake import Lake
from sxeslake.storage.object_store import ObjectStorePlace

Rows = list[tuple[Any, ...]]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    synthetic_facility(tmp_path / "in", seed=1, nx=3, ny=2)
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        lake.ingest(tmp_path / "in")
        yield lake


def stored(table: str) -> list[str]:
    """The columns of a table that published ones have."""
    (found,) = [each for each in TABLES if each.name == table]
    return [column.name for column in found.stored]


def catalogue(lake: Lake, table: str) -> Rows:
    names = ", ".join(f'"{name}"' for name in stored(table))
    return in_order(lake.sql(f"SELECT {names} FROM {table}").arrow(), table)


def in_order(rows: pa.Table, table: str) -> Rows:
    return sorted((tuple(row[name] for name in stored(table)) for row in rows.to_pylist()), key=repr)


def by_delta(folder: Path, table: str) -> Rows:
    return in_order(DeltaTable(folder / table).to_pyarrow_table(), table)


def by_polars(folder: Path, table: str) -> Rows:
    return in_order(polars.read_delta(str(folder / table)).to_arrow(), table)


def by_duckdb(folder: Path, table: str) -> Rows:
    """By the list of the table's files: the extension `delta` is not part of the package."""
    files = DeltaTable(folder / table).file_uris()
    with duckdb.connect() as connection:
        return in_order(connection.read_parquet(files).to_arrow_table(), table)


def by_dask(folder: Path, table: str) -> Rows:
    """As plain Parquet: whatever files the folder has."""
    frame: Any = pytest.importorskip("dask.dataframe")
    with warnings.catch_warnings():  # dask calls what pandas is about to drop
        warnings.simplefilter("ignore")
        read = frame.read_parquet(folder / table, dtype_backend="pyarrow").compute(scheduler="synchronous")
    return in_order(pa.Table.from_pandas(read, preserve_index=False), table)


READERS = (by_delta, by_polars, by_duckdb, by_dask)


def check(lake: Lake, folder: Path) -> None:
    """Every reader sees the catalogue's rows, in every table that has any."""
    for table in [each.name for each in TABLES]:
        expected = catalogue(lake, table)
        assert by_delta(folder, table) == expected, table
        if table in ("positions", "analyses", "annotations") and expected:
            for reader in READERS[1:]:
                assert plain(reader(folder, table)) == plain(expected), (reader.__name__, table)


def plain(rows: Rows) -> list[str]:
    """Values as text: libraries differ in their types of time zones and of missing values."""
    return sorted(repr(tuple(_plain(value) for value in row)) for row in rows)


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat().removesuffix("+00:00")
    return list(value) if isinstance(value, list | tuple) else value


def test_every_program_reads_the_rows_of_the_catalogue(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "tables"
    lake.publish_tables()
    check(lake, folder)
    lake.ingest(zip_of(tmp_path / "more.plzip", group(7, 3)), sample="more")
    lake.annotate("more", {"material": "TiN"})
    lake.publish_tables()
    assert {row["sample"] for row in DeltaTable(folder / "positions").to_pyarrow_table().to_pylist()} >= {"more"}
    check(lake, folder)
    lake.forget("more")
    lake.forget(lake.ls()[0].sample)
    lake.publish_tables()
    check(lake, folder)
    lake.gc(grace="0")
    lake.publish_tables()
    check(lake, folder)


def test_only_what_is_new_is_written(lake: Lake, tmp_path: Path) -> None:
    first = lake.publish_tables()
    again = lake.publish_tables()
    assert sum(each.bytes_written for each in first.tables) > 0
    assert {(each.added, each.removed, each.bytes_written) for each in again.tables} == {(0, 0, 0)}
    assert [each.version for each in again.tables] == [each.version for each in first.tables]
    lake.ingest(zip_of(tmp_path / "more.plzip", group(7, 3)), sample="more")
    third = {each.table: each for each in lake.publish_tables().tables}
    assert (third["positions"].added, third["positions"].removed, third["images"].added) == (1, 0, 0)


def test_parts_are_published_as_they_are(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    lake.checkpoint()
    published = {path.name: path.read_bytes() for path in (tmp_path / "lake/tables").glob("*/*.parquet")}
    parts = {path.name: path.read_bytes() for path in (tmp_path / "lake/checkpoints").glob("*/catalog/*/*.parquet")}
    assert published == parts


def test_a_question_over_two_lakes(lake: Lake, tmp_path: Path) -> None:
    with sxeslake.init(str(tmp_path / "other")) as other:
        other.ingest(tmp_path / "in" / "2019")
        other.publish_tables(str(tmp_path / "open"))
        lake.publish_tables()
        both = polars.read_delta(str(tmp_path / "open/analyses")).join(
            polars.read_delta(str(tmp_path / "lake/tables/analyses")), on="analysis_uuid", how="semi"
        )
        assert both.height == len(catalogue(other, "analyses")) > 0


def test_tables_move_with_the_lake(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    shutil.copytree(tmp_path / "lake", tmp_path / "moved")
    shutil.rmtree(tmp_path / "lake" / "tables")
    assert by_delta(tmp_path / "moved" / "tables", "positions") == catalogue(lake, "positions")
    lake.publish_tables()
    check(lake, tmp_path / "lake" / "tables")


def test_the_lake_does_not_mind_them(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    before = {path: path.read_bytes() for path in (tmp_path / "lake/tables").rglob("*") if path.is_file()}
    lake.forget(lake.ls()[0].sample)
    lake.gc(grace="0")
    assert lake.verify(data=True).ok
    assert lake.repair().ok
    lake.checkpoint()
    assert {path: path.read_bytes() for path in (tmp_path / "lake/tables").rglob("*") if path.is_file()} == before


def test_of_two_publishers_one_plans_again(lake: Lake, tmp_path: Path) -> None:
    columns = pa.schema([("a", pa.int64())])
    log = DeltaLog(ObjectStorePlace(str(tmp_path / "table"), {}), "table", "a table", columns, "1" * 32)
    assert log.state() is None
    assert log.commit(None, [AddedFile("a.parquet", 1, 1)], [], 1)
    assert not log.commit(None, [AddedFile("b.parquet", 1, 1)], [], 1)
    one, other = log.state(), log.state()
    assert log.commit(one, [AddedFile("b.parquet", 1, 1)], ["a.parquet"], 2)
    assert not log.commit(other, [AddedFile("c.parquet", 1, 1)], [], 2)
    state = log.state()
    assert state is not None
    assert (state.files, state.commit) == (frozenset({"b.parquet"}), 2)


def test_many_publishers_at_once(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def publish_one(number: int) -> None:
        with sxeslake.open(str(tmp_path / "lake")) as own:
            own.ingest(zip_of(tmp_path / f"{number}.plzip", group(number + 20)), sample=f"s{number}")
            try:
                own.publish_tables(keep_hours=1)
            except ConflictError:
                return  # the others were always faster: the next publisher brings its rows

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(publish_one, range(3)))
    lake.refresh()
    # A day later: files of publishers that lost their race are none of the table's, and plain Parquet reads all files.
    monkeypatch.setattr(publish, "_LEFT_BEHIND_S", 0)
    lake.publish_tables()
    check(lake, tmp_path / "lake" / "tables")


def test_other_columns_replace_the_table(tmp_path: Path) -> None:
    place = ObjectStorePlace(str(tmp_path / "table"), {})
    old = DeltaLog(place, "table", "a table", pa.schema([("a", pa.int64())]), "1" * 32)
    new = DeltaLog(place, "table", "a table", pa.schema([("a", pa.int64()), ("b", pa.string())]), "1" * 32)
    old.commit(None, [AddedFile("a.parquet", 1, 1)], [], 1)
    state = new.state()
    assert state is not None
    assert not state.same_columns
    assert new.commit(state, [AddedFile("b.parquet", 1, 1)], ["a.parquet"], 1)
    state = new.state()
    assert state is not None
    assert (state.files, state.same_columns) == (frozenset({"b.parquet"}), True)


def test_a_later_commit_is_left(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tmp_path / "lake", tmp_path / "older")
    lake.ingest(zip_of(tmp_path / "more.plzip", group(7, 3)), sample="more")
    lake.publish_tables()
    (tmp_path / "lake" / "tables").rename(tmp_path / "older" / "tables")
    assert run(["--lake", str(tmp_path / "older"), "publish", "tables"]) == 0
    assert "later commit" in capsys.readouterr().err
    assert by_delta(tmp_path / "older/tables", "positions") == catalogue(lake, "positions")


def test_files_that_are_gone_or_cut_are_written_again(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    (positions,) = (tmp_path / "lake/tables/positions").glob("*.parquet")
    (members,) = (tmp_path / "lake/tables/members").glob("*.parquet")
    positions.unlink()
    members.chmod(0o600)
    members.write_bytes(b"PAR1")
    lake.publish_tables()
    check(lake, tmp_path / "lake" / "tables")


def test_what_a_publisher_left_behind_goes_after_a_day(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    folder = tmp_path / "lake" / "tables" / "positions"
    old, new, own = folder / f"{'a' * 64}.parquet", folder / f"{'b' * 64}.parquet", folder / "mine.parquet"
    for path in (old, new, own):
        path.write_bytes(b"PAR1")
    for path in (old, own):
        os.utime(path, (time.time() - 90_000,) * 2)
    lake.publish_tables(keep_hours=1)
    assert old.exists()
    lake.publish_tables()
    assert not old.exists()
    assert new.exists()
    assert own.exists()


def test_replaced_files_are_kept_as_long_as_asked(lake: Lake, tmp_path: Path) -> None:
    lake.publish_tables()
    at_work = DeltaTable(tmp_path / "lake/tables/positions")
    before = at_work.to_pyarrow_table().num_rows
    lake.forget(lake.ls()[0].sample)
    lake.publish_tables(keep_hours=1)
    assert at_work.to_pyarrow_table().num_rows == before
    assert len(by_delta(tmp_path / "lake/tables", "positions")) < before


def test_another_table_is_never_touched(lake: Lake, tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "open" / "archives"), pa.table({"a": [1]}))
    with pytest.raises(ConflictError, match="not published"):
        lake.publish_tables(str(tmp_path / "open"))
    assert DeltaTable(tmp_path / "open" / "archives").to_pyarrow_table().to_pylist() == [{"a": 1}]


def test_an_sftp_server_cannot_have_tables(lake: Lake) -> None:
    with pytest.raises(UsageError, match="SFTP server: deltalake has no client") as caught:
        lake.publish_tables("sftp://me@nas/tables")
    assert "copy that folder" in str(caught.value.hint)


def test_the_package_is_named_where_it_is_missing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingExtraError) as caught:
        lake.publish_tables()
    assert 'pip install "sxeslake[delta]"' in str(caught.value.hint)


@pytest.mark.s3
def test_in_a_bucket(s3_server: Seaweed, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    url, options = f"s3://{BUCKET}/open-{tmp_path.name}", s3_server.options()
    for _ in range(2):
        report = lake.publish_tables(url, storage_options=options)
        lake.forget(lake.ls()[0].sample)
    known = {
        "aws_endpoint": options["endpoint_url"], "aws_access_key_id": options["key"], "aws_region": "us-east-1",
        "aws_secret_access_key": options["secret"], "aws_allow_http": "true",
    }  # fmt: skip
    table = DeltaTable(f"{url}/positions", storage_options=known)
    assert table.to_pyarrow_table().num_rows == {each.table: each.rows for each in report.tables}["positions"]
    store = storage.open_store(url, options=options)
    live = {Path(path).name for path in table.file_uris()}
    assert {Path(info.key).name for info in store.list("positions/") if "_delta_log" not in info.key} == live
    with pytest.raises((StorageError, AlreadyExistsError)):
        lake.publish_tables(url, storage_options=s3_server.options("reader"))
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    with sxeslake.init(f"s3://{BUCKET}/lake-{tmp_path.name}") as other:  # by variables, inside a lake
        other.ingest(tmp_path / "in" / "2019")
        rows = {each.table: each.rows for each in other.publish_tables().tables}["positions"]
        assert DeltaTable(f"{other.url}/tables/positions", storage_options=known).to_pyarrow_table().num_rows == rows
