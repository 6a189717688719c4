"""The catalogue over a real vault: it follows the log, is annotated, published and rebuilt."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.internals import catalog_of, close_catalog, vault_of
from support.small_lakes import group, objects, zip_of

from sxeslake import settings
from sxeslake.catalog.query import library, sandbox_child
from sxeslake.catalog.query.sandbox import SandboxLimits
from sxeslake.catalog.query.select import Question, choose_positions
from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.errors import NotFoundError, SampleNotFoundError, UsageError
from sxeslake.lake import Lake, init
from sxeslake.storage import open_store
from sxeslake.vault.vault import Vault


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with the samples `a` (two versions) and `b`."""
    with init(str(tmp_path / "lake")) as made:
        for number, sample in ((1, "a"), (1, "a"), (3, "b")):
            contents = group(number, comment=f"{sample}{len(made.ls(all_versions=True))}")
            made.ingest(zip_of(tmp_path / f"{sample}.plzip", contents), sample=sample)
        yield made


def samples(lake: Lake) -> list[tuple[str, int]]:
    """What the catalogue lists."""
    return [(row["sample"], row["version"]) for row in lake.query("analyses-by-condition", copies=True).rows()]


def test_every_question_sees_the_newest_commit(lake: Lake, tmp_path: Path) -> None:
    assert sorted(samples(lake)) == [("a", 1), ("a", 2), ("b", 1)]
    lake.ingest(zip_of(tmp_path / "c.plzip", group(7)))
    assert ("c", 1) in samples(lake)


def test_the_database_of_a_commit_stays_open(lake: Lake) -> None:
    catalog = catalog_of(lake)
    first = catalog.database()
    assert catalog.database() is first
    lake.annotate("a", role="standard")
    assert catalog.database() is not first


def test_parts_that_another_process_merged_are_taken(lake: Lake) -> None:
    catalog = catalog_of(lake)
    first = catalog.database()
    manifest = first._holdings[0].cache.folder / "parts.json"
    os.utime(manifest, ns=(time.time_ns(), manifest.stat().st_mtime_ns + 1_000_000))
    assert catalog.database() is not first


def test_results_outlive_the_lake_unless_streamed(lake: Lake) -> None:
    whole = lake.positions()
    lake.close()
    assert len(whole.rows()) == 4


def test_words_of_python(lake: Lake) -> None:
    assert len(lake.query("positions-by-condition", {"type": "xes"}, limit=3)) == 3
    assert len(lake.maps(kv=(4.9, None), grating=["JS300N", "JS*"])) == 0
    assert {row["sample"] for row in lake.find("b2").rows()} == {"b"}
    assert len(lake.sql("SELECT sample FROM positions WHERE sample = $who", who="b")) == 2
    assert lake.sql("SELECT * FROM members", limits=SandboxLimits(rows=2)).arrow().num_rows == 2
    assert [query.name for query in lake.queries()][:1] == ["analyses-by-condition"]
    assert lake.schema("positions")[0].column("stage_x_mm").unit == "mm"
    with pytest.raises(NotFoundError, match='Did you mean "positions"'):
        lake.schema("position")
    with pytest.raises(UsageError, match='Did you mean "grating"'):
        lake.maps(gratng="JS300N")  # type: ignore[call-arg]


def test_a_folder_of_ones_own_queries(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "how-many.sql").write_text(
        "-- How many\n-- parameter: of text required: Which.\nSELECT $of AS of, 2 AS n;"
    )
    assert lake.query("how-many", queries=[folder], of="b").rows() == [{"of": "b", "n": 2}]
    with pytest.raises(NotFoundError):
        lake.query("how-many")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM read_text('/etc/passwd')", r"read_text\(\) is not allowed"),
        ("COPY (SELECT 1) TO 'WRITTEN'", "COPY is not allowed"),
        ("WITH t AS (COPY (SELECT 1) TO 'WRITTEN') SELECT 1", "COPY inside a SELECT"),
        ("SELECT getenv('HOME')", r"getenv\(\) is not allowed"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("INSTALL httpfs", "LOAD is not allowed"),
        ("FROM pg_settings", "pg_settings is not allowed"),
        ("SELECT count(*) FROM range(100000000000)", "longer than 1 s"),
        ("SELECT * FROM " + "(" * 60_000 + "positions" + ")" * 60_000, "longer than 1 s|GiB of memory"),
        ("SELECT sample::INT FROM positions", "Conversion Error"),
        ("SELECT * FROM positons", 'Did you mean "positions"'),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_folders_query_can_do_what_free_sql_can(lake: Lake, tmp_path: Path, sql: str, message: str) -> None:
    written = tmp_path / "written"
    (tmp_path / "mine.sql").write_text(f"-- Harmless\n{sql.replace('WRITTEN', str(written))}")
    limits = SandboxLimits(seconds=1)
    with pytest.raises(UsageError, match=rf'(?s)query "mine": .*({message})'):
        lake.query("mine", queries=[tmp_path], limits=limits)
    question = Question(query="mine", folders=[tmp_path])
    if "longer" not in message:
        with pytest.raises(UsageError, match=message):
            choose_positions(catalog_of(lake), question, [("a", 2)])
    assert not written.exists()


def test_a_folders_query_binds_parameters_and_filters_and_is_cut(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text(
        "-- Mine\n-- parameter: until date = 2100-01-01: Until.\n-- parameter: span range = 1..2: S.\n"
        "-- filters: positions\nSELECT p.sample, $span_low AS low FROM positions AS p "
        "WHERE now() < $until AND $span_high > 1 AND /* filters: positions p */ true"
    )
    result = lake.query("mine", queries=[tmp_path], limit=2, sample="b")
    assert {row["sample"] for row in result.rows()} == {"b"}
    assert (result.title, result.rows()[0]["low"]) == ("Mine", pytest.approx(1))
    assert len(lake.query("mine", queries=[tmp_path], limit=1)) == 1


def test_every_query_of_the_library_is_one_that_a_folder_may_have(lake: Lake) -> None:
    """Whoever copies a query into a folder of their own can change it there."""
    database = catalog_of(lake).database()
    database.prepare(BY_NAME)
    for query in library.load():
        cursor = database._connection.cursor()
        sandbox_child.check_query(cursor, sandbox_child.parsed(cursor, query.sql))


def current(lake: Lake) -> list[dict[str, Any]]:
    """What holds now, of all that was said."""
    sql = "SELECT sample, version, key, value FROM annotations WHERE is_current AND value IS NOT NULL ORDER BY ALL"
    return lake.sql(sql).rows()


def test_annotations_are_appended_replaced_and_taken_back(lake: Lake) -> None:
    uuid = lake.query("analyses-by-condition", limit=1).rows()[0]["analysis_uuid"]
    first = lake.annotate("b", role="standard", material="TiN")
    assert lake.annotate("b", role="standard").commit is None  # said already
    assert lake.annotate("a@2", role="unknown").commit == (first.commit or 0) + 1
    lake.annotate("b", {"material": ""}, role="reference")
    lake.annotate("a", analysis=uuid[:18] if uuid.startswith("0") else uuid, mount="M3")
    found = [(row["sample"], row["version"], row["key"], row["value"]) for row in current(lake)]
    assert sorted(found, key=str) == [
        ("a", 2, "role", "unknown"),
        ("a", None, "mount", "M3"),
        ("b", None, "role", "reference"),
    ]
    (said,) = lake.show("b").annotations
    assert (said.key, said.value, said.version) == ("role", "reference", None)
    assert [each.key for each in lake.show("a@1").annotations] == ["mount"]
    assert sorted(each.key for each in lake.show("a@2").annotations) == ["mount", "role"]
    assert len(lake.query("standards-for-condition")) == 0
    with pytest.raises(SampleNotFoundError, match="Did you mean a"):
        lake.annotate("aa", role="x")
    with pytest.raises(NotFoundError, match="no position"):
        lake.annotate("a", position="00000000-dead", role="x")
    with pytest.raises(UsageError, match="not of both"):
        lake.annotate("a", position="00000000", analysis="00000000", role="x")


def test_a_table_of_annotations_is_one_commit(lake: Lake, tmp_path: Path) -> None:
    table = tmp_path / "mounts.csv"
    table.write_text("sample,mount,role\na@1,M1,\nb,M2,standard\n")
    done = lake.annotate_csv(table, message="from the cupboard")
    assert done.commit == 4
    assert [item["value"] for item in done.annotations] == ["M1", "M2", "standard"]
    assert lake.annotate_csv(table).commit is None
    with pytest.raises(NotFoundError, match="cannot be read"):
        lake.annotate_csv(tmp_path / "absent.csv")


def test_a_rebuilt_catalogue_is_equal_and_a_broken_one_is_replaced(lake: Lake) -> None:
    lake.annotate("a@1", role="standard")
    proof = lake.rebuild_catalog()
    assert proof.equal
    assert {table.table: table.rows for table in proof.tables}["positions"] == 6
    cache = catalog_of(lake).database()._holdings[0].cache
    folder = cache.folder
    whole = cache.load()
    assert whole is not None
    cache.save(replace(whole, parts=tuple(part for part in whole.parts if part.table != "positions")))
    assert len(lake.positions()) == 0, "it is proved, and wrong"
    broken = lake.rebuild_catalog()
    assert not broken.equal
    assert {table.table for table in broken.tables if not table.equal} == {"positions"}
    assert len(lake.positions(copies=True)) == 6
    assert lake.rebuild_catalog().equal
    assert [path.name for path in folder.parent.glob("catalog-*")] == []


@pytest.mark.parametrize("damage", ["garbage", "gone", "fewer rows"])
def test_damaged_parts_are_made_again(lake: Lake, damage: str) -> None:
    lake.annotate("a@1", role="standard")
    tables = ("archives", "positions", "packs", "annotations", "members", "blobs")
    before = {name: lake.sql(f"SELECT count(*) AS n FROM {name}").rows() for name in tables}
    cache = catalog_of(lake).database()._holdings[0].cache
    for path in cache.folder.glob("*/*.parquet"):
        if damage == "gone":
            path.unlink()
        elif damage == "garbage":
            path.write_bytes(b"x" * path.stat().st_size)
        else:
            pq.write_table(pq.read_table(path).slice(1), path)
    close_catalog(lake)
    assert len(lake.positions(copies=True)) == 6
    assert {name: lake.sql(f"SELECT count(*) AS n FROM {name}").rows() for name in tables} == before
    assert lake.rebuild_catalog().equal


def test_a_checkpoint_costs_what_is_new_and_serves_a_new_client(lake: Lake, tmp_path: Path) -> None:
    first = lake.checkpoint()
    assert (first.commit, first.new_parts) == (3, first.parts)
    assert first.new_bytes > first.bytes
    lake.annotate("a", role="standard")
    assert lake.checkpoint().new_parts == 1
    store = open_store(str(tmp_path / "lake"))
    with Lake(Vault(store, None)) as fresh:  # a temporary cache: a user who may write nowhere
        assert len(fresh.positions(copies=True)) == 6
        assert catalog_of(fresh).database().bytes_fetched > 0
        assert sorted(samples(fresh)) == sorted(samples(lake))


def test_a_question_writes_nothing_into_the_lake(lake: Lake, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "lake"))
    before = objects(store)
    lake.maps()
    lake.sql("SELECT count(*) FROM blobs")
    lake.rebuild_catalog()
    assert objects(store) == before
    store.close()


def test_time_zones_give_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    metadata = b'{"analyses":[{"uuid":"x","instrument":"JXA-8530F","acquisitionDate":"2018/04/12 14:00:00"}]}'
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "m.plzip", {"metadata.json": metadata}))
        assert lake.query("analyses-by-condition").rows()[0]["acquired_at"] is None
    settings.set_time_zone("JXA-8530F", "Asia/Tokyo")
    with Lake(Vault(open_store(str(tmp_path / "lake")), None)) as lake:
        assert lake.query("analyses-by-condition").rows()[0]["acquired_at"].isoformat() == "2018-04-12T05:00:00+00:00"


def test_what_was_said_of_a_forgotten_version_is_forgotten_with_it(lake: Lake) -> None:
    lake.annotate("a@1", role="standard")
    lake.annotate("a", role="unknown")
    assert len(current(lake)) == 2
    lake.forget("a@1")
    assert [row["value"] for row in current(lake)] == ["unknown"]
    assert lake.rebuild_catalog().equal
    lake.restore("a@1")
    assert len(current(lake)) == 2
    assert lake.rebuild_catalog().equal


def test_a_vault_that_is_opened_anew_is_followed(tmp_path: Path) -> None:
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    with Lake(Vault(open_store(str(tmp_path / "lake")), None)) as lake:
        assert len(lake.positions()) == 2
        before = catalog_of(lake).database()._holdings[0].cache.folder
        vault_of(lake).reload()  # as after a repair
        assert len(lake.positions()) == 2
        assert not before.exists()


@pytest.mark.parametrize("where", ["accelerating_voltage = 5", "kv ==== 5"])
def test_a_condition_that_sql_refuses_is_said_by_its_option_without_our_own_sql(lake: Lake, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_positions(catalog_of(lake), Question(where=where), [("a", 2)])
    assert caught.value.where == "where"
    assert "in_sample" not in str(caught.value)
    assert 'lake.schema("positions")' in str(caught.value)


def test_an_answer_about_other_versions_than_asked_for_says_which(lake: Lake) -> None:
    question = Question(sql="SELECT sample, version FROM archives WHERE version = 1 AND sample = 'a'")
    with pytest.raises(NotFoundError, match="It names a@1"):
        choose_positions(catalog_of(lake), question, [("a", 2)])
