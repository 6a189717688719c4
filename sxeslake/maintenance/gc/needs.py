"""What live versions need: the addresses of their blobs, read from proved manifests without an object a row."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
from blake3 import blake3

from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import ManifestAdded
from sxeslake.format.manifest import CHUNK, Manifest
from sxeslake.machine.concurrency import in_order
from sxeslake.maintenance.gc.holdings import U8, U64, Keys, keys_of
from sxeslake.vault.log.state import Version
from sxeslake.vault.recipes import recipe_digests
from sxeslake.vault.vault import Vault

_ROWS_AT_ONCE = 131_072  # members: sixteen full row groups
_MANIFESTS_AT_ONCE = 3  # in memory; one can have a million members
_NAMED = 20  # versions that a message lists
_COLUMNS = ("directory", "size", "blake3", "chunks")


class Needs:
    """Where some versions stand, in three numbers each, and the packs that they name."""

    def __init__(self, versions: Iterable[Version]) -> None:
        """None of the versions is kept."""
        self.packs: set[str] = set()
        self.blobs = 0  # the keys are at most so many
        self._numbers: dict[str, int] = {}
        self._of, self._first, self._count = array("L"), array("L"), array("L")  # manifest, row groups
        self._recipes: list[U64] = []
        for version in versions:
            archive = version.archive
            self._of.append(self._numbers.setdefault(archive.manifest, len(self._numbers)))
            self._first.append(archive.first_group)
            self._count.append(archive.groups)
            self.packs.update(archive.needs)
            self.blobs += archive.blobs
            recipes = keys_of(recipe_digests([version.archive]))
            if len(recipes):
                self._recipes.append(recipes)
                self.blobs += len(recipes)

    @property
    def manifests(self) -> set[str]:
        """The manifests in which the versions stand."""
        return set(self._numbers)

    def row_groups(self) -> Iterator[tuple[str, list[range]]]:
        """Each manifest, with the row groups of each version in it."""
        of, first, count = (np.asarray(column) for column in (self._of, self._first, self._count))
        order = np.argsort(of, kind="stable")
        bounds = np.searchsorted(of[order], np.arange(len(self._numbers) + 1))
        for number, name in enumerate(self._numbers):
            own = order[bounds[number] : bounds[number + 1]]
            yield name, list(map(range, first[own].tolist(), (first[own] + count[own]).tolist()))

    def keys(self, vault: Vault, *into: Keys) -> None:
        """Put the keys of all blobs into `into`. DamagedLakeError where a manifest cannot be had: guess nothing."""
        jobs = (_job(vault, vault.state.manifest(name), groups) for name, groups in self.row_groups())
        tables = in_order(jobs, threads=vault.threads, in_flight=_MANIFESTS_AT_ONCE)
        for found in chain(self._recipes, tables):
            for each in into:
                each.add(found)


def _job(vault: Vault, record: ManifestAdded, groups: Sequence[range]) -> Callable[[], U64]:
    def job() -> U64:
        key = keys.manifest_key(record.id)
        try:
            data = vault.store.get(key)
        except ObjectNotFoundError as error:
            raise _refused(vault, "a manifest is missing", record.id) from error
        if blake3(data).hexdigest() != record.blake3:
            raise _refused(vault, "a manifest does not agree with its hash in the log", record.id)
        manifest = Manifest(record.id, len(data), data[len(data) - record.footer_bytes :])
        if max(own.stop for own in groups) > manifest.row_groups_in_all:
            raise _refused(vault, "a manifest has fewer rows than its log entry says", record.id)
        return np.unique(np.concatenate(list(_keys(manifest, data, sorted(set(chain.from_iterable(groups)))))))

    return job


def _refused(vault: Vault, what: str, manifest: str) -> DamagedLakeError:
    where = "status <> 'collected' AND json_extract(v.record, '$.manifest') = ?"
    names = [version.name for version in vault.state.versions(where, (manifest,))]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return DamagedLakeError(
        f"{what}; nothing is collected from a damaged lake. Needed by: {', '.join(names[:_NAMED])}{more}.",
        where=keys.manifest_key(manifest),
        hint="Run `sxeslake verify`.",
    )


def _keys(manifest: Manifest, data: bytes, groups: Sequence[int]) -> Iterator[U64]:
    yield np.empty(0, np.uint64)
    for some in batches(groups, manifest.rows_of, _ROWS_AT_ONCE):
        yield np.unique(keys_of(blob_digests(manifest.table(some, [(0, data)], columns=_COLUMNS))))


def blob_digests(table: pa.Table) -> U8:
    """The addresses of the blobs of some rows (n × 32): a member's own, or those of its chunks."""
    parts = []
    for batch in table.select(_COLUMNS).to_batches():
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
