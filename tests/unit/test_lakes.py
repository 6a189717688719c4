"""Several lakes as one: answers over the union, each lake only read, one that is away named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.internals import catalog_of

import sxeslake
from sxeslake import lakes as lakes_module
from sxeslake import settings
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.catalog.query import library
from sxeslake.catalog.query.header import Query
from sxeslake.errors import LakeNotFoundError, NotFoundError, StorageError, UnreachableError, UsageError
from sxeslake.lake import Lake
from sxeslake.storage.opening import open_store
from sxeslake.vault.vault import Vault

GIVEN: dict[str, dict[str, object]] = {
    "find-text": {"text": "map"},
    "positions-near": {"sample": "2019/chalcopyrite map", "x": 10, "y": 10, "radius": 1000},
}
"""What a question cannot do without."""
ONE_EACH = ("last-session",)
"""Questions whose rows are chosen among all, so that they are not those of each lake."""
AWAY = "s3://lake/away"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lakes of three sites: `a` and `b` hold other measurements under the same names, `c` what `a` holds."""
    folder = tmp_path_factory.mktemp("sites")
    for name, seed in (("a", 1), ("b", 2)):
        synthetic_facility(folder / f"from {name}", seed=seed, nx=2, ny=2)
    for name, source in (("a", "from a"), ("b", "from b"), ("c", "from a")):
        with sxeslake.init(str(folder / name)) as lake:
            lake.ingest(folder / source)
    with sxeslake.init(str(folder / "empty")):
        pass
    with sxeslake.open(str(folder / "b")) as lake:
        lake.annotate("2021/standards", role="standard", material="Ti")
    return folder


@pytest.fixture(scope="module")
def both(sites: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sxeslake.Lakes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SXESLAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        lakes = sxeslake.open_lakes([str(sites / "a"), str(sites / "b")])
    with lakes:
        yield lakes


@pytest.fixture(scope="module")
def with_empty(sites: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sxeslake.Lakes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SXESLAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        lakes = sxeslake.open_lakes([str(sites / "empty"), str(sites / "b")])
    with lakes:
        yield lakes


def test_samples_of_one_name_are_two_samples(both: sxeslake.Lakes) -> None:
    rows = both.ls("2021/*")
    assert [(row.lake, row.sample) for row in rows] == [("a", "2021/standards"), ("b", "2021/standards")]
    assert [row.sample for row in both.ls()] == sorted(row.sample for row in both.ls())
    assert "<th>lake</th>" in both.ls().html()
    assert not both["a"].ls()[0].lake


@pytest.mark.parametrize("query", list(library.load()), ids=lambda query: query.name)
def test_each_question_over_two_lakes_has_the_rows_of_both(both: sxeslake.Lakes, query: Query) -> None:
    words = GIVEN.get(query.name, {})
    union = both.query(query.name, words)
    alone = {name: lake.query(query.name, words) for name, lake in both.items()}
    if "sample" not in union.columns:
        assert "lake" not in union.columns
        assert set(union.columns) == set(alone["a"].columns)
        return
    assert union.columns.index("lake") == union.columns.index("sample") - 1
    assert not union.show or union.show.index("lake") == union.show.index("sample") - 1
    if query.name in ONE_EACH:
        assert {row["lake"] for row in union} <= {"a", "b"}
        return
    for name, result in alone.items():
        here = [row for row in union if row["lake"] == name]
        made = [{key: value for key, value in row.items() if key not in ("lake", "other_lake")} for row in here]
        assert sorted(map(str, made)) == sorted(map(str, result.rows()))


@pytest.mark.parametrize("query", list(library.load()), ids=lambda query: query.name)
def test_an_empty_lake_beside_it_changes_no_answer(with_empty: sxeslake.Lakes, query: Query) -> None:
    words = GIVEN.get(query.name, {})
    union, alone = with_empty.query(query.name, words), with_empty["b"].query(query.name, words)
    made = [{key: value for key, value in row.items() if key not in ("lake", "other_lake")} for row in union]
    assert made == alone.rows()


def test_counts_are_of_samples_in_lakes(both: sxeslake.Lakes) -> None:
    (row,) = both.query("facility-dedup").rows()
    assert row["samples"] == len(both.ls()) == 2 * len(both["a"].ls())
    parts = [lake.query("facility-dedup").rows()[0]["bytes_packs"] for lake in both.values()]
    assert row["bytes_packs"] == sum(parts)


def test_what_is_said_in_one_lake_is_not_said_of_the_other(both: sxeslake.Lakes) -> None:
    rows = both.query("standards-for-condition", material="ti").rows()
    assert {row["lake"] for row in rows} == {"b"}
    assert rows
    assert {row["lake"] for row in both.positions(annotation="role=standard")} == {"b"}
    found = both.find("standard", copies=True).rows()
    assert {row["lake"] for row in found if row["found_in"] == "annotation"} == {"b"}


def test_what_both_hold_counts_once_in_the_lake_named_first(sites: Path) -> None:
    for first, second in (("a", "c"), ("c", "a")):
        with sxeslake.open_lakes([str(sites / first), str(sites / second)]) as lakes:
            alone = lakes[first].positions()
            union = lakes.positions()
            assert {row["lake"] for row in union} == {first}
            assert len(union) == len(alone)
            assert any("2 lakes as one: what several of them hold is counted once" in note for note in union.notes)
            assert len(lakes.positions(copies=True)) == 2 * len(lakes[first].positions(copies=True))
            hits = {row["copies"] for row in lakes.find("map of a grain boundary") if row["found_in"] == "analysis"}
            more = {
                row["copies"] for row in lakes[first].find("map of a grain boundary") if row["found_in"] == "analysis"
            }
            assert hits == {2 * copies + 1 for copies in more}
            pairs = lakes.query("same-measurement-elsewhere").rows()
            assert any(row["lake"] != row["other_lake"] for row in pairs)


def test_sql_joins_across_lakes(both: sxeslake.Lakes) -> None:
    joined = both.sql(
        "SELECT x.lake AS one, y.lake AS other, count(*) AS n FROM archives AS x JOIN archives AS y "
        "ON x.name = y.name AND x.lake < y.lake GROUP BY ALL"
    ).rows()
    assert joined[0]["one"] == "a"
    assert joined[0]["other"] == "b"
    assert joined[0]["n"] >= 5
    (row,) = both.sql("SELECT count(*) AS n, count(DISTINCT archive_id) AS ids FROM archives").rows()
    assert row["n"] == row["ids"]
    for name, lake in both.items():
        own = lake.sql("SELECT count(*) AS n FROM positions p JOIN archives a USING (archive_id)").rows()
        of = both.sql(
            "SELECT count(*) AS n FROM positions p JOIN archives a USING (archive_id) WHERE a.lake = $lake", lake=name
        )
        assert of.rows() == own


def test_every_table_and_view_has_the_column(both: sxeslake.Lakes) -> None:
    database = catalog_of(both).database()
    for name in [*(table.name for table in both["a"].schema()), "distinct_positions", "position_documents"]:
        assert database.table(f"SELECT * FROM {name} LIMIT 0").column_names.count("lake") == 1, name
    assert "lake" in both.sql("SELECT * FROM sessions_by(2) LIMIT 0").columns


def test_the_limit_is_of_all_and_the_order_stable(both: sxeslake.Lakes) -> None:
    every = both.positions().rows()
    for limit in (0, 1, len(every) // 2 + 1, len(every)):
        result = both.query("positions-by-condition", limit=limit)
        assert result.rows() == every[:limit]
        assert result.truncated == (limit < len(every))


def test_answers_that_do_not_tell_lakes_apart_say_so(both: sxeslake.Lakes, tmp_path: Path) -> None:
    assert any("select lake, sample" in note for note in both.sql("SELECT sample FROM archives").notes)
    assert not both.sql("SELECT lake, sample FROM archives").notes
    (tmp_path / "mine.sql").write_text("-- Mine\nSELECT sample FROM archives ORDER BY ALL;")
    (tmp_path / "told.sql").write_text("-- Told\nSELECT /*lakes: lake, */ sample FROM archives ORDER BY ALL;")
    assert any("/*lakes: lake, */ sample" in note for note in both.query("mine", queries=[tmp_path]).notes)
    told = both.query("told", queries=[tmp_path])
    assert told.columns == ["lake", "sample"]
    assert not told.notes
    assert both["a"].query("told", queries=[tmp_path]).columns == ["sample"]


class Refusing:
    """A store that can be read, and nothing else."""

    WRITES = ("create", "replace", "delete", "sweep")

    def __init__(self, url: str) -> None:
        self._store, self.tried = open_store(url), list[str]()

    def __getattr__(self, name: str) -> Any:
        if name in self.WRITES:
            self.tried.append(name)
            raise PermissionError(name)
        return getattr(self._store, name)


def test_nothing_is_written_to_a_lake(sites: Path, tmp_path: Path) -> None:
    stores: list[Refusing] = []

    def opened(word: str) -> Lake:
        stores.append(Refusing(word))
        return Lake(Vault(stores[-1], tmp_path / Path(word).name))

    words = [str(sites / "a"), str(sites / "b")]
    before = {path: path.stat() for word in words for path in Path(word).rglob("*")}
    with lakes_module.opened_as_one(words, opened, skip_unreachable=False) as lakes:
        assert len(lakes.ls())
        assert len(lakes.maps(kv=5))
        assert len(lakes.find("map"))
        assert lakes.sql("SELECT count(*) AS n FROM members").rows()[0]["n"]
    after = {path: path.stat() for word in words for path in Path(word).rglob("*")}
    assert [store.tried for store in stores] == [[], []]
    assert after.keys() == before.keys()
    assert all(after[path].st_mtime_ns == was.st_mtime_ns for path, was in before.items())


def test_a_lake_that_is_away_is_named_or_left_out(sites: Path) -> None:
    words, options = [AWAY, str(sites / "a")], {"endpoint_url": "http://127.0.0.1:9", "key": "k", "secret": "s"}
    with pytest.raises(UnreachableError, match="lake away: ") as caught:
        sxeslake.open_lakes(words, storage_options=options, retry_for_s=0)
    assert caught.value.exit_code == 6
    with sxeslake.open_lakes(words, storage_options=options, retry_for_s=0, skip_unreachable=True) as lakes:
        assert list(lakes) == ["a"]
        assert list(lakes.skipped) == ["away"]
        assert {row["lake"] for row in lakes.maps(kv=5)} == {"a"}
    with pytest.raises(LakeNotFoundError, match="lake none"):
        sxeslake.open_lakes([str(sites / "none"), str(sites / "a")])
    with pytest.raises(LakeNotFoundError, match="lake none"):
        sxeslake.open_lakes([str(sites / "none")], skip_unreachable=True)


def test_a_lake_that_goes_away_meanwhile_is_left_out(sites: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [str(sites / "a"), str(sites / "b")]
    for skips in (False, True):
        with sxeslake.open_lakes(words, skip_unreachable=skips) as lakes:
            catalog = catalog_of(lakes["b"])

            def gone() -> None:
                raise StorageError("the share is gone")

            monkeypatch.setattr(catalog, "database", gone)
            if not skips:
                with pytest.raises(StorageError, match="lake b: the share is gone"):
                    lakes.maps()
                continue
            assert {row["lake"] for row in lakes.maps()} == {"a"}
            assert list(lakes.skipped) == ["b"]
            assert list(lakes) == ["a"]


def test_new_commits_are_seen(sites: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(sites / name, tmp_path / name)
    with sxeslake.open_lakes([str(tmp_path / "a"), str(tmp_path / "b")]) as lakes:
        before = len(lakes.find("zirconium", copies=True))
        lakes["b"].annotate("2021/standards", coating="zirconium")
        assert len(lakes.find("zirconium", copies=True)) == before + 1


# Names and groups.


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)


@pytest.mark.usefixtures("own_settings")
def test_titles_are_short_and_differ(sites: Path) -> None:
    settings.add_named_lake("epma", "s3://one/lake")
    words = ["epma", "s3://two/lake", "s3://three/lake", "s3://three/other"]
    assert settings.titles(words) == {
        "epma": "epma", "two/lake": "s3://two/lake", "three/lake": "s3://three/lake", "other": "s3://three/other",
    }  # fmt: skip
    assert list(settings.titles(["s3://k:secret@lake/x", "s3://lake/y"])) == ["x", "y"]
    assert not any("secret" in title for title in settings.titles(["s3://k:secret@lake/x", "s3://other/x"]))


@pytest.mark.usefixtures("own_settings")
def test_a_group_stands_for_its_lakes_each_once(sites: Path) -> None:
    settings.add_named_lake("epma", str(sites / "a"))
    settings.set_group("sites", ["epma", str(sites / "b")])
    assert settings.members(["sites", str(sites / "a"), "epma"]) == ["epma", str(sites / "b")]
    with sxeslake.open_lakes(["sites"]) as lakes:
        assert list(lakes) == ["epma", "b"]
    settings.forget_group("sites")
    assert settings.groups() == {}
    with pytest.raises(NotFoundError, match="no group"):
        settings.forget_group("sites")


@pytest.mark.usefixtures("own_settings")
def test_groups_that_cannot_be(sites: Path) -> None:
    settings.add_named_lake("epma", str(sites / "a"))
    settings.set_group("sites", ["epma"])
    for name, words, why in [
        ("epma", [str(sites / "b")], "a lake has that name"),
        ("more", ["sites"], "not other groups"),
        ("more", ["s3://k:s@b/lake"], "holds a secret"),
        ("no name", ["epma"], "letters"),
    ]:
        with pytest.raises(UsageError, match=why):
            settings.set_group(name, words)
    with pytest.raises(NotFoundError, match="no lake has that name"):
        settings.set_group("more", ["nobody"])
    with pytest.raises(UsageError, match="a group of lakes has that name"):
        settings.add_named_lake("sites", "s3://x/y")
    with pytest.raises(UsageError, match="cannot be the lake in use"):
        settings.set_default("sites")
    with pytest.raises(UsageError, match="no lake was named"):
        sxeslake.open_lakes([])


def test_options_are_for_lakes_that_take_them(sites: Path, own_settings: None) -> None:
    settings.add_named_lake("epma", "s3://one/lake", {"endpoint_url": "http://own"})
    given = {"endpoint_url": "http://given", "profile": "p"}
    assert lakes_module.options_of("epma", given, of=2) == {"profile": "p"}
    assert lakes_module.options_of("s3://two/lake", given, of=2) == given
    assert lakes_module.options_of(str(sites / "a"), given, of=2) == {}
    assert lakes_module.options_of(str(sites / "a"), given, of=1) == given
