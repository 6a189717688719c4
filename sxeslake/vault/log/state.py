"""The log, folded: which samples, packs and manifests are alive at the head. A cache in SQLite, never the truth.

A local database keeps opening, listing and committing flat in the number of archives; it is thrown away whenever the
log in the bucket says otherwise, or its rows do not give the digest that stands beside them. Any number of processes
share it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.format.logentry import MAX_VERSION, ArchiveAdded, Entry, ManifestAdded, PackAdded, Void, plain
from sxeslake.vault.local.database import LocalDatabase
from sxeslake.vault.log import rules

_AT_ONCE = 1024  # versions: each takes some kilobytes
_LAYOUT = 9  # of this database; versions of this program with different layouts use different files
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY, digest TEXT NOT NULL, time TEXT NOT NULL, data BLOB NOT NULL, body BLOB);
CREATE TABLE IF NOT EXISTS versions (
  sample TEXT NOT NULL, version INTEGER NOT NULL, number INTEGER NOT NULL, place INTEGER NOT NULL,
  status TEXT NOT NULL,
  content_id TEXT NOT NULL, layout_id TEXT NOT NULL,
  sha256 TEXT, path TEXT, host TEXT, bytes INTEGER, record TEXT NOT NULL,
  PRIMARY KEY (sample, version));
CREATE INDEX IF NOT EXISTS versions_content ON versions (content_id);
CREATE INDEX IF NOT EXISTS versions_bytes ON versions (bytes, sha256);
CREATE INDEX IF NOT EXISTS versions_path ON versions (path, host);
CREATE TABLE IF NOT EXISTS packs (
  id TEXT PRIMARY KEY, number INTEGER NOT NULL, condemned INTEGER, record TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS manifests (
  id TEXT PRIMARY KEY, number INTEGER NOT NULL, condemned INTEGER, record TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS void (
  number INTEGER NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL, field TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (number, what)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settled (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS replaced (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
  sample TEXT NOT NULL, kind TEXT NOT NULL, tag TEXT NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (sample, kind, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS annotations (
  sample TEXT NOT NULL, version INTEGER NOT NULL, target TEXT NOT NULL, uuid TEXT NOT NULL, key TEXT NOT NULL,
  value TEXT NOT NULL, who TEXT NOT NULL, time TEXT NOT NULL,
  PRIMARY KEY (sample, version, target, uuid, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paths (
  sample TEXT NOT NULL, version INTEGER NOT NULL, path TEXT NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL,
  modified_ns INTEGER NOT NULL, place INTEGER NOT NULL, who TEXT NOT NULL, time TEXT NOT NULL,
  PRIMARY KEY (sample, version, path, host)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS paths_path ON paths (path, host);
CREATE TABLE IF NOT EXISTS calibrations (
  id TEXT PRIMARY KEY, number INTEGER NOT NULL, place INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
"""


def folder_of_layout(name: str) -> str:
    """The cache folder that holds this layout of the database of a lake whose own folder is `name`."""
    return f"{name}-{_LAYOUT}"


class Head(NamedTuple):
    """The newest commit: its number and hash; number 0 is the empty log."""

    number: int
    digest: str | None


class LogRecord(NamedTuple):
    """An entry with the bytes it was read from."""

    entry: Entry
    digest: str
    data: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What somebody said last of a key; `version` None is all versions, `target` sample, analysis or position."""

    version: int | None
    target: str
    uuid: str | None
    key: str
    value: str
    who: str
    time: str


class SourcePath(NamedTuple):
    """A path at which the file of a version was found: where it came from first, or another one."""

    sample: str
    version: int
    path: str
    host: str
    name: str
    modified_ns: int | None
    place: int  # in the order of the states of a path: the number of the log entry
    who: str
    time: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a sample, as the log has it."""

    number: int
    time: str
    status: str  # "live", "forgotten" or "collected"
    archive: ArchiveAdded

    @property
    def sample(self) -> str:
        """The name under which it lives."""
        return self.archive.sample

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self.archive.version

    @property
    def name(self) -> str:
        """`ti-grains@2`."""
        return f"{self.archive.sample}@{self.archive.version}"


class LogState(LocalDatabase):
    """The folded log in a database file; in a temporary one where `path` is None."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path, _LAYOUT, _TABLES)

    def forget_everything(self) -> None:
        """Start again from an empty log: the bucket's log is not the one that was folded."""
        self.clear()

    # --- folding -------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """The newest entry that has been folded."""
        rows = self.select("SELECT number, digest FROM entries ORDER BY number DESC LIMIT 1")
        return Head(*rows[0]) if rows else Head(0, None)

    def digest(self, number: int) -> str | None:
        """The hash of an entry that has been folded."""
        rows = self.select("SELECT digest FROM entries WHERE number = ?", (number,))
        return rows[0][0] if rows else None

    def apply(self, records: Sequence[LogRecord]) -> None:
        """Fold entries onto the head; those that are folded already are passed over.

        An entry that follows always folds: its void items are noted, and all others count.
        """
        self.surely(lambda: self._apply(records))

    def _apply(self, records: Sequence[LogRecord]) -> None:
        with self.transaction() as db:
            for record in records:
                head = self.head()
                if record.entry.number <= head.number:
                    continue
                if record.entry.number != head.number + 1 or record.entry.previous != head.digest:
                    raise DamagedLakeError(
                        f"log entry {record.entry.number} does not follow entry {head.number}.",
                        hint="Run `sxeslake verify`.",
                    )
                entry, void = rules.effective(record.entry, _Folded(db))
                _fold(db, record._replace(entry=entry))
                noted = [(entry.number, *one) for one in void]
                db.executemany("INSERT OR IGNORE INTO void VALUES (?, ?, ?, ?, ?)", noted)

    def objections(self, entry: Entry) -> list[Void]:
        """The items of an entry that would be void behind the head."""
        return self.surely(lambda: rules.effective(entry, _Folded(self._db))[1])

    def counted(self, entry: Entry) -> Entry:
        """A folded entry without its void items."""
        sql = "SELECT field, at FROM void WHERE number = ? AND at >= 0"
        return rules.without(entry, self.select(sql, (entry.number,)))

    def void(self) -> dict[int, list[Void]]:
        """The void items of all entries, by number, but those that a repair has settled."""
        found: dict[int, list[Void]] = {}
        sql = "SELECT number, what, why, field, at FROM void WHERE number NOT IN (SELECT number FROM settled)"
        for number, *one in self.select(f"{sql} ORDER BY number, field, at, what"):
            found.setdefault(number, []).append(Void(*one))
        return found

    # --- asking --------------------------------------------------------------------------------------------------

    def versions(self, where: str = "status = 'live'", values: Sequence[Any] = ()) -> list[Version]:
        """Versions by a condition on the columns of `versions`, in order of name and number."""
        return self._versions(where, values)

    def each_version(self, where: str = "status = 'live'", values: Sequence[Any] = ()) -> Iterator[Version]:
        """The same, some at a time: a million versions in a list would take gigabytes."""
        behind, last = f"({where}) AND (v.sample, v.version) > (?, ?)", ("", 0)
        while found := self._versions(behind, (*values, *last), _AT_ONCE):
            yield from found
            last = found[-1].sample, found[-1].version

    def _versions(self, where: str, values: Sequence[Any], most: int = -1) -> list[Version]:
        sql = (
            "SELECT v.number, e.time, v.status, v.record FROM versions v JOIN entries e USING (number) "
            f"WHERE {where} ORDER BY v.sample, v.version LIMIT ?"
        )
        return [
            Version(number, archive.origin.get("time") or time, status, archive)
            for number, time, status, record in self.select(sql, (*values, most))
            for archive in (_archive(record),)
        ]

    def live_version(self, sample: str, version: int) -> Version | None:
        """The version of that name and number, unless it is forgotten or was never there."""
        found = self.versions("status = 'live' AND v.sample = ? AND v.version = ?", (sample, version))
        return found[0] if found else None

    def samples(self) -> list[str]:
        """Names that have a live version."""
        return [name for (name,) in self.select("SELECT DISTINCT sample FROM versions WHERE status = 'live'")]

    def first_of_content(self, content_id: str) -> str | None:
        """The first of the live versions with this content, by name and number."""
        where = "status = 'live' AND content_id = ? ORDER BY sample, version LIMIT 1"
        rows = self.select(f"SELECT sample || '@' || version FROM versions WHERE {where}", (content_id,))
        return str(rows[0][0]) if rows else None

    def next_version(self, sample: str) -> int:
        """The number that the next version of a sample gets; numbers are never used twice."""
        ((newest,),) = self.select("SELECT max(version) FROM versions WHERE sample = ?", (sample,))
        if (newest or 0) < MAX_VERSION:
            return (newest or 0) + 1
        sql = "SELECT min(version) + 1 FROM (SELECT 0 AS version UNION SELECT version FROM versions WHERE sample = ?1) "
        unused = "WHERE version + 1 NOT IN (SELECT version FROM versions WHERE sample = ?1)"
        ((free,),) = self.select(sql + unused, (sample,))  # somebody took the last number
        return int(free)

    def holds_file_of(self, size: int) -> bool:
        """Whether a live version came from a file of that many bytes."""
        sql = "SELECT 1 FROM versions WHERE status = 'live' AND bytes = ? AND sha256 IS NOT NULL LIMIT 1"
        return bool(self.select(sql, (size,)))

    def tag(self, sample: str, tag: str) -> int | None:
        """The version that a tag names."""
        rows = self.select("SELECT version FROM tags WHERE sample = ? AND kind = 'tag' AND tag = ?", (sample, tag))
        return rows[0][0] if rows else None

    def marks(self, sample: str) -> dict[int, list[tuple[str, str]]]:
        """What keeps versions of a sample from being forgotten: version → [("tag", "paper-2026"), ("hold", "2")]."""
        found: dict[int, list[tuple[str, str]]] = {}
        for version, kind, tag in self.select("SELECT version, kind, tag FROM tags WHERE sample = ?", (sample,)):
            found.setdefault(version, []).append((kind, tag))
        return found

    def annotations(self, sample: str, version: int) -> list[Annotation]:
        """Annotations of a version, and of all versions of its sample."""
        rows = self.select(
            "SELECT nullif(version, 0), target, nullif(uuid, ''), key, value, who, time FROM annotations "
            "WHERE sample = ? AND version IN (0, ?) ORDER BY target DESC, uuid, key, version",
            (sample, version),
        )
        return [Annotation(*row) for row in rows]

    def calibrations(self) -> dict[str, dict[str, Any]]:
        """The registered calibrations by id, as the log has them, the newest last."""
        return {name: json.loads(record) for name, record in self.select(CALIBRATIONS)}

    def paths(self, where: str = "TRUE", values: Sequence[Any] = ()) -> list[SourcePath]:
        """Every path of the live versions, the newest state of a path last; a condition on sample, version, path, host.

        The path that a version came from and those where its file was found later.
        """
        sql = _PATHS.format(where) + " ORDER BY place, at, sample, version"
        return [SourcePath(*row[:-1]) for row in self.select(sql, (*values, *values))]

    def packs(self) -> dict[str, PackAdded]:
        """The packs that are alive."""
        rows = self.select("SELECT record FROM packs WHERE condemned IS NULL")
        return {pack.id: pack for pack in (PackAdded(**json.loads(record)) for (record,) in rows)}

    def pack(self, pack_id: str) -> PackAdded:
        """One pack that the log added."""
        rows = self.select("SELECT record FROM packs WHERE id = ? AND record IS NOT NULL", (pack_id,))
        if not rows:
            raise DamagedLakeError(f"the log never added a pack {pack_id}.")
        return PackAdded(**json.loads(rows[0][0]))

    def pack_ids(self) -> set[str]:
        """The ids of the packs that are alive."""
        return {pack for (pack,) in self.select("SELECT id FROM packs WHERE condemned IS NULL")}

    def manifests(self) -> dict[str, ManifestAdded]:
        """The manifests that are alive."""
        rows = self.select("SELECT record FROM manifests WHERE condemned IS NULL")
        return {item.id: item for item in (ManifestAdded(**json.loads(record)) for (record,) in rows)}

    def manifest(self, manifest_id: str) -> ManifestAdded:
        """One manifest that the log added: one that was condemned, too, for its bytes may still be there."""
        rows = self.select("SELECT record FROM manifests WHERE id = ? AND record IS NOT NULL", (manifest_id,))
        if not rows:
            raise DamagedLakeError(f"the log names a manifest that it never added: {manifest_id}.")
        return ManifestAdded(**json.loads(rows[0][0]))

    def live_packs(self, pack_ids: Sequence[str]) -> set[str]:
        """Those of some packs that are alive."""
        return self._among("packs", "condemned IS NULL", pack_ids)

    def condemned(self, table: str, ids: Sequence[str]) -> set[str]:
        """Those of some `packs` or `manifests` that were ever condemned: dead for ever."""
        return self._among(table, "condemned IS NOT NULL", ids)

    def known(self, table: str, ids: Sequence[str]) -> set[str]:
        """Those of some `packs` or `manifests` that the log has ever named, alive or dead."""
        return self._among(table, "TRUE", ids)

    def condemned_in(self, table: str, ids: Sequence[str]) -> list[tuple[str, int]]:
        """Of some `packs` or `manifests` the condemned ones, each with the number of the entry that condemned it."""
        dead = sorted(self.condemned(table, ids))
        sql = f"SELECT id, condemned FROM {table} WHERE id = ?"
        return [(name, number) for item in dead for name, number in self.select(sql, (item,))]

    def body_keys(self) -> set[str]:
        """The keys of the body objects that entries name."""
        bodies = self.select("SELECT body FROM entries WHERE body IS NOT NULL")
        return {keys.body_key(blake3(body).hexdigest()) for (body,) in bodies}

    def resolved(self, pack_ids: Sequence[str]) -> set[str]:
        """The packs that hold now, after repacks, what a version needs of some packs."""
        found: set[str] = set()
        for start in range(0, len(pack_ids), 500):
            found |= {row[0] for row in self.select(_RESOLVED, (json.dumps(list(pack_ids[start : start + 500])),))}
        return found

    def _among(self, table: str, condition: str, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            marks = ",".join("?" * len(part))
            found |= {
                row[0] for row in self.select(f"SELECT id FROM {table} WHERE {condition} AND id IN ({marks})", part)
            }
        return found

    def log(self, after: int = 0) -> Iterator[tuple[int, str, bytes, bytes | None]]:
        """Entries behind a number: number, hash, bytes, body."""
        sql = "SELECT number, digest, data, body FROM entries WHERE number > ? ORDER BY number LIMIT 256"
        while rows := self.select(sql, (after,)):
            yield from rows
            after = rows[-1][0]


CALIBRATIONS = "SELECT id, record FROM calibrations ORDER BY number, place"

# `origin.place` is of a version that was renamed: what was newest at a path stays so. A version that was made in the
# lake, by a migration or an interpretation, was never at a path.
_PATHS = """
SELECT sample, version, path, host, name, modified_ns, place, who, time, at FROM (
  SELECT v.sample, v.version, coalesce(v.path, '') AS path, coalesce(v.host, '') AS host,
    coalesce(json_extract(v.record, '$.source.name'), '') AS name,
    json_extract(v.record, '$.source.modified_ns') AS modified_ns,
    coalesce(CAST(json_extract(v.record, '$.origin.place') AS INTEGER), v.number) AS place,
    coalesce(json_extract(v.record, '$.origin.who'), '') AS who,
    coalesce(json_extract(v.record, '$.origin.time'), e.time) AS time, v.place AS at
  FROM versions v JOIN entries e USING (number) WHERE v.status = 'live' AND {0}
    AND json_extract(v.record, '$.source.migrated_from') IS NULL
    AND json_extract(v.record, '$.source.interpreted_from') IS NULL
  UNION ALL
  SELECT v.sample, v.version, v.path, v.host, v.name, v.modified_ns, v.place, v.who, v.time, 1 << 40
  FROM paths v JOIN versions o USING (sample, version) WHERE o.status = 'live' AND {0})"""

_RESOLVED = """
WITH RECURSIVE standing (id) AS (
  SELECT value FROM json_each(?) UNION SELECT new FROM replaced JOIN standing ON old = standing.id)
SELECT id FROM standing WHERE id <> '' AND id NOT IN (SELECT old FROM replaced)"""


def _archive(record: str) -> ArchiveAdded:
    raw = json.loads(record)
    for key in ("analyses", "warnings", "needs"):
        raw[key] = tuple(raw[key])
    return ArchiveAdded(**raw)


class _Folded:
    """What the folded entries say, for the rules that the next one is judged by."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def standing(self, table: rules.Table, object_id: str) -> str | None:
        row = self._db.execute(f"SELECT condemned IS NULL FROM {table} WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else "alive" if row[0] else "dead"

    def status(self, sample: str, version: int) -> str | None:
        sql = "SELECT status FROM versions WHERE sample = ? AND version = ?"
        row = self._db.execute(sql, (sample, version)).fetchone()
        return None if row is None else str(row[0])

    def has_sample(self, sample: str) -> bool:
        return self._db.execute("SELECT 1 FROM versions WHERE sample = ? LIMIT 1", (sample,)).fetchone() is not None


def _fold(db: sqlite3.Connection, record: LogRecord) -> None:
    entry = record.entry
    number = entry.number
    db.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (number, record.digest, entry.time, record.data, record.body)
    )
    for pack in entry.packs:
        db.execute("INSERT INTO packs VALUES (?, ?, NULL, ?)", (pack.id, number, json.dumps(plain(pack))))
    for manifest in entry.manifests:
        db.execute("INSERT INTO manifests VALUES (?, ?, NULL, ?)", (manifest.id, number, json.dumps(plain(manifest))))
    db.executemany(
        "INSERT INTO versions VALUES (?, ?, ?, ?, 'live', ?, ?, ?, ?, ?, ?, ?)",
        map(_version_row(number), range(len(entry.archives)), entry.archives),
    )
    for moved in entry.moved:
        name = moved.sample, moved.version
        place = {key: value for key, value in plain(moved).items() if key not in ("sample", "version", "recipe")}
        sql = "UPDATE versions SET record = {} WHERE sample = ? AND version = ?"
        db.execute(sql.format("json_patch(record, ?)"), (json.dumps(place), *name))
        if moved.recipe is not None:  # whole: a patch would leave keys of the one before
            db.execute(sql.format("json_set(record, '$.recipe', json(?))"), (json.dumps(moved.recipe), *name))
    for status, names in (("forgotten", entry.forgotten), ("live", entry.restored), ("collected", entry.collected)):
        db.executemany(
            "UPDATE versions SET status = ? WHERE sample = ? AND version = ?",
            [(status, sample, version) for sample, version in names],
        )
    for table, ids in (("packs", entry.condemned_packs), ("manifests", entry.condemned_manifests)):
        # Orphans are condemned too: ids that no entry ever added.
        db.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, NULL) "
            "ON CONFLICT (id) DO UPDATE SET condemned = excluded.condemned WHERE condemned IS NULL",
            [(item, number, number) for item in ids],
        )
    # A pack of which nothing is needed any more is replaced by nothing: the empty name.
    replaced = [(old, new) for old, packs in entry.replaced.items() for new in packs or ("",)]
    db.executemany("INSERT OR IGNORE INTO replaced VALUES (?, ?)", replaced)
    for tag in entry.tags:
        key = (tag["sample"], tag.get("kind", "tag"), tag["tag"])
        if tag["action"] == "remove":
            db.execute("DELETE FROM tags WHERE sample = ? AND kind = ? AND tag = ?", key)
        else:
            values = (*key, tag["version"], json.dumps(dict(tag)))
            db.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?)", values)
    for said in entry.annotations:
        _fold_annotation(db, entry, said)
    db.executemany("INSERT OR REPLACE INTO paths VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _path_rows(entry))
    _fold_calibrations(db, entry)
    db.executemany("INSERT OR IGNORE INTO settled VALUES (?)", [(settled,) for settled in entry.settled])


def _fold_calibrations(db: sqlite3.Connection, entry: Entry) -> None:
    """The last item of an id counts, and stands where that item does; one without a calibration takes it back."""
    for place, item in enumerate(entry.calibrations):
        db.execute("DELETE FROM calibrations WHERE id = ?", (item["id"],))
        if item.get("calibration") is not None:
            values = (item["id"], entry.number, place, json.dumps(item["calibration"]))
            db.execute("INSERT INTO calibrations VALUES (?, ?, ?, ?)", values)


def _path_rows(entry: Entry) -> Iterator[SourcePath]:
    for item in entry.paths:
        place = entry.number if item.get("place") is None else item["place"]
        names = (item["sample"], item["version"], item["path"], item["host"], item["name"], item["modified_ns"])
        yield SourcePath(*names, place, item.get("who") or entry.who, item.get("time") or entry.time)


def _fold_annotation(db: sqlite3.Connection, entry: Entry, said: Mapping[str, Any]) -> None:
    """The last word counts; 0 stands for all versions, the empty text for no UUID."""
    place = (said["sample"], said["version"] or 0, said["target"], said["uuid"] or "", said["key"])
    if said["value"] is None:
        db.execute(
            "DELETE FROM annotations WHERE sample = ? AND version = ? AND target = ? AND uuid = ? AND key = ?", place
        )
    else:
        values = (*place, said["value"], entry.who, entry.time)
        db.execute("INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _version_row(number: int) -> Callable[[int, ArchiveAdded], tuple[Any, ...]]:
    def row(place: int, archive: ArchiveAdded) -> tuple[Any, ...]:
        source, ids = archive.source, (archive.content_id, archive.layout_id)
        origin = (source.get("sha256"), source.get("path"), source.get("host"), archive.bytes_source)
        return archive.sample, archive.version, number, place, *ids, *origin, json.dumps(plain(archive))

    return row
