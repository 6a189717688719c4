"""One lake, open: its bucket, its folded log, its manifests, blobs and blob index."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from blake3 import blake3

from sxeslake.errors import (
    AlreadyExistsError,
    DamagedLakeError,
    ObjectExistsError,
    ObjectNotFoundError,
    ReadOnlyError,
    SampleNotFoundError,
    SxeslakeError,
)
from sxeslake.format import keys
from sxeslake.format.checkpoint import Stored
from sxeslake.format.lakefile import LakeParameters
from sxeslake.format.logentry import Entry, PackAdded
from sxeslake.model import KIB, Digest
from sxeslake.storage import Store
from sxeslake.text.wording import said
from sxeslake.vault import lakedoc
from sxeslake.vault.local import private, remembered
from sxeslake.vault.local.database import no_room
from sxeslake.vault.log import reader as log
from sxeslake.vault.log.commit import commit, utc_now
from sxeslake.vault.log.state import Head, LogRecord, LogState, Version, folder_of_layout

if TYPE_CHECKING:
    from sxeslake.format.manifest import Blob, ManifestRow
    from sxeslake.format.pack import Footer
    from sxeslake.vault.blobs.index import BlobIndex
    from sxeslake.vault.blobs.ranges import RangeReader
    from sxeslake.vault.blobs.reader import BlobReader
    from sxeslake.vault.blobs.readers import Readers
    from sxeslake.vault.manifests import Manifests

_LOG = logging.getLogger(__name__)

_FOOTER_READERS = 16
_FOOTERS_AT_ONCE = 64  # at most 2 MiB each: bounds the memory of building the index
_DAMAGE_SHOWN = 5  # log entries named when a damaged lake is opened
_PROBE_BYTES = 256 * KIB  # what a cache must have room for, or it is not begun


def create_lake(store: Store, texts: dict[str, bytes]) -> LakeParameters:
    """Write `lake.json`, and beside it the texts that explain the format; AlreadyExistsError where a lake is."""
    made = LakeParameters(uuid4().hex, utc_now())
    try:
        store.create(keys.LAKE, made.dump())
    except ObjectExistsError as error:
        raise AlreadyExistsError("there is a lake already.", where=store.url) from error
    for key, text in texts.items():
        with suppress(ObjectExistsError):
            store.create(key, text)
    return made


class Vault:
    """The content-addressed truth of one lake."""

    file: LakeParameters
    folder: Path  # of the cache

    def __init__(
        self,
        store: Store,
        cache: Path | None,
        *,
        threads: int | None = None,
        tolerant: bool = False,
        keep_bytes: int = 0,
        beside: Vault | None = None,
        memory: LogState | None = None,
    ) -> None:
        """A lake whose log or `lake.json` is damaged is read as far as it goes, see `damage`, and not written.

        `tolerant` says nothing of it when the lake is opened: for verify and repair, which report it.

        `keep_bytes` bounds what of the fetched packs stays in the cache for the next process; 0 keeps none. `beside`
        is the vault whose cache folder this one shares while it folds the log for itself; see `from_bucket`. `memory`
        has entries that the bucket may have lost.
        """
        self._keep_bytes = keep_bytes if cache is not None else 0
        self.store = store
        self.threads = threads or os.cpu_count() or 1
        self.damage: list[log.DamagedEntry] = []  # log entries that cannot be had: they were passed over
        self.file_damage: str | None = None  # what is wrong with `lake.json`
        self._stuck: SxeslakeError | None = None  # why the last look at the log did not reach its head
        self.notes: list[str] = []  # what was wrong with the cache, in words: nothing depends on it any more
        self._cache, self._tolerant, self._beside, self._memory = cache, tolerant, beside, memory
        self._tell: Callable[[str], None] | None = None
        self._is_told = self._is_reloaded = False
        self._trouble: str | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._sync_lock, self._readers_lock = threading.Lock(), threading.Lock()
        self._readers: Readers | None = None
        self._found: Callable[[], AbstractSet[str]] = frozenset
        self._derived: TemporaryDirectory[str] | None = None
        self.file = self._read_file() if beside is None else beside.file
        self._open()

    @property
    def memory(self) -> LogState | None:
        """What this machine had folded before."""
        return self._memory

    def _read_file(self) -> LakeParameters:
        self.file_damage = None
        return lakedoc.read(self.store, self._note_file_damage)

    def _note_file_damage(self, what: str) -> None:
        self.file_damage = what

    def _open(self) -> None:
        path = self._open_folder()
        self.state = self._state_at(path)
        if self.state.was_damaged:
            self.notes.append("the local copy of the log was damaged; it was rebuilt from the bucket")
        try:
            with self._sync_lock:
                log.sync(self.store, self.state, memory=self._memory, displaced=self._keep_displaced)
        except (DamagedLakeError, ReadOnlyError):
            self._fold_over_gaps()
        except BaseException:
            self._release()
            raise
        _LOG.debug("%s: log at entry %d, state in %s", self.store.url, self.state.head().number, path or "memory")
        self._say_trouble()

    def _fold_over_gaps(self) -> None:
        """Fold what can be read into a temporary state, which does not outlive this vault."""
        known, self.state = self.state, LogState(None)
        try:
            log.sync(self.store, self.state, self.damage.append, memory=self._memory or known)
        finally:
            known.close()

    def _state_at(self, path: Path | None) -> LogState:
        state = LogState(path)
        state.refill = lambda: log.sync(self.store, state, self.damage.append if self.damage else None)
        return state

    def reload(self) -> None:
        """Begin again, from a log that has been repaired."""
        self._is_reloaded = True
        self._release()
        self.damage.clear()
        self.file = self._read_file()
        self._open()

    @contextmanager
    def from_bucket(self, *, remembering: bool = False) -> Iterator[Vault]:
        """The same lake, its log folded again from the bucket: for what must not act on the word of a cache.

        The cache is compared with it, and thrown away where it differs. With `remembering`, an entry that the bucket
        has lost is taken from the cache, if the hashes of the log prove it.
        """
        vault = Vault(
            self.store, self._cache, threads=self.threads, tolerant=self._tolerant, keep_bytes=self._keep_bytes,
            beside=self, memory=self.state if remembering else None,
        )  # fmt: skip
        vault.tell_trouble(self._tell_once)
        try:
            if not vault.damage:
                self._compare(vault.state)
            if not vault.damage:  # what the cache knows to be lost does not show in the bucket
                vault.damage += self.damage
            vault.file_damage = self.file_damage
            vault.notes += self.notes
            yield vault
            head = vault.state.head()
        finally:
            vault._release()
        if vault._is_reloaded:
            self.reload()
        elif head.number > self.state.head().number:
            self.sync()

    def _compare(self, true: LogState) -> None:
        """Throw the folded cache away if it is not what the bucket's log gives."""
        if self.damage:
            return
        if self.state.head().number < true.head().number:
            self.sync()
        if self.state.head() == true.head() and self.state.content_digest() != true.content_digest():
            self.notes.append("the local copy of the log did not follow from the bucket's; it was rebuilt")
            self.state.forget_everything()
            self.sync()

    def _open_folder(self) -> Path | None:
        """Find the cache folder of this lake at this address, else a temporary one; where its state belongs."""
        if self._beside is not None:
            self.folder = self._beside.folder
            return None
        if self._cache is not None:
            # The address too: two copies of a lake's folder have one lake id and can part ways.
            name = blake3(f"{self.file.lake_id} {self.store.url}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
            folder = self._cache / name
            try:
                private.make_folder(folder)
                private.probe(folder, _PROBE_BYTES)
            except OSError as error:
                self._trouble = str(error)
            else:
                self.folder = folder
                remembered.note_address(folder, self.store.url)
                return self._cache / folder_of_layout(name) / "state.sqlite"
        try:
            self._temporary = TemporaryDirectory(prefix="sxeslake-", ignore_cleanup_errors=True)
        except OSError as error:
            raise no_room(error) from error
        self.folder = Path(self._temporary.name)
        return None

    def tell_trouble(self, tell: Callable[[str], None]) -> None:
        """Have it said, once, that the cache cannot be used, and why; and what of the log cannot be had."""
        self._tell = tell
        self._say_trouble()
        if not self._tolerant and self._beside is None:
            self._tell_damage(self.damage_in_words())

    def damage_in_words(self) -> list[str]:
        """What is wrong with the lake's file and log, as far as opening it has shown; the first few entries."""
        found = [] if self.file_damage is None else [f"lake.json: {self.file_damage}"]
        found += [f"{keys.log_key(damage.number)}: {damage.detail}" for damage in self.damage[:_DAMAGE_SHOWN]]
        if len(self.damage) > _DAMAGE_SHOWN:
            found.append(f"{len(self.damage) - _DAMAGE_SHOWN} more log entries cannot be had.")
        found += self._displaced_in_words()
        return found

    def _tell_damage(self, words: Sequence[str]) -> None:
        if words and self._tell is not None:
            for text in words:
                self._tell(text)
            self._tell(said("what else is in the lake is read; nothing is written until `sxeslake repair` has run"))

    @property
    def _displaced(self) -> Path:
        return self.folder / "displaced"

    def _keep_displaced(self, entries: list[tuple[int, str, bytes, bytes | None]]) -> None:
        """Keep entries that the bucket's log had once, and has no more: `repair` commits again what they added."""
        for number, digest, data, body in entries:
            if data:
                private.make_folder(self._displaced)
                private.write(self._displaced / f"{number:020d}-{digest}.json", data)
                if body is not None:
                    private.write(self._displaced / f"{number:020d}-{digest}.body", body)

    def displaced(self) -> list[tuple[Path, Stored]]:
        """The entries that this machine has read and that the log has no more, oldest first."""
        found = []
        for path in sorted(self._displaced.glob("*.json")):
            body = path.with_suffix(".body")
            found.append((path, Stored(path.read_bytes(), body.read_bytes() if body.exists() else None)))
        return found

    def _displaced_in_words(self) -> list[str]:
        count = len(list(self._displaced.glob("*.json")))
        if not count:
            return []
        return [f"{count} log entries that this machine has read before are missing from the log; others replace them."]

    @property
    def cache_trouble(self) -> str | None:
        """Why the cache on this machine cannot be used; None where it can."""
        index = None if self._readers is None else self._readers.index.trouble
        return self._trouble or self.state.trouble or index

    def _say_trouble(self) -> None:
        if self.cache_trouble is not None:
            self._tell_once(f"the cache cannot be used, so this takes longer: {self.cache_trouble}")

    def _tell_once(self, text: str) -> None:
        if self._tell is not None and not self._is_told:
            self._is_told = True
            self._tell(text)

    def close(self) -> None:
        """Close threads, files and connections."""
        self._release()
        self.store.close()

    def _release(self) -> None:
        self._say_trouble()
        if self._readers is not None:
            self._readers.close()
            self._readers = None
        self.state.close()
        for folder in (self._temporary, self._derived):
            if folder is not None:
                folder.cleanup()
        self._temporary = self._derived = None

    # --- the log -------------------------------------------------------------------------------------------------

    def sync(self) -> Head:
        """Fold what others have committed meanwhile; if the log was damaged since, what is known stays."""
        self.state.confirm()
        with self._sync_lock:
            try:
                log.sync(self.store, self.state, self.damage.append if self.damage else None)
                self._stuck = None
            except (DamagedLakeError, ReadOnlyError) as error:
                self._stuck = error
                self._tell_damage([str(error)])
        return self.state.head()

    def commit(self, build: Callable[[Head], Entry | None]) -> LogRecord | None:
        """Bring an entry into the log; see `commit.commit`."""
        self.state.confirm()
        self.check_writable()
        return commit(self.store, self.state, build, self._found)

    @contextmanager
    def having_found(self, packs: Callable[[], AbstractSet[str]]) -> Iterator[None]:
        """While something is committed by a run that has found these packs in the bucket: no need to ask again."""
        self._found, before = packs, self._found
        try:
            yield
        finally:
            self._found = before

    def check_writable(self) -> None:
        """Refuse to write into a lake that is damaged, or of a later format."""
        self.file.check_writable(self.store.url)
        if self.file_damage is not None:
            raise DamagedLakeError(self.file_damage, where=self.store.url, hint="Run `sxeslake repair`.")
        if self.damage:
            raise log.refusal(self.damage, self.state.head().number)
        if self._stuck is not None:
            raise self._stuck

    @property
    def derived_folder(self) -> Path:
        """Where to keep what is made from the folded log: not in the cache while entries are missing."""
        if not self.damage:
            return self.folder
        if self._derived is None:
            self._derived = TemporaryDirectory(prefix="sxeslake-derived-", ignore_cleanup_errors=True)
        return Path(self._derived.name)

    # --- readers, made when first asked for ----------------------------------------------------------------------

    @property
    def index(self) -> BlobIndex:
        """Which blobs the lake holds, and where."""
        return self._made().index

    @property
    def manifests(self) -> Manifests:
        """The member tables of archive versions."""
        return self._made().manifests

    @property
    def blobs(self) -> BlobReader:
        """Fetches, decodes and proves blobs."""
        return self._made().blobs

    @property
    def ranges(self) -> RangeReader:
        """Reads parts of blobs."""
        return self._made().ranges

    def _made(self) -> Readers:
        # numpy, pyarrow and the codecs take longer to load than `ls` takes to answer from the log.
        from sxeslake.vault.blobs.readers import Readers  # noqa: PLC0415

        with self._readers_lock:
            if self._readers is None:
                self._readers = Readers(
                    self.store,
                    self.state,
                    self.folder,
                    self._translate,
                    self._relocate,
                    self.threads,
                    self._keep_bytes,
                )
            return self._readers

    # --- members and blobs ---------------------------------------------------------------------------------------

    def rows(self, version: Version, *, by_path: bool = False) -> Iterator[ManifestRow]:
        """The members of a version, in archive order or by path."""
        table = self.manifests.table(version)  # first: it may find the footer on the way
        return self.manifests.open(version.archive.manifest).rows(table, "path" if by_path else "archive")

    def rows_between(self, version: Version, first: str, last: str) -> Iterator[ManifestRow]:
        """The members of a version whose path lies from `first` to `last`, by path; reads only what can hold them."""
        manifest = self.manifests.open(version.archive.manifest)
        for row in manifest.rows(self.manifests.between(version, first, last), "path"):
            if first.encode() <= row.member.path.encode() <= last.encode():
                yield row

    @contextmanager
    def reading(self, version: Version) -> Iterator[None]:
        """While a version is read: one that was forgotten and collected meanwhile is not damaged, it is gone."""
        try:
            yield
        except (ObjectNotFoundError, DamagedLakeError) as error:
            self.sync()
            if self.state.live_version(version.sample, version.version) is None:
                raise SampleNotFoundError(f"{version.name} was forgotten and collected meanwhile.") from error
            raise

    def _translate(self, blobs: Sequence[Blob]) -> dict[Digest, Blob]:
        """Where the blobs of condemned packs stand now: only the footers of the packs that replaced those are read."""
        hinted = {blob.hint.pack for blob in blobs if blob.hint is not None}
        gone = self.state.condemned("packs", sorted(hinted))
        if not gone:
            return {}
        standing = self.state.live_packs(sorted(self.state.resolved(sorted(gone))))
        self._index(standing)
        stale = [blob.digest for blob in blobs if blob.hint is not None and blob.hint.pack in gone]
        return self.index.find(stale, live=standing)

    def _relocate(self, blobs: Sequence[Blob]) -> Iterator[dict[Digest, list[Blob]]]:
        """All places of blobs that could not be read: the head may have moved on, a pack been rewritten or damaged."""
        self.sync()
        yield {digest: [blob] for digest, blob in self._translate(blobs).items()}
        self.sync_index()
        yield self.index.find_all([blob.digest for blob in blobs], live=self.state.live_packs)

    # --- the blob index ------------------------------------------------------------------------------------------

    def sync_index(self) -> None:
        """Index the packs that are alive and not indexed yet, from their footers."""
        self._index(self.state.pack_ids())

    def _index(self, pack_ids: AbstractSet[str]) -> None:
        missing = self.index.missing(pack_ids)
        live = self.state.packs() if missing else {}
        with ThreadPoolExecutor(_FOOTER_READERS) as readers:
            for start in range(0, len(missing), _FOOTERS_AT_ONCE):
                part = [live[pack_id] for pack_id in missing[start : start + _FOOTERS_AT_ONCE]]
                self.index.add([footer for footer in readers.map(self._footer_if_whole, part) if footer is not None])

    def _footer_if_whole(self, record: PackAdded) -> Footer | None:
        """A footer, or None where it is missing or damaged: its blobs are stored again, `verify` names it."""
        try:
            return self.footer(record)
        except (ObjectNotFoundError, DamagedLakeError):
            return None

    def footer(self, record: PackAdded) -> Footer:
        """What a pack holds, read from its tail."""
        from sxeslake.format import pack  # noqa: PLC0415 - as in `_made`

        key = keys.pack_key(record.id)
        start = record.bytes - record.footer_bytes
        data = self.store.get_range(key, start, record.bytes)
        if pack.footer_start(data, record.bytes, where=key) != start:
            raise DamagedLakeError("a pack's footer is not where the log says.", where=key)
        return pack.load_footer(record.id, data, where=key)

    def find(self, digests: Sequence[Digest]) -> dict[Digest, Blob]:
        """Where some blobs stand, of those that the lake holds in packs alive at the folded head."""
        return self.index.find(digests, live=self.state.live_packs)
