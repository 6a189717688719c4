"""Lakes without spectra, as large as a facility's, in minutes: `python metadata_lake.py URL ARCHIVES [PER_COMMIT]`.

Every object is made by the product's own code and passes `verify`: documents of the synthetic facility, frames, packs
with footers, manifests, log entries that the commit checks, blob index. Left out is what makes an ingest slow: reading
containers, choosing codecs by trial, and spectra. Arrays have 64 bytes that no other archive has, so there are as many
blobs and rows as with real ones; there is no file that an archive came from, and so no recipe.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
from blake3 import blake3

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.internals import vault_of

from sxeslake import codecs
from sxeslake.archive import synthetic
from sxeslake.archive.columns import ABSENT
from sxeslake.archive.synthetic import BeamSetting, MapPlan
from sxeslake.format import frame, keys
from sxeslake.format.identity import content_id_of, layout_id_of
from sxeslake.format.logentry import ArchiveAdded, ManifestAdded
from sxeslake.format.manifest import SCHEMA, Hint, ManifestBuilder, digest_column, footer_bytes
from sxeslake.ingest.source import record_of
from sxeslake.lake import open_lake
from sxeslake.model import Digest, Source
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.packs.kinds import FRAME_BYTES, Kind, kind_of
from sxeslake.vault.packs.packing import Packer
from sxeslake.vault.vault import Vault

PER_COMMIT = 256
POSITIONS = 1
ARRAY_BYTES = 64
_SETTINGS = tuple(
    BeamSetting(kv, na, grating=grating)
    for kv in (2.0, 5.0, 10.0, 15.0, 20.0) for na in (5.0, 20.0, 50.0, 100.0, 200.0) for grating in ("JS300N", "JS50XL")
)  # fmt: skip
_BEGIN = datetime(2007, 1, 1, 8, 0, 0)
_APART = timedelta(minutes=10)  # 20 years of sessions in a million archives
_JSON, _ARRAY = codecs.Pipeline.parse("zstd:3"), codecs.RAW


@dataclass(slots=True)
class _Blob:
    digest: Digest
    data: bytes
    hint: Hint | None = None


@dataclass(slots=True)
class _Archive:
    number: int
    analysis: str
    time_ns: int
    paths: list[str]
    blobs: list[_Blob]


@dataclass(slots=True)
class _Batch:
    """Archives of one commit: blobs that are new in it, by kind."""

    shared: dict[bytes, _Blob]  # of all commits: what every session writes again
    new: dict[Kind, list[_Blob]] = field(default_factory=dict)

    def archive(self, number: int, positions: int) -> _Archive:
        """The members of one archive, by path."""
        made = MapPlan(
            number, positions, 1, setting=_SETTINGS[number % len(_SETTINGS)], project=f"project {number // 200}",
            sample=f"sample {number // 10}", comment="session", operator=f"operator {number % 40}",
            acquired=_BEGIN + number * _APART,
        )  # fmt: skip
        condition, raw = synthetic._json(synthetic._condition(made)), synthetic._json(synthetic._RAW_CONDITION)
        names = [synthetic._sha(data) for data in (b"", condition, raw)]
        members = [
            (f"conditions/{names[1]}.json", self._shared(f"conditions/{names[1]}.json", condition)),
            (f"rawConditions/{names[2]}.json", self._shared(f"rawConditions/{names[2]}.json", raw)),
        ]
        uuids = [synthetic._uuid(number, "position", place) for place in range(positions)]
        for place, uuid in enumerate(uuids):
            noise = blake3(f"{number}/{place}".encode()).digest(2 * ARRAY_BYTES)
            for name, data in (
                ("info.json", synthetic._json(synthetic._info(made, place, uuid, names))),
                ("qlw.data", noise[:ARRAY_BYTES]),
                ("state.json", synthetic._json(synthetic._state(made, place, made.acquired))),
                ("xes.data", noise[ARRAY_BYTES:]),
            ):
                members.append((f"data/{uuid}/{name}", self._own(f"data/{uuid}/{name}", data)))
        metadata = synthetic._json(synthetic._metadata(made, uuids))
        members.append(("metadata.json", self._own("metadata.json", metadata)))
        members.sort(key=lambda member: member[0].encode())
        analysis = synthetic._uuid(number, "analysis", 0)
        time_ns = synthetic._ns(made.acquired)
        return _Archive(number, analysis, time_ns, [path for path, _ in members], [blob for _, blob in members])

    def _shared(self, path: str, data: bytes) -> _Blob:
        digest = blake3(data).digest()
        return self.shared[digest] if digest in self.shared else self.shared.setdefault(digest, self._own(path, data))

    def _own(self, path: str, data: bytes) -> _Blob:
        blob = _Blob(blake3(data).digest(), data)
        self.new.setdefault(kind_of(path, len(data)), []).append(blob)
        return blob

    def place(self, packer: Packer) -> None:
        """Frames of what is new, into packs."""
        for kind, blobs in self.new.items():
            step = max(1, FRAME_BYTES // max(len(blobs[0].data), 1))
            for start in range(0, len(blobs), step):
                _place(packer, kind, blobs[start : start + step])


def _place(packer: Packer, kind: Kind, blobs: Sequence[_Blob]) -> None:
    raw, sizes = b"".join(blob.data for blob in blobs), [len(blob.data) for blob in blobs]
    pipeline, payload = codecs.encode_or_raw(_JSON if kind.pack == "json" else _ARRAY, raw)
    sealed = frame.seal(pipeline.descriptor, sizes, payload)
    hint, offset = packer.place(kind.pack, sealed, [blob.digest for blob in blobs], sizes), 0
    for blob, size in zip(blobs, sizes, strict=True):
        blob.hint, offset = hint._replace(blob_offset=offset), offset + size


def _rows(archives: Sequence[_Archive], manifest: ManifestBuilder) -> Iterator[pa.Table]:
    """The member table of each archive, cut from one of all of them."""
    blobs = [blob for archive in archives for blob in archive.blobs]
    hints = [blob.hint for blob in blobs if blob.hint is not None]
    counts = [len(archive.blobs) for archive in archives]
    times = np.repeat(np.array([archive.time_ns for archive in archives], np.int64), counts)
    number = len(blobs)
    columns: dict[str, Any] = {
        "path": [path for archive in archives for path in archive.paths],
        "ordinal": np.concatenate([np.arange(count, dtype=np.uint32) for count in counts]),
        "directory": np.zeros(number, np.bool_),
        "size": np.array([len(blob.data) for blob in blobs], np.uint64),
        "modified_ns": times,
        "crc32": np.array([crc32(blob.data) for blob in blobs], np.uint32),
        "blake3": digest_column(np.frombuffer(b"".join(blob.digest for blob in blobs), np.uint8).reshape(-1, 32)),
        "pack": np.array([manifest.pack_index(hint.pack) for hint in hints], np.uint16),
        "frame_offset": np.array([hint.frame_offset for hint in hints], np.uint32),
        "frame_length": np.array([hint.frame_length for hint in hints], np.uint32),
        "blob_offset": np.array([hint.blob_offset for hint in hints], np.uint32),
    }
    arrays = [
        pa.nulls(number, spec.type) if spec.name not in columns else pa.array(columns[spec.name], spec.type)
        for spec in SCHEMA
    ]
    table, start = pa.Table.from_arrays(arrays, schema=SCHEMA), 0
    for count in counts:
        yield table.slice(start, count)
        start += count


def _added(archive: _Archive, manifest: str, group: int, bytes_stored: int) -> ArchiveAdded:
    sizes = [len(blob.data) for blob in archive.blobs]
    members = list(zip(archive.paths, sizes, archive.blobs, strict=True))
    name = f"session-{archive.number:07d}"
    digest = blake2b(name.encode(), digest_size=32).hexdigest()  # of a file that never was
    file = f"{name}.plzip"
    source = Source(f"/data/epma-1/{file}", "epma-1", file, "zip", 2 * sum(sizes), archive.time_ns, digest)
    return ArchiveAdded(
        name, 1, manifest, group, 1, len(members),
        content_id_of((path, False, size, blob.digest) for path, size, blob in members),
        layout_id_of((path, False, size, archive.time_ns, ABSENT, ABSENT, None) for path, size, _ in members),
        "sxes", len(members), 2 * sum(sizes), sum(sizes), len(members), len(members) - 2, bytes_stored,
        record_of(source), (archive.analysis,), (),
        tuple(sorted({blob.hint.pack for blob in archive.blobs if blob.hint is not None})),
        recipe={"reason": "there is no file"},
    )  # fmt: skip


def commit(vault: Vault, numbers: range, shared: dict[bytes, _Blob], positions: int = POSITIONS) -> None:
    """Archives of these numbers, in one commit."""
    batch, packer = _Batch(shared), Packer(vault.store)
    try:
        archives = [batch.archive(number, positions) for number in numbers]
        batch.place(packer)
        written = packer.finish()
    finally:
        packer.close()
    builder = ManifestBuilder()
    for table in _rows(archives, builder):
        builder.add([table])
    data = builder.finish()
    manifest = ManifestAdded(
        keys.new_id(), len(data), footer_bytes(data),
        blake3(data).hexdigest(), blake3(data[-footer_bytes(data) :]).hexdigest(),
    )  # fmt: skip
    vault.store.create(keys.manifest_key(manifest.id), data)
    stored = sum(item.record.bytes for item in written) // len(archives)
    added = tuple(_added(archive, manifest.id, group, stored) for group, archive in enumerate(archives))
    blank = blank_entry("benchmark")
    vault.commit(
        lambda head: replace(
            blank, number=head.number + 1, previous=head.digest, archives=added,
            packs=tuple(item.record for item in written), manifests=(manifest,),
        )
    )  # fmt: skip
    vault.index.add([item.footer for item in written])


def fill(url: str, archives: int, per_commit: int = PER_COMMIT, positions: int = POSITIONS) -> None:
    """Bring a lake to so many archives; one that was interrupted goes on."""
    with open_lake(url) as lake:
        vault, shared = vault_of(lake), dict[bytes, _Blob]()
        ((there,),) = vault.state.select("SELECT count(*) FROM versions")
        for first in range(there, archives, per_commit):
            commit(vault, range(first, min(first + per_commit, archives)), shared, positions)


if __name__ == "__main__":
    fill(sys.argv[1], *map(int, sys.argv[2:]))
