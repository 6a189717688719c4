"""The commit: create the next log entry unless it exists, and if it does, look again.

Before every PUT, the first and each retry: the head must still be there with its hash, and nothing behind the place
that is to be taken, for entries can be lost and buckets rolled back. Every id that the entry refers to is compared with
all that was ever condemned, and our own new objects are asked for: a collector may have taken them for orphans.
"""

from __future__ import annotations

import getpass
import logging
import os
import platform
import random
import socket
import time
import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sxeslake.errors import (
    ConflictError,
    DamagedLakeError,
    DeadObjectsError,
    InputError,
    ObjectExistsError,
    ObjectNotFoundError,
    UnreachableError,
)
from sxeslake.format import keys, logentry
from sxeslake.format.logentry import Entry
from sxeslake.model import MIB
from sxeslake.storage import Store, settle
from sxeslake.vault.log import reader as log
from sxeslake.vault.log.state import Head, LogRecord, LogState

_LOG = logging.getLogger(__name__)

_ATTEMPTS = 200  # each lost race means that somebody else has won one
_BACK_OFF_S = 0.01
_AT_ONCE = 8  # questions after new objects: one after the other, a far bucket makes them the longest part of a commit
_LISTED_EVERY = 64  # so many commits apart, the log is listed: entries lost in a run do not show one place ahead
_LIMIT = logentry.MAX_BODY_BYTES // MIB


def blank_entry(tool: str, message: str | None = None) -> Entry:
    """An entry with who, when and where filled in, and a transaction of its own."""
    said = (
        None if message is None else message.encode("utf-8", "backslashreplace").decode()
    )  # a shell may pass any byte
    return Entry(0, None, str(uuid.uuid4()), utc_now(), who(), socket.gethostname(), tool, said)


def utc_now() -> str:
    """`2026-11-23T02:34:57Z`."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def who() -> str:
    """The name of the person at the keyboard, as far as the system knows it; `\\xe9` for a byte that is not UTF-8."""
    try:
        return os.fsencode(getpass.getuser()).decode("utf-8", "backslashreplace")
    except (OSError, KeyError, ImportError):
        return f"unknown user on {platform.system()}"


def commit(
    store: Store,
    state: LogState,
    build: Callable[[Head], Entry | None],
    looked_at: Callable[[], AbstractSet[str]] = frozenset,
) -> LogRecord | None:
    """Bring the entry that `build` makes for a head into the log, and fold it; None where `build` has nothing to say.

    `build` is called again after each lost race, with the state at the new head, and must keep its transaction uuid.
    `looked_at` tells which packs this run has found in the bucket; the others that the entry refers to are asked for.
    """
    asked = set[str]()
    for attempt in range(_ATTEMPTS):
        head = state.head()
        entry = build(head)
        if entry is None:
            return None
        with ThreadPoolExecutor(1) as asker:
            place = asker.submit(_check_place, store, head, entry.number)
            _check_alive(store, state, entry)
            is_new = _is_new(state, head, entry)
            place.result()
        if not is_new:
            _LOG.debug("another process of this machine has read commits meanwhile; deciding again")
            continue
        _check_present(store, state, entry, asked | looked_at())
        asked |= entry.referenced()[0]
        record = _record(store, entry)
        try:
            store.create(keys.log_key(entry.number), record.data)
        except (ObjectExistsError, UnreachableError):
            there = _entry_there(store, entry.number)
            if there is None:  # it never arrived
                raise
            if there.entry.transaction == entry.transaction:  # our own PUT, whose reply was lost
                record = there
            else:
                _LOG.info("log entry %d was taken by another client; deciding again", entry.number)
                log.sync(store, state)
                time.sleep(random.uniform(0, _BACK_OFF_S * min(attempt, 20)))
                continue
        state.apply([record])
        added = len(record.entry.archives), len(record.entry.packs)
        _LOG.info("commit %d: %d archives and %d packs added", record.entry.number, *added)
        return record
    raise ConflictError(f"{_ATTEMPTS} other commits came first.", hint="Run the command again.")


def _check_place(store: Store, head: Head, number: int) -> None:
    """Refuse to commit on a log that was rolled back, and into a gap: what was lost looks like the end of the log."""
    if head.number:
        log.check_there(store, head)
    if number == 1 or number % _LISTED_EVERY == 0 or store.size(keys.log_key(number + 1)) is not None:
        log.check_end(store, number - 1)


def _is_new(state: LogState, head: Head, entry: Entry) -> bool:
    """Whether the log has none of the entry's items: they would be void for every reader, and their content lost.

    False where another process that shares the state has folded other commits since `head`; an error otherwise.
    """
    void = [item for item in state.objections(entry) if item.field in ("packs", "manifests", "archives", "moved")]
    if void and state.head() == head:
        raise ConflictError(f"{void[0].what}: {void[0].why}; nothing was committed.", hint="Run the command again.")
    return not void


def _entry_there(store: Store, number: int) -> LogRecord | None:
    try:
        return log.read_entry(store, number)
    except ObjectNotFoundError:
        return None


def _record(store: Store, entry: Entry) -> LogRecord:
    data, body = logentry.dump(entry)
    void = logentry.load(data, None if body is None else body[1], where="entry").void
    if void:  # every reader would ignore it: better no commit than one without effect
        raise InputError(f"this commit holds what breaks a rule of the log: {void[0].what}: {void[0].why}.")
    if body is None:
        return LogRecord(entry, logentry.digest_of(data, where="entry"), data, None)
    digest, content = body
    if len(content) > logentry.MAX_BODY_BYTES:
        raise ConflictError(f"this commit's list is longer than {_LIMIT} MiB.", hint="Commit fewer archives at once.")
    try:
        store.create(keys.body_key(digest), content)
    except ObjectExistsError:  # the same bytes, from an attempt before
        settle(store, [keys.body_key(digest)])
    return LogRecord(entry, logentry.digest_of(data, where="entry"), data, content)


def _check_alive(store: Store, state: LogState, entry: Entry) -> None:
    packs, manifests = entry.referenced()
    dead_packs = state.condemned("packs", sorted(packs))
    dead_manifests = state.condemned("manifests", sorted(manifests))
    own_packs = {pack.id: pack.bytes for pack in entry.packs}
    own_manifests = {item.id: item.bytes for item in entry.manifests}
    dead_packs |= packs - own_packs.keys() - state.live_packs(sorted(packs - own_packs.keys()))
    wanted = [*map(keys.pack_key, own_packs), *map(keys.manifest_key, own_manifests)]
    with ThreadPoolExecutor(_AT_ONCE) as askers:
        gone = {key for key, size in zip(wanted, askers.map(store.size, wanted), strict=True) if size is None}
    dead_packs |= {pack for pack in own_packs if keys.pack_key(pack) in gone}
    dead_manifests |= {item for item in own_manifests if keys.manifest_key(item) in gone}
    if dead_packs or dead_manifests:
        raise DeadObjectsError(
            f"{len(dead_packs)} packs and {len(dead_manifests)} manifests of this commit were collected meanwhile.",
            hint="Run the command again.",
        )


def _check_present(store: Store, state: LogState, entry: Entry, known: AbstractSet[str]) -> None:
    """Refuse to refer to what the log names and the bucket has lost: what an entry adds can be read.

    What a version that is moved needed before is not asked for: it is no worse than it was.
    """
    packs = {pack for archive in entry.archives for pack in archive.needs}
    packs |= {pack for replacements in entry.replaced.values() for pack in replacements}
    manifests = {archive.manifest for archive in entry.archives}
    for moved in entry.moved:
        before = state.versions("v.sample = ? AND v.version = ?", (moved.sample, moved.version))
        packs |= set(moved.needs) - state.resolved([pack for version in before for pack in version.archive.needs])
        manifests |= {moved.manifest} - {version.archive.manifest for version in before}
    packs -= {pack.id for pack in entry.packs} | known
    manifests -= {manifest.id for manifest in entry.manifests}
    wanted = {keys.pack_key(pack): state.pack(pack).bytes for pack in sorted(packs)}
    wanted |= {keys.manifest_key(item): state.manifest(item).bytes for item in sorted(manifests)}
    with ThreadPoolExecutor(_AT_ONCE) as askers:
        sizes = zip(wanted, askers.map(store.size, wanted), strict=True)
        lost = [key for key, size in sizes if size != wanted[key]]
    if not lost:
        return
    log.sync(store, state)
    if state.condemned("packs", sorted(packs)) or state.condemned("manifests", sorted(manifests)):
        raise DeadObjectsError(f"{len(lost)} objects of this commit were collected meanwhile.", hint="Run it again.")
    raise DamagedLakeError(
        f"this commit needs packs or manifests that are missing or cut short ({len(lost)}); nothing was committed.",
        where=lost[0],
        hint="Run `sxeslake repair`.",
    )
