"""Whatever befalls a machine's caches, every command answers as with a fresh one, and nothing that lives is lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import counts, group, own_store, zip_of

from sxeslake.lake import Lake
from sxeslake.storage import open_store
from sxeslake.vault.vault import Vault, create_lake

MANY = {f"data/{number}.bin": counts(number) for number in range(6)}


class Site:
    """A lake in a folder and a machine's cache of it, as they were made; `restore` brings both back."""

    def __init__(self, folder: Path) -> None:
        self.root, self.cache, self._kept = folder / "lake", folder / "cache", folder / "kept"
        self.archives = folder / "archives"
        create_lake(open_store(str(self.root)), {})
        zip_of(self.archives / "a.zip", {**MANY, "info.json": b'{"uuid":"a"}'})
        zip_of(self.archives / "b.zip", {**MANY, "more.bin": counts(77)})
        zip_of(self.archives / "again.zip", {**MANY, "more.bin": counts(77)})
        zip_of(self.archives / "new.zip", {"new.bin": counts(99), "old.bin": counts(3)})
        zip_of(self.archives / "g.plzip", group(5, 3, "first"))
        with self.lake() as lake:
            for name in ("a.zip", "b.zip", "g.plzip"):
                lake.ingest(self.archives / name, exact="never")
            lake.ingest(zip_of(folder / "a.zip", {"other.bin": counts(55)}), sample="a", exact="never")
            lake.ingest(zip_of(folder / "c.zip", {"c.bin": counts(66)}), sample="c", exact="never")
            lake.ingest(zip_of(folder / "d.zip", {"x.bin": counts(67), "y.bin": counts(68, 900)}), exact="never")
            lake.ingest(zip_of(folder / "e.zip", {"x.bin": counts(67)}), exact="never")
            lake.tag("a@1", "paper")
            lake.annotate("g", role="standard")
            lake.forget(["c", "d"])
            lake.gc(grace="0")
            lake.forget("a@2")
            lake.pull("g", self.root.parent / "g" / "", container="folder")
            assert len(lake.positions()) == 3
        for part in (self.root, self.cache):
            shutil.copytree(part, self._kept / part.name)

    def lake(self) -> Lake:
        """The lake as the next command on this machine opens it; what it reads is kept, as that of a bucket is."""
        return Lake(Vault(open_store(str(self.root)), self.cache, tolerant=True, keep_bytes=1 << 20))

    def restore(self, *, cache: bool = True) -> None:
        for part in (self.root, self.cache):
            shutil.rmtree(part, ignore_errors=True)
            if cache or part == self.root:
                shutil.copytree(self._kept / part.name, part)

    def files(self, pattern: str) -> list[Path]:
        found = sorted(path for path in self.cache.rglob(pattern) if path.is_file())
        assert found, pattern
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


# --- what commands answer -----------------------------------------------------------------------------------------


def _ls(site: Site, lake: Lake) -> object:
    rows = [(row.sample, row.version) for row in lake.ls(all_versions=True)]
    return rows, [lake.resolve([name]) for name in ("a", "a@paper", "b", "g")], lake.show("g").annotations


def _pull(site: Site, lake: Lake) -> object:
    return {ref: {row.path: lake.read(ref, row.path) for row in lake.members(ref) if row.kind != "directory"}
            for ref in ("a", "b", "e", "g")}  # fmt: skip


def _query(site: Site, lake: Lake) -> object:
    tables = ("archives", "members", "positions", "packs", "blobs", "annotations")
    return [lake.sql(f"SELECT count(*) AS n FROM {table}").rows() for table in tables], lake.positions().rows()


def _ingest(site: Site, lake: Lake) -> object:
    paths = [site.archives / name for name in ("a.zip", "again.zip", "new.zip")]
    done = lake.ingest(paths, exact="never")
    return [(row.sample, row.version, row.status, row.blobs_new) for row in done.archives], lake.verify(data=True).ok


def _verify(site: Site, lake: Lake) -> object:
    report = lake.verify(data=True)
    return report.ok, report.problems, asdict(report.checked), [row.status for row in lake.audit(site.archives)]


def _gc(site: Site, lake: Lake) -> object:
    done = lake.gc(grace="0")
    return done.collected, done.packs_condemned, done.orphans, done.bytes_freed, _pull(site, lake)


Command = Callable[[Site, Lake], object]
COMMANDS: list[Command] = [_ls, _pull, _query, _ingest, _verify, _gc]
READS: dict[str, set[Command]] = {  # the commands that use a file; all use the others
    "index.sqlite": {_pull, _ingest, _gc}, "*.seg": {_pull, _ingest, _gc}, "frames-2.sqlite": {_pull, _query},
    "*.frames": {_pull, _query}, "parts.json": {_query}, "*.parquet": {_query},
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(site: Site) -> list[object]:
    """What a machine without a cache answers."""
    found = []
    for command in COMMANDS:
        site.restore(cache=False)
        with site.lake() as lake:
            found.append(command(site, lake))
    return found


def check(site: Site, answers: list[object], name: str, damage: Callable[[], None]) -> None:
    for command, answer in zip(COMMANDS, answers, strict=True):
        if command not in READS.get(name, COMMANDS):
            continue
        site.restore()
        damage()
        with site.lake() as lake:
            assert command(site, lake) == answer, command.__name__
    with Lake(Vault(open_store(str(site.root)), None)) as other:
        assert other.verify(data=True).ok
        assert _pull(site, other) == answers[1]


TABLES = {
    "state.sqlite": (
        "meta", "entries", "versions", "packs", "manifests", "replaced", "tags", "annotations",
    ),
    "index.sqlite": ("meta", "segments", "indexed"),
    "frames-2.sqlite": ("meta", "frames", "files"),
}  # fmt: skip


def test_every_table_is_tried(site: Site) -> None:
    site.restore()
    found = {}
    for path in site.files("*.sqlite"):
        with closing(sqlite3.connect(path)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found[path.name] = {name for name in tables if db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]}
    assert found == {name: set(tables) for name, tables in TABLES.items()}


@pytest.mark.parametrize(("name", "table"), [(name, table) for name, tables in TABLES.items() for table in tables])
def test_a_row_is_missing(site: Site, answers: list[object], name: str, table: str) -> None:
    chance = random.Random(f"{name}/{table}")

    def damage() -> None:
        (path,) = site.files(name)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            rows = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            row = db.execute(f"SELECT * FROM {table} LIMIT 1 OFFSET ?", (chance.randrange(rows),)).fetchone()
            same = " AND ".join(f"{column} IS ?" for column in names)
            assert db.execute(f"DELETE FROM {table} WHERE {same}", row).rowcount == 1

    check(site, answers, name, damage)


FILES = ("state.sqlite", "index.sqlite", "*.seg", "frames-2.sqlite", "*.frames", "parts.json", "*.parquet")
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: random.Random(len(data)).randbytes(5000),
    "cut short": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_is_damaged(site: Site, answers: list[object], name: str, kind: str) -> None:
    def damage() -> None:
        for path in site.files(name):
            path.write_bytes(DAMAGE[kind](path.read_bytes()))

    check(site, answers, name, damage)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_gone(site: Site, answers: list[object], name: str) -> None:
    def damage() -> None:
        for path in site.files(name):
            path.unlink()

    check(site, answers, name, damage)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("stranger"))


@pytest.mark.parametrize("name", ["state.sqlite", "index.sqlite", "frames-2.sqlite", "parts.json", "*"])
def test_a_file_is_another_lakes(site: Site, stranger: Site, answers: list[object], name: str) -> None:
    def renamed(path: Path) -> Path:
        """Where a file of the other cache stands in this one: folders are named after their lake."""
        first = path.relative_to(stranger.cache).parts[0]
        ours = next(own.name for own in site.cache.iterdir() if ("-" in own.name) == ("-" in first))
        return site.cache / ours / Path(*path.relative_to(stranger.cache).parts[1:])

    def damage() -> None:
        for path in stranger.files(name):
            target = renamed(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    check(site, answers, name, damage)


# --- power cuts ---------------------------------------------------------------------------------------------------


class Cuts:
    """A lake, and the pages of this machine's databases before and after each of its commits."""

    def __init__(self, vault: Vault, cache: Path) -> None:
        self.store, self.cache = vault.store, cache
        vault.close()
        self.images: list[dict[Path, bytes]] = [self._image()]

    def lake(self) -> Lake:
        return Lake(Vault(self.store, self.cache, threads=2))

    def commit(self, path: Path) -> None:
        with self.lake() as lake:
            lake.ingest(path, exact="never")
        self.images.append(self._image())

    def _image(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.cache.rglob("*.sqlite")}

    def cut(self, chance: random.Random) -> None:
        """A commit of which a run of pages, or any pages, did not reach the disk; the rest of the cache did."""
        at = len(self.images) - 1 - chance.randrange(3)
        before, after = self.images[at - 1], self.images[at]
        for path, data in after.items():
            old = before.get(path, b"").ljust(len(data), b"\0")
            pages = [
                start for start in range(0, len(data), 4096) if data[start : start + 4096] != old[start : start + 4096]
            ]
            if chance.random() < 0.5:
                first = chance.randrange(len(pages) + 1)
                lost = pages[first : first + chance.randint(1, len(pages) + 1)]
            else:
                lost = [page for page in pages if chance.random() < 0.5]
            image = bytearray(data)
            for page in lost:
                image[page : page + 4096] = old[page : page + 4096]
            for leftover in path.parent.glob(f"{path.name}-*"):
                leftover.unlink()
            path.write_bytes(image)


@pytest.fixture
def cuts(request: pytest.FixtureRequest, tmp_path: Path) -> Cuts:
    store = own_store(request)
    create_lake(store, {})
    made = Cuts(Vault(store, tmp_path / "cache"), tmp_path / "cache")
    for number in range(9):
        contents = {"a.bin": counts(number), "b.bin": counts(number // 2), "i.json": b'{"n":%d}' % number}
        made.commit(zip_of(tmp_path / f"{number}.zip", contents))
    with made.lake() as lake:
        lake.gc(grace="0")
    return made


@pytest.mark.parametrize("seed", range(8))
def test_after_a_power_cut_gc_deletes_nothing_that_lives(cuts: Cuts, seed: int) -> None:
    chance = random.Random(seed)
    before = {info.key for info in cuts.store.list("")}
    damaged = 0
    for _ in range(25):
        cuts.cut(chance)
        with cuts.lake() as lake:
            damaged += vault_of(lake).state.was_damaged
            assert lake.gc(grace="0").bytes_freed == 0
            assert len(lake.ls()) == 9
        assert {info.key for info in cuts.store.list("")} == before
    assert damaged > 5
    with Lake(Vault(cuts.store, None)) as other:
        assert other.verify(data=True).ok


# --- a cache that agrees with itself, and not with the log --------------------------------------------------------

WRONG = [
    "DELETE FROM versions WHERE sample = 'b'",
    "UPDATE versions SET status = 'forgotten' WHERE sample = 'b'",
    "DELETE FROM packs",
    "UPDATE packs SET condemned = 1",
    "DELETE FROM manifests",
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", [_verify, _gc])
def test_what_does_not_follow_from_the_log_is_thrown_away(
    site: Site, answers: list[object], wrong: str, command: Callable[[Site, Lake], object]
) -> None:
    site.restore()
    with site.lake() as lake, vault_of(lake).state.transaction() as db:
        db.execute(wrong)  # by way of the state, so that its digest follows: a fault of an older version
    with site.lake() as lake:
        assert not vault_of(lake).state.was_damaged
        if command is _verify:
            assert [note for note in lake.verify().notes if "did not follow" in note]
        assert command(site, lake) == answers[COMMANDS.index(command)]
    with site.lake() as lake:
        assert _ls(site, lake) == answers[0] or command is _gc
        assert lake.verify().notes == []
