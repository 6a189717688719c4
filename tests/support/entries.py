"""Log entries for tests: a chain of them without any archive behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sxeslake.format import keys, logentry
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, PackAdded
from sxeslake.storage import Store
from sxeslake.vault.log.state import Head, LogRecord

SOURCE = {
    "path": "/d/a.plzip",
    "host": "probe-2",
    "name": "a.plzip",
    "container": "zip",
    "size": 9,
    "modified_ns": 5,
    "sha256": None,
}


EMPTY = Head(0, None)


def named(number: int) -> str:
    """An id that is easy to read: 7 → `00…07`."""
    return f"{number:032x}"


def pack(number: int) -> PackAdded:
    return PackAdded(named(number), "array", 500, 100, 3, 900)


def manifest(number: int) -> ManifestAdded:
    return ManifestAdded(named(number), 700, 70, "e" * 64, "f" * 64)


def archive(
    sample: str, version: int = 1, *, manifest_id: str = named(0), needs: tuple[str, ...] = (), **more: Any
) -> ArchiveAdded:
    made = ArchiveAdded(
        sample, version, manifest_id, 0, 1, 1, "c" * 64, "d" * 64, "sxes", 1, 9, 3, 1, 1, 3, SOURCE, needs=needs
    )
    return replace(made, **more)


def record(head: Head, **values: Any) -> LogRecord:
    """The entry behind a head, as it would be read from the bucket."""
    number = head.number + 1
    blank = Entry(number, head.digest, f"transaction-{number}", "2026-11-23T02:34:57Z", "curie", "probe-2", "test 1")
    if "manifests" not in values:  # those of the archives, so that nothing is void
        tables = (*values.get("archives", ()), *values.get("moved", ()))
        values["manifests"] = tuple(manifest(int(table, 16)) for table in {table.manifest: 0 for table in tables})
    entry = replace(blank, **values)
    data, body = logentry.dump(entry)
    return LogRecord(entry, logentry.digest_of(data, where="test"), data, body[1] if body else None)


def chain(*changes: dict[str, Any], head: Head = EMPTY) -> list[LogRecord]:
    """Entries that follow one another."""
    records = []
    for change in changes:
        records.append(record(head, **change))
        head = Head(records[-1].entry.number, records[-1].digest)
    return records


def put(store: Store, records: list[LogRecord]) -> None:
    """Records as objects of a bucket."""
    for one in records:
        store.create(keys.log_key(one.entry.number), one.data)
