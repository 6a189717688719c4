"""What live versions need: the addresses of their blobs, read from proved manifests without an object a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from blake3 import blake3

from sxeslake.concurrency import in_order
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import ManifestAdded
from sxeslake.format.manifest import CHUNK, Manifest
from sxeslake.maintenance.gc.plan import U8, U64, keys_of, union_sorted
from sxeslake.vault.log.state import Version
from sxeslake.vault.recipes import recipe_digests
from sxeslake.vault.vault import Vault

_GROUPS_AT_ONCE = 16  # row groups of 8,192 members
_MANIFESTS_AT_ONCE = 3  # in memory; one can have a million members


def needed_keys(vault: Vault, versions: Sequence[Version]) -> U64:
    """The sorted keys of all blobs of some versions. DamagedLakeError where a manifest cannot be had: guess nothing."""
    of_manifest: dict[str, list[Version]] = defaultdict(list)
    for version in versions:
        of_manifest[version.archive.manifest].append(version)
    jobs = (_job(vault, vault.state.manifest(name), own) for name, own in of_manifest.items())
    recipes = keys_of(recipe_digests([version.archive for version in versions]))
    return union_sorted([np.unique(recipes), *in_order(jobs, threads=vault.threads, in_flight=_MANIFESTS_AT_ONCE)])


def _job(vault: Vault, record: ManifestAdded, versions: Sequence[Version]) -> Callable[[], U64]:
    def job() -> U64:
        key = keys.manifest_key(record.id)
        try:
            data = vault.store.get(key)
        except ObjectNotFoundError as error:
            raise _refused("a manifest is missing", key, versions) from error
        if blake3(data).hexdigest() != record.blake3:
            raise _refused("a manifest does not agree with its hash in the log", key, versions)
        manifest = Manifest(record.id, len(data), data[len(data) - record.footer_bytes :])
        return union_sorted([found for version in versions for found in _keys(manifest, data, version)])

    return job


def _refused(what: str, key: str, versions: Sequence[Version]) -> DamagedLakeError:
    names = ", ".join(version.name for version in versions)
    return DamagedLakeError(
        f"{what}; nothing is collected from a damaged lake. Needed by: {names}.",
        where=key,
        hint="Run `sxeslake verify`.",
    )


def _keys(manifest: Manifest, data: bytes, version: Version) -> Iterator[U64]:
    first, end = version.archive.first_group, version.archive.first_group + version.archive.groups
    for start in range(first, end, _GROUPS_AT_ONCE):
        table = manifest.table(range(start, min(start + _GROUPS_AT_ONCE, end)), [(0, data)])
        yield np.unique(keys_of(blob_digests(table)))


def blob_digests(table: pa.Table) -> U8:
    """The addresses of the blobs of some rows (n × 32): a member's own, or those of its chunks."""
    parts = []
    for batch in table.select(["directory", "size", "blake3", "chunks"]).to_batches():
        chunks = batch.column("chunks")
        whole = np.asarray(chunks.is_null()) & ~np.asarray(batch.column("directory"))
        whole &= np.asarray(batch.column("size")) > 0
        parts += [_fixed(batch.column("blake3"))[whole], _chunked(chunks.drop_null())]
    return np.concatenate(parts) if parts else np.empty((0, 32), np.uint8)


def _fixed(column: pa.FixedSizeBinaryArray) -> U8:
    values = np.frombuffer(column.buffers()[1], np.uint8, count=32 * len(column), offset=32 * column.offset)
    return values.reshape(-1, 32)


def _chunked(column: pa.BinaryArray) -> U8:
    packed = np.frombuffer(b"".join(column.to_pylist()), np.uint8)  # members of more than a chunk: few
    if len(packed) % CHUNK.size:
        raise DamagedLakeError("a manifest's list of chunks is cut short.")
    return packed.reshape(-1, CHUNK.size)[:, :32]
