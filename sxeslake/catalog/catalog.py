"""The catalogue of one lake: kept up to date, asked, published, rebuilt. What stands behind the questions of `Lake`.

    catalog = Catalog(vault, time_zones={"JXA-8530F": "Asia/Tokyo"})
    result = catalog.query("maps-by-beam-condition", {"kv": "5", "grating": "JS300N"})

Every question first looks whether the log has moved on. The database of a commit stays open, so that the next
question pays for its answer alone.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from sxeslake.catalog import remarks
from sxeslake.catalog.asking import Asking
from sxeslake.catalog.model import MakeProgress, no_progress
from sxeslake.catalog.query import library
from sxeslake.catalog.remarks import Remark
from sxeslake.catalog.store import inuse
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.checkpoint import published_numbers
from sxeslake.catalog.store.comparison import Rebuilt, TableDigest, compare, extents
from sxeslake.catalog.store.database import Database, Holding
from sxeslake.catalog.store.snapshot import Snapshot, manifest_key
from sxeslake.catalog.store.source import VaultSource
from sxeslake.catalog.store.sync import checkpoint, rebuild, sync
from sxeslake.errors import DamagedLakeError, NotFoundError, UsageError
from sxeslake.model import DOCUMENT_BYTES
from sxeslake.text.html import HtmlRecord
from sxeslake.vault import refs
from sxeslake.vault.log import segments
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, Version
from sxeslake.vault.vault import Vault

if TYPE_CHECKING:
    from sxeslake.catalog.open_tables.publish import TablesReport, TablesTarget

_FOLDER = "catalog"


@dataclass(frozen=True, slots=True)
class Annotated(HtmlRecord):
    """What was said: the commit, None where all of it stood there already; and words on keys that look like slips.

    Attributes
    ----------
    commit : int or None
        The commit; None where nothing is new.
    annotations : tuple of mapping
        What is said now: place, key, value.
    notes : tuple of str
        Notes on keys that may be typing errors.

    Examples
    --------
    >>> lake.annotate("map", role="standard").notes
    ()
    """

    commit: int | None
    annotations: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointReport(HtmlRecord):
    """What publishing cost, and what the catalogue is in all.

    Attributes
    ----------
    commit : int
        The commit that it is of.
    new_segments : int
        Parts of the log that were uploaded.
    new_parts : int
        Parts of the catalogue that were uploaded.
    new_bytes : int
        Bytes that were uploaded.
    parts : int
        Parts of the catalogue in all.
    bytes : int
        Their bytes.

    Examples
    --------
    >>> lake.checkpoint().new_parts > 0
    True
    """

    commit: int
    new_segments: int
    new_parts: int
    new_bytes: int
    parts: int
    bytes: int


class Catalog(Asking):
    """The catalogue over an open vault; safe for many threads."""

    def __init__(
        self,
        vault: Vault,
        *,
        time_zones: Mapping[str, str] | None = None,
        progress: MakeProgress = no_progress,
        document_bytes: int = DOCUMENT_BYTES,
    ) -> None:
        self._vault, self._progress = vault, progress
        self._source = VaultSource(vault, document_bytes)
        self._document_bytes = document_bytes
        self._time_zones = dict(time_zones or {})
        self._folder = vault.derived_folder / _FOLDER
        self._cache = Cache.at(self._folder)
        self._lock = threading.RLock()
        self._database: Database | None = None
        self._saved: int | None = None

    def close(self) -> None:
        """Close the database and delete a temporary cache."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
            self._cache.close()

    # --- asking --------------------------------------------------------------------------------------------------

    def all_copies(self, name: str, folders: Sequence[Path] = ()) -> Mapping[str, object]:
        """The word by which a query counts every copy, if it takes filters at all."""
        return {"copies": True} if library.load(folders).get(name).over else {}

    def database(self) -> Database:
        """The catalogue at the newest commit."""
        with self._lock:
            self._vault.sync()
            self._follow()
            head = self._source.head()
            saved = self._saved_at()
            # Another process may have merged the parts of this commit; the old ones go away an hour later.
            if self._database is None or self._database.snapshot.head != head or saved != self._saved:
                self._use(
                    sync(
                        self._source,
                        self._cache,
                        self._vault.store,
                        self._progress,
                        document_bytes=self._document_bytes,
                    )
                )
            assert self._database is not None
            return self._database

    def holding(self, lake: str) -> tuple[Database, Holding]:
        """The database, and what it is made of, for a union in which this lake has a name."""
        with self._lock:
            database = self.database()
            return database, Holding(database.snapshot, self._cache, self._vault.store.get, lake)

    def _follow(self) -> None:
        """Go where the vault's folder is now: a repair opens it again, perhaps elsewhere."""
        if self._folder != self._vault.derived_folder / _FOLDER:
            self._folder = self._vault.derived_folder / _FOLDER
            self._cache, self._database = Cache.at(self._folder), None

    def _use(self, snapshot: Snapshot) -> None:
        """Open a snapshot; the database before lives on in whatever still reads from it."""
        self._database = self._open(snapshot, self._cache)
        self._saved = self._saved_at()
        with suppress(DamagedLakeError):  # a question that needs the table says so
            inuse.note(self._database, self._cache.folder, self._cache.manifest_path())

    def _open(self, snapshot: Snapshot, cache: Cache) -> Database:
        return Database(snapshot, cache, self._vault.store.get, time_zones=self._time_zones)

    def _saved_at(self) -> int | None:
        try:
            return self._cache.manifest_path().stat().st_mtime_ns
        except OSError:
            return None

    # --- keeping -------------------------------------------------------------------------------------------------

    def checkpoint(self) -> CheckpointReport:
        """Bring log and catalogue of the newest commit into the bucket; uploads only what no checkpoint holds yet."""
        self._vault.check_writable()
        if self.wrong_published(everything=False):
            self._withdraw()
        with self._lock, self._vault.from_bucket() as vault:
            vault.check_writable()
            snapshot = self.database().snapshot
            vault.sync()
            log = segments.publish(vault.store, vault.state)
            done = checkpoint(self._vault.store, self._cache, snapshot)
            self._use(done.snapshot)
            return CheckpointReport(
                snapshot.head.number, 0 if log is None else log.segments, done.parts,
                done.bytes + (0 if log is None else log.bytes), len(done.snapshot.parts),
                sum(part.bytes for part in done.snapshot.parts),
            )  # fmt: skip

    def publish_tables(self, target: TablesTarget, *, keep_hours: int = 0) -> TablesReport:
        """Bring the open tables at a place to the newest commit."""
        from sxeslake.catalog.open_tables.publish import publish_tables  # noqa: PLC0415 - needs an extra

        with self._lock:
            snapshot = self.database().snapshot
        lake_id, fetch = self._vault.file.lake_id, self._vault.store.get
        return publish_tables(snapshot, self._cache, fetch, target, lake_id, keep_hours=keep_hours)

    def rebuild(self) -> Rebuilt:
        """Rebuild the catalogue from the log, the manifests and the packs alone, and compare it with the old one."""
        with self._lock, self._vault.from_bucket():
            before = self._extents_before()
            with _beside(self._cache.folder) as made:
                snapshot = rebuild(self._source, made, self._progress, document_bytes=self._document_bytes)
                fresh = self._open(snapshot, made)
                proof = compare(before, extents(fresh), snapshot.head.number)
                fresh.close()
                for part in snapshot.parts:
                    self._cache.put(part, made.read(part))  # also over a part whose bytes have changed
                self._cache.save(snapshot, force=True)
            self._use(snapshot)
            return proof

    def wrong_published(self, *, everything: bool, seed: int | None = None) -> dict[str, str]:
        """Published lists of parts whose rows are not those of the archives, and what is wrong with each.

        `everything` projects all archives again, else a few that `seed` chooses.
        """
        import duckdb  # noqa: PLC0415 - loaded by the database

        from sxeslake.catalog.store import published  # noqa: PLC0415 - heavy; only checks need it

        with self._lock:
            self._vault.sync()
            snapshot = published.current(self._source, self._vault.store)
            if snapshot is None or self._vault.damage:
                return {}
            key, store = manifest_key(snapshot.head.number), self._vault.store
            try:
                with _beside(self._cache.folder) as made, _beside(self._cache.folder) as taken:
                    if everything:
                        wrong = published.wrong_tables(
                            self._source, store, snapshot, taken, made, self._open, document_bytes=self._document_bytes
                        )
                    else:
                        chance = random.Random(seed)
                        wrong = published.wrong_in_sample(
                            self._source, snapshot, self._cache, made, self._open, chance,
                            document_bytes=self._document_bytes,
                        )  # fmt: skip
            except (duckdb.Error, OSError, DamagedLakeError, NotFoundError) as error:
                return {key: f"the published catalogue cannot be read: {error}"}
            if not wrong:
                return {}
            return {key: f"the published catalogue is not what the archives say, in {', '.join(wrong)}"}

    def republish(self) -> CheckpointReport:
        """Take every published catalogue back, and publish one that was made again from the archives."""
        self._withdraw()
        return self.checkpoint()

    def _withdraw(self) -> None:
        """Take every published catalogue back: the wrong rows may have come into later ones, and into the cache."""
        with self._lock:
            for number in published_numbers(self._vault.store):
                self._vault.store.delete([manifest_key(number)])
            self.rebuild()

    def _extents_before(self) -> dict[str, TableDigest] | None:
        """What the catalogue that is here says; None where it cannot be read."""
        import duckdb  # noqa: PLC0415 - loaded by the database

        try:
            return extents(self.database())
        except (duckdb.Error, OSError, DamagedLakeError):
            return None

    # --- annotations ---------------------------------------------------------------------------------------------

    def annotate(self, said: Sequence[Remark], *, tool: str, message: str | None = None) -> Annotated:
        """Append what people say to the log, in one commit; NotFoundError for a place that is not there."""
        database = self.database()
        items = [item for remark in said for item in self._items(database, remark)]
        used = database.table("SELECT DISTINCT key FROM annotations").column("key").to_pylist()
        notes = tuple(remarks.slips([item["key"] for item in items], used))
        new = [item for item in items if not self._stands(item)]
        if not new:
            return Annotated(None, tuple(items), notes)
        entry = blank_entry(tool, message)

        def build(head: Head) -> Any:
            return replace(entry, number=head.number + 1, previous=head.digest, annotations=tuple(new))

        record = self._vault.commit(build)
        assert record is not None
        return Annotated(record.entry.number, tuple(items), notes)

    def _items(self, database: Database, remark: Remark) -> list[dict[str, Any]]:
        if remark.analysis and remark.position:
            raise UsageError("an annotation is of an analysis or of a position, not of both.", where=remark.ref)
        version = refs.find(self._vault.state, remark.ref)
        number = None if refs.parse(remark.ref).version is None else version.version
        uuid = self._uuid(database, version, remark)
        return remarks.items(version.sample, number, remark.target, uuid, remark.values)

    def _uuid(self, database: Database, version: Version, remark: Remark) -> str | None:
        """The analysis or position that is meant, of those the version has."""
        written = remark.analysis or remark.position
        if written is None:
            return None
        table, column = ("analyses", "analysis_uuid") if remark.analysis else ("positions", "position_uuid")
        sql = f"SELECT {column} AS uuid FROM {table} WHERE sample = $sample AND version = $version"
        rows = database.table(sql, {"sample": version.sample, "version": version.version})
        return remarks.full_uuid(written, rows.column("uuid").to_pylist(), remark.target, version.name)

    def _stands(self, item: Mapping[str, Any]) -> bool:
        """Whether it would say nothing new."""
        place = (item["version"], item["target"], item["uuid"], item["key"])
        values = {
            (each.version, each.target, each.uuid, each.key): each.value
            for each in self._vault.state.annotations(item["sample"], item["version"] or 0)
        }
        return bool(values.get(place) == item["value"])


@contextmanager
def _beside(folder: Path) -> Iterator[Cache]:
    """A cache in a new folder beside another one, on the same disk; gone afterwards."""
    try:
        made = Path(mkdtemp(prefix=f"{folder.name}-anew-", dir=folder.parent))
    except OSError:  # no room in the cache
        made = Path(mkdtemp(prefix="sxeslake-catalog-"))
    try:
        yield Cache(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
