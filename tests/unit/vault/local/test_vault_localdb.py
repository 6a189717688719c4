"""A cache in a database file: whatever befalls the file, it is found out, and work goes on."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.vault.local import database as localdb
from sxeslake.vault.local import proofs
from sxeslake.vault.local.database import LocalDatabase

TABLES = """
CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB);
CREATE INDEX IF NOT EXISTS things_name ON things (name);
CREATE TABLE IF NOT EXISTS pairs (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
"""


@contextmanager
def opened(folder: Path, layout: int = 1) -> Iterator[LocalDatabase]:
    with closing(LocalDatabase(folder / "cache.sqlite", layout, TABLES)) as database:
        yield database


def fill(database: LocalDatabase, first: int = 0, count: int = 40) -> None:
    with database.transaction() as db:
        for number in range(first, first + count):
            db.execute("INSERT INTO things VALUES (?, ?, ?)", (number, f"thing {number}", bytes(60)))
            db.execute("INSERT INTO pairs VALUES (?, ?)", (f"a{number % 7}", f"b{number}"))


def names(database: LocalDatabase) -> list[str]:
    return [name for (name,) in database.select("SELECT name FROM things ORDER BY id")]


def counts(database: LocalDatabase) -> tuple[int, int]:
    return tuple(database.select(f"SELECT count(*) FROM {table}")[0][0] for table in ("things", "pairs"))


def outside(folder: Path, *statements: str) -> None:
    """What somebody does to the file with another program."""
    with closing(sqlite3.connect(folder / "cache.sqlite", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_what_is_written_is_there_the_next_time(tmp_path: Path) -> None:
    with opened(tmp_path) as database:
        fill(database)
    with opened(tmp_path) as database:
        assert counts(database) == (40, 40)
        assert not database.was_damaged


CHANGES = [
    "DELETE FROM things WHERE id = 7",
    "DELETE FROM pairs WHERE b = 'b3'",
    "UPDATE things SET name = 'other' WHERE id = 7",
    "UPDATE things SET data = NULL WHERE id = 7",
    "INSERT INTO things VALUES (99, 'more', NULL)",
    "DELETE FROM meta WHERE key = 'digest'",
    "DELETE FROM meta WHERE key = 'layout'",
    "UPDATE meta SET value = 'x'",
    "DROP TABLE meta",
    "DROP TABLE pairs",
    "DROP INDEX things_name",
    "ALTER TABLE pairs RENAME COLUMN b TO c",
    "CREATE TABLE more (x)",
    "UPDATE things SET name = CAST(x'ff' AS TEXT) WHERE id = 7",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_not_ours_empties_the_cache(tmp_path: Path, change: str) -> None:
    with opened(tmp_path) as database:
        fill(database)
    outside(tmp_path, change)
    with opened(tmp_path) as database:
        assert database.was_damaged
        assert counts(database) == (0, 0)
        fill(database)
    with opened(tmp_path) as database:
        assert (counts(database), database.was_damaged, database.trouble) == ((40, 40), False, None)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: random.Random(1).randbytes(len(data)),
    "zeros": lambda data: bytes(len(data)),
    "half": lambda data: data[: len(data) // 2],
    "odd length": lambda data: data[:5000],
    "a few bytes": lambda data: data[:10],
    "zeroed page": lambda data: data[:8192] + bytes(4096) + data[12288:],
    "flipped bit": lambda data: data[:9000] + bytes([data[9000] ^ 1]) + data[9001:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_of_garbage_is_replaced(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as database:
        fill(database, count=300)
    path = tmp_path / "cache.sqlite"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with opened(tmp_path) as database:
        assert counts(database) in ((0, 0), (300, 300)), "a flip in free space changes nothing"
        assert database.was_damaged == (counts(database) == (0, 0))
    with opened(tmp_path) as database:
        assert database.trouble is None


def test_an_index_without_the_rows_of_its_table_never_passes(tmp_path: Path) -> None:
    with opened(tmp_path) as database:
        fill(database)
    path = tmp_path / "cache.sqlite"
    with closing(sqlite3.connect(path)) as db:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'things_name'"
        ((page,), (size,)) = db.execute(sql).fetchone(), db.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = (b"\x0a\0\0\0\0" + size.to_bytes(2, "big") + b"\0").ljust(size, b"\0")
    path.write_bytes(data)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM things NOT INDEXED").fetchone() == (40,)
        assert db.execute("SELECT id FROM things WHERE name = 'thing 7'").fetchall() == []
    with opened(tmp_path) as database:
        assert database.was_damaged


def test_pages_of_two_commits_never_pass(tmp_path: Path) -> None:
    with opened(tmp_path) as database:
        fill(database, count=200)
    path = tmp_path / "cache.sqlite"
    before = path.read_bytes()
    with opened(tmp_path) as database:
        fill(database, first=200, count=60)
    after = path.read_bytes()
    size = 4096
    before = before.ljust(len(after), b"\0")
    dirty = [at for at in range(0, len(after), size) if before[at : at + size] != after[at : at + size]]
    chance, mixed = random.Random(4), 0
    for _ in range(60):
        start = chance.randrange(len(dirty))
        lost = dirty[start : start + chance.randint(1, len(dirty))]
        image = bytearray(after)
        for at in lost:
            image[at : at + size] = before[at : at + size]
        path.write_bytes(image)
        with opened(tmp_path) as database:
            assert counts(database) in ((0, 0), (200, 200), (260, 260))
            mixed += counts(database) == (0, 0)
    assert mixed > 10


def test_another_database_of_the_same_layout_is_taken_for_what_it_is(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        with opened(tmp_path / name) as database:
            fill(database, first=0 if name == "a" else 100)
    shutil.copy(tmp_path / "a" / "cache.sqlite", tmp_path / "b" / "cache.sqlite")
    with opened(tmp_path / "b") as database:
        assert names(database)[0] == "thing 0"


def test_a_database_in_use_is_not_pulled_from_under_its_user(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        fill(first)
        with opened(tmp_path, layout=2) as second:
            assert counts(second) == (0, 0)
            fill(second, count=3)
            assert second.trouble is not None
        assert counts(first) == (40, 40)
        fill(first, first=40)
    with opened(tmp_path) as again:
        assert counts(again) == (80, 80)


def test_two_write_in_turn(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        for number in range(6):
            fill((first, second)[number % 2], first=number * 10, count=10)
    with opened(tmp_path) as again:
        assert (counts(again), again.was_damaged) == ((60, 60), False)


@pytest.mark.parametrize("damaged", [False, True])
def test_many_open_it_at_once(tmp_path: Path, damaged: bool) -> None:
    with opened(tmp_path) as database:
        fill(database)
    if damaged:
        outside(tmp_path, CHANGES[0])
    with opened(tmp_path) if not damaged else nullcontext():

        def work(number: int) -> int:
            with opened(tmp_path) as database:
                fill(database, first=1000 * number, count=5)
                sql = "SELECT count(*) FROM things WHERE id BETWEEN ? AND ?"
                return int(database.select(sql, (1000 * number, 1000 * number + 9))[0][0])

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(1, 17))) == [5] * 16
    with opened(tmp_path) as again:
        assert (again.was_damaged, again.trouble) == (False, None)
        assert damaged or counts(again) == (120, 120)


@pytest.mark.parametrize("change", [change for change in CHANGES if "TABLE" not in change])
def test_a_change_from_outside_is_found_while_the_file_is_in_use(tmp_path: Path, change: str) -> None:
    with opened(tmp_path) as database, opened(tmp_path) as other:
        database.refill = lambda: fill(database, count=3)
        fill(database)
        fill(other, first=40)
        database.confirm()
        assert counts(database) == (80, 80), "what another process of ours wrote is right"
        with closing(sqlite3.connect(tmp_path / "cache.sqlite", isolation_level=None)) as db:
            db.execute(change)
        database.confirm()
        assert counts(database) == (3, 3)


def test_what_fails_leaves_no_trace(tmp_path: Path) -> None:
    with opened(tmp_path) as database:
        fill(database)
        with pytest.raises(sqlite3.IntegrityError), database.transaction() as db:  # noqa: PT012 - both, or none
            db.execute("DELETE FROM things WHERE id < 20")
            db.execute("INSERT INTO things VALUES (30, 'taken', NULL)")
        assert counts(database) == (40, 40)
    with opened(tmp_path) as database:
        assert not database.was_damaged


STATEMENTS = st.sampled_from(
    [
        "INSERT OR REPLACE INTO things VALUES (:n, :t, :b)",
        "INSERT OR IGNORE INTO things VALUES (:n, :t, :b)",
        "INSERT INTO things VALUES (:n, :t, :b) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "UPDATE things SET name = name || :t WHERE id <= :n",
        "UPDATE things SET id = id + 100 WHERE id = :n",
        "DELETE FROM things WHERE id = :n",
        "INSERT OR REPLACE INTO pairs VALUES (:t, :n)",
        "DELETE FROM pairs WHERE a = :t",
        "DELETE FROM pairs",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STATEMENTS, st.integers(0, 5), st.text(max_size=3), st.none() | st.binary()), max_size=12))
def test_the_digest_follows_every_statement(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str, bytes | None]]
) -> None:
    folder = tmp_path_factory.mktemp("digest")
    with opened(folder) as database:
        for sql, number, text, data in steps:
            try:
                with database.transaction() as db:
                    db.execute(sql, {"n": number, "t": text, "b": data})
            except sqlite3.IntegrityError:
                continue
        rows = [database.select(f"SELECT * FROM {table}") for table in ("things", "pairs")]
    with opened(folder) as database:
        assert not database.was_damaged
        assert [database.select(f"SELECT * FROM {table}") for table in ("things", "pairs")] == rows


def test_the_digest_tells_values_apart() -> None:
    rows: list[tuple[object, ...]] = [
        ("a", "b"), ("ab", ""), (b"a", "b"), ("b", "a"), (1, 2), ("1", 2), (1, "2"), (12,), (None,), ("None",),
        (1.0, 2),
    ]  # fmt: skip
    assert len({localdb.row_digest("t", row) for row in rows} | {localdb.row_digest("u", rows[0])}) == len(rows) + 1


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path / "new" / "deeper") as database:
            fill(database)
            found = list((tmp_path / "new").rglob("*"))
            modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [tmp_path / "new", *found]}
    finally:
        os.umask(before)
    assert len(found) >= 4
    assert modes == {0}


# --- a disk that is full, or cannot be written --------------------------------------------------------------------


class Full:
    """Stands in for a connection whose disk is full."""

    def __init__(self, db: sqlite3.Connection, when: str) -> None:
        self._db, self._when = db, when

    def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
        if self._when in sql:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._db.execute(sql, values)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


@pytest.mark.parametrize("when", ["INSERT INTO things", "UPDATE meta", "COMMIT"])
def test_work_goes_on_where_the_disk_is_full(tmp_path: Path, when: str) -> None:
    with opened(tmp_path) as database:
        fill(database)
        database._db = Full(database._db, when)  # type: ignore[assignment]
        database.surely(lambda: fill(database, first=40))
        assert counts(database) == (80, 80), "what was there comes along"
        assert database.trouble == "database or disk is full"
        fill(database, first=80)
    with opened(tmp_path) as again:
        assert (counts(again), again.was_damaged) == ((40, 40), False)


def test_a_file_that_turns_out_damaged_is_left_and_refilled(tmp_path: Path) -> None:
    with opened(tmp_path) as database:
        fill(database)
        database.refill = lambda: fill(database, count=3)
        real = database._db

        class Malformed(Full):
            def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
                error = sqlite3.DatabaseError("database disk image is malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error

        database._db = Malformed(real, "")  # type: ignore[assignment]
        assert counts(database) == (3, 3)


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with opened(tmp_path / "file") as database:
        fill(database)
        assert counts(database) == (40, 40)
        assert database.trouble is not None


# --- files that need not be proved again --------------------------------------------------------------------------


@pytest.fixture
def proved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Large files from the first byte on; a list of what was proved."""
    monkeypatch.setattr(proofs, "SMALL_BYTES", 1)
    monkeypatch.setattr(proofs, "boot_id", lambda: "this boot")
    calls: list[str] = []
    real = LocalDatabase._is_whole

    def counted(self: LocalDatabase, db: sqlite3.Connection) -> bool:
        calls.append("proved")
        return real(self, db)

    monkeypatch.setattr(LocalDatabase, "_is_whole", counted)
    return calls


def test_an_untouched_large_file_is_proved_once(tmp_path: Path, proved: list[str]) -> None:
    with opened(tmp_path) as database:
        fill(database)
    proved.clear()
    for _ in range(3):
        with opened(tmp_path) as database:
            assert counts(database) == (40, 40)
    assert proved == []
    with opened(tmp_path) as database:
        fill(database, first=40)
    with opened(tmp_path) as database:
        assert counts(database) == (80, 80)
    assert proved == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_touched_large_file_is_proved_again(tmp_path: Path, proved: list[str], change: str) -> None:
    with opened(tmp_path) as database:
        fill(database)
    path = tmp_path / "cache.sqlite"
    before = path.stat()
    outside(tmp_path, change)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with opened(tmp_path) as database:
        assert counts(database) == (0, 0)


def test_a_large_file_is_proved_again_after_a_power_cut(
    tmp_path: Path, proved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as database:
        fill(database)
    proved.clear()
    monkeypatch.setattr(proofs, "boot_id", lambda: "the next boot")
    with opened(tmp_path):
        assert proved == ["proved"]


def test_what_somebody_else_wrote_is_proved_the_next_time(tmp_path: Path, proved: list[str]) -> None:
    with opened(tmp_path) as database:
        fill(database)
        outside(tmp_path, CHANGES[0])
    with opened(tmp_path) as database:
        assert counts(database) == (0, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}', '{"boot": "this boot", "stamps": [1]}', "\xff"])
def test_notes_that_make_no_sense_cost_a_proof(tmp_path: Path, proved: list[str], text: str) -> None:
    with opened(tmp_path) as database:
        fill(database)
    proved.clear()
    (tmp_path / "proved.json").write_bytes(text.encode("latin-1"))
    with opened(tmp_path) as database:
        assert counts(database) == (40, 40)
    assert proved == ["proved"]
